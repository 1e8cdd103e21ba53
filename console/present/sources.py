"""One line per source: how well it is seen, how old its data is, why not."""

from typing import Any

from console.model.readings import Sight, Source
from console.model.snapshot import Readings
from console.present import units
from console.present.columns import left, right
from console.present.lines import Line, Segment, fitted, line

_STYLES = {
    Sight.SEEN: "ok",
    Sight.READING: "dim",
    Sight.STALE: "stale",
    Sight.BLIND: "blind",
}
_NAME = 24


def source_line(source: Source[Any], columns: int, *, now: float) -> Line:
    """``prometheus   blind   3 min   answered HTML, not JSON``."""
    sight = source.sight(now)
    return fitted(
        line(
            " ",
            left(source.name, _NAME),
            " ",
            Segment(left(sight.value, 8), _STYLES[sight]),
            right(units.age(source.age(now)), 8),
            "  ",
            source_words(source, now),
        ),
        columns,
    )


def source_words(source: Source[Any], now: float) -> str:
    """What is to be said of it besides its age."""
    sight = source.sight(now)
    if sight is Sight.BLIND and source.failure is not None:
        return f"{source.failure.why}; {source.failure.remedy}"
    if sight is Sight.STALE:
        return f"no answer, is read every {units.span(source.pace)}"
    if sight is Sight.READING:
        return "being read"
    took = source.newest.took if source.newest else None
    return f"answered in {units.duration(took)}"


def source_lines(readings: Readings, columns: int, *, now: float) -> tuple[Line, ...]:
    """All sources, in the order in which they are read."""
    return tuple(source_line(source, columns, now=now) for source in readings)
