"""Writes an Environment as a cofa.toml that people can read and go on with."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Any, Final

from console.config.discovery import Discovery
from console.config.environment import Environment
from console.text import clean

WIDTH: Final = 96

_HEAD: Final = """\
# cofa.toml: what `cofa init` found. Every key is in docs/configuration.md.
# `cofa doctor` tries each link for real and says what is missing.
# Secrets do not belong here: { env = "NAME" }, { file = "PATH" }, { command = ["..."] }.
"""
_TAIL: Final = """\
# What production is held to; these are the defaults (all: docs/configuration.md).
# [{prefix}.policy]
# p95 = "2 s"
# p95_endpoints = {{ "/auth/login" = "4 s" }}
# availability = "99.9 %"
# error_ratio = "1 %"
# rpo = "6 h"
# dump_duration = "30 min"
# certificate = "21 d"
# disk_free = "15 %"

# Your own counters, as PromQL or the name of a metric:
# [{prefix}.prometheus.counters]
# registrations = "registrations_total"
"""


def render(discovery: Discovery) -> str:
    """The file's text: each value under the reason for it, then the doubts.

    Reading it gives the discovered Environment back.
    """
    environment, reasons = discovery.environment, discovery.reasons
    prefix = f"environments.{_key(environment.name)}"
    lines = [_HEAD, "version = 1", f"default = {toml(environment.name)}", "", f"[{prefix}]"]
    lines += _why(reasons.get("engine"))
    lines.append(f"engine = {_engine(environment)}")
    lines += _why(reasons.get("projects"))
    lines.append(f"projects = {toml(environment.projects)}")
    lines += _why(reasons.get("backend"))
    lines += [f"backend = {toml(environment.backend)}"] if environment.backend else []
    lines += _why('"forbidden" where cofa must never change anything')
    lines.append(f"arming = {toml(environment.arming)}")
    for key in ("hosts", "edges"):
        for index, item in enumerate(getattr(environment, key)):
            lines += ["", f"[[{prefix}.{key}]]"]
            lines += _table(item, f"{key}[{index}]", reasons)
    for key in ("prometheus", "alertmanager", "backups"):
        item = getattr(environment, key)
        if item is not None:
            lines += ["", f"[{prefix}.{key}]", *_table(item, key, reasons)]
    lines += ["", _TAIL.format(prefix=prefix)]
    if discovery.doubts:
        lines.append("# To look at:")
        for doubt in discovery.doubts:
            lines += _comment(doubt, "# - ", "#   ")
        lines.append("")
    return "\n".join(lines)


def toml(value: object) -> str:
    """`value` as TOML writes it on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return toml(value.value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(str(key))} = {toml(item)}" for key, item in value.items())
        return "{ " + inner + " }" if inner else "{}"
    if is_dataclass(value):
        return toml(dict(_set_fields(value)))
    return _string(str(value))


def _table(item: object, path: str, reasons: Mapping[str, str]) -> Iterator[str]:
    yield from _why(reasons.get(path))
    for key, value in _set_fields(item):
        yield from _why(reasons.get(f"{path}.{key}"))
        yield f"{key} = {toml(value)}"


def _set_fields(item: Any) -> Iterator[tuple[str, object]]:
    """The fields of a dataclass that differ from their defaults; what a file says is no guess."""
    for field in fields(item):
        if field.name == "assumed":
            continue
        value = getattr(item, field.name)
        default = field.default
        if default is MISSING and field.default_factory is not MISSING:
            default = field.default_factory()
        if default is MISSING or value != default:
            yield field.name, value


def _engine(environment: Environment) -> str:
    engine = environment.engine
    given = dict(_set_fields(engine))
    return toml(engine.address) if set(given) <= {"address"} and engine.address else toml(engine)


def _why(reason: str | None) -> list[str]:
    return _comment(reason, "# ", "# ") if reason else []


def _comment(text: str, first: str, later: str) -> list[str]:
    return textwrap.wrap(
        clean(text), WIDTH, initial_indent=first, subsequent_indent=later, break_on_hyphens=False
    )


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else _string(name)


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.translate({code: f"\\u{code:04x}" for code in (*range(0x20), 0x7F)}) + '"'
