"""Env files, as Docker Compose reads them: names, values, quotes, comments, references."""

import re
from collections.abc import Mapping
from typing import Final

_LINE: Final = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*
    (?:'(?P<literal>[^']*)'|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\r\n]*))""",
    re.MULTILINE | re.VERBOSE | re.DOTALL,
)
_REFERENCE: Final = re.compile(
    r"\\\$|\$\$|\$\{(?P<braced>\w+)(?::?-(?P<default>[^${}]*))?\}|\$(?P<plain>[A-Za-z_]\w*)"
)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def parse(text: str) -> dict[str, str]:
    """Name -> value. A value that refers to what the file does not define is left out."""
    values: dict[str, str] = {}
    for match in _LINE.finditer(text):
        value = _value(match, values)
        if value is None:
            values.pop(match["name"], None)
        else:
            values[match["name"]] = value
    return values


def _value(match: re.Match[str], known: Mapping[str, str]) -> str | None:
    if match["literal"] is not None:
        return match["literal"]
    if match["quoted"] is not None:
        unescaped = re.sub(
            r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), match["quoted"], flags=re.DOTALL
        )
        return _filled(unescaped, known)
    bare = re.split(r"(?:^|[ \t])#", match["bare"], maxsplit=1)[0].rstrip()
    return _filled(bare, known)


def _filled(text: str, known: Mapping[str, str]) -> str | None:
    missing = False

    def fill(match: re.Match[str]) -> str:
        nonlocal missing
        name = match["braced"] or match["plain"]
        if name is None:
            return "$"
        found = known.get(name) or match["default"]
        missing = missing or found is None
        return found or ""

    result = _REFERENCE.sub(fill, text)
    return None if missing else result
