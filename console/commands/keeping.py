"""What earlier commands kept, told from the command line alone: before anything is loaded."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from console.config.where import find_config
from console.links.engine.contexts import engine_origin
from console.model.readings import Source
from console.model.snapshot import Snapshot
from console.paths import Paths
from console.watch.remembered import KeptPlace, kept_snapshot


def place_of(args: argparse.Namespace, environ: Mapping[str, str]) -> tuple[KeptPlace, Path | None]:
    """Where the Readings of the environment that `args` name are kept; and its cofa.toml.

    The docker command's engine tells them apart as well, as a cofa.toml need not name one.
    """
    path = find_config(args.config, environ, Path.cwd())
    origin = f"{path.resolve() if path is not None else ''}|{engine_origin(environ)}"
    name = args.env or ("default" if path is not None else "found")
    return KeptPlace.of(Paths.of(environ), name, origin), path


@dataclass(frozen=True, slots=True)
class Recent:
    """What a glance can take from the one before it."""

    snapshot: Snapshot | None
    """The last Snapshot, if every Reading in it is still within its source's own pace."""
    backups_due: bool
    """Whether S3 will have to be read."""


def recent(args: argparse.Namespace, environ: Mapping[str, str], now: float) -> Recent:
    """What is kept and still good at `now`.

    A configuration that was written after it makes it worthless.
    """
    place, path = place_of(args, environ)
    try:
        kept_at = place.cache.stat().st_mtime
        if path is not None and path.stat().st_mtime > kept_at:
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
