"""A prompt: the last line, while a text is typed into it. No Textual in here.

It is driven key by key, in their order: a field with a message queue of its own would let
keys that come in a burst overtake each other.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from console.present.columns import cut, width
from console.present.lines import Line, Segment, line, spread
from console.text import clean

TYPED_MOST: Final = 500
"""Characters of a text; a paste of a megabyte is no filter."""


@dataclass(slots=True)
class Field:
    """A line of text being typed, and where in it the cursor stands."""

    text: str = ""
    at: int = 0

    def insert(self, text: str) -> None:
        """Put `text` before the cursor, as one clean line."""
        kept = clean(text, limit=10 * TYPED_MOST)[: TYPED_MOST - len(self.text)]
        self.text = self.text[: self.at] + kept + self.text[self.at :]
        self.at += len(kept)

    def edit(self, key: str) -> bool:
        """Do what an editing key says (those of readline); False for any other key."""
        before, after = self.text[: self.at], self.text[self.at :]
        match key:
            case "left":
                self.at = max(0, self.at - 1)
            case "right":
                self.at = min(len(self.text), self.at + 1)
            case "home" | "ctrl+a":
                self.at = 0
            case "end" | "ctrl+e":
                self.at = len(self.text)
            case "backspace":
                self.text, self.at = before[:-1] + after, max(0, self.at - 1)
            case "delete" | "ctrl+d":
                self.text = before + after[1:]
            case "ctrl+u":
                self.text, self.at = after, 0
            case "ctrl+k":
                self.text = before
            case "ctrl+w":
                kept = before.rstrip()
                kept = kept[: kept.rfind(" ") + 1]
                self.text, self.at = kept + after, len(kept)
            case _:
                return False
        return True


class Taken(Enum):
    """What became of a key."""

    NOT = auto()  # it is none of the prompt's
    TYPED = auto()
    DONE = auto()  # Enter


@dataclass(slots=True)
class Prompt:
    """Asks for a text."""

    mark: str = "/"
    field: Field = field(default_factory=Field)
    is_open: bool = False
    """Whether it is being typed into."""

    @property
    def text(self) -> str:
        """What has been typed."""
        return self.field.text

    def open(self, mark: str, text: str = "") -> None:
        """Take the keys, with `text` already typed."""
        self.mark, self.field, self.is_open = mark, Field(text, len(text)), True

    def shut(self) -> None:
        """Give the keys back. What was typed is kept."""
        self.is_open = False

    def take(self, key: str, character: str | None) -> Taken:
        """A key was pressed while this is open."""
        if key == "enter":
            self.shut()
            return Taken.DONE
        if not self.field.edit(key):
            if character is None or not character.isprintable():
                return Taken.NOT
            self.field.insert(character)
        return Taken.TYPED

    def line(self, columns: int) -> Line:
        """As it is shown, with what Enter and Esc do."""
        before, after = self.field.text[: self.field.at], self.field.text[self.field.at :]
        hint = "Enter keep  Esc clear " if self.mark == "/" else "Enter go  Esc back "
        room = max(10, columns - len(self.mark) - len(hint) - 4)
        while width(before) > room:
            before = before[1:]
        after = cut(after, max(1, room - width(before)))
        typed = (
            Segment(f" {self.mark}", "bold"),
            Segment(before),
            Segment(after[:1] or " ", "cursor"),
            Segment(after[1:]),
        )
        return spread(typed, line(Segment(hint, "keys")), columns)
