"""The last Snapshot of an earlier watch: what a screen shows before anything is read.

Loaded before the first paint, so that it imports the model and little else.
"""

import logging
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from console import __version__
from console.model.findings import Word
from console.model.readings import Source
from console.model.snapshot import Readings, Snapshot
from console.paths import KeptPlace

LOG = logging.getLogger("cofa.watch")
FORMAT: Final = 1
"""Raised when a kept file of an older cofa can no longer be understood."""
SIZE_MOST: Final = 32 << 20
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeptSnapshot:
    """The part of the cache file that a screen needs."""

    format: int
    cofa: str
    identity: str
    snapshot: Snapshot


def last_snapshot(place: KeptPlace) -> Snapshot | None:
    """What was last seen there, each source as not read yet; None if nothing was kept."""
    known = kept_snapshot(place)
    return unread(known) if known is not None else None


def kept_snapshot(place: KeptPlace) -> Snapshot | None:
    """What was last seen there, as it was then; None if nothing was kept."""
    kept = load(place.cache, KeptSnapshot)
    if kept is None or (kept.format, kept.cofa, kept.identity) != (
        FORMAT,
        __version__,
        place.identity,
    ):
        return None
    return kept.snapshot


def unread(snapshot: Snapshot) -> Snapshot:
    """`snapshot` as something remembered: its values stay, with their age; nothing is seen."""

    def before(value: Any) -> Any:
        if isinstance(value, Source):
            return replace(value, newest=None, failing_since=None)
        return tuple(map(before, value)) if isinstance(value, tuple) else value

    readings = snapshot.readings
    known = {one.name: before(getattr(readings, one.name)) for one in fields(Readings)}
    verdict = replace(snapshot.verdict, word=Word.UNKNOWN, reading=True, answered=0, blind=())
    findings = tuple(finding for finding in snapshot.findings if not finding.blind)
    return replace(snapshot, readings=Readings(**known), verdict=verdict, findings=findings)


def load(path: Path, kind: type[T]) -> T | None:
    """A kept file; one that is missing, damaged or of another shape is as good as none."""
    try:
        if path.stat().st_size > SIZE_MOST:
            return None
        data = path.read_bytes()
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            LOG.warning("kept file %s is not used: %s", path.name, type(error).__name__)
        return None
    import msgspec

    try:
        return msgspec.json.decode(data, type=kind, dec_hook=_decode)
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        LOG.warning("kept file %s is not used: %s", path.name, type(error).__name__)
        return None


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(f"{kind.__name__} is not kept")
