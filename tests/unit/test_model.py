"""The model's own arithmetic: images, backups' keys, Readings, the verdict."""

from datetime import UTC, datetime
from itertools import product

import pytest

from console.errors import Failure, FailureKind
from console.model.backups import StoredObject, catalogue, key_pattern
from console.model.findings import EXIT_CODES, Finding, Place, PlaceKind, Severity, Word, verdict
from console.model.fleet import Exit, Image, Port
from console.model.readings import Reading, Sight, Source

TEMPLATE = "database/shop_%Y%m%d_%H%M%S.backup"


def moment(*fields: int) -> float:
    return datetime(*fields, tzinfo=UTC).timestamp()  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("reference", "name", "tag"),
    [
        ("nginx", "nginx", "latest"),
        ("nginx:1.25", "nginx", "1.25"),
        ("reg.example:5000/shop/backend", "reg.example:5000/shop/backend", "latest"),
        ("reg.example:5000/shop/backend:v1@sha256:ab", "reg.example:5000/shop/backend", "v1"),
        ("shop/backend@sha256:0123456789abcdef", "shop/backend", "sha256:0123456789ab"),
    ],
)
def test_image_names(reference: str, name: str, tag: str) -> None:
    image = Image(reference)
    assert (image.name, image.tag) == (name, tag)


def test_a_port_is_outside_unless_on_loopback() -> None:
    addresses = {"0.0.0.0": True, "::": True, "10.0.0.5": True, "127.0.0.1": False, "::1": False}
    for address, outside in addresses.items():
        assert Port(5432, "tcp", address, 5432).outside is outside


def test_exit_signals_follow_the_shell() -> None:
    assert Exit(None, 137).signal == 9
    assert Exit(None, 143).signal == 15
    assert Exit(None, 1).signal is None
    assert Exit(None, 255).signal is None


def test_a_catalogue_is_ordered_by_the_dumps_start() -> None:
    items = [
        StoredObject("database/shop_20261122_060000.backup", 10, moment(2026, 11, 22, 6, 4)),
        StoredObject("database/shop_20261122_120000.backup", 11, moment(2026, 11, 22, 12, 4)),
        StoredObject("database/latest.backup", 1, moment(2026, 11, 22, 12, 4)),
        StoredObject("database/shop_20261322_120000.backup", 1, moment(2026, 11, 22, 12, 4)),
        StoredObject("database/shop_20271122_120000.backup", 1, moment(2026, 11, 22, 12, 4)),
    ]
    now = moment(2026, 11, 22, 15)
    found = catalogue("b", "database/", items, key_pattern(TEMPLATE), now, complete=True)
    assert [backup.size for backup in found.backups] == [11, 10]
    assert found.newest is not None
    assert now - found.newest.started_at == 3 * 3600
    assert found.others == 2
    assert [backup.key for backup in found.future] == ["database/shop_20271122_120000.backup"]


@pytest.mark.parametrize("template", ["no-time.backup", "%Y%m", "%Y%m%d%Q", "%Y%Y%m%d", "%Y%m%d%"])
def test_a_template_that_cannot_tell_the_time_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="%"):
        key_pattern(template)


def test_a_template_is_taken_literally_but_for_its_fields() -> None:
    pattern = key_pattern("a.b/*/x_%Y-%m-%d.dump")
    assert pattern.fullmatch("a.b/eu/x_2026-11-22.dump")
    assert not pattern.fullmatch("aXb/eu/x_2026-11-22.dump")
    assert not pattern.fullmatch("a.b/eu/deep/x_2026-11-22.dump")


def failed(at: float) -> Reading[int]:
    return Reading(at, 0.1, failure=Failure(FailureKind.TIMEOUT, "x", "slow", "wait"))


def test_a_source_keeps_its_last_good_value_with_its_age() -> None:
    source: Source[int] = Source("x", pace=5.0)
    assert source.sight(0.0) is Sight.READING
    source = source.heard(Reading(10.0, 0.1, value=7))
    assert source.sight(11.0) is Sight.SEEN
    assert source.sight(40.0) is Sight.STALE
    source = source.heard(failed(15.0)).heard(failed(20.0))
    assert source.sight(21.0) is Sight.BLIND
    assert (source.value, source.age(21.0), source.failing_since) == (7, 11.0, 15.0)
    source = source.heard(Reading(25.0, 0.1, value=8))
    assert (source.sight(26.0), source.value, source.failing_since) == (Sight.SEEN, 8, None)


def finding(
    severity: Severity, *, blind: bool = False, stale: float | None = None, since: float = 0.0
) -> Finding:
    return Finding(
        "r",
        f"{severity}{blind}{stale}",
        severity,
        "s",
        Place(PlaceKind.SERVICE, "x"),
        "engine",
        since,
        blind=blind,
        stale_since=stale,
    )


def test_a_live_trouble_wins_over_blindness_and_blindness_over_ok() -> None:
    blind = finding(Severity.P2, blind=True)
    cases = {
        (): Word.OK,
        (finding(Severity.NOTE),): Word.OK,
        (finding(Severity.P2),): Word.DEGRADED,
        (finding(Severity.P1), blind): Word.DEGRADED,
        (finding(Severity.P0), blind): Word.CRITICAL,
        (blind,): Word.UNKNOWN,
        (finding(Severity.P0, stale=5.0), blind): Word.UNKNOWN,
    }
    for findings, word in cases.items():
        answered = 8 if blind in findings else 9
        found = verdict(findings, answered=answered, sources=9, reading=False)
        assert found.word is word, findings


def test_what_is_not_seen_is_never_ok() -> None:
    for answered, reading in product((0, 8), (True, False)):
        assert verdict((), answered=answered, sources=9, reading=reading).word is Word.UNKNOWN
    assert verdict((), answered=0, sources=0, reading=False).word is Word.UNKNOWN


def test_exit_codes_are_those_of_the_readme() -> None:
    assert EXIT_CODES == {Word.OK: 0, Word.DEGRADED: 1, Word.CRITICAL: 2, Word.UNKNOWN: 3}
