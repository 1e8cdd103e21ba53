"""What a watch leaves for the next one, in two files: Readings (cache) and memory (state)."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from console import __version__
from console.config.environment import Environment
from console.model.changes import History
from console.model.snapshot import Readings
from console.paths import Paths, write_private
from console.rules import Memory
from console.watch.assembly import Kept

LOG = logging.getLogger("cofa.watch")
FORMAT: Final = 1
"""Raised when a kept file of an older cofa can no longer be understood."""
SIZE_MOST: Final = 32 << 20
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeptReadings:
    """The cache file. Another cofa or another environment's Readings are not used."""

    format: int
    cofa: str
    identity: str
    environment: Environment
    readings: Readings


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

    def __init__(self, paths: Paths, name: str, origin: str, identity: str = "") -> None:
        """`origin` tells apart environments of one name, each with files of its own: the
        configuration's path. What was kept under another `identity` is not used."""
        self._identity = identity
        tag = f"{_safe(name)}-{hashlib.sha256(origin.encode()).hexdigest()[:8]}"
        self._readings = paths.cache / f"readings-{tag}.json"
        self._memory = paths.state / f"memory-{tag}.json"

    def load(self) -> tuple[Kept, Environment | None]:
        """What was kept, and the environment it was read from."""
        readings = _load(self._readings, KeptReadings)
        memory = _load(self._memory, KeptMemory)
        ours = (FORMAT, __version__, self._identity)
        if readings is not None and (readings.format, readings.cofa, readings.identity) != ours:
            readings = None
        if memory is not None and (memory.format, memory.identity) != (FORMAT, self._identity):
            memory = None
        kept = Kept(
            readings.readings if readings else Readings(),
            memory.memory if memory else Memory(),
            memory.history if memory else History(),
        )
        return kept, readings.environment if readings else None

    def save(self, kept: Kept, environment: Environment) -> None:
        """Keep `kept`, in place of what was there."""
        one = KeptReadings(FORMAT, __version__, self._identity, environment, kept.readings)
        _save(self._readings, one)
        _save(self._memory, KeptMemory(FORMAT, self._identity, kept.memory, kept.history))


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name)[:40]


def _load(path: Path, kind: type[T]) -> T | None:
    import msgspec

    try:
        if path.stat().st_size > SIZE_MOST:
            return None
        return msgspec.json.decode(path.read_bytes(), type=kind, dec_hook=_decode)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, ValueError, TypeError) as error:
        LOG.warning("kept file %s is not used: %s", path.name, type(error).__name__)
        return None


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


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(f"{kind.__name__} is not kept")
