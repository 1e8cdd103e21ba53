"""What an earlier glance or console kept, and how far a glance can use it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from console.model.readings import Source
from console.model.snapshot import Snapshot
from console.paths import KeptPlace
from console.watch.remembered import kept_snapshot


@dataclass(frozen=True, slots=True)
class Recent:
    """What a glance can take from the one before it."""

    snapshot: Snapshot | None
    """The last Snapshot, if every Reading in it is still within its source's own pace."""
    backups_due: bool
    """Whether S3 will have to be read."""


def recent(place: KeptPlace, config: Path | None, now: float) -> Recent:
    """What is kept at `place` and still good at `now`.

    A `config` (cofa.toml) that was written after it makes it worthless.
    """
    try:
        kept_at = place.cache.stat().st_mtime
        if config is not None and config.stat().st_mtime > kept_at:
            return Recent(None, backups_due=True)
    except OSError:
        return Recent(None, backups_due=True)
    known = kept_snapshot(place)
    if known is None:
        return Recent(None, backups_due=True)
    backups = known.readings.backups
    sources = [source for source in known.readings if source is not known.readings.usage]
    fresh = bool(sources) and all(_within_pace(source, now) for source in sources)
    return Recent(
        replace(known, at=now) if fresh else None,
        backups_due=backups is not None and not _within_pace(backups, now),
    )


def _within_pace(source: Source[Any], now: float) -> bool:
    good = source.good
    return good is not None and source.newest == good and 0 <= now - good.at < source.pace
