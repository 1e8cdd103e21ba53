"""Sparklines: a series in one row of blocks, or of ASCII where blocks cannot be shown."""

from collections.abc import Sequence
from typing import Final

from console.present.units import known

BLOCKS: Final = "▁▂▃▄▅▆▇█"
ASCII: Final = "_.-:=+*#"
GAP: Final = " "
"""Where there is no sample: nothing, never the lowest block."""


def sparkline(
    values: Sequence[float | None], columns: int, *, ascii_only: bool = False, top: float = 0.0
) -> str:
    """The newest values in at most `columns`, from 0 to the greatest of them or `top`.

    Where there are more values than columns, each column shows the greatest of its share,
    so that no peak is lost.
    """
    marks = ASCII if ascii_only else BLOCKS
    shares = _shares(values, columns)
    highest = max((v for v in shares if v is not None), default=0.0)
    highest = max(highest, top)
    return "".join(_mark(value, highest, marks) for value in shares)


def _mark(value: float | None, highest: float, marks: str) -> str:
    if value is None:
        return GAP
    if highest <= 0:
        return marks[0]
    return marks[min(len(marks) - 1, max(0, int(value / highest * len(marks))))]


def _shares(values: Sequence[float | None], columns: int) -> list[float | None]:
    count = len(values)
    wanted = min(columns, count)
    shares: list[float | None] = []
    for index in range(wanted):
        part = values[index * count // wanted : (index + 1) * count // wanted]
        shares.append(max((v for v in part if known(v)), default=None))
    return shares
