"""Lines for a terminal or a pipe: ANSI styles, or none; ASCII, or all of Unicode."""

from collections.abc import Iterable, Mapping
from typing import Final, TextIO

from console.present.lines import Line

_CODES: Final[Mapping[str, str]] = {
    "p0": "7;1;31",
    "critical": "7;1;31",
    "p1": "1;31",
    "degraded": "1;33",
    "p2": "33",
    "unknown": "7",
    "blind": "7",
    "stale": "2",
    "note": "",
    "ok": "32",
    "dim": "2",
    "bold": "1",
    "title": "1",
    "mode": "7",
}
_ASCII: Final = str.maketrans(
    {
        "▁": "_", "▂": ".", "▃": "-", "▄": ":", "▅": "=", "▆": "+", "▇": "*", "█": "#",
        "─": "-", "│": "|", "→": ">", "…": "~", "×": "x", "–": "-", "’": "'",
    }
)  # fmt: skip


def coloured(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether to colour: only on a terminal that can, and where NO_COLOR is not set.

    NO_COLOR counts when it is not empty (https://no-color.org).
    """
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"


def speaks_unicode(stream: TextIO) -> bool:
    """Whether the stream's encoding has the block characters."""
    try:
        "▁█".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def rendered(lines: Iterable[Line], *, colour: bool, ascii_only: bool) -> str:
    """The lines as text, each ended by a line feed and without spaces at its end."""
    return "".join(_line(line, colour, ascii_only) + "\n" for line in lines)


def to_ascii(text: str) -> str:
    """`text` without anything beyond ASCII; what has no likeness becomes ``?``."""
    if text.isascii():
        return text
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def _line(line: Line, colour: bool, ascii_only: bool) -> str:
    pieces = [(to_ascii(text) if ascii_only else text, style) for text, style in line]
    while pieces and not pieces[-1][0].rstrip():
        pieces.pop()
    if pieces:
        pieces[-1] = (pieces[-1][0].rstrip(), pieces[-1][1])
    if not colour:
        return "".join(text for text, _ in pieces)
    return "".join(_painted(text, _CODES.get(style, "")) for text, style in pieces)


def _painted(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if code and text else text
