"""Reads cofa.toml, strictly: every error at once, each with its line and what is allowed."""

import os
import re
import stat
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from console.config.environment import HERE, Config, Environment
from console.config.files import read_regular
from console.config.locator import KeyPath, locate
from console.config.problems import ConfigErrors, Notes, Problem, given, nearest
from console.config.schema import FILE
from console.errors import UsageError
from console.paths import home_of

SIZE_LIMIT: Final = 1 << 20
"""Bytes of the largest cofa.toml that is read."""


DEPRECATED: Final[Mapping[str, str]] = {}
"""Old key -> new key of the same table, each kept for one minor release."""

_AT_LINE: Final = re.compile(r"\s*\(at line (\d+), column (\d+)\)$")


def load_config(
    path: Path,
    *,
    deprecated: Mapping[str, str] = DEPRECATED,
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """The Config that the file holds.

    Raises ConfigErrors with everything that is wrong with it.
    """
    text, owner = _read(path)
    raw = _parse(path, text)
    home = home_of(environ)
    notes = Notes(path, locate(text), home, deprecated)
    file = FILE.decode(raw, (), notes)
    _check_references(raw, notes)
    _check_commands(raw, owner, notes)
    if notes.problems:
        raise ConfigErrors(path, sorted(notes.problems, key=lambda p: p.line or 0))
    environments = {
        name: replace(environment, name=name) for name, environment in file.environments.items()
    }
    default = file.default or next(iter(environments))
    return Config(environments, default, path, tuple(notes.warnings))


def choose(config: Config, name: str | None) -> Environment:
    """The environment of this name, or the default one. Raises UsageError."""
    chosen = config.environments.get(name or config.default)
    if chosen is None:
        known = ", ".join(sorted(config.environments))
        guess = nearest(name or "", config.environments)
        hint = f"did you mean {guess}? " if guess else ""
        raise UsageError(f"no environment is called {given(name)}; {hint}there are: {known}")
    return chosen


def _read(path: Path) -> tuple[str, int]:
    """The file's text, and the user whom it belongs to."""
    try:
        data, info = read_regular(path, SIZE_LIMIT)
    except FileNotFoundError:
        raise _error(path, "there is no such file", "`cofa init` writes one") from None
    except ValueError as error:
        raise _error(path, str(error), "name a cofa.toml") from None
    except OSError as error:
        why = (error.strerror or "unreadable").lower()
        raise _error(path, f"cannot be read ({why})", "a file that you may read") from None
    if info.st_mode & stat.S_IWOTH:
        fault = "everybody on this machine can change it, and it names what cofa runs"
        raise _error(path, fault, "chmod o-w, after a look at what it says")
    if len(data) > SIZE_LIMIT:
        raise _error(path, f"is larger than {SIZE_LIMIT >> 20} MiB", "a smaller file")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n"), info.st_uid
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = Problem("", line, "is no UTF-8 text", "a file saved as UTF-8")
        raise ConfigErrors(path, [problem]) from None


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        match = _AT_LINE.search(message)
        line = int(match[1]) if match else text.rstrip().count("\n") + 1
        column = f", column {match[2]}" if match else ""
        fault = _AT_LINE.sub("", message).removesuffix(" (at end of document)")
        # `from None`: the original holds the whole text.
        raise ConfigErrors(path, [Problem("", line, f"is no TOML{column}: {fault}")]) from None
    except RecursionError:
        raise _error(path, "is nested too deeply", "the tables of docs/configuration.md") from None


def _error(path: Path, fault: str, allowed: str) -> ConfigErrors:
    return ConfigErrors(path, [Problem("", None, fault, allowed)])


def _check_references(raw: dict[str, Any], notes: Notes) -> None:
    """Names that must exist elsewhere in the file, and names that must be unique."""
    environments = raw.get("environments")
    if not isinstance(environments, dict):
        return
    if not environments:
        notes.refuse(("environments",), "holds no environment", "[environments.production]")
    default = raw.get("default")
    if isinstance(default, str) and default not in environments:
        known = sorted(environments)
        fault = f"no environment is called {given(default)}"
        notes.refuse(("default",), fault, ", ".join(known), nearest(default, known))
    if default is None and len(environments) > 1:
        notes.refuse((), '"default" is missing', ", ".join(sorted(environments)))
    for name, table in environments.items():
        if isinstance(table, dict):
            _check_hosts(table, ("environments", name), notes)


def _check_hosts(table: dict[str, Any], path: KeyPath, notes: Notes) -> None:
    hosts = _tables(table.get("hosts"))
    names = {str(host["name"]) for _, host in hosts if "name" in host} | {HERE}
    for key in ("hosts", "edges"):
        counted = Counter(str(item.get("name")) for _, item in _tables(table.get(key)))
        seen: set[str] = set()
        for index, item in _tables(table.get(key)):
            name = str(item.get("name"))
            if "name" in item and counted[name] > 1 and name in seen:
                place = (*path, key, index, "name")
                notes.refuse(place, f"{given(name)} is there twice", "a name of its own")
            seen.add(name)
    users: list[tuple[KeyPath, dict[str, Any]]] = [
        ((*path, "edges", index), edge) for index, edge in _tables(table.get("edges"))
    ]
    for key in ("prometheus", "alertmanager"):
        if isinstance(table.get(key), dict):
            users.append(((*path, key), table[key]))
    if isinstance(table.get("backups"), dict):
        keys = ("access_key", "secret_key")
        users += [
            ((*path, "backups", k), table["backups"][k]) for k in keys if k in table["backups"]
        ]
    for place, user in users:
        for key in ("through", "host"):
            if isinstance(user, dict) and isinstance(user.get(key), str) and user[key] not in names:
                what = f"no host of this environment is called {given(user[key])}"
                allowed = ", ".join(sorted(names))
                notes.refuse((*place, key), what, allowed, nearest(user[key], names))


def _check_commands(raw: object, owner: int, notes: Notes, path: KeyPath = ()) -> None:
    """Refuse the commands of a file that belongs to another user: they would run as us."""
    if owner in (0, os.getuid()):
        return
    if isinstance(raw, dict):
        if isinstance(raw.get("command"), list):
            fault = "this file belongs to another user, so its commands are not run"
            notes.refuse((*path, "command"), fault, "a file of your own, or of root")
        for key, item in raw.items():
            _check_commands(item, owner, notes, (*path, key))
    elif isinstance(raw, list):
        for index, item in enumerate(raw):
            _check_commands(item, owner, notes, (*path, index))


def _tables(value: object) -> Iterable[tuple[int, dict[str, Any]]]:
    items = value if isinstance(value, list) else []
    return [(index, item) for index, item in enumerate(items) if isinstance(item, dict)]
