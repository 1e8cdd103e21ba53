"""Which part of a bucket holds the newest backups, and how little of it to read.

S3 lists keys in ascending order only. Where a key's time sorts as its text does, the
listing starts a few days ago and steps further back while nothing is found; elsewhere the
whole prefix is read, page by page, keeping only the newest.
"""

import heapq
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from console.model.backups import CLOCK_TOLERANCE, Backup, StoredObject, backup_of, key_pattern

Pages = Callable[[str], Iterable[list[StoredObject]]]
"""The pages of keys after a given one (from the first for ``""``)."""

MOST_KEPT: Final = 3000
"""Backups handed on of one Reading, the newest."""
MOST_PAGES: Final = 300
"""Pages (of 1,000 keys) read of one bucket."""
_DAYS_BACK: Final = (15, 60, 240, 960)
_DAY: Final = 86400.0


class TooManyKeysError(Exception):
    """The listing was given up after MOST_PAGES pages."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What was found."""

    objects: tuple[StoredObject, ...]
    others: int
    complete: bool


def literal_prefix(template: str) -> str:
    """What every key of `template` begins with."""
    return re.split(r"[%*]", template, maxsplit=1)[0]


def sorts_by_time(template: str) -> bool:
    """Whether keys of `template` sort by their day: %Y, %m, %d in this order, no ``*`` before."""
    until_day = template.partition("%d")[0]
    return re.findall(r"%.|\*", until_day) == ["%Y", "%m"]


def key_before(template: str, moment: float) -> str:
    """A key that sorts before all backups of `moment`'s day (UTC) and later."""
    day = datetime.fromtimestamp(max(0.0, moment), UTC)
    head, _, _ = template.partition("%d")
    return (
        f"{head}%d".replace("%Y", f"{day:%Y}").replace("%m", f"{day:%m}").replace("%d", f"{day:%d}")
    )


def list_newest(pages: Pages, template: str, now: float) -> Listing:
    """The newest backups. Raises TooManyKeysError, and what `pages` raises."""
    if sorts_by_time(template):
        for days in _DAYS_BACK:
            found = _read(pages, template, now, key_before(template, now - days * _DAY))
            if any(backup.started_at <= now + CLOCK_TOLERANCE for backup, _ in found.kept):
                return found.listing(complete=False)
    found = _read(pages, template, now, "")
    return found.listing(complete=not found.cut)


@dataclass(slots=True)
class _Found:
    kept: list[tuple[Backup, StoredObject]]
    others: int = 0
    cut: bool = False

    def listing(self, *, complete: bool) -> Listing:
        return Listing(tuple(item for _, item in self.kept), self.others, complete)


def _read(pages: Pages, template: str, now: float, after: str) -> _Found:
    pattern, prefix = key_pattern(template), literal_prefix(template)
    ordered = sorts_by_time(template)
    heap: list[tuple[float, str, Backup, StoredObject]] = []
    found = _Found([])
    for count, page in enumerate(pages(after), 1):
        for item in page:
            backup = backup_of(item, pattern)
            if backup is None:
                found.others += 1
                continue
            entry = (backup.started_at, backup.key, backup, item)
            if len(heap) < MOST_KEPT:
                heapq.heappush(heap, entry)
            else:
                heapq.heappushpop(heap, entry)
                found.cut = True
        # Past the years: what follows in the bucket can be no backup of an ordered template.
        if ordered and page and page[-1].key[len(prefix) : len(prefix) + 1] > "9":
            break
        if count >= MOST_PAGES:
            raise TooManyKeysError
    found.kept = [(backup, item) for _, _, backup, item in sorted(heap, reverse=True)]
    return found
