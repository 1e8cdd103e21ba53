"""What the rules remember from one look to the next. Frozen, and fit for JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from console.model.findings import Finding

FORGET_AFTER: Final = 86400.0
"""What was last seen longer ago than this says nothing about now."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """One finding as it was last seen."""

    finding: Finding
    first_seen: float
    last_seen: float
    raised: bool = True
    """Whether it has outlasted its hold and stands by itself."""
    needs: tuple[str, ...] = ()
    """The sources without which nobody can say that it is over."""
    kind: str = ""
    keys: tuple[str, ...] = ()
    """By which alerts are joined to it, see console.rules.joining."""


@dataclass(frozen=True, slots=True)
class Restarts:
    """The starts of one replica (by name) that followed a failure."""

    id: str
    count: int
    """The engine's own count when it was last looked at."""
    starts: tuple[float, ...] = ()
    """Moments within the policy's window, oldest first."""


@dataclass(frozen=True, slots=True)
class Memory:
    """All of it."""

    findings: Mapping[str, Remembered] = field(default_factory=dict)
    """By the finding's id."""
    restarts: Mapping[str, Restarts] = field(default_factory=dict)
    """By the replica's name."""
    watchdog_fired: float | None = None
    """When the Watchdog was last seen firing."""
