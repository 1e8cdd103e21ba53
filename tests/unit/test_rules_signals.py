"""Rules about edges, certificates, figures, hosts, backups, clocks and alerting itself."""

from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from console.errors import Failure, FailureKind
from console.model.backups import Backup
from console.model.edges import Probe, Upstreams
from console.model.findings import Severity
from console.model.policy import Policy
from console.model.signals import Alerts, Burn, EndpointFigures, Rule

NAMES = ("nginx-1", "nginx-2")


def edges(scenes: ModuleType, *reports: Any) -> Any:
    return scenes.readings(
        edges=tuple(scenes.source(f"edge:{report.name}", report) for report in reports)
    )


def measured(scenes: ModuleType, **given: Any) -> Any:
    return scenes.readings(metrics=scenes.source("prometheus", scenes.metrics(**given)))


def hosted(scenes: ModuleType, **given: Any) -> Any:
    return scenes.readings(hosts=(scenes.source("host:prod-1", scenes.host(**given)),))


def test_one_edge_down_is_major_all_are_an_outage(scenes: ModuleType) -> None:
    down = [scenes.edge(name, health=scenes.probe(None)) for name in NAMES]
    one = scenes.only(edges(scenes, down[0], scenes.edge("nginx-2")))
    assert (one.id, one.severity) == ("edge-down/nginx-1", Severity.P1)
    both = scenes.only(edges(scenes, *down))
    assert (both.id, both.severity) == ("edge-down/all", Severity.P0)
    assert scenes.only(edges(scenes, down[0])).severity is Severity.P0


def test_an_unseen_edge_keeps_the_rest_from_being_an_outage(scenes: ModuleType) -> None:
    down = scenes.source("edge:nginx-1", scenes.edge(health=scenes.probe(None)))
    blind = scenes.blinded(scenes.source("edge:nginx-2", scenes.edge("nginx-2")))
    found = scenes.by_id(scenes.readings(edges=(down, blind)))
    assert found["edge-down/nginx-1"].severity is Severity.P1
    assert found["blind/edge:nginx-2"].blind


def test_errors_of_the_edges_are_part_of_the_backends_outage(scenes: ModuleType) -> None:
    dead = [scenes.exited(f"shop-backend-{i}") for i in (1, 2, 3)]
    seen = edges(scenes, *(scenes.edge(name, health=scenes.probe(502)) for name in NAMES))
    fleet = scenes.source("engine", scenes.fleet(backend=scenes.backend(*dead)), pace=15.0)
    found = scenes.only(replace(seen, fleet=fleet))
    assert (found.rule, found.severity) == ("service-below-declared", Severity.P0)
    assert any("answers 502" in line for line in found.evidence)


def test_errors_of_the_edges_alone_are_an_outage(scenes: ModuleType) -> None:
    seen = edges(scenes, *(scenes.edge(name, health=scenes.probe(502)) for name in NAMES))
    found = scenes.only(seen)
    assert (found.id, found.severity) == ("edge-error/all", Severity.P0)


def test_an_edge_that_is_down_is_told_of_once(scenes: ModuleType) -> None:
    dead = scenes.exited("shop-nginx-1", service="shop/nginx")
    alive = scenes.replica("shop-nginx-2", service="shop/nginx")
    nginx = scenes.service("nginx", replicas=(dead, alive), declared=2)
    seen = edges(scenes, scenes.edge(health=scenes.probe(None)), scenes.edge("nginx-2"))
    fleet = scenes.source("engine", scenes.fleet(nginx=nginx), pace=15.0)
    found = scenes.only(replace(seen, fleet=fleet))
    assert (found.id, found.severity) == ("edge-down/nginx-1", Severity.P1)
    assert any("shop-nginx-1: exited 137 (killed)" in line for line in found.evidence)


def test_edges_whose_check_asks_a_dead_backend_are_part_of_its_outage(scenes: ModuleType) -> None:
    dead = [scenes.exited(f"shop-backend-{i}") for i in (1, 2, 3)]
    ill = tuple(replace(scenes.unhealthy(f"shop-nginx-{i}"), service="shop/nginx") for i in (1, 2))
    fleet = scenes.fleet(
        backend=scenes.backend(*dead), nginx=scenes.service("nginx", replicas=ill, declared=2)
    )
    seen = scenes.readings(fleet=scenes.source("engine", fleet, pace=15.0), edges=())
    assert scenes.only(seen).id == "service-below-declared/shop/backend"
    probed = edges(scenes, *(scenes.edge(name, health=scenes.probe(502)) for name in NAMES))
    assert scenes.only(replace(probed, fleet=seen.fleet)).severity is Severity.P0


def test_wrong_status_slow_and_without_redirect(scenes: ModuleType) -> None:
    bad = scenes.edge(
        health=scenes.probe(404),
        redirect=replace(scenes.probe(200), url="http://shop.example.com/"),
    )
    found = scenes.by_id(edges(scenes, bad, scenes.edge("nginx-2")))
    assert set(found) == {"edge-wrong-status/nginx-1", "edge-no-redirect/nginx-1"}
    judge = scenes.Judge()
    slow = edges(scenes, scenes.edge(health=scenes.probe(200, took=3.2)))
    assert judge.look(slow) == ()
    assert judge.look(slow, after=21)[0].summary == "edge nginx-1 answers in 3.20 s, limit 2 s"


def test_an_edge_without_plain_http_needs_no_redirect(scenes: ModuleType) -> None:
    refused = scenes.edge(redirect=scenes.probe(None))
    assert scenes.findings(edges(scenes, refused, scenes.edge("nginx-2", redirect=None))) == ()


def test_addresses_that_are_gone(scenes: ModuleType) -> None:
    log = Upstreams(
        "shop-nginx-1",
        (
            ("172.18.0.99:8000", 42, scenes.NOW - 5),
            ("172.18.0.11:8000", 7, scenes.NOW - 5),  # backend-1's: it may be ill, not gone
            ("172.18.0.98:8000", 9, scenes.NOW - 900),  # before the last reload
        ),
    )
    seen = scenes.readings(upstreams=(scenes.source("upstreams:nginx-1", log),))
    found = scenes.only(seen)
    assert (
        found.summary == "edge shop-nginx-1 sends to 172.18.0.99:8000, which is gone: 42 failures"
    )
    assert found.severity is Severity.P1


def test_the_address_of_a_replica_that_is_down_is_part_of_its_trouble(
    scenes: ModuleType,
) -> None:
    def seen(*gone: str) -> Any:
        log = Upstreams("shop-nginx-1", tuple((a, 9, scenes.NOW - 5) for a in gone))
        fleet = scenes.fleet(backend=scenes.three(r2=scenes.exited(addresses={})))
        return scenes.readings(
            fleet=scenes.source("engine", fleet, pace=15.0),
            upstreams=(scenes.source("upstreams:nginx-1", log),),
        )

    one, two = "172.18.0.99:8000", "172.18.0.98:8000"
    assert scenes.only(seen(one)).rule == "service-below-declared"
    assert "edge-stale-upstream/shop-nginx-1" in scenes.by_id(seen(one, two))


@pytest.mark.parametrize(
    ("days", "severity"),
    [(20.5, Severity.P2), (6.5, Severity.P1), (-1.0, Severity.P0)],
)
def test_certificates_near_their_end(scenes: ModuleType, days: float, severity: Severity) -> None:
    reports = [scenes.edge(n, certificate=scenes.certificate(days * 86400)) for n in NAMES]
    found = scenes.only(edges(scenes, *reports))
    assert (found.id, found.severity) == ("certificate/shop.example.com", severity)
    assert found.runbook == "certificate-expiry" and found.since_known


def test_an_edge_that_was_not_reloaded_after_a_renewal(scenes: ModuleType) -> None:
    old = scenes.edge("nginx-1", certificate=scenes.certificate(-86400.0))
    found = scenes.only(edges(scenes, old, scenes.edge("nginx-2")))
    assert found.severity is Severity.P1
    assert len([line for line in found.evidence if "serves one until" in line]) == 2


def test_an_edge_whose_certificate_is_refused_is_not_down(scenes: ModuleType) -> None:
    bad = scenes.certificate(90 * 86400, problem="self-signed")
    reports = [scenes.edge(n, certificate=bad, health=scenes.probe(None)) for n in NAMES]
    assert scenes.only(edges(scenes, *reports)).id == "certificate/shop.example.com"
    ended = scenes.certificate(-86400.0)
    reports = [scenes.edge(n, certificate=ended, health=scenes.probe(None)) for n in NAMES]
    assert scenes.only(edges(scenes, *reports)).severity is Severity.P0


def test_an_edge_that_hangs_behind_a_refused_certificate_is_down(scenes: ModuleType) -> None:
    bad = scenes.certificate(90 * 86400, problem="self-signed")
    failure = Failure(FailureKind.TIMEOUT, "edge nginx-1", "no answer in 5.4 s", "see its log")
    health = Probe("https://shop.example.com/health", scenes.NOW - 2, failure=failure)
    seen = edges(scenes, scenes.edge(certificate=bad, health=health))
    assert scenes.by_id(seen)["edge-error/nginx-1"].severity is Severity.P0
    dead = scenes.three(**{f"r{i}": scenes.exited(f"shop-backend-{i}") for i in (1, 2, 3)})
    outage = replace(seen, fleet=scenes.source("engine", scenes.fleet(backend=dead)))
    told = [f.id for f in scenes.findings(outage) if f.severity is Severity.P0]
    assert told == ["service-below-declared/shop/backend"], "one trouble is one finding"


def test_a_certificate_that_is_refused(scenes: ModuleType) -> None:
    bad = scenes.certificate(90 * 86400, problem="self-signed")
    found = scenes.only(edges(scenes, scenes.edge(certificate=bad)))
    assert found.summary == "certificate of shop.example.com is refused: self-signed"


def test_p95_over_its_limit_began_where_the_series_says(scenes: ModuleType) -> None:
    slow = scenes.series([0.2] * 50 + [2.4] * 10)
    trips = EndpointFigures("GET", "/api/trips", 48.0, 2.31, 0.0)
    seen = measured(
        scenes, figures=scenes.figures(p95=2.2), series={"p95": slow}, endpoints=(trips,)
    )
    found = scenes.only(seen)
    assert found.summary == "p95 2.31 s, limit 2 s, on /api/trips"
    assert (found.since, found.since_known) == (scenes.NOW - 9 * 60, True)
    assert (found.severity, found.runbook) == (Severity.P1, "slow-responses")


def test_endpoints_have_limits_of_their_own(scenes: ModuleType) -> None:
    login = EndpointFigures("POST", "/auth/login", 1.0, 3.1, 0.0)
    others = EndpointFigures("GET", "/api/feed", 102.0, 0.2, 0.0)
    seen = measured(scenes, endpoints=(login, others))
    assert scenes.only(seen).severity is Severity.P2  # one request in a hundred
    assert scenes.findings(seen, Policy(p95_endpoints={"/auth/login": 4.0})) == ()
    assert scenes.findings(seen, Policy(p95_endpoints={"POST /auth/login": 4.0})) == ()
    idle = replace(login, rate=0.001)
    assert scenes.findings(measured(scenes, endpoints=(idle, others))) == ()


def test_no_data_and_nan_are_no_trouble(scenes: ModuleType) -> None:
    empty = scenes.figures(p95=float("nan"), errors=None, requests=None, db_connections=None)
    seen = measured(scenes, figures=empty, endpoints=(), burn=(Burn("1h", None, None),))
    assert scenes.findings(seen) == ()


def test_errors_over_the_ratio_need_enough_requests(scenes: ModuleType) -> None:
    many = scenes.only(measured(scenes, figures=scenes.figures(errors=0.05)))
    assert many.summary == "5xx 5.0 %, limit 1 %"
    assert many.severity is Severity.P1
    few = scenes.figures(errors=0.5, requests=0.1)
    assert scenes.findings(measured(scenes, figures=few)) == ()


def test_burn_needs_both_windows_and_enough_requests(scenes: ModuleType) -> None:
    def burn(long: float, short: float, requests: float = 1000.0) -> Any:
        return measured(scenes, burn=(Burn("1h", long, requests), Burn("5m", short, requests)))

    found = scenes.only(burn(20.0, 16.0))
    assert "error budget burns 20.0x in 1h and 5m, limit 14.4x" in found.summary
    assert scenes.findings(burn(20.0, 3.0)) == ()
    assert scenes.findings(burn(3.0, 20.0)) == ()
    assert scenes.findings(burn(20.0, 16.0, requests=99.0)) == ()


def test_slow_burn_is_minor(scenes: ModuleType) -> None:
    windows = (Burn("3d", 1.4, 1e6), Burn("6h", 1.2, 1e5))
    assert scenes.only(measured(scenes, burn=windows)).severity is Severity.P2


def test_database_connections_are_held_to_the_maximum(scenes: ModuleType) -> None:
    found = scenes.only(measured(scenes, figures=scenes.figures(db_connections=165.0)))
    assert found.summary == "db connections 165 of 200 (82 %), limit 80 %"
    assert (found.severity, found.runbook) == (Severity.P2, "connection-pool")
    exact = measured(scenes, figures=scenes.figures(db_connections=160.0))
    assert scenes.findings(exact) == ()
    full = measured(scenes, figures=scenes.figures(db_connections=198.0))
    assert scenes.only(full).severity is Severity.P1


def test_disk_short_of_space_names_the_hour(scenes: ModuleType) -> None:
    soon = scenes.disk(0.12, full_at=scenes.NOW + 2 * 3600 + 600)
    found = scenes.only(hosted(scenes, disks=(soon,)))
    assert found.id == "disk/prod-1:/"
    assert found.summary == "disk / of prod-1 12 % free, limit 15 %, full in 2 h 10 min"
    assert "full 2026-11-22 17:52:07Z by its trend" in found.evidence
    assert found.severity is Severity.P1  # before the next business day
    calm = hosted(scenes, disks=(scenes.disk(0.12),))
    assert scenes.only(calm).severity is Severity.P2


def test_a_filling_disk_is_found_before_it_is_short(scenes: ModuleType) -> None:
    filling = scenes.disk(0.4, full_at=scenes.NOW + 20 * 3600)
    found = scenes.only(hosted(scenes, disks=(filling,)))
    assert found.summary == "disk / of prod-1 full in 20 h, 40 % free"
    slow = scenes.disk(0.4, full_at=scenes.NOW + 90 * 3600)
    assert scenes.findings(hosted(scenes, disks=(slow,))) == ()


def test_one_file_system_mounted_twice_is_one_disk(scenes: ModuleType) -> None:
    twice = (scenes.disk(0.1), scenes.disk(0.1, mount="/var/lib/docker"))
    assert scenes.only(hosted(scenes, disks=twice)).subject == "prod-1:/"


def test_one_host_seen_by_two_sources_is_one_host(scenes: ModuleType) -> None:
    short = scenes.disk(0.1)
    exporter = scenes.HostFigures(
        "10.0.0.5:9100", 0.3, 0.95, (short,), booted_at=scenes.NOW - 20 * 86400 + 3
    )
    seen = replace(
        hosted(scenes, disks=(short,), memory_ratio=0.95),
        metrics=scenes.source("prometheus", scenes.metrics(hosts=(exporter,))),
    )
    assert {f.id for f in scenes.findings(seen)} == {"disk/prod-1:/", "host-memory/prod-1"}


def test_inodes_and_memory(scenes: ModuleType) -> None:
    seen = hosted(scenes, disks=(scenes.disk(free_inodes_ratio=0.04),), memory_ratio=0.93)
    assert {f.id for f in scenes.findings(seen)} == {"inodes/prod-1:/", "host-memory/prod-1"}


def stored(scenes: ModuleType, **given: Any) -> Any:
    return scenes.readings(backups=scenes.source("backups", scenes.catalogue(**given), pace=300.0))


def test_backup_age_counts_the_dump(scenes: ModuleType) -> None:
    assert scenes.findings(stored(scenes, age=6.4 * 3600)) == ()
    found = scenes.only(stored(scenes, age=7 * 3600))
    assert found.summary == "newest backup 7 h old, limit 6 h + 30 min dump"
    assert (found.since, found.since_known) == (scenes.NOW - 1800, True)
    assert (found.severity, found.runbook) == (Severity.P2, "backup-verify")
    assert scenes.only(stored(scenes, age=30 * 3600)).severity is Severity.P1


def test_no_backup_at_all(scenes: ModuleType) -> None:
    found = scenes.only(stored(scenes, backups=(), others=7))
    assert (found.rule, found.severity) == ("backup-missing", Severity.P1)
    assert found.summary == "no backup in s3://shop-backups/database/, 7 other keys"


def test_backups_dated_in_the_future(scenes: ModuleType) -> None:
    ahead = Backup("database/x", scenes.NOW + 7200, 1, scenes.NOW)
    found = scenes.only(stored(scenes, future=(ahead,)))
    assert found.summary == "1 backup dated in the future, by up to 2 h"


def test_a_clock_that_differs(scenes: ModuleType) -> None:
    edge = scenes.source("edge:nginx-1", scenes.edge(), skew=31.0)
    engine = scenes.source("engine", scenes.fleet(), pace=15.0, skew=0.2)
    found = scenes.only(scenes.readings(fleet=engine, edges=(edge,)))
    assert found.summary == "clock of edge:nginx-1 is 31 s ahead, limit 5 s"


def test_when_all_agree_against_us_it_is_our_clock(scenes: ModuleType) -> None:
    edge = scenes.source("edge:nginx-1", scenes.edge(), skew=31.0)
    engine = scenes.source("engine", scenes.fleet(), pace=15.0, skew=30.2)
    found = scenes.only(scenes.readings(fleet=engine, edges=(edge,)))
    assert found.summary == "this machine's clock is 31 s behind all 2 sources, limit 5 s"
    assert found.id == "clock-skew/here"


def alerting(scenes: ModuleType, alerts: Alerts, manager: Alerts | None = None) -> Any:
    return scenes.readings(
        rules=scenes.source("prometheus alerts", alerts),
        alertmanager=scenes.source("alertmanager", manager) if manager else None,
    )


def test_watchdog_that_has_a_rule_and_does_not_fire(scenes: ModuleType) -> None:
    found = scenes.only(alerting(scenes, Alerts((), (scenes.WATCHDOG_RULE,))))
    assert (found.rule, found.severity) == ("watchdog-silent", Severity.P2)


def test_without_a_watchdog_that_is_a_note(scenes: ModuleType) -> None:
    found = scenes.only(alerting(scenes, Alerts()))
    assert (found.rule, found.severity) == ("watchdog-absent", Severity.NOTE)
    assert scenes.findings(alerting(scenes, Alerts()), Policy(watchdog="")) == ()
    explicit = scenes.only(alerting(scenes, Alerts()), Policy(watchdog="DeadMan"))
    assert explicit.severity is Severity.P2


def test_watchdog_that_fired_once_is_missed(scenes: ModuleType) -> None:
    judge = scenes.Judge()
    assert judge.look(alerting(scenes, Alerts((scenes.WATCHDOG,)))) == ()
    found = judge.look(alerting(scenes, Alerts()), after=60)
    assert [f.rule for f in found] == ["watchdog-silent"]


def test_watchdog_must_reach_alertmanager(scenes: ModuleType) -> None:
    rules = Alerts((scenes.WATCHDOG,), (scenes.WATCHDOG_RULE,))
    found = scenes.only(alerting(scenes, rules, Alerts((), dropped=0)))
    assert "does not reach Alertmanager" in found.summary


def test_rules_that_cannot_be_evaluated(scenes: ModuleType) -> None:
    broken = Rule("DBConnections", "a / b", "err", "many-to-many matching not allowed")
    found = scenes.only(scenes.with_alerts(rules=(broken,)))
    assert found.summary == "1 alert rule cannot be evaluated: DBConnections"
    assert "many-to-many" in found.evidence[0]


def test_queries_that_are_not_answered_are_blindness(scenes: ModuleType) -> None:
    found = scenes.only(measured(scenes, problems=("query burn: too many samples", "it warns: x")))
    assert found.blind and found.summary == "prometheus: query burn: too many samples"
    warned = scenes.only(measured(scenes, problems=("it warns: not a counter",)))
    assert (warned.blind, warned.severity) == (False, Severity.NOTE)


def test_what_compose_warns_of_is_a_note_or_evidence_of_drift(scenes: ModuleType) -> None:
    def seen(plan: Any) -> Any:
        warned = replace(plan, warnings=("the SECRET_KEY variable is not set",))
        return scenes.readings(intended=(scenes.source("compose:shop", warned),))

    assert scenes.only(seen(scenes.intended())).severity is Severity.NOTE
    drift = scenes.only(seen(scenes.intended(image=scenes.image("v1.1.0").reference)))
    assert (drift.rule, drift.severity) == ("drift", Severity.P2)
    assert "Compose warns: the SECRET_KEY variable is not set" in drift.evidence
