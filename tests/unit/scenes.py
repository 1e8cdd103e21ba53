"""A production in good health, and ways to spoil it, for tests of rules and presentation."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from console.errors import Failure, FailureKind
from console.model.backups import Backup, Catalogue
from console.model.changes import Change, ChangeKind, History
from console.model.edges import Certificate, EdgeReport, Probe, Upstreams
from console.model.findings import Finding, verdict
from console.model.fleet import (
    Exit,
    Fleet,
    Health,
    HealthCheck,
    Image,
    Intended,
    Intention,
    Port,
    Replica,
    Role,
    Service,
    ServiceKind,
    State,
)
from console.model.hosts import HostReport
from console.model.policy import Policy
from console.model.readings import Reading, Sight, Source
from console.model.signals import (
    Alert,
    Alerts,
    AlertState,
    Burn,
    Disk,
    EndpointFigures,
    Figure,
    HostFigures,
    Metrics,
    Rule,
    Series,
    Unit,
)
from console.model.snapshot import Readings, Snapshot
from console.rules import Memory, judge
from console.rules.changes import changes

NOW = 1_795_362_127.0  # 2026-11-22T15:42:07Z
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
GIB = 1 << 30
SHOP = "shop/backend"


def source(
    name: str,
    value: Any,
    *,
    at: float = NOW - 2,
    pace: float = 10.0,
    skew: float | None = None,
) -> Source[Any]:
    """A source that answered well."""
    asked: Source[Any] = Source(name, pace)
    return asked.heard(Reading(at, 0.05, value, skew=skew))


def blinded(
    seen: Source[Any],
    *,
    at: float = NOW - 1,
    since: float | None = None,
    why: str = "ssh timeout",
    subject: str = "",
) -> Source[Any]:
    """The same source, whose newest Reading failed."""
    failure = Failure(FailureKind.TIMEOUT, subject or seen.name, why, "run `cofa doctor`")
    failed = seen.heard(Reading(at, 1.0, failure=failure))
    return failed if since is None else replace(failed, failing_since=since)


def replica(name: str = "shop-backend-1", **given: Any) -> Replica:
    """A healthy backend replica."""
    number = int(name.rpartition("-")[2]) if name.rpartition("-")[2].isdigit() else 0
    values: dict[str, Any] = {
        "id": f"{number:02d}" * 32,
        "name": name,
        "service": SHOP,
        "image": image("v1.2.3"),
        "state": State.RUNNING,
        "health": Health.HEALTHY,
        "node": "prod-1",
        "created_at": NOW - 9 * DAY,
        "started_at": NOW - 9 * DAY,
        "memory_limit": 2 * GIB,
        "cpu_limit": 2.0,
        "addresses": {"shop_default": f"172.18.0.{10 + number}"},
    }
    return Replica(**{**values, **given})


def image(tag: str, name: str = "registry/shop/backend") -> Image:
    """An image whose digest follows from its tag."""
    digest = "sha256:" + (tag.encode().hex() * 64)[:64]
    return Image(f"{name}:{tag}", digest, digest)


def service(name: str, count: int = 1, **given: Any) -> Service:
    """A healthy service of the project shop."""
    key = f"shop/{name}"
    picture = image("v1.2.3") if name == "backend" else image("1.25", name)
    replicas = tuple(
        replica(f"shop-{name}-{i}", service=key, image=picture) for i in range(1, count + 1)
    )
    values: dict[str, Any] = {
        "key": key,
        "name": name,
        "kind": ServiceKind.COMPOSE,
        "replicas": replicas,
        "project": "shop",
        "declared": count,
        "role": _ROLES.get(name, Role.OTHER),
    }
    return Service(**{**values, **given})


_ROLES = {
    "backend": Role.BACKEND,
    "nginx": Role.EDGE,
    "postgres": Role.DATABASE,
    "redis": Role.CACHE,
    "prometheus": Role.MONITORING,
}


def fleet(**changed: Service) -> Fleet:
    """The shop; services by name replace those of good health."""
    services = {
        "backend": service("backend", 3),
        "nginx": service("nginx", 2),
        "postgres": service("postgres"),
        "redis": service("redis"),
        "prometheus": service("prometheus"),
    }
    return Fleet("prod-1", "26.1.5", tuple({**services, **changed}.values()))


def backend(*replicas: Replica, declared: int = 3, **given: Any) -> Service:
    """The backend with these replicas."""
    return service("backend", replicas=replicas, declared=declared, **given)


def three(**spoiled: Replica) -> Service:
    """The backend of three; `r1`, `r2`, `r3` replace a replica."""
    good = {f"r{i}": replica(f"shop-backend-{i}") for i in (1, 2, 3)}
    return backend(*{**good, **spoiled}.values())


def exited(name: str = "shop-backend-2", *, at: float = NOW - 12, **given: Any) -> Replica:
    """A replica that was killed."""
    end = given.pop("last_exit", Exit(at, 137))
    return replica(name, state=State.EXITED, health=Health.UNCHECKED, last_exit=end, **given)


def unhealthy(name: str = "shop-backend-2", *, since: float = NOW - 3 * MINUTE) -> Replica:
    """A replica whose health check fails."""
    checks = [HealthCheck(since - 30, 0, "ok")]
    checks += [
        HealthCheck(since + 30 * i, 1, "curl: (7) Failed to connect to localhost port 8000")
        for i in range(3)
    ]
    return replica(name, health=Health.UNHEALTHY, health_log=tuple(checks), failing_streak=3)


def figures(**values: float | None) -> dict[str, Figure]:
    """Figures by name; a name with None has no data."""
    good: dict[str, float | None] = {
        "p50": 0.04,
        "p95": 0.21,
        "p99": 0.4,
        "requests": 212.0,
        "errors": 0.0002,
        "db_connections": 38.0,
        "db_connections_max": 200.0,
        "db_cache_hit": 0.991,
        "redis_memory": 88.0 * (1 << 20),
        "redis_hit": 0.97,
    }
    return {
        name: Figure(name, value, Unit.COUNT, f"query of {name}")
        for name, value in {**good, **values}.items()
    }


def metrics(**given: Any) -> Metrics:
    """Figures of a good day."""
    values: dict[str, Any] = {
        "figures": figures(),
        "series": {"p95": series([0.2] * 61)},
        "endpoints": (
            EndpointFigures("GET", "/api/trips", 48.0, 0.21, 0.0),
            EndpointFigures("GET", "/api/feed", 102.0, 0.19, 0.0),
        ),
        "burn": tuple(Burn(window, 0.2, 10_000.0) for window in ("5m", "30m", "1h", "6h", "3d")),
    }
    return Metrics(**{**values, **given})


def series(values: list[float | None], *, step: float = 60.0) -> Series:
    """p95 by the minute, up to now."""
    return Series("p95", Unit.SECONDS, NOW - step * (len(values) - 1), step, tuple(values))


def alert(name: str = "HighLatency", severity: str = "warning", **given: Any) -> Alert:
    """A firing alert."""
    labels = {"alertname": name, "severity": severity, **given.pop("labels", {})}
    values: dict[str, Any] = {
        "name": name,
        "state": AlertState.FIRING,
        "since": NOW - 11 * MINUTE,
        "labels": labels,
    }
    return Alert(**{**values, **given})


WATCHDOG = alert("Watchdog", "none", since=NOW - 9 * DAY)
WATCHDOG_RULE = Rule("Watchdog", "vector(1)", "ok")


def edge(name: str = "nginx-1", **given: Any) -> EdgeReport:
    """An edge in good health."""
    url = "https://shop.example.com"
    values: dict[str, Any] = {
        "name": name,
        "url": url,
        "vantage": "here",
        "health": Probe(f"{url}/health", NOW - 2, 0.017, 200),
        "redirect": Probe("http://shop.example.com/", NOW - 2, 0.01, 301, f"{url}/"),
        "certificate": certificate(61 * DAY),
    }
    return EdgeReport(**{**values, **given})


def certificate(left: float, **given: Any) -> Certificate:
    """A certificate with so many seconds left."""
    values: dict[str, Any] = {
        "subject": "shop.example.com",
        "issuer": "R11",
        "names": ("shop.example.com",),
        "not_before": NOW - 29 * DAY,
        "not_after": NOW + left + 60,
    }
    return Certificate(**{**values, **given})


def probe(status: int | None, **given: Any) -> Probe:
    """A health probe with this answer; None for none at all."""
    failure = None
    if status is None:
        failure = Failure(FailureKind.UNREACHABLE, "edge", "connection refused", "is it running?")
    values: dict[str, Any] = {"took": 0.02, "status": status, "failure": failure}
    return Probe("https://shop.example.com/health", NOW - 2, **{**values, **given})


def catalogue(age: float = 3 * HOUR + 42 * MINUTE, **given: Any) -> Catalogue:
    """A bucket whose newest backup is so old."""
    started = NOW - age
    newest = Backup("database/shop_20261122_120000.backup", started, 38 << 20, started + 60)
    return Catalogue(
        **{"bucket": "shop-backups", "prefix": "database/", "backups": (newest,), **given}
    )


def disk(free: float = 0.59, **given: Any) -> Disk:
    """A disk of 100 GiB."""
    return Disk(**{"mount": "/", "size": 100.0 * GIB, "free": free * 100 * GIB, **given})


def host(name: str = "prod-1", **given: Any) -> HostReport:
    """A host of good health."""
    shown = {"cpu_ratio": 0.3, "memory_ratio": 0.6, "disks": (disk(),), **given}
    booted = shown.pop("booted_at", NOW - 20 * DAY)
    return HostReport(name, "ana", "6.1.0", f"boot-{booted}", booted, HostFigures(name, **shown))


def readings(**changed: Any) -> Readings:
    """Every source, seen and well; fields by name replace them."""
    values: dict[str, Any] = {
        "fleet": source("engine", fleet(), pace=15.0),
        "metrics": source("prometheus", metrics()),
        "rules": source("prometheus alerts", Alerts((WATCHDOG,), (WATCHDOG_RULE,))),
        "alertmanager": source("alertmanager", Alerts((WATCHDOG,))),
        "backups": source("backups", catalogue(), pace=300.0),
        "edges": tuple(source(f"edge:{n}", edge(n)) for n in ("nginx-1", "nginx-2")),
        "hosts": (source("host:prod-1", host()),),
    }
    return Readings(**{**values, **changed})


def with_alerts(*alerts: Alert, rules: tuple[Rule, ...] = (), **changed: Any) -> Readings:
    """Readings in which Prometheus has these alerts."""
    found = Alerts((WATCHDOG, *alerts), (WATCHDOG_RULE, *rules))
    return readings(rules=source("prometheus alerts", found), **changed)


@dataclass(slots=True)
class Judge:
    """Judges one look after the other, as the watch does."""

    policy: Policy = field(default_factory=Policy)
    memory: Memory = field(default_factory=Memory)
    now: float = NOW

    def look(self, seen: Readings, *, after: float = 0.0) -> tuple[Finding, ...]:
        """The findings of the next look, `after` seconds later."""
        self.now += after
        value = seen.fleet.value if seen.fleet else None
        found, self.memory = judge(
            moved(seen, self.now - NOW), value, self.policy, self.memory, self.now
        )
        return found

    def ids(self, seen: Readings, *, after: float = 0.0) -> list[str]:
        """Only their ids."""
        return [finding.id for finding in self.look(seen, after=after)]


def moved(seen: Readings, by: float) -> Readings:
    """The same Readings, taken `by` seconds later."""

    def later(item: Source[Any]) -> Source[Any]:
        newest = replace(item.newest, at=item.newest.at + by) if item.newest else None
        good = item.good
        if good is not None and item.newest is not None and item.newest.failure is None:
            good = newest
        return replace(item, newest=newest, good=good)

    values: Mapping[str, Any] = {
        name: getattr(seen, name) for name in Readings.__slots__ if name != "MANY"
    }
    return Readings(
        **{
            name: tuple(later(item) for item in value)
            if isinstance(value, tuple)
            else (later(value) if value is not None else None)
            for name, value in values.items()
        }
    )


def findings(seen: Readings, policy: Policy | None = None) -> tuple[Finding, ...]:
    """The findings of one single look."""
    return Judge(policy or Policy()).look(seen)


def only(seen: Readings, policy: Policy | None = None) -> Finding:
    """The one finding that there must be."""
    found = findings(seen, policy)
    assert len(found) == 1, [f"{f.id}: {f.summary}" for f in found]
    return found[0]


def by_id(seen: Readings, policy: Policy | None = None) -> dict[str, Finding]:
    """The findings of one single look by their id."""
    return {finding.id: finding for finding in findings(seen, policy)}


def snapshot(
    seen: Readings,
    *,
    found: tuple[Finding, ...] | None = None,
    changed: tuple[Change, ...] = (),
    policy: Policy | None = None,
    rehearsal: bool = False,
) -> Snapshot:
    """What the watch would post."""
    policy = policy or Policy()
    found = findings(seen, policy) if found is None else found
    sights = [item.sight(NOW) for item in seen if item is not seen.usage]
    return Snapshot(
        environment="production",
        at=NOW,
        readings=seen,
        fleet=seen.fleet.value if seen.fleet else None,
        findings=found,
        changes=changed,
        verdict=verdict(
            found,
            answered=sights.count(Sight.SEEN),
            sources=len(sights),
            reading=Sight.READING in sights,
        ),
        rehearsal=rehearsal,
        policy=policy,
    )


RELEASED = (
    Change(NOW - 41 * MINUTE, ChangeKind.RELEASE, SHOP, "backend v1.2.3 -> v1.3.0", "outside"),
    Change(NOW - 6.5 * HOUR, ChangeKind.REBOOT, "prod-1", "host prod-1 rebooted"),
    Change(NOW - 3 * DAY, ChangeKind.SCALE, SHOP, "backend scaled 2 -> 3", "outside"),
)


def intended(**given: Any) -> Intended:
    """What Compose's files say of the backend."""
    values: dict[str, Any] = {
        "service": SHOP,
        "image": image("v1.2.3").reference,
        "replicas": 3,
        "config_hash": "",
    }
    return Intended("shop", (Intention(**{**values, **given}),))


def history(looks: list[tuple[Fleet | None, float]], hosts: tuple[HostReport, ...] = ()) -> History:
    """The history after these looks."""
    made = History()
    for seen, now in looks:
        made = changes(made, seen, (), hosts, now)
    return made


__all__ = [
    "DAY",
    "HOUR",
    "MINUTE",
    "NOW",
    "AlertState",
    "Disk",
    "Port",
    "Upstreams",
]  # fmt: skip
