"""The bucket: a year of dumps by the retention rule. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime
from math import ceil, floor
from typing import Final

from console.model.backups import Backup, Catalogue
from console.rehearsal.effects import DumpsFail
from console.rehearsal.stack import BACKUP_PATTERN, BUCKET, DAY, MIB
from console.rehearsal.world import World

EVERY: Final = 6 * 3600.0
KEEP_ALL: Final = 48 * 3600.0
DAILY, WEEKLY, MONTHLY = 7, 4, 12
_LONGEST: Final = 540.0
"""Seconds that a dump takes at most."""
_YEAR: Final = 366 * DAY
_FIRST_AGE: Final = 3 * 3600.0
"""How old, to the hour, the newest dump is when a world starts."""


def catalogue(world: World) -> Catalogue:
    """What the bucket holds, newest first."""
    sure = world.at - _LONGEST
    whole = tuple(
        at
        for at, sound in attempts(world, world.at - _YEAR)
        if sound and (at <= sure or at + duration(world, at) <= world.at)
    )
    return Catalogue(
        BUCKET,
        BACKUP_PATTERN.partition("%")[0],
        tuple(_backup(world, at) for at in _kept(whole)),
    )


def attempts(world: World, since: float) -> Iterator[tuple[float, bool]]:
    """When dumps were begun from `since` up to now, newest first, and whether they held."""
    broken = [
        (trouble.began - effect.lookback, trouble.healed_at)
        for trouble, effect in world.known(DumpsFail)
    ]
    # Who mends the dumps makes one by hand at once.
    by_hand = [(end, True) for _, end in broken if end is not None and since <= end <= world.at]
    phase = floor((world.header.started_at - _FIRST_AGE) / 3600) * 3600 % EVERY
    first, last = ceil((since - phase) / EVERY), floor((world.at - phase) / EVERY)
    on_time = (phase + index * EVERY for index in range(first, last + 1))
    scheduled = (
        (at, not any(start <= at and (end is None or at < end) for start, end in broken))
        for at in on_time
    )
    yield from sorted((*scheduled, *by_hand), reverse=True)


def duration(world: World, at: float) -> float:
    """Seconds that the dump of that moment takes: 6 to 9 minutes by the clock, 20 s by hand."""
    if at % 3600:
        return 20.0
    return 360.0 + (_LONGEST - 360.0) * world.unit("dump duration", int(at))


def size(world: World, at: float) -> int:
    """Bytes of the dump of that moment."""
    weeks = (at - world.header.started_at) / (7 * DAY)
    wander = 0.004 * (world.unit("dump size", int(at)) - 0.5)
    return int(38.4 * MIB * 1.012**weeks * (1 + wander))


def key(at: float) -> str:
    """Its key in the bucket."""
    return datetime.fromtimestamp(at, UTC).strftime(BACKUP_PATTERN)


def _kept(dumps: tuple[float, ...]) -> tuple[float, ...]:
    """The union of: all of 48 h, 7 daily, 4 weekly by ISO week, 12 monthly, in UTC.

    In each bucket the newest stays; `dumps` are newest first.
    """
    newest = max(dumps, default=0.0)
    kept = {at for at in dumps if at > newest - KEEP_ALL}
    days: dict[int, float] = {}
    for at in dumps:
        days.setdefault(int(at // DAY), at)
    weeks: dict[int, float] = {}
    months: dict[tuple[int, int], float] = {}
    for day, at in days.items():
        # 1970-01-01 was a Thursday: ISO weeks begin three days before it, modulo seven.
        weeks.setdefault((day + 3) // 7, at)
        moment = datetime.fromtimestamp(at, UTC)
        months.setdefault((moment.year, moment.month), at)
    for found, most in ((days, DAILY), (weeks, WEEKLY), (months, MONTHLY)):
        kept.update(list(found.values())[:most])
    return tuple(sorted(kept, reverse=True))


def _backup(world: World, at: float) -> Backup:
    stored = at + duration(world, at)
    return Backup(key(at), float(int(at)), size(world, at), stored, "STANDARD_IA")
