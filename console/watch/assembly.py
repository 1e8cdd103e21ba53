"""From Readings to a Snapshot: with roles and declared counts, judged, with what changed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from console.config.environment import Environment
from console.config.roles import assign_roles
from console.model.changes import History
from console.model.declared import declare
from console.model.findings import verdict
from console.model.fleet import Event, Fleet, of_projects
from console.model.readings import Sight
from console.model.snapshot import Readings, Snapshot
from console.rules import Memory, judge
from console.rules.changes import changes


@dataclass(frozen=True, slots=True)
class Kept:
    """What outlives a watch: the Readings, and what the rules remember."""

    readings: Readings = field(default_factory=Readings)
    memory: Memory = field(default_factory=Memory)
    history: History = field(default_factory=History)


def assemble(
    environment: Environment, readings: Readings, kept: Kept, events: Sequence[Event], now: float
) -> tuple[Snapshot, Kept]:
    """The Snapshot at `now`, and what to keep for the next one.

    `events` are those of the engine since the last call.
    """
    fleet = _fleet(environment, readings)
    findings, memory = judge(readings, fleet, environment.policy, kept.memory, now)
    reports = tuple(source.value for source in readings.hosts if source.value is not None)
    history = changes(kept.history, fleet, events, reports, now)
    sights = [source.sight(now) for source in readings if source is not readings.usage]
    snapshot = Snapshot(
        environment=environment.name,
        at=now,
        readings=readings,
        fleet=fleet,
        findings=findings,
        changes=history.changes,
        verdict=verdict(
            findings,
            answered=sum(sight is Sight.SEEN for sight in sights),
            sources=len(sights),
            reading=Sight.READING in sights,
        ),
        rehearsal=environment.rehearsal is not None,
        policy=environment.policy,
    )
    return snapshot, Kept(readings, memory, history)


def _fleet(environment: Environment, readings: Readings) -> Fleet | None:
    """The newest Fleet with what the engine does not say: roles and declared counts."""
    if readings.fleet is None or readings.fleet.value is None:
        return None
    intended = tuple(source.value for source in readings.intended if source.value is not None)
    whole = declare(readings.fleet.value, intended, environment.policy)
    return assign_roles(of_projects(whole, environment.projects), environment)
