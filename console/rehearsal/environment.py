"""The rehearsal as an environment: where its world is, what it is held to, its links."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from console.clock import Clock
from console.config.environment import (
    BackupsConfig,
    EdgeConfig,
    EngineConfig,
    Environment,
    HostConfig,
    HttpConfig,
)
from console.model.policy import Policy
from console.paths import Paths
from console.rehearsal.edges import EDGES, HEALTH, URL
from console.rehearsal.links import (
    RehearsalAlertmanager,
    RehearsalCatalogue,
    RehearsalEdge,
    RehearsalFleet,
    RehearsalHost,
    RehearsalIntended,
    RehearsalMetrics,
    RehearsalRules,
    View,
)
from console.rehearsal.log import WorldFile
from console.rehearsal.stack import (
    BACKEND,
    BACKUP_PATTERN,
    BUCKET,
    EDGE_ADDRESSES,
    HOST,
    PROJECT,
)

NAME: Final = "rehearsal"
_NOWHERE: Final = "shop.invalid"
"""Nothing real can answer by mistake: RFC 2606 reserves this top-level domain."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The links of the rehearsal, all onto one world."""

    environment: Environment
    fleet: RehearsalFleet
    metrics: RehearsalMetrics
    rules: RehearsalRules
    alertmanager: RehearsalAlertmanager
    backups: RehearsalCatalogue
    intended: tuple[RehearsalIntended, ...] = ()
    edges: tuple[RehearsalEdge, ...] = ()
    hosts: tuple[RehearsalHost, ...] = ()

    def close(self) -> None:
        """Close every link."""
        single = (self.fleet, self.metrics, self.rules, self.alertmanager, self.backups)
        for link in (*single, *self.intended, *self.edges, *self.hosts):
            link.close()


def world_path(paths: Paths) -> Path:
    """Where this user's world is."""
    return paths.state / "rehearsal" / "world.jsonl"


def rehearsal_environment(paths: Paths) -> Environment:
    """The environment `rehearsal`. Raises LinkError where there is no world to read."""
    path = world_path(paths)
    WorldFile(path).read()
    return environment_of(path)


def world_identity(path: Path) -> str:
    """What tells this world from another one in the same file: what was read of the one means
    nothing in the other. Raises LinkError where there is no world to read."""
    header = WorldFile(path).read().header
    return f"{header.seed}:{header.started_at}"


def environment_of(path: Path) -> Environment:
    """The reference production as an environment, with its world in the file `path`."""
    return Environment(
        name=NAME,
        engine=EngineConfig(f"ssh://ops@{HOST}.{_NOWHERE}"),
        projects=(PROJECT,),
        backend=BACKEND.key,
        hosts=(HostConfig(HOST, f"ssh://ops@{HOST}.{_NOWHERE}"),),
        edges=tuple(
            EdgeConfig(
                name=name,
                url=URL,
                connect=f"{address}:443",
                http_connect=f"{address}:80",
                through=HOST,
                health=HEALTH,
                replica=f"{PROJECT}-{name}",
            )
            for name, address in zip(EDGES, EDGE_ADDRESSES, strict=True)
        ),
        prometheus=HttpConfig(f"http://prometheus.{_NOWHERE}:9090", through=HOST),
        alertmanager=HttpConfig(f"http://alertmanager.{_NOWHERE}:9093", through=HOST),
        backups=BackupsConfig(BUCKET, BACKUP_PATTERN),
        policy=Policy(p95_endpoints={"/auth/login": 5.0}),
        rehearsal=path,
    )


def open_rehearsal(path: Path, clock: Clock) -> Rehearsal:
    """Links onto the world in the file `path`; each read raises LinkError without one."""
    view = View(WorldFile(path), clock)
    return Rehearsal(
        environment=environment_of(path),
        fleet=RehearsalFleet(view),
        metrics=RehearsalMetrics(view),
        rules=RehearsalRules(view),
        alertmanager=RehearsalAlertmanager(view),
        backups=RehearsalCatalogue(view),
        intended=(RehearsalIntended(view),),
        edges=tuple(RehearsalEdge(view, name) for name in EDGES),
        hosts=(RehearsalHost(view),),
    )
