"""How words look: themes from the package data, and lines of text made into strips."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from rich.segment import Segment as Piece
from rich.style import Style
from textual.strip import Strip
from textual.theme import BUILTIN_THEMES, Theme

import themes
from console.present.ansi import to_ascii
from console.present.columns import cut, width
from console.present.lines import Line, Segment, line
from screens.options import THEMES

CURSOR: Final = "cursor"


@dataclass(frozen=True, slots=True)
class Look:
    """One theme, ready to paint with."""

    name: str
    dark: bool
    ansi: bool
    foreground: str
    background: str
    base: Style
    styles: Mapping[str, Style]

    def style(self, word: str) -> Style:
        """The style of one word; plain for a word that the theme does not know."""
        return self.styles.get(word, self.base)


def load_look(name: str) -> Look:
    """The theme with this name, from the package data. Raises KeyError for an unknown one."""
    if name not in THEMES:
        raise KeyError(name)
    data = tomllib.loads(themes.data(f"{name}.toml"))
    foreground, background = str(data["foreground"]), str(data["background"])
    colourless = name == "plain"
    base = Style() if colourless else Style.parse(f"{foreground} on {background}")
    styles = {
        word: base + Style.parse(style) if style else base for word, style in data["styles"].items()
    }
    return Look(name, data["dark"], data.get("ansi", False), foreground, background, base, styles)


def textual_theme(look: Look) -> Theme:
    """The same look for Textual's own widgets."""
    name = f"cofa-{look.name}"
    if look.ansi:
        return replace(BUILTIN_THEMES["ansi-dark"], name=name)
    return Theme(
        name=name,
        primary=look.foreground,
        foreground=look.foreground,
        background=look.background,
        surface=look.background,
        panel=look.background,
        boost=look.background,
        dark=look.dark,
    )


@dataclass(slots=True)
class Painter:
    """Makes strips of lines, in the present look."""

    look: Look
    ascii: bool = False
    """Replace what is beyond ASCII."""

    def strip(self, line: Line, columns: int, *, cursor: bool = False) -> Strip:
        """One line, `columns` wide. On the cursor's row `>` comes first."""
        style = self.look.style
        if cursor:
            text = ">" + "".join(segment.text for segment in line)[1:]
            reversed_style = style(CURSOR)
            pieces = [Piece(self._safe(text), reversed_style)]
            return Strip(pieces).adjust_cell_length(columns, reversed_style)
        pieces = [Piece(self._safe(text), style(word)) for text, word in line if text]
        return Strip(pieces).adjust_cell_length(columns, self.look.base)

    def _safe(self, text: str) -> str:
        return to_ascii(text) if self.ascii else text

    def rule(self, columns: int, title: str = "", end: str = "") -> Line:
        """A line across, with a title at its beginning and words near its end."""
        bar = "-" if self.ascii else "─"
        start = f" {title} " if title else ""
        last = f" {end} " if end else ""
        room = columns - width(start) - width(last)
        if room < 2:
            return line(Segment(cut(start or last, columns), "title"))
        tail = 2 if last else 0
        return line(
            Segment(start, "title"),
            Segment(bar * (room - tail), "rule"),
            Segment(last, "dim"),
            Segment(bar * tail, "rule"),
        )
