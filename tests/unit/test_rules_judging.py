"""Judging: holds, clear delays, staleness, joins of alerts, memory."""

from dataclasses import replace
from types import ModuleType
from typing import Any

import msgspec
import pytest

from console.model.findings import Severity, Word
from console.model.fleet import State
from console.model.policy import Policy
from console.model.readings import Source
from console.model.signals import Alerts, AlertState, EndpointFigures
from console.present.finding import summary
from console.rules import Memory, judge
from console.rules.joining import kinds_of
from console.rules.view import Kind


def killed(scenes: ModuleType, at: float = 0.0) -> Any:
    service = scenes.three(r2=scenes.exited(at=scenes.NOW - 12 + at))
    return scenes.readings(fleet=scenes.source("engine", scenes.fleet(backend=service), pace=15.0))


def slow(scenes: ModuleType) -> Any:
    trips = EndpointFigures("GET", "/api/trips", 48.0, 2.31, 0.0)
    shown = scenes.metrics(figures=scenes.figures(p95=2.2), series={}, endpoints=(trips,))
    return scenes.source("prometheus", shown)


def test_a_finding_clears_after_its_delay_and_not_before(scenes: ModuleType) -> None:
    looks = scenes.Judge()
    assert looks.look(killed(scenes))
    assert looks.look(scenes.readings(), after=10)  # 10 s after it was last seen
    assert looks.look(scenes.readings(), after=4)
    assert looks.look(scenes.readings(), after=2) == ()


def test_a_flapping_trouble_is_one_finding_with_one_since(scenes: ModuleType) -> None:
    looks = scenes.Judge()
    first = looks.look(killed(scenes))[0]
    for round_ in range(1, 6):
        assert looks.look(scenes.readings(), after=7), "gone for a moment"
        found = looks.look(killed(scenes, at=round_ * 14.0), after=7)
        assert [f.id for f in found] == [first.id]
        assert found[0].since == first.since


def test_since_comes_from_memory_where_no_source_says(scenes: ModuleType) -> None:
    looks = scenes.Judge()
    seen = scenes.readings(metrics=slow(scenes))
    assert looks.look(seen)[0].since == scenes.NOW
    later = looks.look(seen, after=600)[0]
    assert (later.since, later.since_known) == (scenes.NOW, False)


def test_a_blind_source_turns_its_findings_stale(scenes: ModuleType) -> None:
    looks = scenes.Judge()
    looks.look(scenes.readings(metrics=slow(scenes)))
    blind = scenes.blinded(slow(scenes), at=scenes.NOW + 20)
    for after in (20, 3600):
        found = {f.id: f for f in looks.look(scenes.readings(metrics=blind), after=after)}
        assert found["latency/p95"].stale_since is not None
        assert found["blind/prometheus"].blind
    back = looks.look(scenes.readings(metrics=slow(scenes)), after=10)
    assert [(f.id, f.stale_since) for f in back] == [("latency/p95", None)]


def test_what_was_stale_goes_as_soon_as_it_is_seen_to_be_over(scenes: ModuleType) -> None:
    looks = scenes.Judge()
    looks.look(scenes.readings(metrics=slow(scenes)))
    looks.look(scenes.readings(metrics=scenes.blinded(slow(scenes))), after=100)
    assert looks.look(scenes.readings(), after=10) == ()


def test_old_news_of_a_blind_source_is_forgotten(scenes: ModuleType) -> None:
    looks = scenes.Judge()
    looks.look(scenes.readings(metrics=slow(scenes)))
    blind = scenes.readings(metrics=scenes.blinded(slow(scenes)))
    assert "latency/p95" in looks.ids(blind, after=23 * 3600)
    assert "latency/p95" not in looks.ids(blind, after=2 * 3600)


def test_a_source_that_is_no_longer_configured_leaves_nothing(scenes: ModuleType) -> None:
    looks = scenes.Judge()
    looks.look(scenes.readings(metrics=slow(scenes)))
    assert looks.look(scenes.readings(metrics=None), after=1) == ()


def test_a_replaced_replica_takes_its_finding_along(scenes: ModuleType) -> None:
    looks = scenes.Judge()
    extra = [scenes.replica(f"shop-backend-{i}") for i in (1, 3, 4)]
    ill = scenes.backend(*extra, scenes.unhealthy(), declared=3)
    ill_seen = scenes.readings(fleet=scenes.source("engine", scenes.fleet(backend=ill), pace=15.0))
    assert looks.ids(ill_seen) == ["replica-unhealthy/shop-backend-2"]
    gone = scenes.backend(*extra, declared=3)
    after = scenes.readings(fleet=scenes.source("engine", scenes.fleet(backend=gone), pace=15.0))
    assert looks.look(after, after=1) == ()


def test_sources_behind_one_dead_host_are_one_finding(scenes: ModuleType) -> None:
    good = scenes.readings()
    dead = {"why": "no route to host", "subject": "host prod-1", "since": scenes.NOW - 60}
    seen = replace(
        good,
        metrics=scenes.blinded(good.metrics, **dead),
        rules=scenes.blinded(good.rules, **dead),
        hosts=(scenes.blinded(good.hosts[0], **dead),),
    )
    found = scenes.only(seen)
    assert found.id == "blind/host:prod-1"
    assert found.summary == "host:prod-1 and 2 more: no route to host"
    assert found.evidence[0] == "no route to host"
    assert found.since == scenes.NOW - 60


def test_blindness_ends_at_once(scenes: ModuleType) -> None:
    looks = scenes.Judge()
    good = scenes.readings()
    assert looks.look(replace(good, metrics=scenes.blinded(good.metrics)))
    assert looks.look(good, after=1) == ()


def test_the_first_reading_is_neither_blind_nor_well(scenes: ModuleType) -> None:
    never: Source[Any] = Source("prometheus", 10.0)
    shown = scenes.snapshot(scenes.readings(metrics=never))
    assert shown.findings == () and shown.verdict.word is Word.UNKNOWN


def test_memory_survives_json(scenes: ModuleType) -> None:
    looks = scenes.Judge()
    looks.look(replace(killed(scenes), metrics=slow(scenes)))
    kept = msgspec.json.decode(msgspec.json.encode(looks.memory), type=Memory)
    assert kept == looks.memory


def test_judge_is_pure(scenes: ModuleType) -> None:
    seen = killed(scenes)
    args = (seen, seen.fleet.value, Policy(), Memory(), scenes.NOW)
    assert judge(*args) == judge(*args)


def test_a_fleet_that_cannot_be_seen_is_not_judged(scenes: ModuleType) -> None:
    seen = killed(scenes)
    assert scenes.findings(replace(seen, fleet=scenes.blinded(seen.fleet)))[0].blind


# Joins.


def test_a_firing_alert_joins_the_rule_that_says_the_same(scenes: ModuleType) -> None:
    fires = scenes.alert("HighLatency", "critical", since=scenes.NOW - 3600)
    found = scenes.only(scenes.with_alerts(fires, metrics=slow(scenes)))
    assert found.id == "latency/p95"
    assert found.summary == "p95 2.31 s, limit 2 s, on /api/trips"
    assert (found.since, found.since_known) == (scenes.NOW - 3600, True)
    assert any("alert HighLatency (critical)" in line for line in found.evidence)


def test_the_worse_severity_counts(scenes: ModuleType) -> None:
    short = (scenes.source("host:prod-1", scenes.host(disks=(scenes.disk(0.12),))),)
    fires = scenes.alert(
        "DiskSpaceRunningOut", "critical", labels={"instance": "prod-1:9100", "mountpoint": "/"}
    )
    assert scenes.only(scenes.with_alerts(fires, hosts=short)).severity is Severity.P1
    assert scenes.only(scenes.readings(hosts=short)).severity is Severity.P2


def test_an_alert_of_another_mount_stands_alone(scenes: ModuleType) -> None:
    short = (scenes.source("host:prod-1", scenes.host(disks=(scenes.disk(0.12),))),)
    fires = scenes.alert("DiskSpaceRunningOut", labels={"mountpoint": "/data"})
    found = scenes.by_id(scenes.with_alerts(fires, hosts=short))
    assert set(found) == {"disk/prod-1:/", "alert/DiskSpaceRunningOut"}
    assert found["alert/DiskSpaceRunningOut"].runbook == "disk-full"


def test_api_down_is_the_backends_outage_but_not_the_databases(scenes: ModuleType) -> None:
    dead = scenes.backend(*(scenes.exited(f"shop-backend-{i}") for i in (1, 2, 3)))
    engine = scenes.source("engine", scenes.fleet(backend=dead), pace=15.0)
    api = scenes.alert("APIDown", "critical")
    database = scenes.alert("PostgresDown", "critical")
    found = scenes.by_id(scenes.with_alerts(api, database, fleet=engine))
    assert set(found) == {"service-below-declared/shop/backend", "alert/PostgresDown"}


def test_api_down_alone_is_an_outage_unless_something_denies_it(scenes: ModuleType) -> None:
    fires = scenes.alert("APIDown", "critical")
    assert scenes.only(scenes.with_alerts(fires)).severity is Severity.P1
    blind = scenes.with_alerts(fires, fleet=None, edges=())
    assert scenes.only(blind).severity is Severity.P0
    other = scenes.with_alerts(scenes.alert("PostgresDown", "critical"), fleet=None, edges=())
    assert scenes.only(other).severity is Severity.P1


def test_a_target_is_matched_by_its_address(scenes: ModuleType) -> None:
    fires = scenes.alert("TargetDown", labels={"instance": "172.18.0.12:8000"})
    other = scenes.alert("TargetDown", labels={"instance": "172.18.0.77:9187"})
    seen = killed(scenes)
    assert len(scenes.findings(scenes.with_alerts(fires, fleet=seen.fleet))) == 1
    assert len(scenes.findings(scenes.with_alerts(other, fleet=seen.fleet))) == 2


def test_both_copies_of_an_alert_are_one(scenes: ModuleType) -> None:
    fires = scenes.alert("QueueLong", labels={"queue": "mail"})
    routed = replace(fires, labels={**fires.labels, "cluster": "eu-1"}, since=scenes.NOW - 900)
    seen = scenes.with_alerts(
        fires, alertmanager=scenes.source("alertmanager", Alerts((scenes.WATCHDOG, routed)))
    )
    found = scenes.only(seen)
    assert found.id == "alert/QueueLong"
    assert found.since == scenes.NOW - 900
    assert "more" not in found.summary


def test_a_silenced_alert_is_a_note_and_an_inhibited_one_nothing(scenes: ModuleType) -> None:
    fires = scenes.alert("QueueLong", "critical")

    def managed(state: AlertState) -> Any:
        copy = replace(fires, state=state, silenced_by="bo")
        manager = scenes.source("alertmanager", Alerts((scenes.WATCHDOG, copy)))
        return scenes.findings(scenes.with_alerts(fires, alertmanager=manager))

    silenced = managed(AlertState.SILENCED)
    assert [f.severity for f in silenced] == [Severity.NOTE]
    assert "silenced by bo" in silenced[0].summary
    assert managed(AlertState.INHIBITED) == ()


def test_pending_alerts_are_not_yet_findings(scenes: ModuleType) -> None:
    waits = scenes.alert("QueueLong", state=AlertState.PENDING)
    assert scenes.findings(scenes.with_alerts(waits)) == ()


def test_alerts_of_one_name_are_one_finding(scenes: ModuleType) -> None:
    many = [scenes.alert("QueueLong", labels={"queue": f"q{i}"}) for i in range(5)]
    found = scenes.only(scenes.with_alerts(*many))
    assert found.summary == "QueueLong fires, +4 more"


def test_an_alert_does_not_stand_beside_its_lingering_rule(scenes: ModuleType) -> None:
    looks = scenes.Judge()
    fires = scenes.alert("HighLatency")
    assert looks.ids(scenes.with_alerts(fires, metrics=slow(scenes))) == ["latency/p95"]
    assert looks.ids(scenes.with_alerts(fires), after=5) == ["latency/p95"]
    assert looks.ids(scenes.with_alerts(fires), after=15) == ["alert/HighLatency"]
    assert looks.ids(scenes.with_alerts(fires, metrics=slow(scenes)), after=5) == ["latency/p95"]


def test_a_live_alert_takes_the_place_of_a_stale_rule(scenes: ModuleType) -> None:
    looks = scenes.Judge()
    looks.look(scenes.readings(metrics=slow(scenes)))
    blind = scenes.blinded(slow(scenes))
    fires = scenes.alert("HighLatency")
    ids = looks.ids(scenes.with_alerts(fires, metrics=blind), after=60)
    assert sorted(ids) == ["alert/HighLatency", "blind/prometheus"]


@pytest.mark.parametrize(
    ("name", "expression", "kind"),
    [
        ("APIDown", "", Kind.DOWN),
        ("HighErrorRate", "", Kind.ERRORS),
        ("ErrorBudgetBurn", "", Kind.ERRORS),
        ("DBConnectionPoolExhausted", "", Kind.CONNECTIONS),
        ("DiskSpaceRunningOut", "", Kind.DISK),
        ("HighMemoryUsage", "", Kind.HOST_MEMORY),
        ("CertificateSoon", "", Kind.CERTIFICATE),
        ("SlowQueries", "", Kind.SLOW_QUERIES),
        ("ApiSlow", "", Kind.LATENCY),
        ("Sluggish", "histogram_quantile(0.95, x)", Kind.LATENCY),
        ("PodCrashLooping", "", Kind.RESTARTS),
    ],
)
def test_what_usual_alerts_are_about(name: str, expression: str, kind: Kind) -> None:
    assert kinds_of(name, expression)[0] is kind


@pytest.mark.parametrize("name", ["QueueLong", "DiskIOLatency", "RegistrationsLow"])
def test_other_alerts_are_about_nothing_known(name: str) -> None:
    assert kinds_of(name, "") == ()


def test_a_thousand_alerts_and_their_copies_are_joined(scenes: ModuleType) -> None:
    many = [
        scenes.alert(f"Alert{i % 250}", labels={"instance": f"10.0.{i // 250}.{i % 250}:80"})
        for i in range(1000)
    ]
    copies = [replace(a, labels={**a.labels, "cluster": "eu-1"}) for a in many]
    seen = scenes.with_alerts(
        *many, alertmanager=scenes.source("alertmanager", Alerts((scenes.WATCHDOG, *copies)))
    )
    found = scenes.findings(seen)
    assert len(found) == 250
    assert all(finding.summary.endswith("+3 more") for finding in found)


def test_hostile_names_do_not_break_judging(scenes: ModuleType) -> None:
    odd = scenes.alert(
        "[/nope] {x} %s", labels={"instance": "::1", "job": "", "x" * 500: "y" * 500}
    )
    assert scenes.only(scenes.with_alerts(odd)).id == "alert/[/nope] {x} %s"


def test_a_frozen_prometheus_is_one_blind_spot(scenes: ModuleType) -> None:
    metrics = scenes.blinded(scenes.source("prometheus", scenes.metrics()), why="no answer")
    rules = scenes.blinded(scenes.source("rules", Alerts()), subject="prometheus http://x:9090")
    found = scenes.only(scenes.readings(metrics=metrics, rules=rules))
    assert found.blind and "rules" in " ".join(found.evidence)


def test_another_production_on_the_engine_is_said(scenes: ModuleType) -> None:
    core = replace(scenes.three(), key="orbit/core", name="core", project="orbit")
    seen = scenes.readings(fleet=scenes.source("engine", scenes.fleet(core=core)))
    found = scenes.only(seen)
    assert (found.severity, found.rule) == (Severity.NOTE, "several-productions")
    assert found.summary.startswith("orbit and shop run here")
    down = [replace(r, state=State.EXITED, service="orbit/core") for r in core.replicas]
    dead = replace(core, replicas=tuple(down))
    seen = scenes.readings(fleet=scenes.source("engine", scenes.fleet(core=dead)))
    assert scenes.findings(seen)[0].severity is Severity.P0, "the shop serves none of its users"


def test_what_only_lingers_says_that_it_is_over(scenes: ModuleType) -> None:
    looks = scenes.Judge()
    down = scenes.readings(
        fleet=scenes.source("engine", scenes.fleet(backend=scenes.three(r2=scenes.exited())))
    )
    assert not looks.look(down)[0].over
    well = scenes.readings(fleet=scenes.source("engine", scenes.fleet()))
    lingering = looks.look(well, after=5)[0]
    assert lingering.over and summary(lingering, scenes.NOW).startswith("just over: backend 2 of")
    assert not looks.look(down, after=5)[0].over
