"""From candidates to findings: what is held back, what lingers, what is no longer seen."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from console.model.findings import Finding, PlaceKind, order
from console.model.fleet import Fleet
from console.model.policy import Policy
from console.model.readings import Sight
from console.model.snapshot import Readings
from console.rules import (
    alerts,
    backups,
    certificates,
    clocks,
    database,
    drifts,
    edges,
    errors,
    exposure,
    hosts,
    latency,
    nodes,
    services,
    sources,
)
from console.rules.joining import joined
from console.rules.memory import FORGET_AFTER, Memory, Remembered
from console.rules.replicas import track
from console.rules.view import Candidate, Kind, View

RULES: Final[tuple[Callable[[View], Iterator[Candidate]], ...]] = (
    services.candidates,
    nodes.candidates,
    exposure.candidates,
    drifts.candidates,
    edges.candidates,
    certificates.candidates,
    latency.candidates,
    errors.candidates,
    database.candidates,
    hosts.candidates,
    backups.candidates,
    clocks.candidates,
    alerts.candidates,
    sources.candidates,
)


def judge(
    readings: Readings, fleet: Fleet | None, policy: Policy, memory: Memory, now: float
) -> tuple[tuple[Finding, ...], Memory]:
    """The findings at `now`, worst first, and what to remember for the next time. Pure.

    `fleet` is the newest one with declared counts and roles. A finding is raised once its
    trouble has outlasted its hold, and goes when the trouble has been gone for the
    policy's `clear_after`, or at once when its subject is gone. While a source that it was
    read from cannot be seen, it stays as stale: neither healthy nor proven ill.
    """
    view = _view(readings, fleet, policy, memory, now)
    fresh = {c.finding.id: c for rule in RULES for c in rule(view)}
    past = (_past(view, old) for id_, old in memory.findings.items() if id_ not in fresh)
    current: dict[str, Candidate] = {}
    for candidate in joined(view, [*fresh.values(), *(c for c in past if c is not None)]):
        known = current.get(candidate.finding.id)
        if known is None or known.past:
            current[candidate.finding.id] = candidate
    kept = {
        id_: replace(memory.findings[id_], finding=candidate.finding)
        if candidate.past
        else _seen(memory.findings.get(id_), candidate, now)
        for id_, candidate in current.items()
    }
    absorbed = {
        other for id_, item in kept.items() if item.raised for other in current[id_].absorbs
    }
    findings = (item.finding for id_, item in kept.items() if item.raised and id_ not in absorbed)
    remembered = {
        id_: replace(item, raised=False) if id_ in absorbed else item
        for id_, item in kept.items()
        if id_ not in absorbed or not current[id_].past
    }
    fired = now if policy.watchdog and alerts.watchdog_fires(view) else memory.watchdog_fired
    return tuple(sorted(findings, key=order)), Memory(remembered, view.restarts, fired)


def _view(
    readings: Readings, fleet: Fleet | None, policy: Policy, memory: Memory, now: float
) -> View:
    source = readings.fleet
    seen = fleet if source is not None and source.sight(now) is Sight.SEEN else None
    restarts = track(memory.restarts, seen, policy, now) if seen else dict(memory.restarts)
    return View(readings, seen, policy, now, restarts, memory.watchdog_fired)


def _seen(old: Remembered | None, candidate: Candidate, now: float) -> Remembered:
    """What is remembered of a trouble that is there now."""
    finding, first_seen, raised = candidate.finding, now, False
    if old is not None and abs(now - old.last_seen) <= FORGET_AFTER:
        first_seen, raised = min(old.first_seen, now), old.raised
        if old.finding.since < finding.since:
            finding = replace(finding, since=old.finding.since, since_known=old.finding.since_known)
    start = finding.since if finding.since_known else first_seen
    return Remembered(
        finding,
        first_seen,
        now,
        raised or now - start >= candidate.hold,
        candidate.needs,
        candidate.kind or "",
        candidate.keys,
    )


def _past(view: View, old: Remembered) -> Candidate | None:
    """What was seen before and is not seen now, if it still counts.

    Blindness ends the moment its source answers. Usage is only read for what is on screen:
    that it is not read says nothing.
    """
    finding, since_seen = old.finding, abs(view.now - old.last_seen)
    if not old.raised or finding.blind or _gone(view, finding):
        return None
    needed = [view.readings.source(name) for name in (finding.source, *old.needs)]
    unseen = [s for s in needed if s is not view.readings.usage and view.blind(s)]
    if None in needed or since_seen > (FORGET_AFTER if unseen else view.policy.clear_after):
        return None
    if unseen:
        failing = next((s.failing_since for s in unseen if s is not None), None)
        since = finding.stale_since or max(failing or old.last_seen, old.last_seen)
        finding = replace(finding, stale_since=since)
    else:
        finding = replace(finding, stale_since=None, over=True)
    kind = Kind(old.kind) if old.kind in set(Kind) else None
    return Candidate(finding, kind=kind, keys=old.keys, needs=old.needs, past=True)


def _gone(view: View, finding: Finding) -> bool:
    """Whether what it is about is no longer there, so that its trouble is over at once."""
    fleet = view.fleet
    if fleet is None:
        return False
    key = finding.place.key
    if finding.place.kind is PlaceKind.REPLICA:
        replica = fleet.replica(key)
        return replica is None or not replica.wanted
    if finding.place.kind is PlaceKind.SERVICE:
        return fleet.service(key) is None
    if finding.place.kind is PlaceKind.NODE:
        return all(node.name != key for node in fleet.nodes)
    return False
