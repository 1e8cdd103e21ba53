"""What changed: one list with times, from events, restarts, releases and reboots."""

from dataclasses import dataclass
from enum import StrEnum


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
