"""The catalogue of backups: which keys are read, and what a bucket that fails says."""

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from console.clock import Deadline, ManualClock, SystemClock
from console.config.environment import BackupsConfig, SecretRef
from console.errors import CofaError, FailureKind, LinkError
from console.links.s3 import listing as catalogue_listing
from console.links.s3.catalogue import S3Catalogue
from console.links.s3.child import run
from console.links.s3.errors import explain
from console.links.s3.listing import (
    TooManyKeysError,
    key_before,
    list_newest,
    literal_prefix,
    sorts_by_time,
)
from console.links.s3.process import Children
from console.links.s3.starting import Spare, kill
from console.model.backups import StoredObject
from console.secret import Secret

NOW = datetime(2026, 11, 22, 15, 42, tzinfo=UTC)
PATTERN = "database/shop_%Y%m%d_%H%M%S.backup"
KEYS = {"access": "AKIAEXAMPLE", "secret": "wJalr/Very+Secret"}


def keys(count: int, hours: int = 6, newest: datetime = NOW) -> list[str]:
    """Keys of a dump each `hours`, ascending."""
    moments = (newest - timedelta(hours=hours * index) for index in range(count))
    return sorted(f"database/shop_{moment:%Y%m%d_%H%M%S}.backup" for moment in moments)


class Pages:
    """The listing of a bucket with these keys, that counts what is asked."""

    def __init__(self, names: list[str], size: int = 1000) -> None:
        self.names = sorted(names)
        self.size = size
        self.read = 0

    def __call__(self, after: str) -> Any:
        names = [name for name in self.names if name > after]
        for start in range(0, max(1, len(names)), self.size):
            self.read += 1
            yield [StoredObject(name, 7, 0.0) for name in names[start : start + self.size]]


def test_patterns_say_where_their_keys_begin_and_whether_they_sort() -> None:
    assert literal_prefix(PATTERN) == "database/shop_"
    assert literal_prefix("%Y/%m/%d.dump") == "" and literal_prefix("a*/b%Y%m%d") == "a"
    assert key_before("%Y/%m/%d/x_%H.dump", NOW.timestamp()) == "2026/11/22"
    assert key_before(PATTERN, -1e9) == "database/shop_19700101"
    for template in (PATTERN, "%Y-%m-%dT%H.dump", "a/%Y/%m/b_%d_*.gz"):
        assert sorts_by_time(template)
    for template in ("%d%m%Y", "*_%Y%m%d", "a/%H_%Y%m%d", "%Y%d%m"):
        assert not sorts_by_time(template)


def test_a_year_of_backups_costs_one_page() -> None:
    pages = Pages([*keys(1460), "database/README"])
    found = list_newest(pages, PATTERN, NOW.timestamp())
    assert pages.read == 1 and not found.complete
    assert found.objects[0].key == "database/shop_20261122_154200.backup"
    assert len(found.objects) == 60 + 3  # the whole first day counts


def test_it_steps_back_until_there_is_something() -> None:
    old = NOW - timedelta(days=200)
    pages = Pages(keys(10, newest=old))
    found = list_newest(pages, PATTERN, NOW.timestamp())
    assert found.objects[0].key == f"database/shop_{old:%Y%m%d_%H%M%S}.backup"
    assert pages.read == 3  # 15, 60, 240 days
    assert list_newest(Pages([]), PATTERN, NOW.timestamp()).objects == ()
    assert list_newest(Pages([]), PATTERN, NOW.timestamp()).complete


def test_a_backup_from_the_future_is_not_what_is_looked_for() -> None:
    old = NOW - timedelta(days=100)
    names = [*keys(1, newest=old), "database/shop_20991231_000000.backup"]
    found = list_newest(Pages(names), PATTERN, NOW.timestamp())
    assert [item.key for item in found.objects] == names[::-1]


def test_keys_that_do_not_sort_by_time_are_all_read_and_the_newest_kept(
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(catalogue_listing, "MOST_KEPT", 5)
    names = [name.replace("shop_", f"{index % 7}_") for index, name in enumerate(keys(3000))]
    found = list_newest(
        Pages([*names, "database/x"]), "database/*_%Y%m%d_%H%M%S.backup", NOW.timestamp()
    )
    assert [item.key[11:] for item in found.objects] == [name[11:] for name in names[:-6:-1]]
    assert (found.others, found.complete) == (1, False)


def test_what_cannot_be_backups_ends_an_ordered_listing() -> None:
    pages = Pages([*keys(4), *(f"database/shop_z{index:06}" for index in range(9000))])
    assert len(list_newest(pages, PATTERN, NOW.timestamp()).objects) == 4
    assert pages.read == 1


def test_a_listing_without_end_is_given_up(monkeypatch: Any) -> None:
    monkeypatch.setattr(catalogue_listing, "MOST_PAGES", 3)
    with pytest.raises(TooManyKeysError):
        list_newest(Pages(keys(50), size=10), "*_%Y%m%d_%H%M%S.backup", NOW.timestamp())


class Bucket:
    """ListObjectsV2 for a sorted list of keys."""

    def __init__(self, faults: Any, names: list[str], date: str = "") -> None:
        self.faults, self.names, self.date = faults, names, date

    def __call__(self, exchange: Any) -> None:
        query = parse_qs(urlsplit(exchange.target).query)
        after = query.get("continuation-token", query.get("start-after", [""]))[0]
        prefix = query["prefix"][0]
        names = [n for n in self.names if n > after and n.startswith(prefix)]
        page, more = names[:1000], len(names) > 1000
        items = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>7</Size><LastModified>"
            "2026-11-22T15:50:00.000Z</LastModified></Contents>"
            for name in page
        )
        token = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if more else ""
        body = (
            '<?xml version="1.0"?><ListBucketResult><Name>b</Name>'
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{items}</ListBucketResult>"
        )
        date = f"Date: {self.date}\r\n" if self.date else ""
        exchange.send(self.faults.response(body.encode(), kind="application/xml", more=date))


def link(endpoint: str, pattern: str = PATTERN, **config: Any) -> S3Catalogue:
    config = {
        "access_key": SecretRef(env="access"),
        "secret_key": SecretRef(env="secret"),
        "region": "eu-south-2",
        **config,
    }
    return S3Catalogue(
        BackupsConfig("shop-vault", pattern, endpoint, **config),
        ManualClock(NOW.timestamp()),
        lambda reference: Secret(KEYS[reference.env or ""]),
    )


def soon(seconds: float = 20.0) -> Deadline:
    return Deadline.after(SystemClock(), seconds)


def test_the_newest_of_100_000_keys_by_a_real_child(serve: Any, faults: Any) -> None:
    server = serve(Bucket(faults, keys(100_000, hours=1)))
    reader = link(server.url)
    found = reader.read(soon())
    assert found.newest is not None
    assert found.newest.key == "database/shop_20261122_154200.backup"
    assert found.newest.started_at == NOW.timestamp()
    assert len(found.backups) == 24 * 15 + 16 and not found.complete
    assert (found.prefix, found.bucket, reader.name) == ("database/shop_", "shop-vault", "backups")
    assert len(server.requests) == 1 and "start-after=" in server.requests[0]
    assert server.requests[0].startswith("/shop-vault?")  # path style


def test_hostile_keys_are_cleaned_and_nothing_found_is_no_error(serve: Any, faults: Any) -> None:
    hostile = "database/shop_[x]\u202e\u009b2J_20261122_000000.backup"
    server = serve(Bucket(faults, [hostile, "database/shop_zzz"], "Sun, 22 Nov 2026 17:00:00 GMT"))
    reader = link(server.url, "database/shop_*_%Y%m%d_%H%M%S.backup")
    found = reader.read(soon())
    assert [b.key for b in found.backups] == ["database/shop_[x]_20261122_000000.backup"]
    assert found.others == 1 and found.complete
    assert reader.skew() is not None
    server.behave = Bucket(faults, [])
    found = reader.read(soon())
    assert found.newest is None and found.complete


def error(code: str, status: str, more: str = "", head: str = "") -> Any:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message>{more}</Error>"

    def behave(faults: Any) -> Any:
        response = faults.response(body.encode(), status, "application/xml", more=head)
        return lambda exchange: exchange.send(response)

    return behave


FAULTS: list[Any] = [
    (error("AccessDenied", "403 Forbidden"), "denied", "s3:ListBucket on arn:aws:s3:::shop-vault"),
    (error("SlowDown", "503 Slow Down"), "unreachable", "throttling"),
    (lambda faults: faults.html, "invalid", "no S3 listing"),
    (lambda faults: faults.half_a_body, "invalid", "no whole S3 listing"),
    (lambda faults: faults.silent, "timeout", "no "),
    (lambda faults: faults.drip, "timeout", "no listing in time"),
]


@pytest.mark.parametrize(("behave", "kind", "words"), FAULTS, ids=[row[2] for row in FAULTS])
def test_a_bucket_that_fails(behave: Any, kind: str, words: str, serve: Any, faults: Any) -> None:
    server = serve(behave(faults))
    with pytest.raises(LinkError) as caught:
        link(server.url).read(soon(2.0 if kind == "timeout" else 20.0))
    assert caught.value.failure.kind == kind
    assert words in str(caught.value)
    assert server.url in caught.value.failure.subject
    assert len(server.requests) <= 2
    for secret in KEYS.values():
        assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "detail", "kind", "words"),
    [
        ("NoSuchBucket", {}, FailureKind.MISSING, "no such bucket"),
        ("InvalidAccessKeyId", {}, FailureKind.DENIED, "refuses the credentials"),
        ("SignatureDoesNotMatch", {}, FailureKind.DENIED, "refuses the credentials"),
        ("ExpiredToken", {}, FailureKind.DENIED, "expired"),
        ("RequestTimeTooSkewed", {}, FailureKind.DENIED, "clock is more than 15 min off"),
        ("AuthorizationHeaderMalformed", {"Region": "eu-west-1"}, FailureKind.INVALID, "eu-west-1"),
        ("PermanentRedirect", {}, FailureKind.INVALID, "another region"),
        ("Throttling", {}, FailureKind.UNREACHABLE, "throttling"),
        ("Weird\x1b[2J", {"Message": "\x1b[31mboo"}, FailureKind.INVALID, "answers Weird: boo"),
    ],
)
def test_codes_of_s3_in_words(code: str, detail: Any, kind: FailureKind, words: str) -> None:
    raised = ClientError({"Error": {"Code": code, **detail}}, "ListObjectsV2")
    found, why, remedy = explain(raised, "b")
    assert found is kind and words in f"{why}; {remedy}"
    assert explain(NoCredentialsError(), "b")[0] is FailureKind.DENIED
    assert "KeyError" in explain(KeyError("x"), "b")[1]


def test_no_endpoint_no_profile_no_pattern() -> None:
    with pytest.raises(LinkError, match="connection refused"):
        link("http://127.0.0.1:1").read(soon())
    with pytest.raises(LinkError, match="Invalid endpoint"):
        link("nonsense").read(soon())
    with pytest.raises(LinkError, match="the pattern needs"):
        link("http://127.0.0.1:1", "latest.backup").read(soon())


def test_a_secret_that_cannot_be_read() -> None:
    def fail(_: SecretRef) -> Secret:
        raise CofaError("KEY is not set")

    config = BackupsConfig("b", PATTERN, access_key=SecretRef(env="KEY"))
    with pytest.raises(LinkError, match="KEY is not set"):
        S3Catalogue(config, SystemClock(), fail).read(soon())


def test_cancel_kills_the_child_and_close_is_for_good(serve: Any, faults: Any) -> None:
    server = serve(faults.silent)
    reader = link(server.url)
    raised: list[LinkError] = []

    def read() -> None:
        with pytest.raises(LinkError) as caught:
            reader.read(soon(60))
        raised.append(caught.value)

    thread = threading.Thread(target=read)
    thread.start()
    assert faults.wait_until(lambda: server.requests)
    reader.cancel()
    thread.join(faults.PATIENCE / 2)
    assert not thread.is_alive() and "ended by signal 9" in raised[0].failure.why
    reader.close()
    with pytest.raises(LinkError, match="ended by signal 9"):
        reader.read(soon())


def test_credentials_reach_neither_arguments_nor_environment(monkeypatch: Any) -> None:
    asked: dict[str, Any] = {}

    def ask(self: Any, start: Any, request: bytes, deadline: Deadline) -> Any:
        with start() as child:
            kill(child)
        asked.update(argv=child.args, request=json.loads(request))
        raise OSError(11, "no more processes")

    monkeypatch.setattr(Children, "ask", ask)
    with pytest.raises(LinkError, match="no process can be started"):
        link("http://127.0.0.1:1").read(soon())
    assert asked["request"]["secret_key"] == KEYS["secret"]
    assert KEYS["secret"] not in str(asked["argv"]) + str(dict(os.environ))
    assert "-I" in asked["argv"]


def test_a_child_that_is_killed_crashes_or_talks_without_end() -> None:
    def ask(code: str, seconds: float = 20.0) -> Any:
        def start() -> subprocess.Popen[bytes]:
            pipe, argv = subprocess.PIPE, [sys.executable, "-I", "-c", code]
            return subprocess.Popen(
                argv, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
            )

        return Children().ask(start, b"{}", soon(seconds))

    ended = ask("import os; os.kill(os.getpid(), 9)")
    assert (ended.code, ended.overdue) == (-signal.SIGKILL, False)
    ended = ask("import sys; print('half'); sys.exit('boom')")
    assert (ended.output, ended.complaints, ended.code) == (b"half\n", b"boom\n", 1)
    assert len(ask("while True: print('x' * 65536)").output) <= 17 << 20
    assert ask("import time; time.sleep(30)", 0.2).overdue
    # A grandchild that holds the pipe open goes with its group.
    spawn = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'input()'], stdin=0)"
    assert ask(f"{spawn}; import time; time.sleep(30)", 0.5).overdue


def test_a_failure_is_one_line_for_the_parent() -> None:
    request = {"bucket": "b", "pattern": PATTERN, "now": 0.0, "seconds": 1, "endpoint": "nonsense"}
    (line,) = run(request)
    assert line["kind"] == "invalid" and "Invalid endpoint" in line["why"]


def test_a_child_started_beforehand_is_used_once_and_ended_if_nobody_takes_it() -> None:
    spare = Spare()
    spare.prepare()
    first = spare.take()
    second = spare.take()
    assert first.pid != second.pid
    for child in (first, second):
        with child:
            kill(child)
    spare.prepare()
    waiting = spare.take()
    spare._child = waiting
    spare.close()
    assert waiting.returncode is not None
