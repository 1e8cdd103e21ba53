"""The world: the same for everybody, troubled as the scenarios say, and healed by calm."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from console.model.fleet import EventKind, Health, Replica, State
from console.model.policy import Policy
from console.model.signals import AlertState
from console.rehearsal import alerts, backups, edges, fleet, hosts, logs, metrics
from console.rehearsal.containers import containers
from console.rehearsal.log import Log
from console.rehearsal.scenarios import CALM, SCENARIOS
from console.rehearsal.stack import BACKEND
from console.rehearsal.world import NOTICE, Inject, World, apply, first_log, world_at

NOW = 1_795_000_000.0
POLICY = Policy()


def started(scenario: str, *, seed: int = 3, speed: float = 10.0) -> Log:
    return first_log(scenario, NOW, seed=seed, speed=speed)


def changed(log: Log, scenario: str, at: float) -> Log:
    entry = apply(log, Inject(scenario), at)
    assert entry is not None
    return replace(log, entries=(*log.entries, entry))


def live(scenario: str, seconds: float = 60.0) -> World:
    """The world so long after a live injection into a calm one."""
    return world_at(changed(started(CALM), scenario, NOW + 100), NOW + 100 + NOTICE + seconds)


def everything(world: World) -> list[object]:
    found: list[object] = [
        fleet.fleet(world),
        fleet.intended(world),
        metrics.metrics(world),
        alerts.prometheus_alerts(world),
        alerts.alertmanager_alerts(world),
        backups.catalogue(world),
        edges.report(world, "nginx-1", "prod-1"),
        hosts.report(world),
        fleet.events(world, world.at - 3600),
        fleet.upstreams(world, "shop-nginx-1", world.at - 90),
    ]
    for container in containers(world):
        found.append(fleet.usage(world, {container.id}))
        found.append(logs.tail(world, container, 20, None, world.at))
    return found


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_same_log_and_moment_give_the_same_world(scenario: str) -> None:
    log = started(scenario)
    for at in (NOW + 17.3, NOW + 86_400 * 3):
        assert everything(world_at(log, at)) == everything(world_at(log, at))


def test_another_seed_gives_other_figures_of_the_same_production() -> None:
    one, two = (metrics.metrics(world_at(started(CALM, seed=s), NOW)) for s in (1, 2))
    assert one != two
    assert [e.name for e in one.endpoints] == [e.name for e in two.endpoints]


def test_two_readers_see_the_same_past() -> None:
    log = started("bad-release")
    first = metrics.metrics(world_at(log, NOW + 5)).series["p95"]
    later = metrics.metrics(world_at(log, NOW + 200)).series["p95"]
    one = {first.start + first.step * i: value for i, value in enumerate(first.values)}
    two = {later.start + later.step * i: value for i, value in enumerate(later.values)}
    shared = one.keys() & two.keys()
    assert len(shared) > 50
    assert all(one[at] == two[at] for at in shared)


def test_a_remembered_past_is_the_computed_one() -> None:
    world = world_at(started("slow-database"), NOW)
    asked: list[float] = []

    def past(then: World) -> metrics.Traffic:
        asked.append(then.at)
        return metrics.traffic(then)

    assert metrics.metrics(world, past) == metrics.metrics(world)
    again = metrics.metrics(world.moved(NOW + 1.0), past)
    assert again.series == metrics.metrics(world).series
    assert len(set(asked)) < len(asked) * 0.6, "a second later the same moments are asked for"


@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_a_calm_world_breaks_no_promise_at_any_hour(hour: int) -> None:
    log = started(CALM)
    world = world_at(log, NOW + hour * 3600 + 1234.5)
    found = metrics.metrics(world)
    assert 0 < (found.value("p95") or 0) < POLICY.p95 / 2
    assert 0 < (found.value("errors") or 0) < 0.001
    assert 30 < (found.value("requests") or 0) < 300
    used, most = found.value("db_connections"), found.value("db_connections_max")
    assert used and most and used / most < 0.5
    assert all(burn.rate is not None and burn.rate < 1 for burn in found.burn)
    services = fleet.fleet(world).services
    assert all(service.healthy == len(service.replicas) for service in services)
    report = edges.report(world, "nginx-2", "prod-1")
    assert report.health.status == 200
    assert report.certificate and report.certificate.not_after - world.at > POLICY.certificate
    newest = backups.catalogue(world).newest
    assert newest and world.at - newest.started_at < POLICY.rpo + POLICY.dump_duration
    assert all((d.free_ratio or 0) > 0.5 and d.full_at is None for d in hosts.disks(world))
    assert [a.name for a in alerts.prometheus_alerts(world).alerts] == ["Watchdog"]
    assert fleet.upstreams(world, "shop-nginx-1", world.at - 90).failed == ()


def test_a_calm_day_has_its_busy_and_its_quiet_hours() -> None:
    log = started(CALM)
    midnight = NOW - NOW % 86400
    rates = {
        hour: metrics.metrics(world_at(log, midnight + 86400 + hour * 3600)).value("requests") or 0
        for hour in range(24)
    }
    assert max(rates, key=lambda hour: rates[hour]) in (16, 17, 18)
    assert min(rates, key=lambda hour: rates[hour]) in (4, 5, 6)
    assert max(rates.values()) > 2 * min(rates.values())


def bad_release(world: World) -> None:
    found = metrics.metrics(world)
    assert (found.value("p95") or 0) > POLICY.p95
    slow = [e.handler for e in found.endpoints if (e.p95 or 0) > POLICY.p95 and e.method == "GET"]
    assert slow == ["/api/trips"]
    trips = next(e for e in found.endpoints if e.handler == "/api/trips")
    assert 0.02 < (trips.error_ratio or 0) < 0.05
    assert {replica.image.tag for replica in replicas(world)} == {"v1.3.0"}
    assert all(replica.serving for replica in replicas(world))


def replica_crash(world: World) -> None:
    *others, last = replicas(world)
    assert all(replica.serving and replica.restarts == 0 for replica in others)
    assert last.restarts >= POLICY.restarts
    assert not last.serving
    assert last.last_exit and last.last_exit.oom_killed and last.last_exit.code == 137
    assert last.last_exit.at is not None and last.last_exit.at <= world.at
    assert any(check.exit_code != 0 for check in last.health_log)
    assert edges.report(world, "nginx-1", "here").health.status == 200


def slow_database(world: World) -> None:
    found = metrics.metrics(world)
    used, most = found.value("db_connections"), found.value("db_connections_max")
    assert used and most and used / most > POLICY.database_connections
    assert (found.value("db_slow_queries") or 0) >= 5
    assert (found.value("p95") or 0) > POLICY.p95
    assert (found.value("db_cache_hit") or 1) < 0.95


def stale_backup(world: World) -> None:
    newest = backups.catalogue(world).newest
    assert newest is not None
    age = world.at - newest.started_at
    assert 9 * 3600 <= age < 16 * 3600
    assert age > POLICY.rpo + POLICY.dump_duration


def certificate_expiring(world: World) -> None:
    certificate = edges.report(world, "nginx-1", "here").certificate
    assert certificate is not None
    assert 5 * 86400 < certificate.not_after - world.at < 5.6 * 86400


def disk_filling(world: World) -> None:
    disk = next(d for d in hosts.disks(world) if d.mount == "/var/lib/docker")
    assert disk.free_ratio is not None and 0.06 < disk.free_ratio < POLICY.disk_free
    assert disk.full_at is not None and 4 * 3600 < disk.full_at - world.at < 6 * 3600


def outage(world: World) -> None:
    assert not any(replica.serving for replica in replicas(world))
    assert [edges.report(world, name, "here").health.status for name in edges.EDGES] == [502, 502]
    found = metrics.metrics(world)
    assert found.value("requests") is None and found.value("p95") is None, "no data is no zero"
    assert found.endpoints == ()
    assert len(fleet.upstreams(world, "shop-nginx-1", world.at - 90).failed) == 3


CHECKS = {
    "replica-crash": replica_crash,
    "bad-release": bad_release,
    "slow-database": slow_database,
    "stale-backup": stale_backup,
    "certificate-expiring": certificate_expiring,
    "disk-filling": disk_filling,
    "outage": outage,
}
ALERTS = {
    "slow-database": "DBConnectionPoolExhausted",
    "disk-filling": "DiskSpaceRunningOut",
    "outage": "APIDown",
}


def replicas(world: World) -> tuple[Replica, ...]:
    service = fleet.fleet(world).service(BACKEND.key)
    assert service is not None
    return service.replicas


def test_every_scenario_is_checked() -> None:
    assert set(CHECKS) | {CALM} == set(SCENARIOS)


@pytest.mark.parametrize("scenario", CHECKS)
def test_a_world_that_starts_troubled_is_troubled_at_once(scenario: str) -> None:
    CHECKS[scenario](world_at(started(scenario), NOW))


@pytest.mark.parametrize("scenario", CHECKS)
def test_a_live_injection_shows_within_a_minute(scenario: str) -> None:
    CHECKS[scenario](live(scenario))


@pytest.mark.parametrize("scenario", CHECKS)
def test_calm_heals_within_a_minute(scenario: str) -> None:
    log = changed(changed(started(CALM), scenario, NOW + 100), CALM, NOW + 160)
    world = world_at(log, NOW + 220)
    with pytest.raises(AssertionError):
        CHECKS[scenario](world)
    assert all(replica.serving and replica.restarts == 0 for replica in replicas(world))
    assert {replica.image.tag for replica in replicas(world)} == {BACKEND.tag}
    assert [a.name for a in alerts.prometheus_alerts(world).alerts] == ["Watchdog"]
    newest = backups.catalogue(world).newest
    assert newest and world.at - newest.started_at < POLICY.rpo
    assert (metrics.metrics(world).value("p95") or 9) < 0.5


def test_nothing_of_a_live_injection_is_felt_before_it_begins() -> None:
    calm = started(CALM)
    log = changed(calm, "outage", NOW + 100)
    before = NOW + 100 + NOTICE - 0.01
    assert everything(world_at(log, before)) == everything(world_at(calm, before))


def test_troubles_add_up() -> None:
    log = changed(started("disk-filling"), "certificate-expiring", NOW + 10)
    world = world_at(log, NOW + 20)
    disk_filling(world)
    certificate_expiring(world)


def test_the_same_trouble_twice_and_healing_nothing_change_nothing() -> None:
    log = started("outage")
    assert apply(log, Inject("outage"), NOW + 5) is None
    assert apply(started(CALM), Inject(CALM), NOW + 5) is None
    healed = changed(log, CALM, NOW + 5)
    assert apply(healed, Inject("outage"), NOW + 10) is not None


def test_entries_stay_in_order_when_the_clock_goes_back() -> None:
    log = changed(started(CALM), "outage", NOW + 100)
    entry = apply(log, Inject(CALM), NOW + 20)
    assert entry is not None and entry.at == log.entries[-1].at


@pytest.mark.parametrize("scenario", ALERTS)
def test_an_alert_waits_for_its_time_and_then_fires(scenario: str) -> None:
    log = changed(started(CALM), scenario, NOW)
    seen: list[tuple[AlertState, float]] = []
    for second in range(1, 140):
        world = world_at(log, NOW + second)
        both = alerts.prometheus_alerts(world), alerts.alertmanager_alerts(world)
        mine = [a for a in both[0].alerts if a.name == ALERTS[scenario]]
        told = [a for a in both[1].alerts if a.name == ALERTS[scenario]]
        assert all(alert.since <= world.at for alert in (*both[0].alerts, *both[1].alerts))
        assert [a.name for a in told] == [a.name for a in mine if a.state is AlertState.FIRING]
        seen += [(alert.state, alert.since) for alert in mine]
    states = [state for state, _ in seen]
    assert [state for state, _ in itertools.groupby(states)] == [
        AlertState.PENDING,
        AlertState.FIRING,
    ]
    assert len({since for _, since in seen}) == 1, "since when does not wander"


def test_no_alert_fires_that_no_rule_has() -> None:
    world = world_at(started("outage"), NOW)
    found = alerts.prometheus_alerts(world)
    assert {alert.name for alert in found.alerts} <= {rule.name for rule in found.rules}
    assert len(found.rules) == 6


@pytest.mark.parametrize("scenario", ["replica-crash", "outage", "bad-release"])
def test_events_come_once_and_tell_what_the_fleet_shows(scenario: str) -> None:
    log = changed(changed(started(CALM), scenario, NOW + 10), CALM, NOW + 40)
    end = NOW + 70
    whole = fleet.events(world_at(log, end), NOW + 1)
    steps = [NOW + 1 + 0.3 * i for i in range(230)]
    pieces = [
        event
        for before, after in itertools.pairwise([*steps, end])
        for event in fleet.events(world_at(log, after), before)
    ]
    assert pieces == list(whole)
    assert [e.at for e in whole] == sorted(e.at for e in whole)
    kinds = {event.kind for event in whole}
    assert {EventKind.STARTED, EventKind.CREATED, EventKind.REMOVED, EventKind.HEALTH} <= kinds
    assert (EventKind.OOM in kinds) == (scenario == "replica-crash")
    assert (EventKind.DIED in kinds) == (scenario != "bad-release")


def test_restarts_only_grow_and_agree_with_the_events() -> None:
    log = changed(started(CALM), "replica-crash", NOW)
    counts = []
    for tenth in range(0, 600, 2):
        world = world_at(log, NOW + tenth / 10)
        last = replicas(world)[-1]
        started_events = [
            event
            for event in fleet.events(world, NOW)
            if event.kind is EventKind.STARTED and event.subject == last.name
        ]
        assert last.restarts == len(started_events)
        assert last.state in (State.RUNNING, State.RESTARTING)
        assert last.started_at is not None and last.started_at <= world.at
        assert (last.state is State.RUNNING) == bool(last.addresses)
        if last.restarts:
            assert last.health is Health.STARTING
        counts.append(last.restarts)
    assert counts == sorted(counts)
    assert counts[-1] >= 5


def test_a_replaced_replica_is_another_container_of_the_same_name() -> None:
    before = {r.name: r for r in replicas(world_at(started(CALM), NOW))}
    after = {r.name: r for r in replicas(live("bad-release"))}
    assert before.keys() == after.keys()
    assert all(before[name].id != after[name].id for name in before)
    assert all(before[name].config_hash != after[name].config_hash for name in before)


def test_some_backend_answers_all_through_a_release() -> None:
    log = changed(changed(started(CALM), "bad-release", NOW), CALM, NOW + 40)
    for tenth in range(0, 800, 3):
        assert any(replica.serving for replica in replicas(world_at(log, NOW + tenth / 10)))


def test_a_trouble_that_is_healed_before_its_second_act_never_has_it() -> None:
    log = changed(started(CALM), "bad-release", NOW)
    log = changed(log, CALM, NOW + 0.1)
    assert log.entries[-1].at - log.entries[-2].at < 2.0
    peak = max(
        metrics.metrics(world_at(log, NOW + second)).value("p95") or 0 for second in range(30)
    )
    assert peak < 0.5


def test_the_catalogue_is_a_year_kept_by_the_rule() -> None:
    world = world_at(started(CALM), NOW)
    found = backups.catalogue(world).backups
    times = [backup.started_at for backup in found]
    assert times == sorted(times, reverse=True)
    newest = times[0]
    assert sum(at > newest - 48 * 3600 for at in times) == 8
    days = {datetime.fromtimestamp(at, UTC).date() for at in times}
    assert sum((datetime.fromtimestamp(newest, UTC).date() - day).days < 7 for day in days) == 7
    assert len({(d.year, d.month) for d in days}) == 12 or times[-1] < newest - 300 * 86400
    assert 20 <= len(found) <= 32
    assert all(b.stored_at > b.started_at and b.storage_class == "STANDARD_IA" for b in found)
    assert all(30e6 > b.size > 20e6 or b.size > 30e6 for b in found)


@pytest.mark.parametrize("day", [0, 3, 9, 40, 200])
def test_the_newest_backup_is_never_older_than_the_promise(day: int) -> None:
    log = started(CALM)
    for step in range(0, 86400, 1800):
        world = world_at(log, NOW + day * 86400 + step)
        newest = backups.catalogue(world).newest
        assert newest is not None
        assert 0 < world.at - newest.started_at < POLICY.rpo + POLICY.dump_duration
        assert newest.stored_at <= world.at


def test_logs_are_ordered_consistent_and_tell_of_the_trouble() -> None:
    world = world_at(started("bad-release"), NOW)
    backend = next(c for c in containers(world) if c.part is BACKEND)
    found = logs.tail(world, backend, 200, None, NOW)
    assert len(found) == 200
    moments = [line.at or 0 for line in found]
    assert moments == sorted(moments)
    assert 60 < moments[-1] - moments[0] < 300, "one to three lines a second"
    halves = (
        *logs.lines(world, backend, NOW - 60, NOW - 30.2),
        *logs.lines(world, backend, NOW - 30.2, NOW),
    )
    assert halves == logs.lines(world, backend, NOW - 60, NOW)
    assert any("slow request: GET /api/trips" in line.text for line in found)
    calm = world_at(started(CALM), NOW)
    own = next(c for c in containers(calm) if c.part is BACKEND)
    assert not any("GET /api/trips took" in x.text for x in logs.tail(calm, own, 200, None, NOW))


@pytest.mark.parametrize(
    ("scenario", "service", "words"),
    [
        ("outage", "nginx", "connect() failed (111: Connection refused)"),
        ("outage", "nginx", '" 502 '),
        ("outage", "backend", "password authentication failed"),
        ("replica-crash", "backend", "reading all route tiles into memory"),
        ("slow-database", "postgres", "LOG:  duration:"),
        ("stale-backup", "backup-cron", "nothing was stored"),
    ],
)
def test_the_log_that_one_would_look_into_has_the_evidence(
    scenario: str, service: str, words: str
) -> None:
    world = world_at(started(scenario), NOW)
    texts = [
        line.text
        for container in containers(world)
        if container.part.name == service
        for line in logs.tail(world, container, 200, None, NOW)
    ]
    assert any(words in text for text in texts)


def test_usage_is_given_for_those_asked_for_and_running() -> None:
    world = world_at(started("replica-crash"), NOW)
    one, two, crashing = replicas(world)
    found = fleet.usage(world, [one.id, crashing.id, "no-such-id"])
    assert set(found) <= {one.id, crashing.id} and one.id in found and two.id not in found
    assert all(u.memory and u.memory <= (u.memory_limit or 0) for u in found.values())
    peak = max(
        usage.memory or 0
        for tenth in range(0, 200)
        for usage in fleet.usage(world.moved(NOW + tenth / 10), [crashing.id]).values()
    )
    assert peak > 0.9 * (crashing.memory_limit or 0)


def test_a_world_is_there_even_for_a_clock_that_was_set_back() -> None:
    log = started("outage")
    for at in (NOW - 3600.0, NOW - 400 * 86400.0, 0.0):
        assert everything(world_at(log, at))


def test_a_long_trouble_stays_cheap_and_bounded() -> None:
    world = world_at(started("outage", speed=1000.0), NOW + 86400 * 30)
    assert len(fleet.events(world, 0.0)) <= fleet.EVENTS_MOST
    assert replicas(world)[0].restarts > 100_000
    assert len(replicas(world)[0].health_log) == 5
