"""The containers of the world: when each was made, how its process lives. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from math import ceil, inf
from typing import Final

from console.model.fleet import Exit, Health, HealthCheck, State
from console.rehearsal.effects import CrashLoop, Deployment
from console.rehearsal.noise import identity
from console.rehearsal.stack import PARTS, PROJECT, Part
from console.rehearsal.world import Trouble, World

APART: Final = 4.0
"""Seconds between two replicas that Compose recreates."""
STARTS_AFTER: Final = 1.0
READY_AFTER: Final = 8.0
"""Seconds from a container's making to its first good health check."""
CHECK_EVERY: Final = 30.0
CHECKS_KEPT: Final = 5
"""As many as the engine keeps."""
REFUSED: Final = "curl: (7) Failed to connect to localhost port 8000: Connection refused"


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a replica; a recreated replica has another one."""

    part: Part
    number: int
    generation: int
    created_at: float
    tag: str
    id: str

    @property
    def name(self) -> str:
        """``shop-backend-4``."""
        return f"{PROJECT}-{self.part.name}-{self.number}"

    @property
    def started_at(self) -> float:
        """When its first process began."""
        return self.created_at + STARTS_AFTER


@dataclass(frozen=True, slots=True)
class Death:
    """A process of a container ended, and the engine started the next one."""

    at: float
    back_at: float
    next_at: float
    """When that one ends in its turn, if nobody heals it."""
    exit: Exit


@dataclass(frozen=True, slots=True)
class Process:
    """What the engine says of a container now."""

    state: State
    health: Health
    started_at: float
    restarts: int
    last_exit: Exit | None
    checks: tuple[HealthCheck, ...]

    @property
    def serving(self) -> bool:
        """Whether it answers requests."""
        return self.state is State.RUNNING and self.health in (Health.HEALTHY, Health.UNCHECKED)


def generations(world: World, part: Part, number: int) -> tuple[Container, ...]:
    """Every container that this replica has had until now, oldest first."""
    place = part.numbers.index(number)
    births = {world.header.started_at - part.age + place * APART: part.tag}
    for trouble, effect in world.known(Deployment):
        if effect.service == part.name:
            births[trouble.moment(trouble.start(effect)) + place * APART] = effect.tag
            _heal(births, trouble, place, part.tag)
    for trouble, loop in world.known(CrashLoop):
        if _hits(loop, part, number):
            _heal(births, trouble, place, part.tag)
    made = sorted(birth for birth in births.items() if birth[0] <= world.at)
    return tuple(
        Container(
            part, number, index, at, tag,
            identity(world.header.seed, f"container {part.name} {number} {index}"),
        )
        for index, (at, tag) in enumerate(made)
    )  # fmt: skip


def containers(world: World) -> Iterator[Container]:
    """The containers that are there now."""
    for part in PARTS:
        for number in part.numbers:
            # A world whose clock was set back to before its beginning has none yet.
            yield from generations(world, part, number)[-1:]


def process(world: World, container: Container) -> Process:
    """How `container` is now."""
    fresh = world.at - container.created_at
    if fresh < STARTS_AFTER:
        return Process(State.CREATED, Health.UNCHECKED, container.started_at, 0, None, ())
    deaths = _count_deaths(world, container)
    if deaths:
        last = next(last_deaths(world, container, world.at))
        up = last.back_at <= world.at
        return Process(
            State.RUNNING if up else State.RESTARTING,
            Health.STARTING if container.part.checked else Health.UNCHECKED,
            last.back_at if up else _previous_start(world, container, last),
            deaths if up else deaths - 1,
            last.exit,
            _failed_checks(world, container) if container.part.checked else (),
        )
    health = Health.UNCHECKED
    if container.part.checked:
        health = Health.STARTING if fresh < READY_AFTER else Health.HEALTHY
    return Process(
        State.RUNNING, health, container.started_at, 0, None, _good_checks(world, container)
    )


def last_deaths(world: World, container: Container, until: float) -> Iterator[Death]:
    """The deaths of this container's processes up to `until`, newest first."""
    for trouble, loop, start, end in reversed(_spells(world, container)):
        last = min(end, until)
        for index in reversed(_indices(trouble, loop, start, last, closed=until < end)):
            yield _death(trouble, loop, index)


def first_death(world: World, container: Container) -> Death | None:
    """When its processes began to die, if they ever did."""
    for trouble, loop, start, end in _spells(world, container):
        indices = _indices(trouble, loop, start, min(end, world.at), closed=world.at < end)
        if indices:
            return _death(trouble, loop, indices[0])
    return None


def _heal(births: dict[float, str], trouble: Trouble, place: int, tag: str) -> None:
    if trouble.healed_at is not None:
        births[trouble.healed_at + place * APART] = tag


def _hits(loop: CrashLoop, part: Part, number: int) -> bool:
    return loop.service == part.name and (not loop.numbers or number in loop.numbers)


def _spells(world: World, container: Container) -> list[tuple[Trouble, CrashLoop, float, float]]:
    """The stretches of time in which the container crashes, each by one loop; oldest first."""
    ends = [
        later.created_at
        for later in generations(world, container.part, container.number)
        if later.created_at > container.created_at
    ]
    gone_at = min(ends, default=inf)
    found = sorted(
        (
            (trouble.moment(trouble.start(loop)), trouble.healed_at or inf, index, trouble, loop)
            for index, (trouble, loop) in enumerate(world.known(CrashLoop))
            if _hits(loop, container.part, container.number)
        ),
        key=lambda spell: spell[:3],
    )
    starts = [spell[0] for spell in found] + [inf]
    return [
        (trouble, loop, max(start, container.started_at), min(end, following, gone_at))
        for (start, end, _, trouble, loop), (_, following) in zip(
            found, pairwise(starts), strict=True
        )
    ]


def _indices(trouble: Trouble, loop: CrashLoop, start: float, end: float, *, closed: bool) -> range:
    """Numbers of the loop's deaths from `start` up to `end` (with it, if closed)."""
    cycle = loop.uptime + loop.pause
    begins = trouble.start(loop)

    def ceiling(moment: float) -> int:
        # Rounded, because a moment and its age are not each other's exact inverses.
        return max(0, ceil(round((trouble.age(moment) - begins) / cycle, 6)))

    if end < start:
        return range(0)
    upper = ceiling(end)
    if closed and _death(trouble, loop, upper).at <= end:
        upper += 1
    return range(ceiling(start), upper)


def _death(trouble: Trouble, loop: CrashLoop, index: int) -> Death:
    cycle = loop.uptime + loop.pause
    age = trouble.start(loop) + index * cycle
    at = trouble.moment(age)
    return Death(
        at,
        trouble.moment(age + loop.pause),
        trouble.moment(age + cycle),
        Exit(at, loop.code, loop.oom),
    )


def _count_deaths(world: World, container: Container) -> int:
    return sum(
        len(_indices(trouble, loop, start, min(end, world.at), closed=world.at < end))
        for trouble, loop, start, end in _spells(world, container)
    )


def _previous_start(world: World, container: Container, last: Death) -> float:
    """When the process began that ended with `last`."""
    before = next(islice(last_deaths(world, container, last.at), 1, None), None)
    return before.back_at if before else container.started_at


def _good_checks(world: World, container: Container) -> tuple[HealthCheck, ...]:
    first = container.created_at + READY_AFTER
    if not container.part.checked or world.at < first:
        return ()
    last = int((world.at - first) // CHECK_EVERY)
    return tuple(
        HealthCheck(first + index * CHECK_EVERY, 0, '{"status":"ok"}')
        for index in range(max(0, last - CHECKS_KEPT + 1), last + 1)
    )


def _failed_checks(world: World, container: Container) -> tuple[HealthCheck, ...]:
    """Two in each life, at its thirds."""
    found = sorted(
        death.back_at + (death.next_at - death.back_at) * third / 3
        for death in islice(last_deaths(world, container, world.at), CHECKS_KEPT)
        for third in (1, 2)
    )
    past = [at for at in found if at <= world.at]
    return tuple(HealthCheck(at, 1, REFUSED) for at in past[-CHECKS_KEPT:])
