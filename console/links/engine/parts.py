"""The engine's JSON, read with care: what is missing or of another type becomes nothing.

Every text that leaves these functions is clean (:func:`console.text.clean`).
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from console.text import clean

TEXT_LIMIT: Final = 1_000
"""Characters kept of a name, a label's value or an error of the engine."""

_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d{1,12})?(Z|[+-]\d\d:\d\d)?")


def section(value: object, *keys: str) -> Mapping[str, Any]:
    """The object below `keys`, or an empty one."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def records(value: object, *keys: str) -> Iterator[Mapping[str, Any]]:
    """The objects of the list below `keys`."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, Mapping))


def text(value: object, limit: int = TEXT_LIMIT) -> str:
    """A text, cleaned; empty for anything else."""
    return clean(value, limit) if isinstance(value, str) else ""


def texts(value: object) -> tuple[str, ...]:
    """A list's texts, as they came."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def whole(value: object) -> int | None:
    """A whole number; numbers in texts count, as some of the engine's attributes have them."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value):
        return int(value)
    return int(value) if isinstance(value, int | float) and abs(value) < 1e19 else None


def positive(value: object) -> int | None:
    """A number above 0; the engine writes 0 for "no limit"."""
    number = whole(value)
    return number if number and number > 0 else None


def moment(value: object) -> float | None:
    """An RFC 3339 time; None for the engine's zero time (year 1), which means "never"."""
    match = _MOMENT.match(value) if isinstance(value, str) else None
    if match is None or match[1].startswith("0001-"):
        return None
    day, clock, fraction, zone = match.groups()
    try:
        whole_seconds = datetime.fromisoformat(
            f"{day}T{clock}{(zone or 'Z').replace('Z', '+00:00')}"
        )
    except ValueError:
        return None
    return whole_seconds.astimezone(UTC).timestamp() + float(fraction or 0)
