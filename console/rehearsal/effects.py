"""What a scenario can do to the world. Each effect is data; the projections read it.

Times are in the trouble's own seconds: see :class:`console.rehearsal.world.Trouble`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One thing that goes wrong."""

    after: float = 0.0
    """Seconds between the trouble's beginning and this effect."""
    ramp: float = 0.0
    """Seconds until it has its full strength."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment(Effect):
    """Somebody recreates every replica of a service on another tag, outside cofa."""

    service: str
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashLoop(Effect):
    """Replicas end again and again before they are ready."""

    service: str
    numbers: tuple[int, ...] = ()
    """The replicas by number; empty for all of them."""
    uptime: float
    """Seconds that a process lives."""
    pause: float
    """Seconds until the engine starts the next one."""
    code: int
    oom: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow(Effect):
    """Answers take longer by these factors."""

    handlers: tuple[str, ...]
    """The endpoints by handler."""
    median: float
    p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors(Effect):
    """A part of the answers is 5xx."""

    handlers: tuple[str, ...] = ()
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseStrain(Effect):
    """The database is short of connections, and queries wait."""

    connections: float
    """Part of max_connections in use, 0..1."""
    slow_queries: int
    cache_hit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpsFail(Effect):
    """No dump is stored any more, and the ones of the last hours proved empty and went."""

    lookback: float
    """Seconds before the trouble's beginning whose dumps are gone, in real time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateEnds(Effect):
    """The certificate was not renewed."""

    left: float
    """Seconds of validity at the trouble's beginning, in real time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFills(Effect):
    """A file system loses its free space: quickly to `free`, then on until it is full."""

    mount: str
    free: float
    """Free part, 0..1, when the ramp is over."""
    left: float
    """Seconds from then until it is full, in real time."""
