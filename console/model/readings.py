"""Readings: what one source said at one instant, and what is still known of it."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Generic, TypeVar

from console.errors import Failure

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What one source said at one instant: a value, or the failure."""

    at: float
    """When the source was asked."""
    took: float
    """Seconds until it had answered or failed."""
    value: T | None = None
    failure: Failure | None = None
    skew: float | None = None
    """How far the source's clock is ahead of ours, in seconds; None where it has none."""


class Sight(StrEnum):
    """How well a source is seen."""

    READING = "reading"  # asked for the first time, no answer yet
    SEEN = "ok"
    STALE = "stale"  # the newest Reading is good, but older than its pace allows
    BLIND = "blind"  # the newest Reading failed


PACES_UNTIL_STALE = 3.0
"""A good Reading older than this many paces (and 5 s) no longer counts as seen."""


@dataclass(frozen=True, slots=True)
class Source(Generic[T]):
    """One source: its newest Reading, and the last good one, which stays with its age."""

    name: str
    pace: float
    """Seconds between two Readings."""
    newest: Reading[T] | None = None
    good: Reading[T] | None = None
    failing_since: float | None = None

    def heard(self, reading: Reading[T]) -> "Source[T]":
        """This source after one more Reading."""
        if reading.failure is None:
            return replace(self, newest=reading, good=reading, failing_since=None)
        since = self.failing_since if self.failing_since is not None else reading.at
        return replace(self, newest=reading, failing_since=since)

    @property
    def value(self) -> T | None:
        """The last good value, however old."""
        return self.good.value if self.good else None

    @property
    def failure(self) -> Failure | None:
        """Why it is blind, if it is."""
        return self.newest.failure if self.newest else None

    def age(self, now: float) -> float | None:
        """Seconds since the last good Reading was asked for; None if there was none."""
        return max(0.0, now - self.good.at) if self.good else None

    def sight(self, now: float) -> Sight:
        """How well this source is seen at `now`."""
        if self.newest is None:
            return Sight.READING
        if self.newest.failure is not None:
            return Sight.BLIND
        age = now - self.newest.at
        return Sight.STALE if age > self.pace * PACES_UNTIL_STALE + 5.0 else Sight.SEEN
