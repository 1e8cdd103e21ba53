"""The links of the rehearsal: each read is a projection of the world as it is now."""

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final, Generic, NoReturn, TypeVar

from console.clock import Clock, Deadline
from console.errors import FailureKind, LinkError
from console.links.protocols import Completed, TcpAddress, UnixAddress
from console.model.backups import Catalogue
from console.model.edges import EdgeReport, Upstreams
from console.model.fleet import Event, Fleet, Intended, LogLine, Usage
from console.model.hosts import HostReport
from console.model.signals import Alerts, Metrics
from console.rehearsal import alerts, backups, edges, fleet, hosts, logs
from console.rehearsal import metrics as signals
from console.rehearsal.containers import Container, containers
from console.rehearsal.log import Header, WorldFile
from console.rehearsal.stack import HOST, PROJECT
from console.rehearsal.world import Trouble, World, world_at

T = TypeVar("T")

POLL: Final = 0.25
"""Seconds between two looks of a stream at the world."""


PAST_MOST: Final = 400
"""Moments of past traffic that are remembered."""


class View:
    """The world's file as every link of one process sees it."""

    def __init__(self, file: WorldFile, clock: Clock) -> None:
        self._file = file
        self._clock = clock

    def world(self) -> World:
        """The world now. Raises LinkError where its file cannot be read."""
        # The moment first: the log is then never older than it, and no change is passed over.
        now = self._clock.wall()
        return world_at(self._file.read(), now)


class Stream(Generic[T]):
    """Items as they come; `close` may come from any thread and ends the waiting at once."""

    def __init__(self, more: Callable[[], Sequence[T] | None]) -> None:
        """`more`: what has come since the last call; None once nothing will come any more."""
        self._more = more
        self._ready: deque[T] = deque()
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        while not self._closed.is_set():
            if self._ready:
                return self._ready.popleft()
            found = self._more()
            if found is None:
                self._closed.set()
            elif found:
                self._ready.extend(found)
            else:
                self._closed.wait(POLL)
        raise StopIteration

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""
        return self._closed.is_set()

    def close(self) -> None:
        """Nothing more is wanted."""
        self._closed.set()


class RehearsalLink:
    """What all links of the rehearsal share."""

    def __init__(self, view: View, name: str) -> None:
        self._view = view
        self._name = name
        self._closed = False

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._name

    def cancel(self) -> None:
        """Nothing is ever under way: a read is a computation."""

    def close(self) -> None:
        """Not usable after."""
        self._closed = True
        self.cancel()

    def skew(self) -> float | None:
        """The rehearsal has this machine's clock."""
        return 0.0

    def _world(self) -> World:
        if self._closed:
            raise LinkError(
                FailureKind.UNREACHABLE, self._name, "the link is closed", "open the console again"
            )
        return self._view.world()


class RehearsalFleet(RehearsalLink):
    """The engine."""

    def __init__(self, view: View) -> None:
        super().__init__(view, "engine")
        self._streams: list[Stream[Event] | Stream[LogLine]] = []
        self._opening = threading.Lock()

    def cancel(self) -> None:
        """End every stream."""
        with self._opening:
            streams, self._streams = self._streams, []
        for stream in streams:
            stream.close()

    def read(self, deadline: Deadline) -> Fleet:
        """Everything that runs, without usage."""
        return fleet.fleet(self._world())

    def usage(self, replicas: Collection[str], deadline: Deadline) -> Mapping[str, Usage]:
        """What these replicas (by id) use now."""
        return fleet.usage(self._world(), replicas)

    def events(self, since: float | None = None) -> Stream[Event]:
        """Events as the world's time passes and as others change it."""
        cursor = self._world().at if since is None else since

        def more() -> Sequence[Event]:
            nonlocal cursor
            world = self._world()
            found = fleet.events(world, cursor)
            cursor = max(cursor, world.at)
            return found

        return self._opened(Stream(more))

    def logs(
        self,
        replica: str,
        *,
        follow: bool = True,
        tail: int = 200,
        since: float | None = None,
        until: float | None = None,
    ) -> Stream[LogLine]:
        """Lines of one replica (by id), oldest first; followed until its container goes."""
        container = self._container(replica)
        cursor: float | None = None

        def more() -> Sequence[LogLine] | None:
            nonlocal cursor
            world = self._world()
            now = world.at if until is None else min(world.at, until)
            if cursor is None:
                cursor = now
                found = logs.tail(world, container, tail, since, now)
                return found if found or follow else None
            there = any(container.id == other.id for other in containers(world))
            if not follow or not there or (until is not None and cursor >= until):
                return None
            found = logs.lines(world, container, cursor, now)
            cursor = max(cursor, now)
            return found

        return self._opened(Stream(more))

    def upstreams(self, edge: str, since: float, deadline: Deadline) -> Upstreams:
        """Which backends this edge's log says it asked in vain."""
        world = self._world()
        if all(container.name != edge for container in containers(world)):
            raise _no_replica(edge)
        return fleet.upstreams(world, edge, since)

    def _container(self, replica: str) -> Container:
        found = [other for other in containers(self._world()) if other.id == replica]
        if not found:
            raise _no_replica(replica[:12])
        return found[0]

    def _opened(self, stream: "Stream[T]") -> "Stream[T]":
        with self._opening:
            self._streams = [other for other in self._streams if not other.closed]
            self._streams.append(stream)  # type: ignore[arg-type]
        return stream


class RehearsalIntended(RehearsalLink):
    """Compose's files."""

    def __init__(self, view: View) -> None:
        super().__init__(view, f"compose:{PROJECT}")

    def read(self, deadline: Deadline) -> Intended:
        """What a plain `up` would make."""
        return fleet.intended(self._world())


class RehearsalMetrics(RehearsalLink):
    """Prometheus's queries."""

    def __init__(self, view: View) -> None:
        super().__init__(view, "prometheus")
        self._past: dict[float, signals.Traffic] = {}
        self._past_of: tuple[Header, tuple[Trouble, ...]] | None = None

    def read(self, deadline: Deadline) -> Metrics:
        """Every named query's answer."""
        world = self._world()
        history = (world.header, world.troubles)
        if history != self._past_of:
            self._past, self._past_of = {}, history
        found = signals.metrics(world, self._traffic)
        while len(self._past) > PAST_MOST:
            del self._past[next(iter(self._past))]
        return found

    def _traffic(self, world: World) -> signals.Traffic:
        """The traffic of a past moment: computed once, and forgotten when long unused."""
        known = self._past.pop(world.at, None) or signals.traffic(world)
        self._past[world.at] = known
        return known


class RehearsalRules(RehearsalLink):
    """Prometheus's alerts and rules."""

    def __init__(self, view: View) -> None:
        super().__init__(view, "rules")

    def read(self, deadline: Deadline) -> Alerts:
        """What fires or is pending, and the rules."""
        return alerts.prometheus_alerts(self._world())


class RehearsalAlertmanager(RehearsalLink):
    """Alertmanager's alerts."""

    def __init__(self, view: View) -> None:
        super().__init__(view, "alertmanager")

    def read(self, deadline: Deadline) -> Alerts:
        """What fires."""
        return alerts.alertmanager_alerts(self._world())


class RehearsalCatalogue(RehearsalLink):
    """The bucket."""

    def __init__(self, view: View) -> None:
        super().__init__(view, "backups")

    def read(self, deadline: Deadline) -> Catalogue:
        """The backups."""
        return backups.catalogue(self._world())


class RehearsalEdge(RehearsalLink):
    """One edge."""

    def __init__(self, view: View, edge: str) -> None:
        super().__init__(view, f"edge:{edge}")
        self._edge = edge

    def read(self, deadline: Deadline) -> EdgeReport:
        """Probe it."""
        return edges.report(self._world(), self._edge, HOST)


class RehearsalHost(RehearsalLink):
    """The machine."""

    def __init__(self, view: View) -> None:
        super().__init__(view, f"host:{HOST}")

    @property
    def local(self) -> bool:
        """It is no machine at all, and so not this one."""
        return False

    def read(self, deadline: Deadline) -> HostReport:
        """Its CPU, memory, disks, boot."""
        return hosts.report(self._world())

    def run(
        self, argv: Sequence[str], deadline: Deadline, *, stdin: bytes = b"", limit: int = 4 << 20
    ) -> Completed:
        """Raises LinkError: commands are not simulated."""
        self._not_simulated("a command")

    def reach(
        self, address: TcpAddress | UnixAddress, deadline: Deadline
    ) -> TcpAddress | UnixAddress:
        """Raises LinkError: tunnels are not simulated."""
        self._not_simulated("a tunnel")

    def _not_simulated(self, what: str) -> NoReturn:
        raise LinkError(
            FailureKind.UNSUPPORTED,
            self._name,
            f"{what} is not simulated",
            "the rehearsal models what production says, not its machines; try it on a real one",
        )


def _no_replica(name: str) -> LinkError:
    return LinkError(
        FailureKind.MISSING, "engine", f"no such container: {name}", "read the fleet again"
    )
