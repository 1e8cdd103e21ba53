"""Which environment variables may be shown."""

import pytest

from console.model.environment_names import is_secret, masked, masked_text


@pytest.mark.parametrize(
    "name",
    [
        "SECRET_KEY",
        "POSTGRES_PASSWORD",
        "PGPASSWORD",
        "REDISCLI_AUTH",
        "MYSQL_ROOT_PWD",
        "AWS_SECRET_ACCESS_KEY",
        "stripeApiKey",
        "SLACK_WEBHOOK",
        "SENTRY_DSN",
        "GF_SECURITY_ADMIN_PASSWORD",
        "jwt-secret",
        "SMTP_PASS",
        "ACCESSTOKEN",
    ],
)
def test_secret_names(name: str) -> None:
    assert is_secret(name)
    assert masked(name, "s3cr3t-value") == "***"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PATH", "/usr/local/bin:/usr/bin"),
        ("PWD", "/srv/app"),
        ("KEYCLOAK_URL", "https://id.example.com/realms/shop"),
        ("MONKEY_COUNT", "3"),
        ("SSH_PUBLIC_KEY", "ssh-ed25519 AAAA"),
        ("POSTGRES_PASSWORD_FILE", "/run/secrets/db"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "30"),
        ("JWT_ALGORITHM", "HS256"),
        ("CORS_ORIGINS", "https://a.example:8443,https://b.example"),
        ("BCRYPT_ROUNDS", "14"),
    ],
)
def test_harmless_values_are_shown(name: str, value: str) -> None:
    assert masked(name, value) == value


def test_a_short_password_is_no_figure() -> None:
    assert masked("DB_PASSWORD", "1234") == "***"
    assert masked("DB_PASSWORD_FILE", "not a path") == "***"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("postgres://user:pw@host:5432/db", "postgres://user:***@host:5432/db"),
        ("redis://:pw@redis:6379/0", "redis://:***@redis:6379/0"),
        ("postgres://user:p@s/s#w:d@host/db", "postgres://user:***@host/db"),
        ("host=db user=x password=hunter22 port=1", "host=db user=x password=*** port=1"),
        ("https://x.example/cb?token=abc123&n=1", "https://x.example/cb?token=***&n=1"),
        ('{"password": "hunter22", "n": 1}', '{"password": ***, "n": 1}'),
        ("Authorization: Bearer abc.def-ghi", "Authorization: *** ***"),
        ("https://0123456789abcdef0123@o1.ingest.example/42", "https://***@o1.ingest.example/42"),
        ("https://hooks.slack.com/services/T0/B0/xyz", "https://hooks.slack.com/***"),
    ],
)
def test_secrets_inside_values(value: str, shown: str) -> None:
    text = masked_text(value)
    for secret in ("pw@", "p@s", "hunter22", "abc123", "abc.def", "0123456789abcdef", "xyz"):
        assert secret not in text
    assert text == shown


def test_keys_tokens_and_blobs_are_hidden() -> None:
    pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"
    assert masked_text(pem) == "***"
    assert masked_text("use ghp_0123456789abcdefABCDEF now") == "use *** now"
    assert masked_text("x" * 5_000) == "*** (5000 characters)"


def test_a_long_value_takes_no_long_time() -> None:
    """Each of these would take minutes with a pattern that is tried at every letter."""
    for value in ("a" * 4_000, "a://b:" * 600, "password" * 500, "eyJ" * 1_300):
        assert len(masked_text(value)) <= 4_100
