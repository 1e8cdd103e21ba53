"""An S3 server on loopback with a year of backups, and a new one every six hours.

    s3_server.py PORT

moto keeps everything in memory and stamps every key with the time of its upload,
so the year is put here, from inside, with the times it would really have. Two
more buckets are answered by hand: one that denies, one with 100,000 keys.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import run_simple

BUCKET, PREFIX, REGION = "shop-vault", "database/", "eu-south-2"
DENIED, CROWDED, CROWD = "shop-denied", "shop-crowded", 100_000
EVERY = timedelta(hours=6)
DUMP_TAKES = timedelta(minutes=4)
YEAR = timedelta(days=365)
NO_BACKUPS = (
    "database/README.txt",
    "database/shop_prod_latest.backup.part",
    "database/shop_prod_20260230_000000.backup",
    "database/shop_staging_20260101_000000.backup",
    "uploads/photos/0001.jpg",
)
Respond = Callable[[str, list[tuple[str, str]]], object]


def starts(now: datetime) -> Iterator[datetime]:
    """When the kept dumps began: all of 8 days, then daily, weekly, monthly."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    newest = midnight + EVERY * ((now - DUMP_TAKES - midnight) // EVERY)
    begin, step = newest, 0
    while now - begin < YEAR:
        if keeps(begin, now):
            yield begin
        step += 1
        begin = newest - EVERY * step


def keeps(begin: datetime, now: datetime) -> bool:
    age = now - begin
    if age < timedelta(days=8):
        return True
    if begin.hour:
        return False
    weekly = age < timedelta(days=90) and begin.isoweekday() == 7
    return age < timedelta(days=30) or weekly or begin.day == 1


def put_backup(begin: datetime, now: datetime) -> None:
    """20 KB a year ago, 60 KB now; the same dump has the same bytes after a restart."""
    seed = random.Random(int(begin.timestamp()))
    begun = begin + timedelta(seconds=seed.randrange(1, 9))
    size = int(60_000 - 40_000 * ((now - begin) / YEAR)) + seed.randrange(-300, 300)
    key = f"{PREFIX}shop_prod_{begun:%Y%m%d_%H%M%S}.backup"
    put(key, b"PGDMP" + seed.randbytes(size - 5), begun + DUMP_TAKES)


def put(key: str, body: bytes, at: datetime) -> None:
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    stored: Any = backend.put_object(BUCKET, key, body, storage="STANDARD_IA")
    stored.last_modified = at.replace(tzinfo=None)


def fill() -> set[datetime]:
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    backend.create_bucket(BUCKET, REGION)
    now = datetime.now(UTC)
    done = set(starts(now))
    for begin in sorted(done):
        put_backup(begin, now)
    for key in NO_BACKUPS:
        put(key, b"not a backup\n", now - timedelta(days=40))
    return done


def keep_backing_up(done: set[datetime]) -> None:
    while True:
        time.sleep(20)
        now = datetime.now(UTC)
        for begin in starts(now):
            if begin not in done and now - begin < YEAR / 2:
                put_backup(begin, now)
                done.add(begin)


def with_hard_buckets(application: Any) -> Callable[[dict[str, Any], Respond], Iterable[bytes]]:
    """Answers two buckets itself, and leaves the rest to moto."""

    def answer(environ: dict[str, Any], respond: Respond) -> Iterable[bytes]:
        bucket = environ.get("PATH_INFO", "").strip("/").split("/")[0]
        if bucket == DENIED:
            return xml(respond, "403 FORBIDDEN", error("AccessDenied", "Access Denied"))
        if bucket == CROWDED:
            return xml(respond, "200 OK", page(parse_qs(environ.get("QUERY_STRING", ""))))
        found: Iterable[bytes] = application(environ, respond)
        return found

    return answer


def xml(respond: Respond, status: str, body: str) -> list[bytes]:
    data = b'<?xml version="1.0" encoding="UTF-8"?>\n' + body.encode()
    respond(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(data)))])
    return [data]


def error(code: str, message: str) -> str:
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"


def page(query: dict[str, list[str]]) -> str:
    """A page of ListObjectsV2 over 100,000 keys, an hour apart, oldest first."""
    token = query.get("continuation-token", ["0"])[0]
    size = min(int(query.get("max-keys", ["1000"])[0]), 1000)
    after = unquote(query.get("start-after", [""])[0])
    prefix = unquote(query.get("prefix", [""])[0])
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    rows: list[str] = []
    position = int(token)
    while position < CROWD and len(rows) < size:
        at = hour - timedelta(hours=CROWD - 1 - position)
        key = f"{PREFIX}shop_prod_{at:%Y%m%d_%H%M%S}.backup"
        if key.startswith(prefix) and key > after:
            rows.append(contents(key, at))
        position += 1
    more = position < CROWD
    following = f"<NextContinuationToken>{position}</NextContinuationToken>" if more else ""
    return (
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{CROWDED}</Name><Prefix>{escape(prefix)}</Prefix><MaxKeys>{size}</MaxKeys>"
        f"<KeyCount>{len(rows)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>"
        f"{following}{''.join(rows)}</ListBucketResult>"
    )


def contents(key: str, at: datetime) -> str:
    return (
        f"<Contents><Key>{key}</Key><LastModified>{at:%Y-%m-%dT%H:%M:%S}.000Z</LastModified>"
        '<ETag>"d41d8cd98f00b204e9800998ecf8427e"</ETag><Size>40960</Size>'
        "<StorageClass>STANDARD_IA</StorageClass></Contents>"
    )


def main() -> None:
    done = fill()
    threading.Thread(target=keep_backing_up, args=(done,), daemon=True).start()
    application = with_hard_buckets(DomainDispatcherApplication(create_backend_app))
    run_simple("127.0.0.1", int(sys.argv[1]), application, threaded=True)


if __name__ == "__main__":
    main()
