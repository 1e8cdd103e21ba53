"""All that is known at one moment; what the watch posts and the screens show."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from console.model.backups import Catalogue
from console.model.changes import Change
from console.model.edges import EdgeReport, Upstreams
from console.model.findings import Finding, Verdict, Word
from console.model.fleet import Fleet, Intended, Usage
from console.model.hosts import HostReport
from console.model.policy import Policy
from console.model.readings import Source
from console.model.signals import Alerts, Metrics


@dataclass(frozen=True, slots=True)
class Readings:
    """Every source of one environment. None: the environment has no such source."""

    MANY: ClassVar[frozenset[str]] = frozenset({"intended", "edges", "upstreams", "hosts"})
    """The fields that hold several sources."""

    fleet: Source[Fleet] | None = None
    intended: tuple[Source[Intended], ...] = ()
    usage: Source[Mapping[str, Usage]] | None = None
    """By replica id; read only for what is on screen."""
    metrics: Source[Metrics] | None = None
    rules: Source[Alerts] | None = None
    """Prometheus's alerts and rules."""
    alertmanager: Source[Alerts] | None = None
    backups: Source[Catalogue] | None = None
    edges: tuple[Source[EdgeReport], ...] = ()
    upstreams: tuple[Source[Upstreams], ...] = ()
    hosts: tuple[Source[HostReport], ...] = ()

    def __iter__(self) -> Iterator[Source[Any]]:
        single = (self.fleet, self.metrics, self.rules, self.alertmanager, self.backups)
        yield from (source for source in single if source is not None)
        yield from self.edges
        yield from self.hosts
        yield from self.intended
        yield from self.upstreams
        if self.usage is not None:
            yield self.usage

    def source(self, name: str) -> Source[Any] | None:
        """The source with this name."""
        return next((source for source in self if source.name == name), None)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One environment at one moment."""

    environment: str
    at: float
    readings: Readings = field(default_factory=Readings)
    fleet: Fleet | None = None
    """The newest Fleet, with the counts that Compose's files or the policy declare."""
    findings: tuple[Finding, ...] = ()
    """Worst first."""
    changes: tuple[Change, ...] = ()
    """Newest first."""
    verdict: Verdict = field(default_factory=lambda: Verdict(Word.UNKNOWN, reading=True))
    rehearsal: bool = False
    policy: Policy = field(default_factory=Policy)
    """What the figures are held to."""
