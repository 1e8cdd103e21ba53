"""Backups, as their catalogue (an S3 bucket) holds them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of the bucket, cleaned."""

    key: str
    size: int
    modified_at: float
    storage_class: str = "STANDARD"


@dataclass(frozen=True, slots=True)
class Backup:
    """One dump."""

    key: str
    started_at: float
    """When the dump began, by its key: its age counts from here."""
    size: int
    stored_at: float
    """When S3 had it whole; started_at .. stored_at is the dump's duration, at most."""
    storage_class: str = "STANDARD"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One Reading of the bucket: the newest backups, newest first."""

    bucket: str
    prefix: str
    backups: tuple[Backup, ...] = ()
    others: int = 0
    """Keys under the prefix that are no backups."""
    future: tuple[Backup, ...] = ()
    """Backups dated after the Reading: never the newest."""
    complete: bool = True
    """False where only the newest were read."""

    @property
    def newest(self) -> Backup | None:
        """The newest backup that is not dated in the future."""
        return self.backups[0] if self.backups else None


_FIELDS = {
    "Y": r"(?P<Y>\d{4})",
    "m": r"(?P<m>\d{2})",
    "d": r"(?P<d>\d{2})",
    "H": r"(?P<H>\d{2})",
    "M": r"(?P<M>\d{2})",
    "S": r"(?P<S>\d{2})",
}


def key_pattern(template: str) -> re.Pattern[str]:
    """A pattern for keys like ``database/shop_%Y%m%d_%H%M%S.backup`` (times in UTC).

    ``*`` stands for anything but a slash. Raises ValueError for a template without
    ``%Y``, ``%m`` and ``%d``, or with an unknown or repeated field.
    """
    parts: list[str] = []
    seen: set[str] = set()
    for piece in re.findall(r"%.|\*|[^%*]+|%$", template):
        if piece == "*":
            parts.append("[^/]*")
        elif piece.startswith("%"):
            name = piece[1:]
            if name not in _FIELDS or name in seen:
                raise ValueError(f"{piece} is not one of %Y %m %d %H %M %S, each once")
            seen.add(name)
            parts.append(_FIELDS[name])
        else:
            parts.append(re.escape(piece))
    if not {"Y", "m", "d"} <= seen:
        raise ValueError("the pattern needs %Y, %m and %d")
    return re.compile("".join(parts))


def backup_of(item: StoredObject, pattern: re.Pattern[str]) -> Backup | None:
    """The backup that `item` is, or None if its key is no backup's."""
    match = pattern.fullmatch(item.key)
    if match is None:
        return None
    found = match.groupdict()
    try:
        moment = datetime(
            int(found["Y"]),
            int(found["m"]),
            int(found["d"]),
            int(found.get("H") or 0),
            int(found.get("M") or 0),
            int(found.get("S") or 0),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return Backup(item.key, moment.timestamp(), item.size, item.modified_at, item.storage_class)


CLOCK_TOLERANCE = 300.0
"""A backup dated less than this many seconds ahead is a clock's fault, not a lie."""


def catalogue(
    bucket: str,
    prefix: str,
    items: Iterable[StoredObject],
    pattern: re.Pattern[str],
    now: float,
    *,
    complete: bool,
) -> Catalogue:
    """The catalogue that these objects make at `now`."""
    backups: list[Backup] = []
    others = 0
    for item in items:
        backup = backup_of(item, pattern)
        if backup is None:
            others += 1
        else:
            backups.append(backup)
    backups.sort(key=lambda backup: (backup.started_at, backup.key), reverse=True)
    limit = now + CLOCK_TOLERANCE
    return Catalogue(
        bucket,
        prefix,
        tuple(backup for backup in backups if backup.started_at <= limit),
        others,
        tuple(backup for backup in backups if backup.started_at > limit),
        complete,
    )
