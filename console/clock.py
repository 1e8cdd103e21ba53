"""Time, injected: wall time for records, monotonic time for deadlines.

Every moment in cofa is a ``float`` of seconds since 1970-01-01T00:00Z and every
duration a ``float`` of seconds, unless a name says otherwise (``p95_ms``).
"""

import time
from dataclasses import dataclass, field
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from; the rehearsal and the tests bring their own."""

    def wall(self) -> float:
        """The moment, for records and ages."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for deadlines and durations."""
        ...


class SystemClock:
    """This machine's clock."""

    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass(slots=True)
class ManualClock:
    """A clock that moves only when told to, for tests."""

    now: float = 1_700_000_000.0
    ticks: float = field(default=0.0)

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.ticks

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self.now += seconds
        self.ticks += seconds


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment by which a read must have answered."""

    clock: Clock
    at: float

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> "Deadline":
        """A deadline `seconds` from now."""
        return cls(clock, clock.monotonic() + seconds)

    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - self.clock.monotonic())

    def timeout(self, most: float | None = None) -> float:
        """A time-out for one client call: what is left, at most `most`.

        Never zero, which several clients take for "wait for ever".
        """
        left = max(0.001, self.left())
        return left if most is None else min(left, most)

    @property
    def passed(self) -> bool:
        """Whether it is too late."""
        return self.left() <= 0.0
