"""Services that do not have the healthy replicas they should have, and their updates.

A service below its declared count is one finding, with its replicas as evidence. A crash
loop says more than that, so it stays a finding of its own (console.rules.replicas), and the
service's is not raised as well where such loops alone explain what is missing. With no
healthy replica left, everything about its replicas is part of the service's finding, and so
is always what an edge says of the addresses of replicas that are down.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from console.model.findings import Finding, Place, PlaceKind, Severity
from console.model.fleet import Fleet, Health, Replica, Role, Service, ServiceKind, State
from console.present import units
from console.present.replica import (
    down_since,
    image_words,
    last_output,
    same_image,
    service_label,
    short_name,
    trouble_words,
)
from console.rules import replicas as of_replicas
from console.rules.view import Candidate, Kind, View

BELOW: Final = "service-below-declared"
STARTING_PATIENCE: Final = 120.0
"""Seconds in which a new replica may be starting without being a major trouble."""
RECENT: Final = 7200.0
"""A replica made less than this many seconds before its trouble points to a release."""
FAILED_UPDATE_STANDS: Final = 3600.0
"""An update that was rolled back is a trouble for an hour, then a note."""
_VITAL: Final = (Role.BACKEND, Role.EDGE, Role.DATABASE)
_EVIDENCE_MOST: Final = 12
_ROLE_WORDS: Final = {
    Role.BACKEND: ("backend", "api", "app", "web", "site"),
    Role.EDGE: ("edge", "nginx", "proxy", "ingress", "site"),
    Role.DATABASE: ("database", "db", "postgres", "postgresql", "pg"),
    Role.CACHE: ("cache", "redis"),
}
"""What people call a service of such a role in the names of their alerts."""


def candidates(view: View) -> Iterator[Candidate]:
    """All troubles of services and their replicas."""
    if view.fleet is None:
        return
    for service in view.fleet.services:
        yield from _of_service(view, view.fleet, service)


def _of_service(view: View, fleet: Fleet, service: Service) -> Iterator[Candidate]:
    if service.one_shot:
        return
    own = tuple(of_replicas.candidates(view, fleet, service))
    below = _below(view, fleet, service, own)
    if below is not None:
        yield below
        yield from _loops_as_one(service, own)
    else:
        yield from _loops_as_one(service, [_saying_more(service, each) for each in own])
        yield from _unplaced(view, service)
    yield from _mixed(view, fleet, service)
    yield from _update(view, fleet, service)


def _loops_as_one(service: Service, own: Sequence[Candidate]) -> Iterator[Candidate]:
    """Replicas of one service that all restart again and again have one trouble."""
    loops = [c for c in own if c.finding.rule == of_replicas.RESTARTING]
    yield from own if len(loops) < 2 else [c for c in own if c not in loops]
    if len(loops) < 2:
        return
    findings = [candidate.finding for candidate in loops]
    first = min(findings, key=lambda finding: (finding.severity.rank, finding.since))
    as_one = replace(
        first,
        subject=service.key,
        summary=f"{first.summary}; {len(loops) - 1} more alike",
        place=Place(PlaceKind.SERVICE, service.key),
        evidence=tuple(f"{f.subject}: {said}" for f in findings for said in f.evidence),
    )
    absorbs = {id_ for candidate in loops for id_ in (candidate.finding.id, *candidate.absorbs)}
    keys = {key for candidate in loops for key in candidate.keys}
    kind = Kind.RESTARTS
    yield Candidate(as_one, kind=kind, keys=tuple(sorted(keys)), absorbs=tuple(sorted(absorbs)))


def _unplaced(view: View, service: Service) -> Iterator[Candidate]:
    """A new replica for which no node is found, beside enough that serve: an update stands."""
    waiting = [r for r in service.current if r.state is State.PENDING and r.message]
    if not waiting:
        return
    first = waiting[0]
    more = f", +{len(waiting) - 1} more" if len(waiting) > 1 else ""
    finding = view.finding(
        "replica-unplaced",
        service.key,
        Severity.P2,
        f"{short_name(service, first)} {trouble_words(first)}{more}",
        (PlaceKind.SERVICE, service.key),
        view.engine,
        since=first.created_at,
        evidence=(f"{r.name}: {trouble_words(r)}" for r in waiting[:_EVIDENCE_MOST]),
        runbook="rolling-update",
    )
    yield Candidate(finding, hold=UNPLACED_HOLD)


UNPLACED_HOLD: Final = 20.0
"""A Swarm may take a moment to find a node."""


def _saying_more(service: Service, candidate: Candidate) -> Candidate:
    """A crash loop takes the place of what was said of its service before."""
    if candidate.finding.rule != of_replicas.RESTARTING or service.healthy >= counted(service):
        return candidate
    return replace(candidate, absorbs=(*candidate.absorbs, f"{BELOW}/{service.key}"))


def counted(service: Service) -> int:
    """How many healthy replicas there should be.

    A container started by hand that ended is left over, not missed.
    """
    if service.kind is ServiceKind.CONTAINER and service.role is Role.OTHER:
        return sum(replica.running for replica in service.current)
    return service.declared or 0


def _below(
    view: View, fleet: Fleet, service: Service, own: tuple[Candidate, ...]
) -> Candidate | None:
    declared, healthy = counted(service), service.healthy
    if declared == 0 and service.role is Role.BACKEND and service.replicas == ():
        return _none_declared(view, fleet, service)
    if healthy >= declared:
        return None
    ill = tuple(replica for replica in service.current if not replica.serving)
    missing = max(0, declared - len(service.current))
    loops = {c.finding.place.key for c in own if c.finding.rule == of_replicas.RESTARTING}
    if healthy and not missing and all(replica.name in loops for replica in ill):
        return None
    label = service_label(fleet, service)
    cause = _cause(service, ill, missing)
    names = {replica.name for replica in ill}
    part = [
        c.finding.id
        for c in own
        if not healthy
        or c.finding.rule == of_replicas.UNHEALTHY
        or (c.finding.rule == of_replicas.OOM and c.finding.place.key in names)
    ]
    part += [] if healthy else [f"{of_replicas.RESTARTING}/{service.key}"]
    finding = view.finding(
        BELOW,
        service.key,
        _severity(view, fleet, service, ill, missing),
        f"{label} {healthy} of {declared} healthy" + (f": {cause}" if cause else ""),
        (PlaceKind.SERVICE, service.key),
        view.engine,
        since=_since(ill, missing),
        evidence=_evidence(service, ill, missing),
        runbook=_runbook(service, ill, missing, view.now),
    )
    return Candidate(
        finding,
        kind=Kind.DOWN,
        keys=service_keys(service),
        absorbs=tuple(part),
    )


def _none_declared(view: View, fleet: Fleet, service: Service) -> Candidate:
    """A backend that was scaled to nothing: as declared, and nobody is served."""
    finding = view.finding(
        BELOW,
        service.key,
        _severity(view, fleet, service, (), 0),
        f"{service_label(fleet, service)} is scaled to 0: no replica is there to serve",
        (PlaceKind.SERVICE, service.key),
        view.engine,
        evidence=("0 declared, 0 there",),
        runbook="scale",
    )
    return Candidate(finding, kind=Kind.DOWN, keys=service_keys(service))


def _cause(service: Service, ill: tuple[Replica, ...], missing: int) -> str:
    """``backend-2 exited 137 (killed)``, ``2 unhealthy, 1 missing``."""
    words = Counter(trouble_words(replica) for replica in ill)
    parts = [f"{count} {said}" for said, count in words.most_common(2)]
    if len(ill) == 1:
        parts = [f"{short_name(service, ill[0])} {trouble_words(ill[0])}"]
    parts += [f"{missing} missing"] if missing else []
    return ", ".join(parts)


def service_keys(service: Service) -> tuple[str, ...]:
    """Names and addresses by which an alert may speak of a service."""
    names = [service.key, service.name, *_ROLE_WORDS.get(service.role, ())]
    for replica in service.current:
        names += [replica.name, short_name(service, replica), *replica.addresses.values()]
    return tuple(sorted({name.lower() for name in names if name}))


def _since(ill: Iterable[Replica], missing: int) -> float | None:
    moments = [down_since(replica) for replica in ill]
    known = [moment for moment in moments if moment is not None]
    return min(known) if known and not missing else None


def _severity(
    view: View, fleet: Fleet, service: Service, ill: tuple[Replica, ...], missing: int
) -> Severity:
    """P0: nobody is served. P1: capacity or safety is lost. P2: the rest."""
    vital = service.role in _VITAL
    if service.healthy == 0:
        if not vital:
            return Severity.P1 if service.role is Role.CACHE else Severity.P2
        others = any(
            other.healthy
            for other in fleet.services
            if other.role is service.role
            and other.key != service.key
            and other.project == service.project
        )
        answers = any(replica.running for replica in ill) and _edges_answer(view)
        return Severity.P1 if others or answers else Severity.P0
    young = not missing and all(_starting(replica, view.now) for replica in ill)
    updating = service.update is not None and service.update.state == "updating"
    return Severity.P1 if vital and not young and not updating else Severity.P2


def _edges_answer(view: View) -> bool:
    """Whether users are answered all the same: every edge is seen, and well."""
    reports = [view.seen(source) for source in view.readings.edges]
    return bool(reports) and all(report is not None and report.health.ok for report in reports)


def _starting(replica: Replica, now: float) -> bool:
    """Whether it starts for the first time, and has not taken too long."""
    return (
        replica.state in (State.PENDING, State.CREATED, State.RUNNING)
        and replica.health is not Health.UNHEALTHY
        and replica.last_exit is None
        and now - (replica.started_at or replica.created_at or now) < STARTING_PATIENCE
    )


def _evidence(service: Service, ill: tuple[Replica, ...], missing: int) -> Iterator[str]:
    for replica in ill[:_EVIDENCE_MOST]:
        since = down_since(replica)
        at = f" since {units.full_moment(since)}" if since is not None else ""
        yield f"{replica.name}: {trouble_words(replica)}{at}"
        if output := last_output(replica):
            yield f"{replica.name} last health: {output}"
    if len(ill) > _EVIDENCE_MOST:
        yield f"and {len(ill) - _EVIDENCE_MOST} more replicas"
    if missing:
        there = units.plural(len(service.current), "replica")
        yield f"{service.declared} declared, {there} there"
    if service.update is not None and service.update.state not in ("", "completed"):
        yield f"update {service.update.state}: {service.update.message}".rstrip(": ")


def _runbook(service: Service, ill: tuple[Replica, ...], missing: int, now: float) -> str | None:
    if not missing and all(_starting(replica, now) for replica in ill):
        return None
    if service.role is Role.DATABASE:
        return "database-health"
    if service.role is Role.CACHE:
        return "redis-health"
    if any(r.last_exit is not None and r.last_exit.oom_killed for r in ill):
        return "memory-leak"
    if service.role is Role.BACKEND and ill and service.healthy == 0 and after_release(ill[0]):
        return "emergency-rollback"
    return "scale" if missing and not ill else "restart"


def after_release(replica: Replica) -> bool:
    """Whether its trouble began so soon after it was made that the release is suspect.

    What the engine could not even start is the engine's trouble.
    """
    if replica.last_exit is not None and replica.last_exit.error:
        return False
    since = down_since(replica)
    created = replica.created_at
    return since is not None and created is not None and 0 <= since - created < RECENT


def _mixed(view: View, fleet: Fleet, service: Service) -> Iterator[Candidate]:
    """Replicas on another image than their fellows; expected only while an update runs."""
    if service.update is not None and service.update.state in ("updating", "rollback_started"):
        return
    groups: list[list[Replica]] = []
    for replica in service.current:
        fellows = next((g for g in groups if same_image(g[0].image, replica.image)), None)
        if fellows is None:
            groups.append([replica])
        else:
            fellows.append(replica)
    if len(groups) < 2:
        return
    groups.sort(key=len, reverse=True)
    images = [group[0].image for group in groups]
    told = ", ".join(f"{len(g)} on {image_words(g[0].image, images)}" for g in groups[:4])
    created = [r.created_at for r in service.current if r.created_at is not None]
    finding = view.finding(
        "image-mixed",
        service.key,
        Severity.P2,
        f"{service_label(fleet, service)} runs {len(groups)} images: {told}",
        (PlaceKind.SERVICE, service.key),
        view.engine,
        since=max(created) if len(created) == len(service.current) else None,
        evidence=(
            f"{image_words(g[0].image, images)}: {', '.join(r.name for r in g[:_EVIDENCE_MOST])}"
            for g in groups
        ),
        runbook="rolling-update",
    )
    yield Candidate(finding, hold=MIXED_HOLD)


MIXED_HOLD: Final = 30.0
"""Compose replaces replicas one after another: that long two images are no trouble yet."""


def _update(view: View, fleet: Fleet, service: Service) -> Iterator[Candidate]:
    """A Swarm update that stopped half way, or went back."""
    update = service.update
    if update is None:
        return
    label = service_label(fleet, service)
    if update.state in ("paused", "rollback_paused"):
        what = "update" if update.state == "paused" else "rollback"
        severity = Severity.P1 if service.role in _VITAL else Severity.P2
        summary = f"{label} {what} paused: {update.message or 'the engine gives no reason'}"
    elif update.state in ("rollback_started", "rollback_completed"):
        old = view.now - (update.started_at or view.now) > FAILED_UPDATE_STANDS
        severity = Severity.NOTE if old else Severity.P2
        done = "was rolled back" if update.state == "rollback_completed" else "is being rolled back"
        summary = f"{label} update {done}: {update.message or 'the engine gives no reason'}"
    else:
        return
    finding: Finding = view.finding(
        "update-failed",
        service.key,
        severity,
        summary,
        (PlaceKind.SERVICE, service.key),
        view.engine,
        since=update.started_at,
        evidence=(f"docker service inspect {service.key}: UpdateStatus {update.state}",),
        runbook="emergency-rollback" if "paused" in update.state else "rolling-update",
    )
    yield Candidate(finding)
