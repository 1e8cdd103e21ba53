"""Text in columns: cut and padded by what it takes on a terminal, not by its length."""

import re
from typing import Final

CUT: Final = ".."
"""What stands for the part that was cut."""
# What takes one column in any case: wcwidth (10 ms to import) is asked about the rest only.
_NARROW: Final = re.compile("[ -~\u00a1-\u00ac\u00ae-\u02ff─│▁-█]*")


def width(text: str) -> int:
    """Columns that `text` takes; text that no terminal can place counts by its length."""
    if _NARROW.fullmatch(text):
        return len(text)
    from wcwidth import wcswidth

    columns = wcswidth(text)
    return columns if columns >= 0 else len(text)


def cut(text: str, columns: int) -> str:
    """`text` in at most `columns`; a cut end shows as ``..``."""
    if width(text) <= columns:
        return text
    room = columns - len(CUT)
    if room <= 0:
        return CUT[: max(0, columns)]
    taken = end = 0
    for end, character in enumerate(text):  # noqa: B007 - the index is used after the loop
        taken += _one(character)
        if taken > room:
            break
    kept = text[:end].rstrip()
    while width(kept) > room:
        kept = kept[:-1]
    return kept + CUT


def left(text: str, columns: int) -> str:
    """`text` at the left of exactly `columns`."""
    text = cut(text, columns)
    return text + " " * (columns - width(text))


def right(text: str, columns: int) -> str:
    """`text` at the right of exactly `columns`."""
    text = cut(text, columns)
    return " " * (columns - width(text)) + text


def wrapped(text: str, columns: int, most: int = 50) -> tuple[str, ...]:
    """`text` broken at spaces (a longer word anywhere) into lines of at most `columns`."""
    lines: list[str] = []
    current = ""
    for word in text.split(" "):
        joined = f"{current} {word}" if current else word
        if width(joined) <= columns:
            current = joined
            continue
        if current:
            lines.append(current)
        while width(word) > columns and len(lines) < most:
            head = _head(word, columns)
            lines.append(head)
            word = word[len(head) :]
        current = word
    if current or not lines:
        lines.append(current)
    return tuple(lines[:most])


def _head(word: str, columns: int) -> str:
    taken = 0
    for index, character in enumerate(word):
        taken += _one(character)
        if taken > columns:
            return word[: max(1, index)]
    return word


def _one(character: str) -> int:
    """Columns of one character."""
    return max(0, width(character))
