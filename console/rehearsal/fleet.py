"""The Fleet and what belongs to it, as the engine and Compose's files would say. Pure."""

from collections.abc import Collection, Mapping
from functools import cache
from itertools import islice
from math import inf
from typing import Final

from console.model.edges import Upstreams
from console.model.fleet import (
    ComposeOrigin,
    Event,
    EventKind,
    Fleet,
    Image,
    Intended,
    Intention,
    Mount,
    Node,
    Replica,
    Service,
    ServiceKind,
    State,
    Usage,
)
from console.rehearsal.containers import (
    READY_AFTER,
    Container,
    containers,
    first_death,
    generations,
    last_deaths,
    process,
)
from console.rehearsal.effects import DatabaseStrain
from console.rehearsal.noise import identity
from console.rehearsal.stack import (
    BACKEND,
    DIRECTORY,
    HOST,
    PARTS,
    POSTGRES,
    PROJECT,
    Part,
    address,
)
from console.rehearsal.traffic import daylight, serving
from console.rehearsal.world import SETTLED, World

ENGINE_VERSION: Final = "28.5.1"
EVENTS_MOST: Final = 256
"""As many past events as the engine keeps."""
FAIL_TIMEOUT: Final = 10.0
"""nginx's default `fail_timeout`, in seconds."""
_ORIGIN: Final = ComposeOrigin(
    PROJECT, DIRECTORY, (f"{DIRECTORY}/compose.yaml",), (f"{DIRECTORY}/.env",)
)


def fleet(world: World) -> Fleet:
    """Everything that runs."""
    replicas: dict[str, list[Replica]] = {part.key: [] for part in PARTS}
    for container in containers(world):
        replicas[container.part.key].append(_replica(world, container))
    return Fleet(
        engine_name=HOST,
        engine_version=ENGINE_VERSION,
        services=tuple(_service(part, tuple(replicas[part.key])) for part in PARTS),
        nodes=(
            Node(identity(world.header.seed, "node", 25), HOST, "manager", "ready", "active",
                 "203.0.113.5", ENGINE_VERSION, leader=True),
        ),
        system_time=world.at,
    )  # fmt: skip


def usage(world: World, ids: Collection[str]) -> Mapping[str, Usage]:
    """What these replicas use; those that are not there are left out."""
    wanted = [container for container in containers(world) if container.id in ids]
    answering = {container.id for container in serving(world)}
    return {
        container.id: _usage(world, container, answering)
        for container in wanted
        if process(world, container).state is State.RUNNING
    }


def intended(world: World) -> Intended:
    """What a plain `up` would make: what runs, as outside releases wrote the tag down too."""
    newest = {container.part.key: container for container in containers(world)}
    return Intended(
        PROJECT,
        tuple(
            Intention(
                service=part.key,
                image=reference(part, newest[part.key].tag),
                replicas=len(part.numbers),
                config_hash=_config_hash(part, newest[part.key].tag),
                image_id=image(part, newest[part.key].tag).id,
            )
            for part in PARTS
            if part.key in newest
        ),
    )


def upstreams(world: World, edge: str, since: float) -> Upstreams:
    """Which backends the edge asked in vain from `since` on."""
    failed: list[tuple[str, int, float]] = []
    for container in (c for c in containers(world) if c.part is BACKEND):
        # A container that crashes never gets ready again; who heals it makes another.
        first = first_death(world, container)
        if first is None:
            continue
        down_since = max(since, first.at)
        # nginx leaves an address that failed alone for 10 s: one request in vain each time.
        count = 1 + int((world.at - down_since) / FAIL_TIMEOUT)
        last = down_since + (count - 1) * FAIL_TIMEOUT
        failed.append((f"{address(BACKEND, container.number)}:8000", count, last))
    return Upstreams(edge, tuple(failed))


def events(world: World, since: float) -> tuple[Event, ...]:
    """The engine's events after `since` up to now, oldest first, the newest at most."""
    found: list[Event] = []
    if world.at - since < SETTLED and since > world.header.started_at and world.calm:
        # A stream asks four times a second; in a calm world nothing has happened lately.
        return ()
    for part in PARTS:
        for number in part.numbers:
            gone_at = inf
            for container in reversed(generations(world, part, number)):
                if gone_at <= since:
                    break
                lived = _life_events(world, container, since)
                found += [event for event in lived if event.at <= gone_at]
                gone_at = container.created_at
    found = [event for event in found if since < event.at <= world.at]
    found.sort(key=lambda event: event.at)
    return tuple(found[-EVENTS_MOST:])


def reference(part: Part, tag: str) -> str:
    """The image as the specification names it."""
    return f"{part.repository}:{tag}"


@cache
def image(part: Part, tag: str) -> Image:
    """The image of a tag: the same in every world."""
    name = reference(part, tag)
    return Image(name, f"sha256:{identity(0, f'id {name}')}", f"sha256:{identity(0, name)}")


def _config_hash(part: Part, tag: str) -> str:
    return identity(0, f"config {part.name} {tag}")


def _service(part: Part, replicas: tuple[Replica, ...]) -> Service:
    return Service(
        key=part.key,
        name=part.name,
        kind=ServiceKind.COMPOSE,
        replicas=replicas,
        project=PROJECT,
        image=replicas[-1].image if replicas else None,
        role=part.role,
        origin=_ORIGIN,
        memory_reservation=part.memory_reservation,
        healthcheck=part.checked,
    )


def _replica(world: World, container: Container) -> Replica:
    part, now = container.part, process(world, container)
    place = part.numbers.index(container.number)
    running = now.state is State.RUNNING
    return Replica(
        id=container.id,
        name=container.name,
        service=part.key,
        image=image(part, container.tag),
        state=now.state,
        health=now.health,
        node=HOST,
        slot=container.number,
        created_at=container.created_at,
        started_at=None if now.state is State.CREATED else now.started_at,
        restarts=now.restarts,
        last_exit=now.last_exit,
        health_log=now.checks,
        # A failure while a container starts is not counted by the engine.
        failing_streak=0,
        memory_limit=part.memory_limit,
        cpu_limit=part.cpu_limit,
        # The engine takes the address back while no process runs.
        addresses={f"{PROJECT}_default": address(part, container.number)} if running else {},
        ports=part.ports[place] if part.ports and running else (),
        mounts=tuple(
            Mount("bind" if source.startswith("/") else "volume", source, target, read_only)
            for source, target, read_only in part.mounts
        ),
        environment=part.environment,
        config_hash=_config_hash(part, container.tag),
    )  # fmt: skip


def _usage(world: World, container: Container, answering: set[str]) -> Usage:
    part, name = container.part, container.name
    busy = daylight(world)
    memory = part.memory * (1 + 0.03 * world.drift(f"memory {name}", 240.0))
    cpu = part.cpu * busy * (1 + 0.15 * world.drift(f"cpu {name}", 20.0))
    if part is BACKEND:
        if container.tag != BACKEND.tag:
            memory *= 1.4
        # The others carry what a missing one leaves.
        cpu *= len(part.numbers) / len(answering) if container.id in answering else 0.1
        last = next(last_deaths(world, container, world.at), None)
        if last is not None and last.exit.oom_killed:
            lived = (world.at - last.back_at) / (last.next_at - last.back_at)
            memory = (part.memory_limit or memory) * min(1.0, 0.05 + 0.95 * lived)
    if part is POSTGRES:
        for _, _, strength in world.effects(DatabaseStrain):
            cpu *= 1 + 4 * strength
    limit = part.memory_limit
    return Usage(world.at, max(0.0, cpu), int(memory), limit)


def _life_events(world: World, container: Container, since: float) -> list[Event]:
    part, name, born = container.part, container.name, container.created_at

    def event(at: float, kind: EventKind, text: str) -> Event:
        return Event(at, kind, name, part.key, text)

    found: list[Event] = []
    if container.generation:
        found += [
            event(born, EventKind.STOPPED, "exited 0, on request"),
            event(born, EventKind.REMOVED, "removed"),
        ]
    found += [
        event(born, EventKind.CREATED, f"created from {reference(part, container.tag)}"),
        event(container.started_at, EventKind.STARTED, "started"),
    ]
    ready = born + READY_AFTER
    if part.checked and next(last_deaths(world, container, ready), None) is None:
        found.append(event(ready, EventKind.HEALTH, "healthy"))
    for death in islice(last_deaths(world, container, world.at), EVENTS_MOST):
        if death.back_at <= since:
            break
        words = f"exited {death.exit.code}"
        if death.exit.oom_killed:
            found.append(event(death.at, EventKind.OOM, "a process was killed for memory"))
            words += " (SIGKILL), killed for memory"
        found.append(event(death.at, EventKind.DIED, words))
        found.append(event(death.back_at, EventKind.STARTED, "started"))
    return found
