"""Figures in words: ages, sizes, ratios, rates, moments. None is ``no data``, never 0."""

import math
from datetime import UTC, datetime
from typing import Final, TypeGuard

NO_DATA: Final = "no data"
MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 86400.0
_BINARY: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def known(value: float | None) -> TypeGuard[float]:
    """Whether there is a figure at all: None, NaN and infinities are none."""
    return value is not None and math.isfinite(value)


def age(seconds: float | None) -> str:
    """An age in one unit, rounded down: ``41 s``, ``11 min``, ``3 h``, ``2 d``."""
    if not known(seconds):
        return NO_DATA
    whole = max(0.0, seconds)
    if whole < MINUTE:
        return f"{int(whole)} s"
    if whole < HOUR:
        return f"{int(whole // MINUTE)} min"
    if whole < 2 * DAY:
        return f"{int(whole // HOUR)} h"
    return f"{int(whole // DAY)} d"


def span(seconds: float | None) -> str:
    """A duration in up to two units, rounded down: ``3 h 42 min``, ``6 h``, ``2 d 3 h``."""
    if not known(seconds):
        return NO_DATA
    whole = int(max(0.0, seconds))
    if whole < MINUTE:
        return f"{whole} s"
    days, rest = divmod(whole, int(DAY))
    hours, rest = divmod(rest, int(HOUR))
    minutes = rest // int(MINUTE)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    first = next(index for index, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def against(seconds: float | None, limit: float) -> str:
    """An age against its limit: ``3 h 42 min of 6 h``."""
    if not known(seconds):
        return NO_DATA
    return f"{span(seconds)} of {span(limit)}"


def duration(seconds: float | None) -> str:
    """A measured time: ``17 ms``, ``0.21 s``, ``2.31 s``, ``14.2 s``."""
    if not known(seconds):
        return NO_DATA
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    return f"{seconds:.1f} s" if seconds < 99.95 else f"{seconds:.0f} s"


def limit(seconds: float) -> str:
    """A limit as its author would write it: ``2 s``, ``0.5 s``, ``250 ms``."""
    if seconds < 0.1:
        return f"{seconds * 1000:g} ms"
    return f"{seconds:g} s"


def size(count: float | None) -> str:
    """Bytes in binary units: ``48 MiB``, ``1.9 GiB``."""
    if not known(count):
        return NO_DATA
    scaled, unit = _scaled(count)
    return _in(scaled, unit)


def sizes(used: float | None, whole: float | None) -> str:
    """A size against its limit, in the limit's unit: ``2.0 of 2.0 GiB``."""
    if not known(used) or not known(whole):
        return size(used)
    scaled, unit = _scaled(whole)
    part = used / (whole / scaled) if scaled else used
    digits = 1 if unit > 0 and scaled < 10 else 0
    return f"{part:.{digits}f} of {scaled:.{digits}f} {_BINARY[unit]}"


def percent(ratio: float | None) -> str:
    """A ratio in percent, never rounded to none or to all: ``0.02 %``, ``99.1 %``, ``59 %``."""
    if not known(ratio):
        return NO_DATA
    value = ratio * 100
    if value == 0 or value == 100:
        return f"{value:.0f} %"
    if 0 < value < 0.01:
        return "<0.01 %"
    if 99 <= value < 100:
        return f"{int(value * 10 + 1e-6) / 10:.1f} %"
    if abs(value) < 0.995:
        return f"{value:.2f} %"
    return f"{value:.1f} %" if abs(value) < 9.95 else f"{value:.0f} %"


def share(ratio: float) -> str:
    """A limit in percent as its author would write it: ``15 %``, ``0.1 %``."""
    return f"{round(ratio * 100, 6):g} %"


def rate(per_second: float | None) -> str:
    """A rate: ``212 /s``, ``0.4 /s``; what is less is told per minute or hour."""
    if not known(per_second):
        return NO_DATA
    if per_second == 0 or per_second >= 9.95:
        return f"{per_second:.0f} /s"
    if per_second >= 0.1:
        return f"{per_second:.1f} /s"
    if per_second * MINUTE >= 0.95:
        return f"{per_second * MINUTE:.0f} /min"
    return f"{per_second * HOUR:.1f} /h"


def number(value: float | None) -> str:
    """A count: ``38``, ``1.5``."""
    if not known(value):
        return NO_DATA
    return f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.1f}"


def clock(at: float) -> str:
    """The time of day in UTC: ``15:42:07Z``."""
    return f"{_utc(at):%H:%M:%S}Z"


def moment(at: float, now: float) -> str:
    """A moment of the last day as ``15:01``, an older one as ``21 Nov``, all in UTC."""
    then, today = _utc(at), _utc(now)
    if then.date() == today.date():
        return f"{then:%H:%M}"
    if then.year == today.year:
        return f"{then.day} {_MONTHS[then.month * 3 - 3 : then.month * 3]}"
    return f"{then:%Y}"


def full_moment(at: float) -> str:
    """A moment in full: ``2026-11-22 15:42:07Z``."""
    return f"{_utc(at):%Y-%m-%d %H:%M:%S}Z"


def iso(at: float) -> str:
    """A moment for machines: ``2026-11-22T15:42:07Z`` (RFC 3339)."""
    return f"{_utc(at):%Y-%m-%dT%H:%M:%S}Z"


# Not strftime's: those follow the locale.
_MONTHS: Final = "JanFebMarAprMayJunJulAugSepOctNovDec"
_EARLIEST: Final = 0.0
_LATEST: Final = 253402300799.0  # 9999-12-31T23:59:59Z


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(min(max(at, _EARLIEST), _LATEST), UTC)


def _scaled(count: float) -> tuple[float, int]:
    unit = 0
    while abs(count) >= 1023.5 and unit < len(_BINARY) - 1:
        count /= 1024
        unit += 1
    return count, unit


def _in(scaled: float, unit: int) -> str:
    digits = 1 if unit > 0 and abs(scaled) < 9.95 else 0
    return f"{scaled:.{digits}f} {_BINARY[unit]}"


def plural(count: int, one: str, many: str = "") -> str:
    """``1 replica``, ``3 replicas``."""
    return f"{count} {one if count == 1 else many or one + 's'}"
