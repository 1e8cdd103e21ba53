"""What a watch leaves for the next one: the last Snapshot (cache) and its memory (state)."""

import logging
from dataclasses import dataclass
from pathlib import Path

from console import __version__
from console.config.environment import Environment
from console.model.changes import History
from console.model.snapshot import Readings, Snapshot
from console.paths import KeptPlace, write_private
from console.rules import Memory
from console.watch.assembly import Kept
from console.watch.remembered import FORMAT, load

LOG = logging.getLogger("cofa.watch")


@dataclass(frozen=True, slots=True)
class KeptReadings:
    """The cache file. Another cofa's Readings are not used."""

    format: int
    cofa: str
    identity: str
    environment: Environment
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class KeptMemory:
    """The state file."""

    format: int
    identity: str
    memory: Memory
    history: History


class KeptFiles:
    """The two files of one environment.

    A file that is missing, damaged or of another format is as good as none: all of it can
    be read or learnt again. Failing to write is logged and harms nothing else.
    """

    def __init__(self, place: KeptPlace) -> None:
        self._place = place

    def load(self) -> tuple[Kept, Environment | None]:
        """What was kept, and the environment it was read from."""
        place = self._place
        readings = load(place.cache, KeptReadings)
        memory = load(place.state, KeptMemory)
        ours = (FORMAT, __version__, place.identity)
        if readings is not None and (readings.format, readings.cofa, readings.identity) != ours:
            readings = None
        if memory is not None and (memory.format, memory.identity) != (FORMAT, place.identity):
            memory = None
        kept = Kept(
            readings.snapshot.readings if readings else Readings(),
            memory.memory if memory else Memory(),
            memory.history if memory else History(),
        )
        return kept, readings.environment if readings else None

    def save(self, kept: Kept, snapshot: Snapshot, environment: Environment) -> None:
        """Keep these, in place of what was there."""
        place = self._place
        _save(place.cache, KeptReadings(FORMAT, __version__, place.identity, environment, snapshot))
        _save(place.state, KeptMemory(FORMAT, place.identity, kept.memory, kept.history))


def _save(path: Path, value: object) -> None:
    import msgspec

    try:
        write_private(path, msgspec.json.encode(value, enc_hook=_encode))
    except OSError as error:
        LOG.warning("kept file %s cannot be written: %s", path.name, error)


def _encode(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} is not kept")
