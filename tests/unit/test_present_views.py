"""The verdict line, a finding in full, sources, the Fleet's rows and details."""

from dataclasses import replace
from types import ModuleType

import pytest

from console.model.changes import Change, ChangeKind
from console.model.findings import Finding, Severity
from console.model.fleet import Exit, Mount, Port, State, Usage
from console.model.readings import Source
from console.model.signals import ReplicaFigures
from console.model.snapshot import Snapshot
from console.present.columns import width
from console.present.finding import FindingColumns, context, detail
from console.present.fleet import FleetTable, replica_state, service_image
from console.present.fleet_detail import replica_detail, service_detail
from console.present.glance import change_text, finding_groups, glance_lines, vital_lines
from console.present.lines import columns_of, plain
from console.present.verdict import place_line, verdict_line
from console.present.vitals import vitals


def verdict(scenes: ModuleType, shown: object, columns: int = 80) -> str:
    text = plain(verdict_line(shown, columns, now=scenes.NOW))
    assert width(text) <= columns
    return text


def test_ok_counts_its_sources_and_notes(scenes: ModuleType) -> None:
    assert verdict(scenes, scenes.snapshot(scenes.readings())) == (
        " OK  no findings  8 of 8 sources seen"
    )
    noted = scenes.with_alerts(scenes.alert("QueueLong", "info"))
    assert verdict(scenes, scenes.snapshot(noted)).startswith(" OK  no findings, 1 note")


def test_trouble_and_blindness_both_show(scenes: ModuleType) -> None:
    good = scenes.readings(
        fleet=scenes.source(
            "engine", scenes.fleet(backend=scenes.three(r2=scenes.exited())), pace=15.0
        )
    )
    seen = replace(good, metrics=scenes.blinded(good.metrics, since=scenes.NOW - 180))
    assert verdict(scenes, scenes.snapshot(seen)) == (
        " DEGRADED  1 P1  +blind: prometheus 3 min (ssh timeout)"
    )


def test_several_blind_sources_are_counted(scenes: ModuleType) -> None:
    good = scenes.readings()
    seen = replace(
        good,
        metrics=scenes.blinded(good.metrics, since=scenes.NOW - 180),
        backups=scenes.blinded(good.backups, since=scenes.NOW - 60, why="access denied " * 9),
    )
    shown = scenes.snapshot(seen)
    assert verdict(scenes, shown) == " UNKNOWN  blind: prometheus 3 min (ssh timeout), +1"
    assert verdict(scenes, shown, 40) == " UNKNOWN  blind: prometheus 3 min, +1"


def test_nothing_to_watch_says_what_to_do(scenes: ModuleType) -> None:
    assert verdict(scenes, scenes.snapshot(type(scenes.readings())())) == (
        " UNKNOWN  nothing is watched: run cofa init"
    )


def test_before_anything_is_opened_it_is_being_read(scenes: ModuleType) -> None:
    first = Snapshot("production", 0.0)
    assert verdict(scenes, first) == " UNKNOWN  reading: no source has answered yet"
    screen = "\n".join(plain(one) for one in glance_lines(first, 80, None, now=0.0))
    assert "not watched" not in screen and "cofa init" not in screen


@pytest.mark.parametrize("columns", [20, 40, 60, 79, 80, 200])
def test_the_verdicts_word_is_never_cut(scenes: ModuleType, columns: int) -> None:
    good = scenes.readings()
    long = scenes.blinded(good.metrics, why="漢字" * 100)
    text = verdict(scenes, scenes.snapshot(replace(good, metrics=long)), columns)
    assert text.startswith(" UNKNOWN")


def test_place_names_the_rehearsal(scenes: ModuleType) -> None:
    shown = scenes.snapshot(scenes.readings(), rehearsal=True)
    text = plain(place_line(shown, 80, "Fleet", "backend", now=scenes.NOW))
    assert text.startswith(" cofa REHEARSAL production / Fleet / backend")
    assert text.endswith("15:42:07Z  oldest data 2 s")
    assert plain(place_line(shown, 60, "Fleet", "backend", now=scenes.NOW)).endswith("15:42:07Z")


def test_a_rehearsal_of_no_environments_name_says_so_once(scenes: ModuleType) -> None:
    shown = replace(scenes.snapshot(scenes.readings(), rehearsal=True), environment="rehearsal")
    assert plain(place_line(shown, 80, "Fleet", now=scenes.NOW)).startswith(
        " cofa REHEARSAL / Fleet  "
    )
    assert plain(place_line(shown, 80, now=scenes.NOW)).startswith(" cofa REHEARSAL  ")


def broken(scenes: ModuleType) -> Finding:
    ill = scenes.exited()
    fleet = scenes.source("engine", scenes.fleet(backend=scenes.three(r2=ill)), pace=15.0)
    return scenes.only(scenes.readings(fleet=fleet))


def test_a_trouble_names_what_was_created_before_it_where_no_release_is_known(
    scenes: ModuleType,
) -> None:
    found = replace(broken(scenes), since=scenes.NOW - 600)
    made = Change(scenes.NOW - 2400, ChangeKind.CONFIG, "b", "backend v1.3.0 created, 3 replicas")
    assert context(found, (made,)) == "began 30 min after backend v1.3.0 created, 3 replicas"
    released = replace(made, at=made.at - 60, kind=ChangeKind.RELEASE, text="backend v1 -> v2")
    assert context(found, (made, released)) == "began 31 min after backend v1 -> v2"


def test_a_long_summary_goes_on_below_where_there_is_room(scenes: ModuleType) -> None:
    found = replace(broken(scenes), summary="word " * 19 + "end")
    widths = FindingColumns.of((found,), 80)
    roomy = finding_groups((found,), (), widths, now=scenes.NOW, most=2)
    assert [plain(item).split()[-1] for item in roomy[0]][1:] == ["end"]
    assert ".." not in plain(roomy[0][0])
    (tight,) = finding_groups((found,), (), widths, now=scenes.NOW, most=1)
    assert len(tight) == 1 and ".." in plain(tight[0])
    assert max(columns_of(item) for item in (*roomy[0], *tight)) <= 80


def test_how_often_without_a_since_where_nobody_knows_the_first(scenes: ModuleType) -> None:
    seen = Change(scenes.NOW, ChangeKind.EXIT, "b", "backend-4 exited 1", count=5)
    assert change_text(seen, scenes.NOW) == "backend-4 exited 1, 5 times"


def test_a_finding_in_full(scenes: ModuleType) -> None:
    found = scenes.only(
        scenes.readings(
            fleet=scenes.source(
                "engine", scenes.fleet(backend=scenes.three(r2=scenes.exited())), pace=15.0
            )
        )
    )
    text = [plain(item) for item in detail(found, scenes.RELEASED, now=scenes.NOW, columns=60)]
    assert text[0] == "P1 service-below-declared/shop/backend"
    assert "since 2026-11-22 15:41:55Z, 12 s" in text
    assert "began 40 min after backend v1.2.3 -> v1.3.0" in text
    assert text[-1] == "answered by restart"
    assert max(width(item) for item in text) <= 60
    assert context(found, scenes.RELEASED[1:]) == ""


def table(scenes: ModuleType, columns: int = 80) -> FleetTable:
    first = scenes.replica("shop-backend-1")
    used = {first.id: Usage(scenes.NOW, 0.22, 612 << 20, 2 << 30)}
    shown = scenes.metrics(replicas=(ReplicaFigures("172.18.0.11:8000", 16.0, 2.4, 0.0),))
    return FleetTable(columns, scenes.NOW, used, shown)


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
def test_rows_of_the_fleet_fit(scenes: ModuleType, columns: int) -> None:
    rows = table(scenes, columns)
    service = scenes.three(r2=scenes.exited())
    lines = [
        rows.header(),
        rows.service(service, Severity.P1, folded=False),
        *(rows.replica(replica, None) for replica in service.replicas),
    ]
    widths = {columns_of(item) for item in lines}
    assert len(widths) == 1
    assert columns < 60 or max(widths) <= columns


def test_what_the_rows_say(scenes: ModuleType) -> None:
    rows = table(scenes)
    service = scenes.three(r2=scenes.exited())
    first = " ".join(plain(rows.replica(service.replicas[0], None)).split())
    assert first == "shop-backend-1 ok healthy v1.2.3 9 d 22 % 612 MiB 2.40 s"
    whole = plain(rows.service(service, Severity.P1, folded=True)).split()
    assert whole[:6] == ["+backend", "2", "of", "3", "P1", "v1.2.3"]
    assert replica_state(service.replicas[1], None, scenes.NOW)[0] == (
        "exited 137 (killed) 12 s ago"
    )
    silent = plain(rows.replica(service.replicas[2], None, role=service.role)).split()
    assert silent[-2:] == ["no", "data"]
    mixed = scenes.three(r2=scenes.replica("shop-backend-2", image=scenes.image("v1.3.0")))
    assert service_image(mixed) == "mixed"


def test_a_replica_in_full(scenes: ModuleType) -> None:
    end = Exit(scenes.NOW - 12, 137, oom_killed=True)
    ill = replace(
        scenes.unhealthy(),
        last_exit=end,
        restarts=4,
        environment=(("SECRET_KEY", "***"), ("MODE", "production")),
        mounts=(Mount("bind", "/srv/shop", "/data", True),),
        ports=(Port(8000, "tcp", "0.0.0.0", 8000), Port(9000, "tcp", "", 0)),
    )
    plan = scenes.source("compose:shop", scenes.intended(image=scenes.image("v1.1.0").reference))
    seen = scenes.readings(
        fleet=scenes.source("engine", scenes.fleet(backend=scenes.three(r2=ill)), pace=15.0),
        intended=(plan,),
    )
    shown = scenes.snapshot(seen)
    service = shown.fleet.service("shop/backend")
    lines = replica_detail(ill, service, shown, now=scenes.NOW, columns=60)
    text = [plain(item) for item in lines]
    assert max(width(item) for item in text) <= 60
    assert " before: killed for memory at its limit of 2.0 GiB 12 s ago;" in text
    assert " drift: a plain `up` would revert backend from v1.2.3 to" in text
    assert " bind /srv/shop -> /data  read-only" in text
    assert " 0.0.0.0:8000 -> 8000/tcp  outside" in text
    assert " SECRET_KEY=***" in text
    assert any("failed (1)  curl: (7)" in item for item in text)


def test_a_service_in_full(scenes: ModuleType) -> None:
    shown = scenes.snapshot(scenes.readings(), changed=scenes.RELEASED)
    service = shown.fleet.service("shop/backend")
    text = [plain(item) for item in service_detail(service, shown, now=scenes.NOW, columns=80)]
    assert " 3 healthy, 3 there, declared 3" in text
    assert any("backend v1.2.3 -> v1.3.0" in item for item in text)


@pytest.mark.parametrize("columns", [60, 66, 75, 80])
def test_no_vital_is_cut(scenes: ModuleType, columns: int) -> None:
    shown = scenes.snapshot(scenes.readings())
    text = [plain(item) for item in vital_lines(shown, columns, now=scenes.NOW)]
    assert max(width(item) for item in text) <= columns
    assert ".." not in "".join(text[:-1])
    assert any("38 of 200" in item for item in text)


def test_the_backends_replicas_are_judged_by_findings_about_them_alone(scenes: ModuleType) -> None:
    redis = scenes.service("redis")
    halted = replace(redis, replicas=(replace(redis.replicas[0], state=State.PAUSED),))
    fleet = scenes.source("engine", scenes.fleet(redis=halted), pace=15.0)
    shown = scenes.snapshot(scenes.readings(fleet=fleet))
    assert shown.verdict.p1 + shown.verdict.p2
    replicas = next(v for v in vitals(shown, scenes.NOW) if v.key == "replicas")
    assert (replicas.value, replicas.word) == ("3 of 3", "ok")


def test_vitals_tell_apart_why_there_is_no_value(scenes: ModuleType) -> None:
    never: Source[object] = Source("prometheus", 10.0)

    def value(seen: object, key: str) -> str:
        shown = scenes.snapshot(seen)
        return next(v.value for v in vitals(shown, scenes.NOW) if v.key == key)

    good = scenes.readings()
    assert value(replace(good, metrics=None), "p95") == "not watched"
    assert value(replace(good, metrics=never), "p95") == "reading"
    empty = scenes.source("prometheus", scenes.metrics(figures={}))
    assert value(replace(good, metrics=empty), "p95") == "no data"
    assert value(replace(good, metrics=empty), "requests") == "no data"
