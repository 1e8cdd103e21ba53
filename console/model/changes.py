"""What changed: one list with times, from events, restarts, releases and reboots."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from console.model.fleet import Exit, Image

CHANGES_MOST: Final = 200
"""Changes kept; past it the oldest go."""


class ChangeKind(StrEnum):
    """What kind of change."""

    RELEASE = "release"  # a service runs another image
    RESTART = "restart"
    EXIT = "exit"
    HEALTH = "health"
    SCALE = "scale"
    CONFIG = "config"
    REBOOT = "reboot"
    NODE = "node"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed."""

    at: float
    kind: ChangeKind
    subject: str
    text: str
    """In words: ``backend v1.2.3 -> v1.3.0``."""
    by: str = ""
    """Who, where it is known; ``outside`` for what cofa did not do."""
    count: int = 1
    """How often it came, where repetitions are told as one; `at` is the newest's moment."""
    first_at: float | None = None
    """The moment of the first of them, where there are several."""


@dataclass(frozen=True, slots=True)
class KnownReplica:
    """What a replica was like when it was last seen."""

    service: str
    """Key of its service."""
    id: str
    image: Image
    created_at: float | None
    started_at: float | None
    health: str
    running: bool
    restarts: int = 0
    last_exit: Exit | None = None


@dataclass(frozen=True, slots=True)
class KnownService:
    """What a service was like when it was last seen."""

    image: Image | None
    """What its newest replica runs."""
    declared: int | None
    replicas: int
    update: str = ""
    """State of its Swarm update."""
    config_hash: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """What changed, and what the next look is compared with."""

    changes: tuple[Change, ...] = ()
    """Newest first, at most CHANGES_MOST."""
    services: Mapping[str, KnownService] = field(default_factory=dict)
    """By key."""
    replicas: Mapping[str, KnownReplica] = field(default_factory=dict)
    """By name."""
    boots: Mapping[str, float] = field(default_factory=dict)
    """Host -> when it booted."""
    nodes: Mapping[str, str] = field(default_factory=dict)
    """Node -> state, and availability where that is not active."""
    looked: bool = False
    """Whether a fleet was seen at all: without one there is nothing to compare with."""
