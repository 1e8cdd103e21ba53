"""What each link does; the real ones and the rehearsal's are two implementations."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from console.clock import Deadline
from console.model.backups import Catalogue
from console.model.edges import EdgeReport, Upstreams
from console.model.fleet import Event, Fleet, Intended, LogLine, Usage
from console.model.hosts import HostReport
from console.model.signals import Alerts, Metrics


class Link(Protocol):
    """What all links share. `cancel` and `close` may come from any thread."""

    @property
    def name(self) -> str:
        """Name of the source: ``engine``, ``prometheus``, ``edge:nginx-1``, ``host:prod-1``."""
        ...

    def cancel(self) -> None:
        """Shut the sockets in use, so that reads under way fail at once; usable again after."""
        ...

    def close(self) -> None:
        """Cancel, and give everything back. Not usable after."""
        ...


class FleetLink(Link, Protocol):
    """The engine. Each read also measures the engine's clock against ours."""

    def read(self, deadline: Deadline) -> Fleet:
        """Everything that runs, without usage."""
        ...

    def skew(self) -> float | None:
        """How far the engine's clock was ahead at the last read, in seconds."""
        ...

    def usage(self, replicas: Collection[str], deadline: Deadline) -> Mapping[str, Usage]:
        """What these replicas (by id) use now; those that are gone are left out."""
        ...

    def events(self, since: float | None = None) -> Iterator[Event]:
        """Events as they come, from `since` on; ends by LinkError, or by `cancel`."""
        ...

    def logs(
        self,
        replica: str,
        *,
        follow: bool = True,
        tail: int = 200,
        since: float | None = None,
        until: float | None = None,
    ) -> Iterator[LogLine]:
        """Lines of one replica (by id), oldest first. Close the iterator to stop following.

        The previous instance's lines are those `until` its end.
        """
        ...

    def upstreams(self, edge: str, since: float, deadline: Deadline) -> Upstreams:
        """Failures to reach an upstream that the log of replica `edge` (its name) holds."""
        ...


class IntendedLink(Link, Protocol):
    """Compose's files on the engine's host."""

    def read(self, deadline: Deadline) -> Intended:
        """What a plain `up` would make."""
        ...


class MetricsLink(Link, Protocol):
    """Prometheus's queries."""

    def read(self, deadline: Deadline) -> Metrics:
        """Every named query's answer."""
        ...

    def skew(self) -> float | None:
        """How far its clock was ahead at the last read, in seconds."""
        ...


class AlertsLink(Link, Protocol):
    """Prometheus's alerts and rules, or Alertmanager's alerts."""

    def read(self, deadline: Deadline) -> Alerts:
        """What fires, is pending, silenced or inhibited."""
        ...

    def skew(self) -> float | None:
        """How far its clock was ahead at the last read, in seconds."""
        ...


class CatalogueLink(Link, Protocol):
    """Where the backups are."""

    def read(self, deadline: Deadline) -> Catalogue:
        """The newest backups."""
        ...

    def skew(self) -> float | None:
        """How far its clock was ahead at the last read, in seconds."""
        ...


class EdgeLink(Link, Protocol):
    """One edge."""

    def read(self, deadline: Deadline) -> EdgeReport:
        """Probe it: health, redirect, certificate. A probe that fails is in the report.

        Raises LinkError only where nothing could be tried (the host it is probed from
        cannot be reached).
        """
        ...

    def skew(self) -> float | None:
        """How far its clock (HTTP Date) was ahead at the last read, in seconds."""
        ...


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """Where a server listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """Where a server listens, or where a tunnel to one ends."""

    path: Path


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended; its output is as it came, not yet cleaned."""

    argv: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False
    """Output past the limit was dropped."""


class HostLink(Link, Protocol):
    """A machine: this one, or one reached over SSH."""

    @property
    def local(self) -> bool:
        """Whether it is this machine."""
        ...

    def read(self, deadline: Deadline) -> HostReport:
        """Its CPU, memory, disks, boot."""
        ...

    def skew(self) -> float | None:
        """How far its clock was ahead at the last read, in seconds."""
        ...

    def run(
        self, argv: Sequence[str], deadline: Deadline, *, stdin: bytes = b"", limit: int = 4 << 20
    ) -> Completed:
        """Run a short read-only command there. Raises LinkError where it cannot be run."""
        ...

    def reach(
        self, address: TcpAddress | UnixAddress, deadline: Deadline
    ) -> TcpAddress | UnixAddress:
        """Where to connect from here, to reach `address` as that host would.

        Itself for this machine; for a remote one the Unix socket in which a tunnel ends.
        """
        ...
