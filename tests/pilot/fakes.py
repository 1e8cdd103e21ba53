"""A watch that does nothing by itself, and Snapshots built by hand."""

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from console.errors import Failure, FailureKind
from console.model.backups import Backup, Catalogue
from console.model.changes import Change, ChangeKind
from console.model.edges import Certificate, EdgeReport, Probe
from console.model.findings import Finding, Place, PlaceKind, Severity, order, verdict
from console.model.fleet import (
    Exit,
    Fleet,
    Health,
    HealthCheck,
    Image,
    LogLine,
    Mount,
    Port,
    Replica,
    Role,
    Service,
    ServiceKind,
    State,
    Usage,
)
from console.model.readings import Reading, Sight, Source
from console.model.signals import Figure, Metrics, Series, Unit
from console.model.snapshot import Readings, Snapshot

NOW = 1_763_826_127.0  # 2025-11-22T15:42:07Z
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
SUMMARY = {"p50": 0.04, "p95": 0.21, "p99": 0.6, "requests": 212.0, "errors": 0.0002}
HOSTILE = "[/nope] [bold red]x[/] [@click=app.quit]y"


@dataclass
class FakeTail:
    """A followed log; lines are handed over by the test."""

    replicas: tuple[Replica, ...]
    subscriber: Callable[[tuple[LogLine, ...], str], None]
    previous: bool
    closed: threading.Event = field(default_factory=threading.Event)
    hangs: threading.Event | None = None

    def close(self) -> None:
        if self.hangs is not None:
            self.hangs.wait(30)
        self.closed.set()

    def bring(self, *texts: str, replica: str = "", at: float = NOW, message: str = "") -> None:
        name = replica or self.replicas[0].name
        lines = tuple(LogLine(at + i, name, "stdout", text) for i, text in enumerate(texts))
        self.subscriber(lines, message)


class FakeWatch:
    """Implements console.watch.Watch; `post` is what a source would cause."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.subscribers: list[Callable[[Snapshot], None]] = []
        self.looked_at: tuple[str, ...] = ()
        self.tails: list[FakeTail] = []
        self.refreshed = 0
        self.closed = threading.Event()
        self.hangs: threading.Event | None = None

    def subscribe(self, subscriber: Callable[[Snapshot], None]) -> Callable[[], None]:
        self.subscribers.append(subscriber)
        return lambda: self.subscribers.remove(subscriber)

    def look_at(self, replicas: Collection[str]) -> None:
        self.looked_at = tuple(replicas)

    def refresh(self) -> None:
        self.refreshed += 1

    def follow_logs(
        self,
        replicas: Sequence[Replica],
        subscriber: Callable[[tuple[LogLine, ...], str], None],
        *,
        previous: bool = False,
        tail: int = 200,
    ) -> FakeTail:
        self.tails.append(FakeTail(tuple(replicas), subscriber, previous, hangs=self.hangs))
        return self.tails[-1]

    def close(self) -> None:
        if self.hangs is not None:
            self.hangs.wait(30)
        self.closed.set()

    def post(self, snapshot: Snapshot) -> None:
        """A new Snapshot, from a thread of the watch as in production."""
        self.snapshot = snapshot
        thread = threading.Thread(target=self._tell, args=(snapshot,))
        thread.start()
        thread.join()

    def _tell(self, snapshot: Snapshot) -> None:
        for subscriber in tuple(self.subscribers):
            subscriber(snapshot)


def source(name: str, value: object, pace: float = 10.0, age: float = 2.0) -> Source[object]:
    reading = Reading(NOW - age, 0.05, value)
    return Source(name, pace, reading, reading)


def blind(name: str, value: object, since: float, why: str = "ssh timeout") -> Source[object]:
    failure = Failure(FailureKind.TIMEOUT, name, why, "run cofa doctor")
    return Source(
        name,
        10.0,
        Reading(NOW - 2, 10.0, None, failure),
        Reading(NOW - since, 0.05, value) if value is not None else None,
        NOW - since,
    )


def replica(service: str, number: int, **changes: object) -> Replica:
    project, _, name = service.partition("/")
    base = Replica(
        id=f"{name}{number}".ljust(12, "0"),
        name=f"{project}-{name}-{number}",
        service=service,
        image=Image("registry/shop/backend:v1.3.0", "sha256:9ac3" + "0" * 60),
        state=State.RUNNING,
        health=Health.HEALTHY,
        node="prod-1",
        slot=number,
        created_at=NOW - 51 * MINUTE,
        started_at=NOW - 51 * MINUTE,
        health_log=(HealthCheck(NOW - 20, 0, "ok"),),
        memory_limit=2 * 1024**3,
        cpu_limit=2.0,
        addresses={"shop_default": f"172.18.0.{number}"},
        mounts=(Mount("bind", "/srv/shop/media", "/media", False),),
        environment=(("APP_ENV", "production"), ("SECRET_KEY", "***")),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def service(key: str, replicas: Iterable[Replica], **changes: object) -> Service:
    kept = tuple(replicas)
    base = Service(
        key,
        key.partition("/")[2],
        ServiceKind.COMPOSE,
        kept,
        project=key.partition("/")[0],
        declared=len(kept),
        image=kept[0].image if kept else None,
        healthcheck=True,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def fleet(*, sick: bool = False, extra: Iterable[Service] = ()) -> Fleet:
    backend = [replica("shop/backend", number) for number in (7, 8, 9)]
    if sick:
        backend[2] = replace(
            backend[2],
            health=Health.STARTING,
            started_at=NOW - 12,
            restarts=4,
            last_exit=Exit(NOW - 12, 137, oom_killed=True),
            health_log=(
                HealthCheck(NOW - 4, 7, "curl: (7) Failed to connect to localhost port 8000"),
            ),
        )
    old = {"started_at": NOW - 9 * DAY, "created_at": NOW - 9 * DAY}
    nginx = [
        replica(
            "shop/nginx",
            number,
            image=Image("nginx:1.25"),
            ports=(Port(443, "tcp", "0.0.0.0", 443),),
            **old,
        )
        for number in (1, 2)
    ]
    postgres = [replica("shop/postgres", 1, image=Image("postgres:16.2"), **old)]
    redis = [replica("shop/redis", 1, image=Image("redis:7.2"), **old)]
    services = (
        service("shop/backend", backend, role=Role.BACKEND),
        service("shop/nginx", nginx, role=Role.EDGE),
        service("shop/postgres", postgres, role=Role.DATABASE),
        service("shop/redis", redis, role=Role.CACHE),
        *extra,
    )
    return Fleet("prod-1", "26.1", services, system_time=NOW)


def usage(of: Fleet) -> dict[str, Usage]:
    return {
        one.id: Usage(NOW - 2, 0.22, 612 * 1024**2, one.memory_limit)
        for each in of.services
        for one in each.replicas
    }


def metrics(p95: float = 0.21) -> Metrics:
    units = {"requests": Unit.PER_SECOND, "errors": Unit.RATIO}
    figures = {
        name: Figure(name, value, units.get(name, Unit.SECONDS), f"query of {name}")
        for name, value in {**SUMMARY, "p95": p95}.items()
    }
    values = tuple(0.2 + (p95 - 0.2) * max(0, i - 40) / 20 for i in range(60))
    return Metrics(figures, {"p95": Series("p95", Unit.SECONDS, NOW - HOUR, MINUTE, values)})


def readings(of: Fleet, p95: float = 0.21) -> Readings:
    backups = Catalogue(
        "shop-backups",
        "database/",
        (Backup("database/shop_20251122_120000.backup", NOW - 3.7 * HOUR, 38_400_000, NOW),),
    )
    edge = EdgeReport(
        "nginx-1",
        "https://api.example.com",
        "here",
        Probe("https://api.example.com/health", NOW - 2, 0.017, 200),
        Probe("http://api.example.com/", NOW - 2, 0.01, 301, "https://api.example.com/"),
        Certificate("api.example.com", "R3", ("api.example.com",), NOW, NOW + 61 * DAY),
    )
    return Readings(
        fleet=source("engine", of),
        usage=source("usage", usage(of)),
        metrics=source("prometheus", metrics(p95)),
        backups=source("backups", backups, pace=300.0),
        edges=(source("edge:nginx-1", edge),),
    )


def snapshot(
    of: Fleet | None = None,
    findings: Iterable[Finding] = (),
    changes: Iterable[Change] = (),
    *,
    sources: Readings | None = None,
    reading: bool = False,
    rehearsal: bool = False,
) -> Snapshot:
    shown = fleet() if of is None else of
    known = sources if sources is not None else readings(shown)
    ordered = tuple(sorted(findings, key=order))
    counted = [each for each in known if each is not known.usage]
    seen = sum(each.sight(NOW) is Sight.SEEN for each in counted)
    return Snapshot(
        "production",
        NOW,
        known,
        shown if known.fleet is not None and known.fleet.value else None,
        ordered,
        tuple(changes),
        verdict(ordered, answered=seen, sources=len(counted), reading=reading),
        rehearsal,
    )


def finding(
    rule: str, subject: str, severity: Severity, summary: str, place: Place, **changes: object
) -> Finding:
    base = Finding(rule, subject, severity, summary, place, "engine", NOW - 11 * MINUTE, True)
    return replace(base, **changes)  # type: ignore[arg-type]


SLOW = finding(
    "latency",
    "/api/trips",
    Severity.P1,
    "p95 2.31 s, limit 2 s, on /api/trips",
    Place(PlaceKind.METRIC, "p95"),
    source="prometheus",
    evidence=("histogram_quantile(0.95, ...) = 2.31", "GET /api/trips 48 /s"),
    runbook="slow-responses",
)
RESTARTING = finding(
    "replica-restarting",
    "backend-9",
    Severity.P1,
    "backend-9 restarted 4 times since 15:31, killed for memory",
    Place(PlaceKind.REPLICA, "shop-backend-9"),
    evidence=("exit code 137, OOM",),
    since=NOW - 12 * MINUTE,
)
SMALL_BACKUP = finding(
    "backup-size",
    "shop-backups",
    Severity.P2,
    "backup of 12:00 is 63 % smaller than the 20 before",
    Place(PlaceKind.BACKUP, "database/shop_20251122_120000.backup"),
    since=NOW - 3 * HOUR,
    runbook="backup-verify",
)
DOWN = finding(
    "edge-down",
    "nginx-1",
    Severity.P0,
    "https://api.example.com/health answers 502",
    Place(PlaceKind.EDGE, "nginx-1"),
    since=NOW - 2 * MINUTE,
    runbook="emergency-rollback",
)
BLIND = finding(
    "source-blind",
    "prometheus",
    Severity.NOTE,
    "prometheus cannot be read",
    Place(PlaceKind.SOURCE, "prometheus"),
    since=NOW - 3 * MINUTE,
    evidence=("ssh timeout",),
    blind=True,
)
CHANGES = (
    Change(NOW - 41 * MINUTE, ChangeKind.RELEASE, "backend", "backend v1.2.3 -> v1.3.0", "ana"),
    Change(NOW - 6.5 * HOUR, ChangeKind.REBOOT, "prod-1", "host prod-1 rebooted (kernel)"),
)


def trouble() -> Snapshot:
    """A degraded production, with findings of several kinds."""
    sick = fleet(sick=True)
    return snapshot(
        sick, (SLOW, RESTARTING, SMALL_BACKUP), CHANGES, sources=readings(sick, p95=2.31)
    )


def outage() -> Snapshot:
    """A P0."""
    return snapshot(fleet(sick=True), (DOWN, RESTARTING), CHANGES)


def blinded() -> Snapshot:
    """Prometheus cannot be read."""
    known = readings(fleet())
    lost = replace(known, metrics=blind("prometheus", metrics(), 3 * MINUTE))
    return snapshot(None, (BLIND,), CHANGES, sources=lost)


def reading_first() -> Snapshot:
    """Nothing has answered yet."""
    unread = Readings(
        fleet=Source("engine", 10.0),
        metrics=Source("prometheus", 15.0),
        edges=(Source("edge:nginx-1", 10.0),),
    )
    return snapshot(None, sources=unread, reading=True)


def hostile() -> Snapshot:
    """Names that would be markup, and wider than they are long."""
    names = (HOSTILE, "日本語-コンテナ-1", "a" * 120, "")
    bad = [replica("shop/evil", 90 + i, name=name, id=f"evil{i}") for i, name in enumerate(names)]
    evil = service("shop/evil", bad, name="[/evil]")
    told = finding(
        "replica-unhealthy",
        HOSTILE,
        Severity.P1,
        f"{HOSTILE} is unhealthy",
        Place(PlaceKind.REPLICA, HOSTILE),
        evidence=("[/] closing tag",),
    )
    return snapshot(fleet(extra=(evil,)), (told,), CHANGES)


def many(count: int = 300) -> Snapshot:
    """A fleet of `count` replicas more."""
    services = [
        service(f"shop/worker{number}", [replica(f"shop/worker{number}", i) for i in range(1, 11)])
        for number in range(count // 10)
    ]
    return snapshot(fleet(extra=services))
