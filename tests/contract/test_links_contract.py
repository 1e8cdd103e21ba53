"""What a reader may rely on, of the real links and of the rehearsal's alike."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from console.clock import Deadline
from console.commands.wiring import Links
from console.config.environment import Environment
from console.config.queries import FIGURES
from console.errors import FailureKind, LinkError
from console.model.fleet import Event, Fleet, Health, LogLine, Replica, Role, State
from console.model.signals import AlertState

PATIENCE = 30.0
NEVER = 1e12
"""A moment that is not yet past for a very long time."""


class Production:
    """See conftest.py."""

    links: Links
    environment: Environment
    deadline: Callable[..., Deadline]
    change: Callable[[], str]


class Reader(threading.Thread):
    """Takes a stream's items in a thread of its own; keeps the error that ended it."""

    def __init__(self, stream: Iterator[Any]) -> None:
        super().__init__(daemon=True)
        self.items: list[Any] = []
        self.error: LinkError | None = None
        self._stream = stream
        self._news = threading.Condition()
        self.start()

    def run(self) -> None:
        try:
            for item in self._stream:
                with self._news:
                    self.items.append(item)
                    self._news.notify_all()
        except LinkError as error:
            self.error = error

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(condition, PATIENCE), self.items

    def ended(self) -> bool:
        self.join(PATIENCE)
        return not self.is_alive()


@pytest.fixture
def fleet(production: Production) -> Fleet:
    return production.links.fleet.read(production.deadline())


def backend(production: Production, fleet: Fleet) -> Replica:
    """A backend that serves."""
    service = fleet.service(production.environment.backend)
    assert service is not None
    return next(replica for replica in service.replicas if replica.serving)


def test_the_parts_of_a_fleet_fit_together(fleet: Fleet) -> None:
    keys = [service.key for service in fleet.services]
    replicas = [replica for service in fleet.services for replica in service.replicas]
    assert len(keys) == len(set(keys)) > 1
    assert len({replica.name for replica in replicas}) == len(replicas) > 3
    assert len({replica.id for replica in replicas}) == len(replicas)
    assert all(r.service == service.key for service in fleet.services for r in service.replicas)
    assert all(fleet.replica(replica.name) is replica for replica in replicas)
    nodes = {node.name for node in fleet.nodes} | {fleet.engine_name}
    assert {replica.node for replica in replicas} <= nodes


def test_a_replica_says_what_it_is(production: Production, fleet: Fleet) -> None:
    replica = backend(production, fleet)
    now = production.deadline().clock.wall()
    assert replica.state is State.RUNNING and replica.health is Health.HEALTHY
    assert replica.created_at and replica.started_at
    assert replica.created_at <= replica.started_at <= now + 5
    assert replica.image.tag and replica.image.id and replica.image.id.startswith("sha256:")
    assert replica.addresses, "a running replica has an address"
    assert replica.config_hash, "Compose's label"
    assert replica.health_log[-1].exit_code == 0
    checks = [check.at for check in replica.health_log]
    assert checks == sorted(checks)
    assert all(len(value) <= 4_200 for _, value in replica.environment)


def test_serving_is_what_the_counts_go_by(fleet: Fleet) -> None:
    for service in fleet.services:
        serving = [replica for replica in service.current if replica.serving]
        assert service.healthy == len(serving)
        assert all(replica.running for replica in serving)
        if service.healthcheck:
            assert all(replica.health is not Health.UNCHECKED for replica in serving)


def test_compose_services_say_where_they_come_from(production: Production, fleet: Fleet) -> None:
    service = fleet.service(production.environment.backend)
    assert service is not None and service.origin is not None
    assert service.project == service.origin.project
    assert service.origin.config_files and service.origin.working_dir.startswith("/")


def test_compose_files_name_every_running_service(production: Production, fleet: Fleet) -> None:
    found = [link.read(production.deadline()) for link in production.links.intended]
    assert len(found) == 1 and not found[0].problem
    intended = {item.service: item for item in found[0].services}
    service = fleet.service(production.environment.backend)
    assert service is not None
    mine = intended[service.key]
    assert mine.replicas == len(service.replicas)
    assert mine.config_hash == service.replicas[0].config_hash, "nothing has drifted"
    assert mine.image.partition("@")[0] == service.replicas[0].image.reference.partition("@")[0]


def test_usage_is_of_those_asked_for(production: Production, fleet: Fleet) -> None:
    replica = backend(production, fleet)
    found = production.links.fleet.usage([replica.id, "f" * 64], production.deadline())
    assert set(found) == {replica.id}
    used = found[replica.id]
    assert used.memory is not None and used.memory > 1 << 20
    assert used.memory_limit is None or used.memory < used.memory_limit
    assert production.links.fleet.usage([], production.deadline()) == {}


def test_a_log_is_in_order_and_honours_its_tail(production: Production, fleet: Fleet) -> None:
    replica = backend(production, fleet)
    lines = list(production.links.fleet.logs(replica.id, follow=False, tail=5))
    assert len(lines) == 5
    moments = [line.at or 0.0 for line in lines]
    assert moments == sorted(moments) and moments[0] > 0
    assert all(line.replica == replica.name for line in lines)
    assert {line.stream for line in lines} <= {"stdout", "stderr"}
    assert all(line.text.isprintable() for line in lines)
    more = list(production.links.fleet.logs(replica.id, follow=False, tail=50))
    assert len(more) > 5 and more[-1].at is not None and more[-1].at >= moments[-1]


def test_a_log_keeps_within_its_bounds(production: Production, fleet: Fleet) -> None:
    replica = backend(production, fleet)
    lines = production.links.fleet.logs(replica.id, follow=False, tail=30)
    # What was said before it started may have more of its last words after it.
    moments = [line.at for line in lines if line.at and line.at >= (replica.started_at or 0.0)]
    since, until = moments[0], moments[len(moments) * 2 // 3]
    within = list(
        production.links.fleet.logs(replica.id, follow=False, tail=500, since=since, until=until)
    )
    assert within
    assert all(line.at is not None and since - 1e-3 <= line.at <= until + 1e-3 for line in within)


def test_following_a_log_ends_when_it_is_closed(production: Production, fleet: Fleet) -> None:
    stream: Any = production.links.fleet.logs(backend(production, fleet).id, tail=3)
    reader = Reader(stream)
    reader.wait_for(lambda: len(reader.items) >= 5)
    stream.close()
    assert reader.ended()
    moments = [line.at or 0.0 for line in reader.items if isinstance(line, LogLine)]
    assert moments == sorted(moments)


def test_the_log_of_nothing_is_missing(production: Production) -> None:
    with pytest.raises(LinkError) as caught:
        list(production.links.fleet.logs("f" * 64, follow=False))
    assert caught.value.failure.kind is FailureKind.MISSING
    assert caught.value.failure.remedy


def test_events_tell_of_a_change(production: Production) -> None:
    since = production.deadline().clock.wall()
    reader = Reader(production.links.fleet.events(since))
    name = production.change()
    mine: Callable[[], list[Event]] = lambda: [e for e in reader.items if name in e.subject]  # noqa: E731
    reader.wait_for(lambda: any(event.kind.value == "started" for event in mine()))
    assert all(event.at >= since - 5 for event in mine())
    created = [event for event in mine() if event.kind.value == "created"]
    assert created and created[0].text.startswith("created from ")
    production.links.fleet.cancel()
    assert reader.ended()


def test_a_cancel_frees_whoever_waits_and_the_link_goes_on(
    production: Production, fleet: Fleet
) -> None:
    events = Reader(production.links.fleet.events())
    logs = Reader(production.links.fleet.logs(backend(production, fleet).id, tail=1))
    logs.wait_for(lambda: len(logs.items) >= 1)
    ends = time.monotonic() + PATIENCE
    while (events.is_alive() or logs.is_alive()) and time.monotonic() < ends:
        # An event stream that has not connected yet has nothing to be shut.
        production.links.fleet.cancel()
        events.join(0.05)
    assert not events.is_alive() and logs.ended()
    assert production.links.fleet.read(production.deadline()).services


def test_figures_have_their_names_units_and_origin(production: Production) -> None:
    found = production.links.metrics and production.links.metrics.read(production.deadline())
    assert found
    assert set(FIGURES) <= set(found.figures)
    for name, figure in found.figures.items():
        assert figure.name == name and figure.query
        assert figure.unit is FIGURES.get(name, figure.unit)
        assert figure.value is None or figure.value == figure.value, "no data is None, not NaN"
    assert found.value("db_connections") and found.value("db_connections_max")
    assert found.problems == ()


def test_series_are_the_last_hour_at_even_steps(production: Production) -> None:
    assert production.links.metrics
    found = production.links.metrics.read(production.deadline())
    now = production.deadline().clock.wall()
    assert {"p95", "requests", "errors"} <= set(found.series)
    for series in found.series.values():
        end = series.start + series.step * (len(series.values) - 1)
        assert now - 200 < end <= now + 5
        assert 3000 < end - series.start < 4000


def test_hosts_and_burn_rates_are_ratios_and_windows(production: Production) -> None:
    assert production.links.metrics
    found = production.links.metrics.read(production.deadline())
    assert {burn.window for burn in found.burn} >= {"5m", "30m", "1h", "6h", "3d"}
    assert all(burn.rate is None or burn.rate >= 0 for burn in found.burn)
    assert len(found.hosts) >= 1
    reports = [link.read(production.deadline()).figures for link in production.links.hosts]
    for host in (*found.hosts, *reports):
        assert host.memory_ratio is not None and 0 < host.memory_ratio < 1
        assert host.cpu_ratio is None or 0 <= host.cpu_ratio <= 1
        assert host.disks and all(0 <= (disk.free_ratio or 0) <= 1 for disk in host.disks)


def test_alerts_are_dated_and_their_rules_are_known(production: Production) -> None:
    links, now = production.links, production.deadline().clock.wall()
    assert links.rules and links.alertmanager
    rules = links.rules.read(production.deadline())
    told = links.alertmanager.read(production.deadline())
    assert {rule.name for rule in rules.rules} >= {"APIDown", "HighErrorRate", "Watchdog"}
    assert all(rule.expression and rule.health for rule in rules.rules)
    for alert in (*rules.alerts, *told.alerts):
        assert 0 < alert.since <= now + 5
        assert alert.labels["alertname"] == alert.name
    assert {alert.state for alert in rules.alerts} <= {AlertState.FIRING, AlertState.PENDING}
    assert "Watchdog" in {alert.name for alert in told.alerts}


def test_backups_come_newest_first_and_are_dated_by_their_start(production: Production) -> None:
    assert production.links.backups and production.environment.backups
    found = production.links.backups.read(production.deadline())
    starts = [backup.started_at for backup in found.backups]
    assert starts == sorted(starts, reverse=True) and len(starts) > 10
    assert found.newest is found.backups[0]
    assert found.bucket == production.environment.backups.bucket
    assert all(backup.key.startswith(found.prefix) for backup in found.backups)
    assert all(backup.size > 0 for backup in found.backups)
    assert starts[0] - starts[-1] > 200 * 86400 or not found.complete


def test_every_edge_reports_health_redirect_and_certificate(production: Production) -> None:
    names = []
    for link in production.links.edges:
        report = link.read(production.deadline())
        names.append(report.name)
        assert link.name == f"edge:{report.name}"
        assert report.health.ok and report.health.status == 200 and report.health.failure is None
        assert report.health.took is not None and report.health.took < 20
        assert report.redirect is not None and report.redirect.status in (301, 302, 307, 308)
        assert report.redirect.location.startswith("https://")
        certificate = report.certificate
        assert certificate is not None and certificate.problem == ""
        assert certificate.not_before < production.deadline().clock.wall() < certificate.not_after
        assert certificate.names
    assert names == [edge.name for edge in production.environment.edges]


def test_the_edges_own_logs_can_be_asked_for(production: Production) -> None:
    edge = production.environment.edges[0].replica
    now = production.deadline().clock.wall()
    found = production.links.fleet.upstreams(edge, now - 60, production.deadline())
    assert found.edge == edge
    assert all(count > 0 and at <= now + 5 for _, count, at in found.failed)
    with pytest.raises(LinkError):
        production.links.fleet.upstreams("no-such-edge", now - 60, production.deadline())


def test_hosts_say_who_and_since_when(production: Production) -> None:
    now = production.deadline().clock.wall()
    for link in production.links.hosts:
        report = link.read(production.deadline())
        assert link.name == f"host:{report.name}"
        assert report.user and report.kernel and report.boot_id
        assert report.booted_at is not None and report.booted_at < now
        assert report.cpus is None or report.cpus >= 1


def test_every_clock_is_measured(production: Production) -> None:
    links = production.links
    read: list[Any] = [links.fleet, links.metrics, *links.edges]
    for link in read:
        link.read(production.deadline())
        assert link.skew() is not None and abs(link.skew()) < 5


def test_names_of_sources_are_unique(production: Production) -> None:
    names = [link.name for link in production.links]
    assert len(names) == len(set(names))
    assert {"engine", "prometheus", "rules", "alertmanager", "backups"} <= set(names)


def test_closing_twice_is_nothing_and_then_nothing_is_read(production: Production) -> None:
    for link in production.links:
        link.close()
        link.close()
        link.cancel()
    reads: list[Any] = [production.links.fleet, production.links.metrics]
    for link in reads:
        with pytest.raises(LinkError):
            link.read(production.deadline(5.0))


def test_roles_are_those_of_the_stack(fleet: Fleet, production: Production) -> None:
    from console.config.roles import assign_roles

    found = {s.key: s.role for s in assign_roles(fleet, production.environment).services}
    assert found[production.environment.backend] is Role.BACKEND
    roles = list(found.values())
    assert {Role.EDGE, Role.DATABASE, Role.CACHE, Role.MONITORING} <= set(roles)
