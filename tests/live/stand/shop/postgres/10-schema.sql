-- A little of a shop: enough rows to dump, restore and count.
CREATE EXTENSION pg_stat_statements;
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('8f2c41d7a9b0');
CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, joined timestamptz NOT NULL);
CREATE TABLE trips (
    id serial PRIMARY KEY,
    owner integer NOT NULL REFERENCES users,
    title text NOT NULL,
    metres integer NOT NULL
);
INSERT INTO users (name, joined)
    SELECT 'rider ' || n, now() - n * interval '3 hours' FROM generate_series(1, 500) AS n;
INSERT INTO trips (owner, title, metres)
    SELECT 1 + n % 500, 'trip ' || n, 1000 + (n * 7919) % 90000 FROM generate_series(1, 5000) AS n;
