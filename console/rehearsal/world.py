"""The world at one moment: what is wrong in it, and how badly. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from console.rehearsal.effects import Effect
from console.rehearsal.log import Header, Injection, Log
from console.rehearsal.noise import drift, unit
from console.rehearsal.scenarios import CALM, SCENARIOS, Scenario

E = TypeVar("E", bound=Effect)

NOTICE: Final = 0.5
"""Seconds between an injection and its beginning: by then every reader has the new log, so
that nobody's past changes."""
LIVE_WAIT: Final = 20.0
"""The longest that an effect of a live injection waits, in the trouble's seconds: the quiet
stretches of its history are cut."""
RECOVERY: Final = 60.0
"""The trouble's seconds in which its gradual effects fade once it is healed."""
SETTLED: Final = 120.0
"""Seconds after which nothing is felt any more of what was healed."""


@dataclass(frozen=True, slots=True)
class Inject:
    """An operation: let a scenario begin, or (calm) end all of them."""

    scenario: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """A scenario in force, or healed.

    It has a time of its own: in its past before the injection this is real time, from then
    on it runs `speed` times faster.
    """

    scenario: Scenario
    injected_at: float
    head_start: float
    speed: float
    healed_at: float | None = None

    @property
    def began(self) -> float:
        """The moment of its beginning."""
        return self.injected_at - self.head_start

    def age(self, at: float) -> float:
        """The trouble's own seconds from its beginning to the moment `at`."""
        lived = at - self.injected_at
        return self.head_start + (lived if lived <= 0 else lived * self.speed)

    def moment(self, age: float) -> float:
        """The moment at which it is so many of its own seconds old."""
        left = age - self.head_start
        return self.injected_at + (left if left <= 0 else left / self.speed)

    def start(self, effect: Effect) -> float:
        """Its age when `effect` begins."""
        return effect.after if self.head_start else min(effect.after, LIVE_WAIT)

    def healed(self, at: float) -> bool:
        """Whether it is over at the moment `at`."""
        return self.healed_at is not None and self.healed_at <= at

    def strength(self, effect: Effect, at: float) -> float:
        """How much of `effect` is there at the moment `at`, 0..1."""
        worst = at if self.healed_at is None else min(at, self.healed_at)
        age = self.age(worst) - self.start(effect)
        if age < 0:
            return 0.0
        up = min(1.0, age / effect.ramp) if effect.ramp else 1.0
        if self.healed_at is None or at <= self.healed_at:
            return up
        faded = (at - self.healed_at) * self.speed / RECOVERY
        return max(0.0, up * (1.0 - faded)) if effect.ramp else 0.0


@dataclass(frozen=True, slots=True)
class World:
    """All that the projections need: the same world and moment give the same values."""

    header: Header
    troubles: tuple[Trouble, ...]
    """In the order of their injection, healed ones too: they are the world's history."""
    at: float
    quiet: bool = False
    """Without irregularity, to find out when a figure really crossed a limit."""

    def moved(self, at: float) -> "World":
        """The same world at another moment."""
        return replace(self, at=at)

    def smooth(self) -> "World":
        """The same world without irregularity."""
        return replace(self, quiet=True)

    def drift(self, name: str, period: float) -> float:
        """A smooth wander in -1..1 at this moment."""
        return 0.0 if self.quiet else drift(self.header.seed, name, self.at, period)

    def unit(self, name: str, index: int = 0) -> float:
        """A number in 0..1 that only depends on the seed, `name` and `index`."""
        return unit(self.header.seed, name, index)

    def known(self, kind: type[E]) -> Iterator[tuple[Trouble, E]]:
        """The effects of one kind that have begun by now, ended ones too."""
        for trouble in self.troubles:
            for effect in trouble.scenario.effects:
                start = trouble.moment(trouble.start(effect))
                if isinstance(effect, kind) and start <= self.at and not trouble.healed(start):
                    yield trouble, effect

    def effects(self, kind: type[E]) -> Iterator[tuple[Trouble, E, float]]:
        """The effects of one kind that are felt now, and how strongly (0..1)."""
        for trouble, effect in self.known(kind):
            strength = trouble.strength(effect, self.at)
            if strength > 0:
                yield trouble, effect, strength

    @property
    def calm(self) -> bool:
        """Whether nothing is wrong, nor has been for a while."""
        return all(
            trouble.began > self.at or trouble.healed(self.at - SETTLED)
            for trouble in self.troubles
        )

    @property
    def disturbed_since(self) -> float:
        """Since when it has not been its calm self; now, if it is."""
        return min(
            (
                trouble.began
                for trouble in self.troubles
                if trouble.began <= self.at and not trouble.healed(self.at - SETTLED)
            ),
            default=self.at,
        )

    def after(self, since: float, seconds: float) -> float:
        """The moment `seconds` after `since`, by the clock of the newest trouble there."""
        there = [trouble for trouble in self.troubles if trouble.began <= since]
        if not there:
            return since + seconds
        return there[-1].moment(there[-1].age(since) + seconds)


def world_at(log: Log, now: float) -> World:
    """The world that `log` makes, at the moment `now`."""
    troubles: list[Trouble] = []
    for entry in log.entries:
        if entry.scenario == CALM:
            troubles = [
                trouble
                if trouble.healed_at is not None
                else replace(trouble, healed_at=max(entry.at, trouble.injected_at))
                for trouble in troubles
            ]
        else:
            scenario = SCENARIOS[entry.scenario]
            troubles.append(Trouble(scenario, entry.at, entry.head_start, log.header.speed))
    return World(log.header, tuple(troubles), now)


def apply(log: Log, operation: Inject, now: float) -> Injection | None:
    """What `operation` adds to the log at `now`; None where it would change nothing.

    The one place where operations become the world's history.
    """
    last = log.entries[-1].at if log.entries else log.header.started_at
    open_troubles = {
        trouble.scenario.name
        for trouble in world_at(log, now).troubles
        if trouble.healed_at is None
    }
    if operation.scenario == CALM and not open_troubles:
        return None
    if operation.scenario in open_troubles:
        return None
    return Injection(max(now + NOTICE, last), operation.scenario)


def first_log(scenario: str, now: float, *, seed: int, speed: float) -> Log:
    """The log of a new world in which `scenario` has been going on for a while."""
    header = Header(seed, speed, now)
    if scenario == CALM:
        return Log(header)
    return Log(header, (Injection(now, scenario, SCENARIOS[scenario].history),))
