"""What the rules look at, and what they give: candidates for findings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar

from console.model.findings import Finding, Place, PlaceKind, Severity
from console.model.fleet import Fleet
from console.model.policy import Policy
from console.model.readings import Sight, Source
from console.model.snapshot import Readings
from console.rules.memory import Restarts

T = TypeVar("T")


class Kind(StrEnum):
    """What an alert and a rule can both be about; see console.rules.joining."""

    DOWN = "down"
    ERRORS = "errors"
    LATENCY = "latency"
    CONNECTIONS = "connections"
    SLOW_QUERIES = "slow-queries"
    DISK = "disk"
    HOST_MEMORY = "host-memory"
    REPLICA_MEMORY = "replica-memory"
    RESTARTS = "restarts"
    CERTIFICATE = "certificate"
    BACKUP = "backup"
    CLOCK = "clock"
    NODE = "node"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trouble that a rule sees now; it becomes a finding once it has outlasted `hold`."""

    finding: Finding
    hold: float = 0.0
    """Seconds it must last, only where a figure jumps and its query does not smooth it."""
    kind: Kind | None = None
    keys: tuple[str, ...] = ()
    """Names of what it is about, in lower case, for alerts that say the same."""
    absorbs: tuple[str, ...] = ()
    """Ids of findings that are part of this one."""
    needs: tuple[str, ...] = ()
    """Sources that it was read from, besides the finding's own."""
    past: bool = False
    """Not seen now, but remembered: lingering for its clear delay, or stale."""

    def joined(self, other: Finding, evidence: Iterable[str] = ()) -> "Candidate":
        """This one with `other` as part of it: the worse severity and the earlier since."""
        mine = self.finding
        known = mine.since_known if mine.since <= other.since else other.since_known
        worse = min(mine.severity, other.severity, key=lambda severity: severity.rank)
        finding = replace(
            mine,
            severity=worse,
            since=min(mine.since, other.since),
            since_known=known or (mine.since_known and other.since_known),
            evidence=(*mine.evidence, *evidence),
        )
        return replace(self, finding=finding, hold=0.0, absorbs=(*self.absorbs, other.id))


@dataclass(frozen=True, slots=True)
class View:
    """Everything at one moment. A value is only given where its source is seen now."""

    readings: Readings
    fleet: Fleet | None
    """None where the engine is not seen now."""
    policy: Policy
    now: float
    restarts: Mapping[str, Restarts] = field(default_factory=dict)
    watchdog_fired: float | None = None

    def seen(self, source: Source[T] | None) -> T | None:
        """The value of a source that is seen now, otherwise None."""
        if source is None or source.sight(self.now) is not Sight.SEEN:
            return None
        return source.value

    def blind(self, source: Source[Any] | None) -> bool:
        """Whether there is such a source, and it is not seen now."""
        return source is not None and source.sight(self.now) is not Sight.SEEN

    @property
    def engine(self) -> str:
        """Name of the engine's source."""
        return self.readings.fleet.name if self.readings.fleet else "engine"

    def finding(
        self,
        rule: str,
        subject: str,
        severity: Severity,
        summary: str,
        place: tuple[PlaceKind, str],
        source: str,
        *,
        since: float | None = None,
        evidence: Iterable[str] = (),
        runbook: str | None = None,
    ) -> Finding:
        """A finding; without `since` it is only known to be there now."""
        return Finding(
            rule=rule,
            subject=subject,
            severity=severity,
            summary=summary,
            place=Place(*place),
            source=source,
            since=self.now if since is None else min(since, self.now),
            since_known=since is not None,
            evidence=tuple(item for item in evidence if item),
            runbook=runbook,
        )
