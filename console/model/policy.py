"""The policy that production is held to. Defaults are those of the reference production."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BurnAlarm:
    """Two windows that must both burn faster than `factor`.

    Multi-window, multi-burn-rate alerting, Google's SRE Workbook, chapter 5.
    """

    long: str
    short: str
    factor: float
    severity: str


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits and promises. Durations in seconds, ratios 0..1."""

    p95: float = 2.0
    """Limit of p95 over all endpoints, seconds."""
    p95_endpoints: Mapping[str, float] = field(default_factory=dict)
    """Limits per endpoint, by handler (``/auth/login``) or ``METHOD handler``."""
    availability: float = 0.999
    error_ratio: float = 0.01
    """5xx ratio over five minutes that is a trouble by itself."""
    request_floor: float = 100.0
    """Fewer requests in a window prove nothing about its errors."""
    burn: tuple[BurnAlarm, ...] = (
        BurnAlarm("1h", "5m", 14.4, "P1"),
        BurnAlarm("6h", "30m", 6.0, "P1"),
        BurnAlarm("3d", "6h", 1.0, "P2"),
    )
    database_connections: float = 0.8
    disk_free: float = 0.15
    disk_free_critical: float = 0.05
    inodes_free: float = 0.10
    disk_horizon: float = 24 * 3600.0
    """A disk that will be full within this time is a finding now."""
    memory: float = 0.9
    replica_memory: float = 0.9
    edge_latency: float = 2.0
    restarts: int = 3
    """Restarts of a replica within `restart_window` that make a crash loop."""
    restart_window: float = 1800.0
    rpo: float = 6 * 3600.0
    dump_duration: float = 30 * 60.0
    """How long a dump may take: added to the RPO, as age counts from its start."""
    certificate: float = 21 * 86400.0
    certificate_critical: float = 7 * 86400.0
    watchdog: str = "Watchdog"
    """An alert that should always fire; empty where there is none."""
    skew: float = 5.0
    never_outside: tuple[int, ...] = (3000, 9090, 9093, 5432, 6379)
    """Ports that may never be published on an outside address."""
    clear_after: float = 15.0
    """A finding goes only after its trouble has been gone for this long."""
    replicas: Mapping[str, int] = field(default_factory=dict)
    """Declared counts that no file says, by service name."""
