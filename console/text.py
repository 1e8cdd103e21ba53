"""Text from outside, made harmless once, at the link.

Container names, log lines, annotations and S3 keys are written by others. Escape
sequences in them would drive the operator's terminal, bidirectional overrides would
reorder what is read, and a line of a megabyte would fill the screen.
"""

import re
import unicodedata
from typing import Final

LINE_LIMIT: Final = 4_000
"""Characters kept of one outside line; what is cut is said."""

# ECMA-48: CSI, then the strings OSC, DCS, SOS, PM, APC up to BEL or ST, then two-byte ones.
_ESCAPES: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_SUSPECT: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)


def clean(text: object, limit: int = LINE_LIMIT) -> str:
    """`text` as one line of plain, visible characters of at most `limit`.

    Escape sequences go entirely, white space becomes a space, other control, format,
    surrogate and invisible characters go. What exceeds the limit is cut and counted.
    """
    raw = text if isinstance(text, str) else str(text)
    cut = len(raw) - limit
    if cut > 0:
        raw = raw[:limit]
    if not raw.isascii() or not raw.isprintable():
        raw = _SUSPECT.sub(_replace, _ESCAPES.sub("", raw))
        if not raw.isascii():
            raw = unicodedata.normalize("NFC", raw)
    return f"{raw} ... {cut} more characters" if cut > 0 else raw


def clean_lines(text: object, limit: int = 200, line_limit: int = LINE_LIMIT) -> tuple[str, ...]:
    """`text` line by line, each as :func:`clean` leaves it, at most `limit` of them."""
    raw = text if isinstance(text, str) else str(text)
    lines = raw.replace("\r\n", "\n").split("\n", limit)[:limit]
    return tuple(clean(line, line_limit) for line in lines)


def _replace(match: re.Match[str]) -> str:
    return " " if match[0] in "\t\n\v\f\r\x85\u2028\u2029" else ""
