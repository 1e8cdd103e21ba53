"""Single replicas: unhealthy, restarting, killed for memory, near their memory limit."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from console.model.findings import Finding, PlaceKind, Severity
from console.model.fleet import Fleet, Health, Replica, Role, Service, State
from console.model.policy import Policy
from console.present import units
from console.present.replica import (
    exit_words,
    last_output,
    service_label,
    short_name,
    streak_start,
    trouble_words,
)
from console.rules.memory import Restarts
from console.rules.view import Candidate, Kind, View

UNHEALTHY: Final = "replica-unhealthy"
RESTARTING: Final = "replica-restarting"
OOM: Final = "replica-oom-killed"
MEMORY: Final = "replica-memory"
LOOKS_LIKE_LOOP: Final = 600.0
"""At first sight, restarts count as recent if the newest was within this many seconds."""
MEMORY_HOLD: Final = 30.0
_STARTS_MOST: Final = 50
_GRAVE: Final = (Role.BACKEND, Role.EDGE, Role.DATABASE, Role.CACHE)


def candidates(view: View, fleet: Fleet, service: Service) -> Iterator[Candidate]:
    """The troubles of one service's replicas."""
    usage = view.seen(view.readings.usage) or {}
    for replica in service.current:
        keys = _keys(replica)
        loop = _restarting(view, fleet, service, replica)
        oom = _oom(view, service, replica)
        if oom is not None:
            yield Candidate(oom, kind=Kind.REPLICA_MEMORY, keys=keys)
        if loop is not None:
            absorbs = (f"{OOM}/{replica.name}", f"{UNHEALTHY}/{replica.name}")
            yield Candidate(loop, kind=Kind.RESTARTS, keys=keys, absorbs=absorbs)
        if replica.state is State.RUNNING and replica.health is Health.UNHEALTHY:
            yield Candidate(_unhealthy(view, service, replica), kind=Kind.DOWN, keys=keys)
        known = usage.get(replica.id)
        limit = (known.memory_limit if known else None) or replica.memory_limit
        if known is not None and known.memory is not None and limit:
            ratio = known.memory / limit
            if ratio >= view.policy.replica_memory:
                near = _near_limit(view, service, replica, known.memory, limit)
                yield Candidate(near, MEMORY_HOLD, Kind.REPLICA_MEMORY, keys)


def track(
    known: Mapping[str, Restarts], fleet: Fleet, policy: Policy, now: float
) -> dict[str, Restarts]:
    """The restarts within the policy's window, after one more look at the fleet.

    A count that fell means a new container under the same name: its counting begins anew.
    A Swarm slot's count stops growing at the engine's task history, so a new task after a
    failed one counts by itself.
    """
    tracked: dict[str, Restarts] = {}
    for service in fleet.services:
        for replica in service.current:
            old = known.get(replica.name)
            fresh = _first_look(replica, policy, now) if old is None else _next_look(old, replica)
            earliest = now - policy.restart_window
            starts = tuple(at for at in fresh.starts if at >= earliest)[-_STARTS_MOST:]
            tracked[replica.name] = replace(fresh, starts=starts)
    return tracked


def _latest_start(replica: Replica) -> float | None:
    ended = replica.last_exit.at if replica.last_exit else None
    return max((at for at in (replica.started_at, ended) if at is not None), default=None)


def _first_look(replica: Replica, policy: Policy, now: float) -> Restarts:
    """Nobody watched before: the engine's count is taken as recent if its newest restart is,
    or if the replica itself is younger than the window."""
    latest = _latest_start(replica) or now
    created = replica.created_at
    young = created is not None and now - created < policy.restart_window
    recent = now - latest < LOOKS_LIKE_LOOP or replica.state is State.RESTARTING
    count = min(replica.restarts, _STARTS_MOST) if young or recent else 0
    return Restarts(replica.id, replica.restarts, (latest,) * count)


def _next_look(old: Restarts, replica: Replica) -> Restarts:
    starts = old.starts
    latest = _latest_start(replica)
    new = replica.restarts - old.count
    if new < 0:
        new, starts = replica.restarts, ()
    elif new == 0 and replica.id != old.id and replica.last_exit and replica.last_exit.code != 0:
        new = 1
    if latest is not None:
        starts = (*starts, *((latest,) * min(new, _STARTS_MOST)))
    return Restarts(replica.id, replica.restarts, starts)


def _keys(replica: Replica) -> tuple[str, ...]:
    return tuple(sorted({replica.name.lower(), *replica.addresses.values()}))


def _restarting(view: View, fleet: Fleet, service: Service, replica: Replica) -> Finding | None:
    known = view.restarts.get(replica.name)
    count = len(known.starts) if known else 0
    if known is None or count < view.policy.restarts:
        return None
    end = replica.last_exit
    why = f"{exit_words(end)}, " if end else ""
    window = units.span(view.policy.restart_window)
    times = f"{count}+" if count >= _STARTS_MOST else f"{count}"
    return view.finding(
        RESTARTING,
        replica.name,
        Severity.P1 if service.role in _GRAVE else Severity.P2,
        f"{short_name(service, replica)} {why}restarted {times}x in {window}, "
        f"limit {view.policy.restarts}",
        (PlaceKind.REPLICA, replica.name),
        view.engine,
        since=known.starts[0],
        evidence=(
            f"docker inspect {replica.name}: RestartCount {replica.restarts}",
            f"last end: {exit_words(end, replica.memory_limit)}" if end else "",
            f"now: {'serving' if replica.serving else trouble_words(replica)}",
            f"{service_label(fleet, service)} {service.healthy} of {service.declared} healthy",
            f"last health: {last_output(replica)}" if last_output(replica) else "",
        ),
        runbook="memory-leak" if end is not None and end.oom_killed else "restart",
    )


def _oom(view: View, service: Service, replica: Replica) -> Finding | None:
    """Killed for memory within the restart window; later it is history."""
    end = replica.last_exit
    if end is None or not end.oom_killed:
        return None
    if end.at is not None and view.now - end.at > view.policy.restart_window:
        return None
    return view.finding(
        OOM,
        replica.name,
        Severity.P1 if service.role in _GRAVE and not replica.serving else Severity.P2,
        f"{replica.name} {exit_words(end, replica.memory_limit)}",
        (PlaceKind.REPLICA, replica.name),
        view.engine,
        since=end.at,
        evidence=(f"docker inspect {replica.name}: exit code {end.code}, OOMKilled",),
        runbook="memory-leak",
    )


def _unhealthy(view: View, service: Service, replica: Replica) -> Finding:
    streak = units.plural(replica.failing_streak, "failed check")
    return view.finding(
        UNHEALTHY,
        replica.name,
        Severity.P1 if service.role is Role.DATABASE else Severity.P2,
        f"{replica.name} {trouble_words(replica)}"
        + (f", {streak}" if replica.failing_streak else ""),
        (PlaceKind.REPLICA, replica.name),
        view.engine,
        since=streak_start(replica),
        evidence=(f"last health: {last_output(replica)}" if last_output(replica) else "",),
        runbook="restart",
    )


def _near_limit(view: View, service: Service, replica: Replica, memory: int, limit: int) -> Finding:
    return view.finding(
        MEMORY,
        replica.name,
        Severity.P2,
        f"{replica.name} memory {units.percent(memory / limit)} "
        f"({units.sizes(memory, limit)}), limit {units.share(view.policy.replica_memory)}",
        (PlaceKind.REPLICA, replica.name),
        view.readings.usage.name if view.readings.usage else view.engine,
        evidence=(f"docker stats {replica.name}",),
        runbook="memory-leak",
    )
