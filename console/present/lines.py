"""Lines of styled text, as both the command line and the screens show them.

A style is the name of a meaning, never a colour: ``p0 p1 p2 note blind stale ok dim bold
title`` and the verdicts ``critical degraded unknown``. Whoever prints maps it to a look.
"""

from typing import NamedTuple

from console.present.columns import cut, width


class Segment(NamedTuple):
    """A piece of a line."""

    text: str
    style: str = ""


Line = tuple[Segment, ...]


def line(*pieces: Segment | str) -> Line:
    """A line of segments; bare text has no style."""
    return tuple(piece if isinstance(piece, Segment) else Segment(piece) for piece in pieces)


def plain(line: Line) -> str:
    """The text of a line, without what only pads its end."""
    return "".join(segment.text for segment in line).rstrip()


def columns_of(line: Line) -> int:
    """How many columns a line takes."""
    return sum(width(segment.text) for segment in line)


def fitted(line: Line, columns: int) -> Line:
    """`line` in at most `columns`, cut at its end."""
    kept: list[Segment] = []
    left = columns
    for segment in line:
        if left <= 0:
            break
        text = cut(segment.text, left)
        kept.append(Segment(text, segment.style))
        left -= width(text)
    return tuple(kept)


def spread(left: Line, right: Line, columns: int) -> Line:
    """`left` and `right` at both ends of `columns`; the right gives way, then the left is cut."""
    gap = columns - columns_of(left) - columns_of(right)
    if not right or gap < 2:
        return fitted(left, columns)
    return (*left, Segment(" " * gap), *right)
