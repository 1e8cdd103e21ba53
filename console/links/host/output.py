"""What commands here and over SSH have in common: their words, and their bounded output."""

from collections.abc import Sequence
from typing import Final

from console.errors import FailureKind, LinkError

LINGER: Final = 1.0
"""Seconds for output to end after its command has: a child may hold the pipe for ever."""

CHUNK: Final = 64 << 10


class Output:
    """One stream: what exceeds the limit is dropped, and that is said."""

    __slots__ = ("_data", "_limit", "truncated")

    def __init__(self, limit: int) -> None:
        self._data = bytearray()
        self._limit = limit
        self.truncated = False

    def add(self, data: bytes) -> None:
        """More of it."""
        room = self._limit - len(self._data)
        self._data += data[:room]
        self.truncated = self.truncated or len(data) > room

    @property
    def value(self) -> bytes:
        """What was kept."""
        return bytes(self._data)


def command_of(argv: Sequence[str], subject: str) -> tuple[str, ...]:
    """The words of a command. Raises LinkError (INVALID) where no system could run it."""
    words = tuple(argv)
    if not words or not words[0] or any("\0" in word for word in words):
        raise LinkError(
            FailureKind.INVALID,
            subject,
            "a command without a program, or with a null byte in it, cannot be run",
            "correct the command",
        )
    return words
