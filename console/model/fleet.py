"""The Fleet: services and their replicas, as the engine reports them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class ServiceKind(StrEnum):
    """Who keeps a service's replicas."""

    COMPOSE = "compose"
    SWARM = "swarm"
    CONTAINER = "container"  # started by hand


class Role(StrEnum):
    """What a service is for, as configured or discovered."""

    BACKEND = "backend"  # the replicated service that users reach
    EDGE = "edge"
    DATABASE = "database"
    CACHE = "cache"
    MONITORING = "monitoring"
    OTHER = "other"


class State(StrEnum):
    """The state of a replica: the engine's container states, and Swarm's before a start."""

    PENDING = "pending"
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


class Health(StrEnum):
    """What the health check says."""

    HEALTHY = "healthy"
    STARTING = "starting"
    UNHEALTHY = "unhealthy"
    UNCHECKED = "unchecked"  # the image and the service define no check
    UNKNOWN = "unknown"  # there is one, but not to be seen from here (another node)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One run of the health check."""

    at: float
    exit_code: int
    output: str


@dataclass(frozen=True, slots=True)
class Exit:
    """How a replica's process ended."""

    at: float | None
    code: int
    oom_killed: bool = False
    error: str = ""
    """The engine's own words, e.g. why a start failed."""
    unhealthy: bool = False
    """The engine ended it, as its health check kept failing."""

    @property
    def signal(self) -> int | None:
        """The signal that ended it, by the shell's convention (128 + number)."""
        return self.code - 128 if 128 < self.code < 160 else None


@dataclass(frozen=True, slots=True)
class Image:
    """What a replica runs."""

    reference: str
    """As the specification names it: ``registry/shop/backend:v1.2.3@sha256:...``."""
    id: str | None = None
    """The engine's image id, ``sha256:...``."""
    digest: str | None = None
    """The registry's digest, ``sha256:...``; None for an image that was never pushed."""

    @property
    def name(self) -> str:
        """The reference without tag and digest."""
        bare = self.reference.partition("@")[0]
        head, colon, tail = bare.rpartition(":")
        return head if colon and "/" not in tail else bare

    @property
    def tag(self) -> str:
        """The tag; ``latest`` where none is written, as the engine takes it."""
        bare, _, digest = self.reference.partition("@")
        _, colon, tail = bare.rpartition(":")
        if colon and "/" not in tail:
            return tail
        return digest[:19] if digest else "latest"

    @property
    def identity(self) -> str:
        """What tells two images apart: the digest, else the id, else the reference."""
        return self.digest or self.id or self.reference


@dataclass(frozen=True, slots=True)
class Port:
    """A port published on the host (or, in Swarm's ingress mode, on every node)."""

    container_port: int
    protocol: str
    host_address: str
    host_port: int

    @property
    def outside(self) -> bool:
        """Whether it listens on an address other than loopback."""
        return not (self.host_address.startswith("127.") or self.host_address in ("::1", "[::1]"))


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system that a replica sees."""

    kind: str
    source: str
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """What a replica uses now."""

    at: float
    cpu: float | None
    """Cores: 1.0 is one core busy."""
    memory: int | None
    """Bytes, without the page cache that can be dropped, as ``docker stats`` counts."""
    memory_limit: int | None
    """Bytes; None where there is no limit."""


@dataclass(frozen=True, slots=True)
class Replica:
    """One container, or one Swarm task (whose container may be on another node)."""

    id: str
    """Container id, or ``task:ID`` where the container cannot be seen from here."""
    name: str
    """As people type it: ``shop-backend-2`` or ``shop_backend.2``; unique in the fleet."""
    service: str
    """Key of its service."""
    image: Image
    state: State
    health: Health = Health.UNCHECKED
    node: str = ""
    slot: int | None = None
    created_at: float | None = None
    started_at: float | None = None
    restarts: int = 0
    """The engine's restart count; in Swarm, earlier tasks of the slot that failed."""
    last_exit: Exit | None = None
    """How it ended if it is not running, else how its previous process or task ended."""
    ended_at: float | None = None
    """When its latest end was: once started again, the engine says that, but not how."""
    health_log: tuple[HealthCheck, ...] = ()
    """Oldest first."""
    failing_streak: int = 0
    wanted: bool = True
    """False for a Swarm task on its way out, and a one-off container of Compose."""
    memory_limit: int | None = None
    cpu_limit: float | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Network name -> IP address."""
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    """Names and values; values that look like secrets read ``***`` already at the link."""
    config_hash: str = ""
    """Compose's hash of the configuration it was made from."""
    message: str = ""
    """Swarm's own words on the task, e.g. ``no suitable node (insufficient memory)``."""

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self.state in (State.RUNNING, State.PAUSED)

    @property
    def serving(self) -> bool:
        """Whether it counts as a healthy replica: running, and no health check says no."""
        return self.state is State.RUNNING and self.health in (
            Health.HEALTHY,
            Health.UNCHECKED,
            Health.UNKNOWN,
        )


@dataclass(frozen=True, slots=True)
class Update:
    """A Swarm update in progress or the last one, in the engine's words."""

    state: str
    """updating, paused, completed, rollback_started, rollback_paused, rollback_completed."""
    started_at: float | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class ComposeOrigin:
    """Where Compose made a service from, by its containers' labels."""

    project: str
    working_dir: str
    config_files: tuple[str, ...]
    environment_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """A service and its replicas."""

    key: str
    """Unique in the fleet: ``shop/backend`` (Compose), ``shop_backend`` (Swarm)."""
    name: str
    """As people call it: ``backend``."""
    kind: ServiceKind
    replicas: tuple[Replica, ...] = ()
    project: str = ""
    """Compose project or Swarm stack."""
    declared: int | None = None
    """How many replicas there should be; None where nobody says."""
    image: Image | None = None
    """What the specification names (Swarm), or Compose's files."""
    role: Role = Role.OTHER
    update: Update | None = None
    origin: ComposeOrigin | None = None
    memory_reservation: int | None = None
    healthcheck: bool = False
    health_path: str = ""
    """What its health check asks of it over HTTP: ``/health``; empty where that is not seen."""
    one_shot: bool = False
    """Ends by design (a job, `restart: no` and exit code 0): its end is no trouble."""
    per_node: bool = False
    """One on each node (Swarm's global mode): their number follows the nodes'."""

    @property
    def current(self) -> tuple[Replica, ...]:
        """The replicas that count: not one-offs, not tasks on their way out."""
        return tuple(replica for replica in self.replicas if replica.wanted)

    @property
    def healthy(self) -> int:
        """How many of them serve."""
        return sum(replica.serving for replica in self.current)


@dataclass(frozen=True, slots=True)
class Node:
    """A machine that runs an engine of the fleet."""

    id: str
    name: str
    role: str
    state: str
    """ready, down, unknown, disconnected."""
    availability: str
    """active, pause, drain."""
    address: str = ""
    engine_version: str = ""
    leader: bool = False


@dataclass(frozen=True, slots=True)
class Fleet:
    """Everything that one engine (or the Swarm it manages) runs."""

    engine_name: str
    engine_version: str
    services: tuple[Service, ...] = ()
    nodes: tuple[Node, ...] = ()
    swarm: bool = False
    system_time: float | None = None

    def service(self, key: str) -> Service | None:
        """The service with this key."""
        return next((service for service in self.services if service.key == key), None)

    def replica(self, name: str) -> Replica | None:
        """The replica with this name."""
        return next(
            (
                replica
                for service in self.services
                for replica in service.replicas
                if replica.name == name
            ),
            None,
        )


def of_projects(fleet: Fleet, projects: tuple[str, ...]) -> Fleet:
    """The part of `fleet` that belongs to these projects and stacks; all of it for none."""
    if not projects:
        return fleet
    own = tuple(service for service in fleet.services if service.project in projects)
    return replace(fleet, services=own)


class EventKind(StrEnum):
    """What an engine's event is about, as far as cofa cares."""

    STARTED = "started"
    STOPPED = "stopped"  # exited with code 0 or on request
    DIED = "died"
    OOM = "oom"
    HEALTH = "health"
    CREATED = "created"
    REMOVED = "removed"
    UPDATED = "updated"  # a Swarm service's specification or update state
    NODE = "node"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the engine's stream, cleaned."""

    at: float
    kind: EventKind
    subject: str
    """Name of the container, service or node."""
    service: str = ""
    """Key of the service, where it has one."""
    text: str = ""
    """In words: ``exited 137 (killed)``."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a replica's log, cleaned."""

    at: float | None
    replica: str
    """Name of the replica."""
    stream: str
    """stdout or stderr."""
    text: str


@dataclass(frozen=True, slots=True)
class Intention:
    """What Compose's files say of one service."""

    service: str
    """Key of the service: ``shop/backend``."""
    image: str
    replicas: int | None
    config_hash: str
    image_id: str | None = None
    """Id of the local image that the reference names now."""


@dataclass(frozen=True, slots=True)
class Intended:
    """What a plain ``docker compose up`` would make, per project."""

    project: str
    services: tuple[Intention, ...]
    problem: str = ""
    """Why the files could not be rendered, if so; the services are then empty."""
    warnings: tuple[str, ...] = ()
    """What Compose warned of: variables that no file sets, which `up` would ship blank."""
