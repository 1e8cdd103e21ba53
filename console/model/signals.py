"""Signals: figures, series and alerts. No data is None, never 0."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Unit(StrEnum):
    """What a figure is counted in."""

    SECONDS = "s"
    RATIO = "ratio"  # 0..1
    PER_SECOND = "/s"
    BYTES = "B"
    COUNT = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number and where it came from."""

    name: str
    value: float | None
    unit: Unit
    query: str
    """The query or call that gave it, for the operator to repeat."""


@dataclass(frozen=True, slots=True)
class Series:
    """A figure over time, at even steps; None where there is no sample."""

    name: str
    unit: Unit
    start: float
    step: float
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class EndpointFigures:
    """One endpoint: rate in requests/s, p95 in seconds, errors as a ratio of 5xx."""

    method: str
    handler: str
    rate: float | None
    p95: float | None
    error_ratio: float | None

    @property
    def name(self) -> str:
        """``GET /api/trips``."""
        return f"{self.method} {self.handler}".strip()


@dataclass(frozen=True, slots=True)
class ReplicaFigures:
    """One scraped replica of the backend, by the address Prometheus knows it by."""

    instance: str
    rate: float | None
    p95: float | None
    error_ratio: float | None


@dataclass(frozen=True, slots=True)
class Disk:
    """One file system of a host."""

    mount: str
    size: float | None
    free: float | None
    free_inodes_ratio: float | None = None
    full_at: float | None = None
    """When it will be full by its trend; None if it is not filling."""

    @property
    def free_ratio(self) -> float | None:
        """Free part, 0..1."""
        return self.free / self.size if self.size and self.free is not None else None


@dataclass(frozen=True, slots=True)
class HostFigures:
    """One host, by a metrics exporter or by its own /proc."""

    host: str
    cpu_ratio: float | None
    memory_ratio: float | None
    """Used part: 1 - MemAvailable / MemTotal."""
    disks: tuple[Disk, ...] = ()
    booted_at: float | None = None


@dataclass(frozen=True, slots=True)
class Burn:
    """How fast the error budget burns over one window: 1.0 spends it exactly in its period."""

    window: str
    """A Prometheus duration: ``5m``, ``1h``."""
    rate: float | None
    requests: float | None
    """Requests seen in the window: too few prove nothing."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """One Reading of Prometheus: every named query's answer."""

    figures: Mapping[str, Figure] = field(default_factory=dict)
    """By name, see console.config.queries: p50, p95, p99, requests, errors, ..."""
    series: Mapping[str, Series] = field(default_factory=dict)
    endpoints: tuple[EndpointFigures, ...] = ()
    replicas: tuple[ReplicaFigures, ...] = ()
    hosts: tuple[HostFigures, ...] = ()
    burn: tuple[Burn, ...] = ()
    counters: tuple[Figure, ...] = ()
    """The counters that the user names, as a rate per hour."""
    problems: tuple[str, ...] = ()
    """Queries that could not be answered although Prometheus was there, in words."""

    def value(self, name: str) -> float | None:
        """The value of one figure; None if it has no data or was not asked."""
        figure = self.figures.get(name)
        return figure.value if figure else None


class AlertState(StrEnum):
    """The state of an alert, in Prometheus's and Alertmanager's words."""

    FIRING = "firing"
    PENDING = "pending"
    SILENCED = "silenced"
    INHIBITED = "inhibited"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of Prometheus or Alertmanager, cleaned."""

    name: str
    state: AlertState
    since: float
    """activeAt (Prometheus) or startsAt (Alertmanager)."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    value: float | None = None
    silenced_by: str = ""
    """Who made the silence, where it is known; else its id, or the muting time interval."""
    silenced_until: float | None = None

    @property
    def severity(self) -> str:
        """The ``severity`` label, in lower case."""
        return self.labels.get("severity", "").lower()

    @property
    def summary(self) -> str:
        """What its author wrote to be read first."""
        return (
            self.annotations.get("summary")
            or self.annotations.get("description")
            or self.annotations.get("message")
            or self.name
        )

    @property
    def fingerprint(self) -> tuple[tuple[str, str], ...]:
        """What makes two reports the same alert: its labels."""
        return tuple(sorted(self.labels.items()))


@dataclass(frozen=True, slots=True)
class Rule:
    """One alerting rule of Prometheus."""

    name: str
    expression: str
    health: str
    """ok, err, unknown."""
    last_error: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alerts:
    """One Reading of Prometheus's or Alertmanager's alerts."""

    alerts: tuple[Alert, ...] = ()
    rules: tuple[Rule, ...] = ()
    """Prometheus only."""
    dropped: int = 0
    """Alerts past the most that is kept of one Reading."""
