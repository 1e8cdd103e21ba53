"""Escape sequences that a slow link tore apart.

An arrow key arrives as ``ESC [ A``. Over a slow link the pieces may come seconds apart,
and the tail would act as keys of its own. So after Esc, or a bare ``[`` or ``O``, the
rest of a sequence is swallowed for a second. Syntax: ECMA-48 5.4 (CSI) and SS3.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

WINDOW: Final = 1.0
"""Seconds for which the rest of a sequence is awaited."""


class _Awaiting(Enum):
    NOTHING = auto()
    INTRODUCER = auto()  # Esc came: `[` or `O` may follow
    PARAMETERS = auto()  # `[` came: digits and the like, then one final character
    FINAL = auto()  # `O` came: one final character


@dataclass(slots=True)
class SplitKeys:
    """Says of each key whether it is the tail of a torn escape sequence."""

    _state: _Awaiting = _Awaiting.NOTHING
    _until: float = 0.0

    def swallow(self, key: str, character: str | None, now: float, *, typing: bool) -> bool:
        """Whether to drop this key (`now` is monotonic).

        While the user is typing into a field, a bare ``[`` or ``O`` is text, and only
        Esc begins a sequence.
        """
        state = self._state if now < self._until else _Awaiting.NOTHING
        if key == "escape":
            self._begin(_Awaiting.INTRODUCER, now)
            return False
        introducer = self._introduced(key, character)
        if introducer is not None and (state is _Awaiting.INTRODUCER or not typing):
            self._begin(introducer, now)
            return True
        if state is _Awaiting.PARAMETERS and character is not None:
            if not (" " <= character <= "?"):
                self._state = _Awaiting.NOTHING
            return True
        self._state = _Awaiting.NOTHING
        return state is _Awaiting.FINAL and character is not None

    def _begin(self, state: _Awaiting, now: float) -> None:
        self._state = state
        self._until = now + WINDOW

    @staticmethod
    def _introduced(key: str, character: str | None) -> _Awaiting | None:
        if character == "[" or key == "left_square_bracket":
            return _Awaiting.PARAMETERS
        return _Awaiting.FINAL if character == "O" or key == "alt+shift+o" else None
