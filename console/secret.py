"""Secrets: a type whose text is ``***``."""

from typing import Final

MASK: Final = "***"


class Secret:
    """A value that no screen, log, journal or exception may show.

    Only a link calls :meth:`reveal`, at the moment it hands the value to its client.
    It cannot be pickled, compared or hashed, so that it cannot leak by those ways.
    """

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __len__(self) -> int:
        return len(self._value)

    def __str__(self) -> str:
        return MASK

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        raise TypeError("secrets are not compared")

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("secrets are not pickled")
