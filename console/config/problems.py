"""What is wrong with a cofa.toml: everything at once, each with its place and its cure."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import Final

from console.config.locator import KeyPath, Lines, path_text
from console.errors import CofaError
from console.text import clean

_CREDENTIALS: Final = re.compile(r"//[^/@\s]*@")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    path: str
    """The key: ``environments.production.edges[0].url``; empty for the file itself."""
    line: int | None
    fault: str
    """What is there: ``"fast" is no duration``. Never a secret."""
    allowed: str = ""
    """What may stand there."""
    suggestion: str = ""
    """The nearest name that is known."""

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line is not None else ""
        path = f"{self.path}: " if self.path else ""
        guess = f"; did you mean {self.suggestion}?" if self.suggestion else ""
        allowed = f"; allowed: {self.allowed}" if self.allowed else ""
        return f"{place}{path}{self.fault}{guess}{allowed}"


class ConfigErrors(CofaError):  # noqa: N818 - it holds all of them
    """Everything that is wrong with one file (exit code 78, EX_CONFIG of sysexits)."""

    exit_code = 78

    def __init__(self, file: Path, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems = tuple(problems)
        name = clean(file)
        if len(self.problems) == 1:
            text = f"{name}: {self.problems[0]}"
        else:
            lines = "\n".join(f"  {problem}" for problem in self.problems)
            text = f"{name}: {len(self.problems)} errors\n{lines}"
        super().__init__(text)


@dataclass(slots=True)
class Notes:
    """What reading one file has brought up so far, and what reading it needs to know."""

    file: Path
    lines: Lines
    home: Path
    deprecated: Mapping[str, str] = field(default_factory=dict)
    """Old key -> new key of the same table, ``environments.*.edges[].address`` -> ``url``."""
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def refuse(self, path: KeyPath, fault: str, allowed: str = "", suggestion: str = "") -> None:
        """Note a problem."""
        self.problems.append(
            Problem(clean(path_text(path)), self.lines.of(path), fault, allowed, suggestion)
        )

    def unknown(self, path: KeyPath, known: Iterable[str], what: str = "unknown key") -> None:
        """Note a name that is not known, with the nearest one that is."""
        names = sorted(known)
        self.refuse(path, what, ", ".join(names), nearest(str(path[-1]), names))

    def warn(self, path: KeyPath, text: str) -> None:
        """Note what works, but should not stay so."""
        line = self.lines.of(path)
        place = f"{clean(self.file)}, line {line}" if line is not None else clean(self.file)
        self.warnings.append(f"{place}: {clean(path_text(path))}: {text}")

    def renamed(self, table: Mapping[str, object], path: KeyPath) -> dict[str, object]:
        """`table` with its deprecated keys under their new names, which is warned of."""
        result = dict(table)
        for old in table:
            new = self.deprecated.get(_general((*path, old)))
            if new is None:
                continue
            if new in table:
                self.refuse((*path, old), f'the old name of "{new}", which is there too')
            else:
                self.warn((*path, old), f'deprecated: write "{new}" instead')
                result[new] = table[old]
            del result[old]
        return result


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that `name` most likely means; empty where none is near."""
    lowered = {candidate.lower(): candidate for candidate in known}
    wanted = name.lower()
    swapped = [other for other in lowered if sorted(other) == sorted(wanted)]
    begun = [other for other in lowered if len(wanted) >= 3 and other.startswith(wanted)]
    close = difflib.get_close_matches(wanted, list(lowered), n=1, cutoff=0.6)
    best = next(iter([*swapped, *begun, *close]), "")
    return lowered[best] if best else ""


def given(value: object) -> str:
    """`value` in a few words, fit for a message: cleaned, cut, credentials of URLs hidden."""
    if isinstance(value, str):
        return '"' + clean(_CREDENTIALS.sub("//***@", value), 60) + '"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return clean(value, 60)
    if isinstance(value, date | time):
        return "a date or time"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    return "a table"


def _general(path: KeyPath) -> str:
    """The path with any environment as ``*`` and any index as ``[]``."""
    text = ""
    for depth, part in enumerate(path):
        if isinstance(part, int):
            text += "[]"
        else:
            name = "*" if depth == 1 and path[0] == "environments" else part
            text += f".{name}" if text else name
    return text
