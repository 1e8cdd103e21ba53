"""On which line of a TOML text each of its keys stands, which tomllib does not say."""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

KeyPath = tuple[str | int, ...]
"""A place in the file: ``("environments", "production", "edges", 0, "url")``."""

_BLANK: Final = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR: Final = re.compile(r"\d{4}-\d\d-\d\d \d[^\s,\]}#]*|[^\s,\]}#]+")
_STRINGS: Final = (
    re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}', re.DOTALL),
    re.compile(r"'''(?:[^']|'(?!''))*'{3,5}"),
    re.compile(r'"(?:[^"\\]|\\.)*"'),
    re.compile(r"'[^']*'"),
)


class Lines:
    """The lines of a text's keys."""

    def __init__(self, found: Mapping[KeyPath, int]) -> None:
        self._found = found

    def __contains__(self, path: KeyPath) -> bool:
        return path in self._found

    def of(self, path: KeyPath) -> int | None:
        """The line of `path`, else that of the nearest table around it; None for the root."""
        while path:
            if path in self._found:
                return self._found[path]
            path = path[:-1]
        return None


def locate(text: str) -> Lines:
    """Where the keys of `text` are. `text` is TOML that tomllib has accepted.

    It serves messages, so it never fails: what it cannot follow it leaves out.
    """
    scanner = _Scanner(text)
    with suppress(ValueError, RecursionError):
        scanner.document()
    return Lines(scanner.found)


def path_text(path: KeyPath) -> str:
    """The path as people write it: ``environments.production.edges[0].url``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _BARE.fullmatch(part) else f'"{part}"'
            text += f".{name}" if text else name
    return text


class _Scanner:
    """Walks over TOML without keeping its values."""

    def __init__(self, text: str) -> None:
        self.found: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        self._last: dict[KeyPath, int] = {}  # index of an array of tables' newest table

    def document(self) -> None:
        """The whole text."""
        table: KeyPath = ()
        while not self._end_after_blank():
            if self._take("[["):
                table = self._open(self._keys(), array=True)
                self._demand("]]")
            elif self._take("["):
                table = self._open(self._keys(), array=False)
                self._demand("]")
            else:
                self._pair(table)

    def _open(self, keys: list[str], *, array: bool) -> KeyPath:
        path: KeyPath = ()
        for number, key in enumerate(keys, 1):
            path = (*path, key)
            self._note(path)
            if array and number == len(keys):
                self._last[path] = self._last.get(path, -1) + 1
            if path in self._last:
                path = (*path, self._last[path])
                self._note(path)
        return path

    def _pair(self, table: KeyPath) -> None:
        path = table
        start = self._at
        for key in self._keys():
            path = (*path, key)
            self._note(path, start)
        self._demand("=")
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        self._end_after_blank()
        if self._take("["):
            index = 0
            while not self._end_after_blank() and not self._take("]"):
                self._note((*path, index))
                self._value((*path, index))
                self._end_after_blank()
                self._take(",")
                index += 1
        elif self._take("{"):
            while not self._end_after_blank() and not self._take("}"):
                self._pair(path)
                self._end_after_blank()
                self._take(",")
        elif self._string() is None:
            self._match(_SCALAR)

    def _keys(self) -> list[str]:
        keys: list[str] = []
        while True:
            self._end_after_blank()
            quoted = self._string()
            # tomllib knows the escapes of a quoted key.
            name = tomllib.loads(f"k={quoted}")["k"] if quoted else self._match(_BARE)
            keys.append(name)
            self._end_after_blank()
            if not self._take("."):
                return keys

    def _string(self) -> str | None:
        for pattern in _STRINGS:
            if match := pattern.match(self._text, self._at):
                self._at = match.end()
                return match[0]
        return None

    def _match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError("not as expected")
        self._at = match.end()
        return match[0]

    def _take(self, word: str) -> bool:
        if not self._text.startswith(word, self._at):
            return False
        self._at += len(word)
        return True

    def _demand(self, word: str) -> None:
        self._end_after_blank()
        if not self._take(word):
            raise ValueError(f"{word} expected")

    def _end_after_blank(self) -> bool:
        self._match(_BLANK)
        return self._at >= len(self._text)

    def _note(self, path: KeyPath, at: int | None = None) -> None:
        line = bisect_right(self._newlines, (self._at if at is None else at) - 1) + 1
        self.found.setdefault(path, line)
