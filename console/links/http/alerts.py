"""What Prometheus's and Alertmanager's alerts have in common: cleaned, bounded, decoded."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar

from console.links.http.answer import Answer, no_json, refuse_no_json, refuse_status
from console.model.signals import Alert, AlertState
from console.text import clean

T = TypeVar("T")

MOST_ALERTS: Final = 2000
"""Alerts kept of one Reading; firing ones come first."""
_MOST_LABELS: Final = 64
_LABEL_LIMIT: Final = 500
_ANNOTATION_LIMIT: Final = 2000


def decode(answer: Answer, shape: type[T], subject: str) -> T:
    """The answer's JSON as `shape` (a msgspec.Struct, or a list of them). Raises LinkError."""
    import msgspec

    refuse_status(answer, subject)
    refuse_no_json(answer, subject)
    try:
        return msgspec.json.decode(answer.body, type=shape)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise no_json(subject, clean(error, 200) or type(error).__name__) from None


def texts(given: Mapping[str, str], limit: int) -> dict[str, str]:
    """Labels or annotations, cleaned; names too, and no more than can be looked at."""
    items = list(given.items())[:_MOST_LABELS]
    return {clean(name, 100): clean(value, limit) for name, value in items}


def labels_of(given: Mapping[str, str]) -> dict[str, str]:
    """Labels, cleaned."""
    return texts(given, _LABEL_LIMIT)


def annotations_of(given: Mapping[str, str]) -> dict[str, str]:
    """Annotations, cleaned; what is longer than a screen is cut, and says so."""
    return texts(given, _ANNOTATION_LIMIT)


def moment(text: str, otherwise: float) -> float:
    """An RFC 3339 time; `otherwise` for none, and for Go's zero time (year 1)."""
    try:
        found = datetime.fromisoformat(text)
        return found.timestamp() if found.year > 1 and found.tzinfo else otherwise
    except (ValueError, OverflowError):
        return otherwise


def number(text: str) -> float | None:
    """A sample's value as Prometheus writes it; None for NaN and the infinities."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def bounded(alerts: Iterable[Alert]) -> tuple[tuple[Alert, ...], int]:
    """The alerts that are kept, those that fire first, and how many are not."""
    ranked: Sequence[Alert] = sorted(alerts, key=lambda alert: _RANK[alert.state])
    return tuple(ranked[:MOST_ALERTS]), max(0, len(ranked) - MOST_ALERTS)


_RANK: Final = {
    AlertState.FIRING: 0,
    AlertState.PENDING: 1,
    AlertState.SILENCED: 2,
    AlertState.INHIBITED: 3,
}
