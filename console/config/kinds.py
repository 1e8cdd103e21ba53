"""Kinds of values: how what tomllib gives becomes what an Environment holds.

A kind never raises: it notes every problem and gives WRONG back, so that one reading of
the file finds them all.
"""

import stat
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from console.config.environment import HERE, SecretRef
from console.config.locator import KeyPath
from console.config.problems import Notes, given

WRONG: Final = object()
"""What a kind gives where it noted a problem."""

REFERENCE_FORMS: Final = (
    '{ env = "NAME" }, { file = "PATH" }, { command = ["PROGRAM", "ARGUMENT"] } '
    'or { env_file = "PATH", key = "NAME" }'
)


class Kind(Protocol):
    """A kind of value."""

    @property
    def wanted(self) -> str:
        """What may stand there, in words."""
        ...

    def decode(self, value: object, path: KeyPath, notes: Notes) -> Any:
        """The value that `value` stands for, or WRONG."""
        ...


@dataclass(frozen=True, slots=True)
class Leaf:
    """A single value."""

    wanted: str
    convert: Callable[[object], object]

    def decode(self, value: object, path: KeyPath, notes: Notes) -> Any:
        try:
            return self.convert(value)
        except ValueError as error:
            notes.refuse(path, f"{given(value)} {error}", self.wanted)
            return WRONG


@dataclass(frozen=True, slots=True)
class PathKind:
    """A path on this machine; relative ones start at the file's directory, ``~`` at home."""

    wanted: str = "the path of a file on this machine"

    def decode(self, value: object, path: KeyPath, notes: Notes) -> Any:
        if not isinstance(value, str) or not value.strip() or "\0" in value:
            notes.refuse(path, f"{given(value)} is no path", self.wanted)
            return WRONG
        return _local_path(value, notes)


@dataclass(frozen=True, slots=True)
class SecretKind:
    """Where a secret comes from; the secret itself is refused, and never repeated."""

    wanted: str = REFERENCE_FORMS

    def decode(self, value: object, path: KeyPath, notes: Notes) -> Any:
        if not isinstance(value, dict):
            fault = "a secret is not written into this file; say where it comes from"
            notes.refuse(path, fault, self.wanted)
            return WRONG
        ways = [key for key in ("env", "file", "command", "env_file") if key in value]
        known = {"env", "file", "command"} if "env_file" not in value else set()
        known |= {"env_file", "key", "host"}
        before = len(notes.problems)
        for key in value:
            if key not in known:
                notes.unknown((*path, key), known)
        if len(ways) != 1:
            notes.refuse(path, "a secret comes from exactly one place", self.wanted)
        if len(notes.problems) > before:
            return WRONG
        return _secret(ways[0], value, path, notes)


@dataclass(frozen=True, slots=True)
class Items:
    """An array of one kind."""

    of: Kind

    @property
    def wanted(self) -> str:
        return f"an array, each {self.of.wanted}"

    def decode(self, value: object, path: KeyPath, notes: Notes) -> Any:
        if not isinstance(value, list):
            notes.refuse(path, f"{given(value)} is no array", self.wanted)
            return WRONG
        items = [self.of.decode(item, (*path, i), notes) for i, item in enumerate(value)]
        return WRONG if any(item is WRONG for item in items) else tuple(items)


@dataclass(frozen=True, slots=True)
class Named:
    """A table whose keys are names: the user's own, or some of those that are `known`."""

    of: Kind
    name: Leaf
    known: Collection[str] = ()

    @property
    def wanted(self) -> str:
        return f"a table of names, each {self.of.wanted}"

    def decode(self, value: object, path: KeyPath, notes: Notes) -> Any:
        if not isinstance(value, dict):
            notes.refuse(path, f"{given(value)} is no table", self.wanted)
            return WRONG
        result: dict[str, object] = {}
        wrong = False
        for key, item in value.items():
            name = self.name.decode(key, (*path, key), notes)
            result[key] = self.of.decode(item, (*path, key), notes)
            if self.known and key not in self.known:
                notes.unknown((*path, key), self.known)
                wrong = True
            wrong = wrong or name is WRONG or result[key] is WRONG
        return WRONG if wrong else result


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a table."""

    key: str
    kind: Kind
    required: bool = False


Check = Callable[[dict[str, Any], KeyPath, Notes], None]
"""Looks at a table's decoded keys together (WRONG among them) and notes problems."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A table with known keys."""

    make: Callable[..., object]
    fields: Sequence[Field]
    checks: Sequence[Check] = ()
    short: Field | None = None
    """Where a single value may stand for the whole table: the key that it means."""
    wanted: str = "a table"

    def decode(self, value: object, path: KeyPath, notes: Notes) -> Any:
        if self.short is not None and not isinstance(value, dict):
            only = self.short.kind.decode(value, path, notes)
            for check in self.checks:
                check({self.short.key: only}, path, notes)
            return WRONG if only is WRONG else self.make(**{self.short.key: only})
        if not isinstance(value, dict):
            notes.refuse(path, f"{given(value)} is no table", self.wanted)
            return WRONG
        before = len(notes.problems)
        table = notes.renamed(value, path)
        fields = {field.key: field for field in self.fields}
        found: dict[str, Any] = {}
        for key, item in table.items():
            if key in fields:
                found[key] = fields[key].kind.decode(item, (*path, key), notes)
            else:
                notes.unknown((*path, key), fields)
        for field in self.fields:
            if field.required and field.key not in table:
                notes.refuse(path, f'"{field.key}" is missing', field.kind.wanted)
        for check in self.checks:
            check(found, path, notes)
        return self.make(**found) if len(notes.problems) == before else WRONG


def _local_path(value: str, notes: Notes) -> Path:
    if value == "~" or value.startswith("~/"):
        return notes.home / value[2:]
    return notes.file.parent / value


def _secret(way: str, value: dict[str, Any], path: KeyPath, notes: Notes) -> Any:
    item = value[way]
    if way == "command":
        if isinstance(item, list) and item and all(isinstance(a, str) and a for a in item):
            return SecretRef(command=tuple(item))
        notes.refuse((*path, way), f"{given(item)} is no command", "an array of texts")
        return WRONG
    if not isinstance(item, str) or not item.strip() or "\0" in item:
        notes.refuse((*path, way), f"{given(item)} names nothing", REFERENCE_FORMS)
        return WRONG
    if way == "env":
        return SecretRef(env=item)
    if way == "file":
        place = _local_path(item, notes)
        warn_if_open(place, (*path, way), notes)
        return SecretRef(file=place)
    key, host = value.get("key"), value.get("host", HERE)
    if not isinstance(key, str) or not key or not isinstance(host, str) or not host:
        notes.refuse(path, '"env_file" goes with "key", the name in that file', REFERENCE_FORMS)
        return WRONG
    place = _local_path(item, notes) if host == HERE else Path(item)
    if host == HERE:
        warn_if_open(place, (*path, way), notes)
    elif not place.is_absolute():
        notes.refuse((*path, way), f"{given(item)} is not absolute", "a path from the host's root")
        return WRONG
    return SecretRef(env_file=place, key=key, host=host)


def warn_if_open(place: Path, path: KeyPath, notes: Notes) -> None:
    """Warn of a file with secrets that everybody on this machine can read."""
    try:
        mode = place.stat().st_mode
    except OSError:
        return
    if stat.S_ISREG(mode) and mode & stat.S_IROTH:
        notes.warn(path, f"everybody on this machine can read it: chmod o-rwx {given(str(place))}")
