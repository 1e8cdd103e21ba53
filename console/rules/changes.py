"""What changed, from one look at production to the next."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from console.model.changes import (
    CHANGES_MOST,
    Change,
    ChangeKind,
    History,
    KnownReplica,
    KnownService,
)
from console.model.fleet import Event, EventKind, Fleet, Health, Replica, Service
from console.model.hosts import HostReport
from console.present import units
from console.present.replica import (
    exit_words,
    image_words,
    last_output,
    same_image,
    service_label,
    streak_start,
)

AGAIN: Final = 1800.0
"""A repetition within so many seconds of the last one is told as one with it."""
SAME_MOMENT: Final = 3.0
"""An event and what a read of the fleet says of it differ by less than this."""
OLDEST: Final = 7 * units.DAY
"""At first sight, what is older than this is not told."""
MANY: Final = 4
ONE_MOMENT: Final = 60.0
"""MANY changes within so many seconds are told as one."""
BOOT_GRACE: Final = 180.0
"""What starts this soon after its host booted started because of that."""
BOOT_TOLERANCE: Final = 30.0
_REPEATING: Final = (ChangeKind.EXIT, ChangeKind.RESTART, ChangeKind.HEALTH)
_OUTSIDE: Final = "outside"
SIGTERM: Final = 15


def changes(
    previous: History,
    fleet: Fleet | None,
    events: Sequence[Event],
    hosts: Sequence[HostReport],
    now: float,
) -> History:
    """`previous`, and what has changed since. Pure; at most CHANGES_MOST changes are kept.

    At first sight the times that containers and hosts give tell what happened lately. A
    fleet that cannot be seen changes nothing: it is compared again when it is back.
    """
    found = list(_of_hosts(previous, hosts, now))
    history = replace(previous, boots={**previous.boots, **_boots(hosts)})
    if fleet is not None:
        boots = tuple(history.boots.values())
        compared = _compared(previous, fleet, now) if previous.looked else _first(fleet, boots, now)
        found += [
            *_together(fleet, compared, first=not previous.looked),
            *_of_nodes(previous, fleet, now),
        ]
        history = replace(
            history,
            services={service.key: _known_service(service) for service in fleet.services},
            replicas={r.name: _known(r) for s in fleet.services for r in s.current},
            nodes={node.name: _node_words(node.state, node.availability) for node in fleet.nodes},
            looked=True,
        )
        found += _of_events(fleet, events, now)
    return replace(history, changes=_told(previous.changes, found, now))


def _together(fleet: Fleet, found: Iterable[Change], *, first: bool) -> list[Change]:
    """Many of one kind at one moment are one change.

    Restarts are then the engine's, or somebody's `restart`; services that were all made at
    once, before anybody looked, are a stack that was brought up.
    """
    told = list(found)
    kinds = [(ChangeKind.RESTART, ChangeKind.RESTART, "replicas started again", "")]
    if first:
        kinds.append((ChangeKind.CONFIG, ChangeKind.SCALE, "services created", _OUTSIDE))
    for kind, as_one, words, by in kinds:
        left = sorted((c for c in told if c.kind is kind), key=lambda change: change.at)
        while left:
            group = [change for change in left if change.at - left[0].at < ONE_MOMENT]
            left = left[len(group) :]
            if len(group) >= MANY:
                told = [change for change in told if change not in group]
                text = f"{len(group)} {words}"
                told.append(Change(group[0].at, as_one, fleet.engine_name, text, by))
    return told


def _told(known: tuple[Change, ...], found: Iterable[Change], now: float) -> tuple[Change, ...]:
    """Newest first, each thing once, repetitions as one."""
    told = list(known)
    for change in sorted(found, key=lambda change: change.at):
        change = replace(change, at=min(change.at, now))
        if not any(_same(change, other) for other in told):
            told = _added(told, change)
    return tuple(sorted(told, key=lambda change: -change.at)[:CHANGES_MOST])


def _same(change: Change, other: Change) -> bool:
    return (
        change.kind is other.kind
        and change.subject == other.subject
        and abs(change.at - other.at) < SAME_MOMENT
    )


def _added(told: list[Change], change: Change) -> list[Change]:
    if change.kind in _REPEATING:
        for index, other in enumerate(told):
            close = 0 <= change.at - other.at < AGAIN
            if close and (other.kind, other.subject) == (change.kind, change.subject):
                # Of several that were told at first sight nobody knows when the first was.
                first = other.at if other.count == 1 else other.first_at
                again = replace(change, count=other.count + change.count, first_at=first)
                return [*told[:index], *told[index + 1 :], again]
    return [*told, change]


def _boots(hosts: Iterable[HostReport]) -> dict[str, float]:
    return {host.name: host.booted_at for host in hosts if host.booted_at is not None}


def _of_hosts(previous: History, hosts: Iterable[HostReport], now: float) -> Iterator[Change]:
    for name, booted in _boots(hosts).items():
        before = previous.boots.get(name)
        if before is None:
            if now - booted < OLDEST:
                yield Change(booted, ChangeKind.REBOOT, name, f"host {name} booted")
        elif booted - before > BOOT_TOLERANCE:
            yield Change(booted, ChangeKind.REBOOT, name, f"host {name} rebooted")


def _of_nodes(previous: History, fleet: Fleet, now: float) -> Iterator[Change]:
    if not previous.looked:
        return
    present = {node.name: _node_words(node.state, node.availability) for node in fleet.nodes}
    for name, words in present.items():
        before = previous.nodes.get(name)
        if before is None:
            yield Change(now, ChangeKind.NODE, name, f"node {name} joined, {words}")
        elif before != words:
            yield Change(now, ChangeKind.NODE, name, f"node {name} {before} -> {words}")
    for name in previous.nodes.keys() - present.keys():
        yield Change(now, ChangeKind.NODE, name, f"node {name} left the Swarm")


def _node_words(state: str, availability: str) -> str:
    return state if availability in ("", "active") else f"{state}, {availability}"


def _newest(service: Service) -> Replica | None:
    return max(
        service.current,
        key=lambda replica: (replica.created_at or 0.0, replica.name),
        default=None,
    )


def _known_service(service: Service) -> KnownService:
    newest = _newest(service)
    return KnownService(
        image=newest.image if newest else service.image,
        declared=service.declared,
        replicas=len(service.current),
        update=service.update.state if service.update else "",
        config_hash=newest.config_hash if newest else "",
    )


def _known(replica: Replica) -> KnownReplica:
    return KnownReplica(
        service=replica.service,
        id=replica.id,
        image=replica.image,
        created_at=replica.created_at,
        started_at=replica.started_at,
        health=replica.health.value,
        running=replica.running,
        restarts=replica.restarts,
        last_exit=replica.last_exit,
    )


# At first sight: only what the engine itself gives a time for.


def _first(fleet: Fleet, boots: Sequence[float], now: float) -> Iterator[Change]:
    for service in fleet.services:
        label = service_label(fleet, service)
        newest = _newest(service)
        older = [r for r in service.current if newest and not same_image(r.image, newest.image)]
        if newest is not None and newest.created_at and older:
            pair = (max(older, key=lambda r: r.created_at or 0.0).image, newest.image)
            words = f"{label} {image_words(pair[0], pair)} -> {image_words(pair[1], pair)}"
            yield Change(newest.created_at, ChangeKind.RELEASE, service.key, words, _OUTSIDE)
        elif newest is not None and newest.created_at and now - newest.created_at < OLDEST:
            made = [r for r in service.current if (newest.created_at - (r.created_at or 0)) < 600]
            count = units.plural(len(made), "replica")
            text = f"{label} {image_words(newest.image)} created, {count}"
            yield Change(newest.created_at, ChangeKind.CONFIG, service.key, text, _OUTSIDE)
        for replica in service.current:
            yield from _first_of_replica(replica, boots, now, one_shot=service.one_shot)


def _first_of_replica(
    replica: Replica, boots: Sequence[float], now: float, *, one_shot: bool
) -> Iterator[Change]:
    end, started = replica.last_exit, replica.started_at
    if end is not None and end.at is not None and now - end.at < OLDEST:
        if not (one_shot and end.code == 0):
            text = f"{replica.name} {exit_words(end, replica.memory_limit)}"
            yield Change(end.at, ChangeKind.EXIT, replica.name, text, count=_count(replica))
    elif (
        started is not None
        and now - started < OLDEST
        and started - (replica.created_at or started) > BOOT_GRACE
        and not any(0 <= started - boot < BOOT_GRACE for boot in boots)
    ):
        yield Change(started, ChangeKind.RESTART, replica.name, f"{replica.name} started again")


def _count(replica: Replica) -> int:
    return max(1, replica.restarts)


# Later: what differs from the last look.


def _compared(previous: History, fleet: Fleet, now: float) -> Iterator[Change]:
    for service in fleet.services:
        known = previous.services.get(service.key)
        if known is None:
            yield _new_service(fleet, service, now)
        else:
            yield from _of_service(fleet, service, known, previous, now)
        for replica in service.current:
            before = previous.replicas.get(replica.name)
            if before is not None and before.service == service.key:
                yield from _of_replica(replica, before, now, one_shot=service.one_shot)
    for key, gone in previous.services.items():
        if fleet.service(key) is None and gone.replicas:
            name = key.partition("/")[2] or key
            text = f"{name} removed, {units.plural(gone.replicas, 'replica')}"
            yield Change(now, ChangeKind.SCALE, key, text, _OUTSIDE)


def _new_service(fleet: Fleet, service: Service, now: float) -> Change:
    newest = _newest(service)
    at = newest.created_at if newest and newest.created_at else now
    tag = f" {image_words(newest.image)}" if newest else ""
    count = units.plural(len(service.current), "replica")
    text = f"{service_label(fleet, service)}{tag} created, {count}"
    return Change(at, ChangeKind.CONFIG, service.key, text, _OUTSIDE)


def _of_service(
    fleet: Fleet, service: Service, known: KnownService, previous: History, now: float
) -> Iterator[Change]:
    label, newest = service_label(fleet, service), _newest(service)
    before, after = known.declared, service.declared
    if before is None or after is None:
        before, after = known.replicas, len(service.current)
    if before != after and not service.per_node:
        words = f"{label} scaled {before} -> {after}"
        yield Change(now, ChangeKind.SCALE, service.key, words, _OUTSIDE)
    state = service.update.state if service.update else ""
    if state not in ("", "updating", "completed", known.update):
        words = f"{label} update {state.replace('_', ' ')}"
        yield Change(now, ChangeKind.CONFIG, service.key, words)
    if newest is None or known.image is None:
        return
    ids = {replica.id for replica in previous.replicas.values()}
    fresh = [r for r in service.current if r.id not in ids and r.created_at is not None]
    at = min((r.created_at for r in fresh if r.created_at is not None), default=now)
    if not same_image(newest.image, known.image):
        pair = (known.image, newest.image)
        words = f"{label} {image_words(known.image, pair)} -> {image_words(newest.image, pair)}"
        yield Change(at, ChangeKind.RELEASE, service.key, words, _OUTSIDE)
    elif newest.config_hash != known.config_hash and known.config_hash:
        words = f"{label} recreated with another configuration, {image_words(newest.image)}"
        yield Change(at, ChangeKind.CONFIG, service.key, words, _OUTSIDE)


def _of_replica(
    replica: Replica, before: KnownReplica, now: float, *, one_shot: bool
) -> Iterator[Change]:
    end = replica.last_exit
    asked = end is not None and (end.code == 0 or end.signal == SIGTERM)
    expected = asked and (one_shot or replica.id != before.id)
    if end is not None and end != before.last_exit and not expected:
        text = f"{replica.name} {exit_words(end, replica.memory_limit)}"
        count = max(1, replica.restarts - before.restarts) if replica.id == before.id else 1
        yield Change(end.at or now, ChangeKind.EXIT, replica.name, text, count=count)
    elif replica.id == before.id and _restarted(replica, before):
        at = replica.started_at or now
        yield Change(at, ChangeKind.RESTART, replica.name, f"{replica.name} restarted")
    if replica.health.value == before.health or replica.id != before.id:
        return
    if replica.health is Health.UNHEALTHY and replica.running:
        said = last_output(replica)
        text = f"{replica.name} unhealthy" + (f": {said}" if said else "")
        yield Change(streak_start(replica) or now, ChangeKind.HEALTH, replica.name, text)
    elif before.health == Health.UNHEALTHY.value and replica.health is Health.HEALTHY:
        at = replica.health_log[-1].at if replica.health_log else now
        yield Change(at, ChangeKind.HEALTH, replica.name, f"{replica.name} healthy again")


def _restarted(replica: Replica, before: KnownReplica) -> bool:
    started = replica.started_at
    return (
        started is not None and before.started_at is not None and started - before.started_at > 1.0
    )


# Events: what came and went between two reads.


def _of_events(fleet: Fleet, events: Iterable[Event], now: float) -> Iterator[Change]:
    names = {replica.name for service in fleet.services for replica in service.current}
    shots = {service.key for service in fleet.services if service.one_shot}
    for event in events:
        kind = {EventKind.DIED: ChangeKind.EXIT, EventKind.OOM: ChangeKind.EXIT}.get(event.kind)
        if kind is None or event.service in shots or now - event.at > OLDEST:
            continue
        # A one-off container (`docker compose run`) is nobody's replica.
        if event.subject in names or fleet.service(event.service) is not None:
            words = event.text or ("killed for memory" if event.kind is EventKind.OOM else "exited")
            yield Change(event.at, kind, event.subject, f"{event.subject} {words}")
