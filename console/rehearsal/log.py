"""The world's file: a header, then one line of JSON for each thing that was done to it.

Every line is one O_APPEND write under flock, so that two writers never mix. A line that a
killed writer left unfinished is not read, and the next writer removes it.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from console.errors import FailureKind, LinkError
from console.paths import make_private, write_private
from console.rehearsal.scenarios import SCENARIOS
from console.text import clean

VERSION: Final = 1
"""Of the file's format; another one is refused."""
ENTRIES_MOST: Final = 200
BYTES_MOST: Final = 64 << 10
SPEED_MOST: Final = 1000.0
_TRIES: Final = 20


@dataclass(frozen=True, slots=True)
class Header:
    """What a world is made from."""

    seed: int
    speed: float
    """How much faster than in life a trouble unfolds once it is there."""
    started_at: float
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Injection:
    """A scenario began."""

    at: float
    scenario: str
    head_start: float = 0.0
    """Seconds for which it had been going on already."""


@dataclass(frozen=True, slots=True)
class Log:
    """A world's file as read."""

    header: Header
    entries: tuple[Injection, ...] = ()


class WorldFile:
    """One world's file. Every method raises LinkError and nothing else."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[tuple[int, ...], Log] | None = None

    def create(self, log: Log) -> None:
        """Start this world, in the place of one that was there."""
        with _translated(self.path, "be written"):
            entries = [_line(entry) for entry in log.entries]
            write_private(self.path, b"".join((_line(log.header), *entries)))

    def read(self) -> Log:
        """The log now; costs one stat where it has not changed."""
        with _translated(self.path, "be read"):
            mark = _mark(os.stat(self.path))  # noqa: PTH116 - the cheap path, read twice a second
            if self._seen is not None and self._seen[0] == mark:
                return self._seen[1]
            with self.path.open("rb") as file:
                mark = _mark(os.fstat(file.fileno()))
                log = self._parse(file.read(BYTES_MOST + 1))
        self._seen = (mark, log)
        return log

    def append(self, decide: Callable[[Log], Injection | None]) -> Injection | None:
        """Append what `decide` makes of the log as it is, if it makes anything of it.

        No other writer comes between the reading and the writing.
        """
        with _translated(self.path, "be written"), self._locked() as descriptor:
            data = os.pread(descriptor, BYTES_MOST + 1, 0)
            log = self._parse(data)
            entry = decide(log)
            if entry is None:
                return None
            whole = data.rfind(b"\n") + 1
            line = _line(entry)
            if len(log.entries) >= ENTRIES_MOST or whole + len(line) > BYTES_MOST:
                raise self._error(
                    FailureKind.UNSUPPORTED,
                    f"holds {len(log.entries)} changes, the most there may be",
                )
            if whole < len(data):
                os.ftruncate(descriptor, whole)
            os.write(descriptor, line)
            return entry

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The file, held alone; looked up again if it was replaced while we waited."""
        for _ in range(_TRIES):
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if os.fstat(descriptor).st_ino == self.path.stat().st_ino:
                    yield descriptor
                    return
            finally:
                os.close(descriptor)
        raise self._error(FailureKind.UNREACHABLE, "is being replaced again and again")

    def _parse(self, data: bytes) -> Log:
        if len(data) > BYTES_MOST:
            raise self._error(FailureKind.INVALID, f"is longer than {BYTES_MOST >> 10} KiB")
        # What follows the last newline was never finished by its writer.
        lines = data.split(b"\n")[:-1]
        if not lines:
            raise self._error(FailureKind.INVALID, "has no header")
        header = self._header(self._object(lines[0], 1))
        entries = tuple(
            self._entry(self._object(line, number), number)
            for number, line in enumerate(lines[1:], 2)
        )
        return Log(header, entries)

    def _object(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise self._error(FailureKind.INVALID, f"line {number} is no JSON object")
        return value

    def _header(self, value: dict[str, Any]) -> Header:
        version = value.get("version")
        if version != VERSION or isinstance(version, bool):
            said = clean(version, 20) if version is not None else "unknown"
            raise self._error(
                FailureKind.INVALID, f"is of format {said}, and this cofa reads format {VERSION}"
            )
        seed, speed, started = value.get("seed"), value.get("speed"), value.get("started_at")
        if (
            not isinstance(seed, int)
            or isinstance(seed, bool)
            or not _number(speed, 1.0, SPEED_MOST)
            or not _number(started, 0.0, 1e11)
        ):
            raise self._error(FailureKind.INVALID, "line 1 names no valid seed, speed, started_at")
        return Header(seed, float(value["speed"]), float(value["started_at"]))

    def _entry(self, value: dict[str, Any], number: int) -> Injection:
        name = value.get("scenario")
        if (
            not isinstance(name, str)
            or name not in SCENARIOS
            or not _number(value.get("at"), 0.0, 1e11)
            or not _number(value.get("head_start"), 0.0, 1e9)
        ):
            raise self._error(
                FailureKind.INVALID, f"line {number} is no injection of a known scenario"
            )
        return Injection(float(value["at"]), name, float(value["head_start"]))

    def _error(self, kind: FailureKind, why: str) -> LinkError:
        return LinkError(
            kind,
            f"rehearsal world {self.path}",
            f"it {why}",
            "start a new one: `cofa demo --fresh`",
        )


def _line(part: Header | Injection) -> bytes:
    return json.dumps(asdict(part), separators=(",", ":")).encode() + b"\n"


def _mark(info: os.stat_result) -> tuple[int, ...]:
    return (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns)


def _number(value: object, least: float, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


class Pulse:
    """A lock beside the world's file, held while a console is open on that world."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @contextmanager
    def deciding(self) -> Iterator[None]:
        """Alone among those who decide whether to start a world or to join one."""
        descriptor = self._take("start", fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(descriptor)

    def hold(self) -> None:
        """Say that a console is open, until `close` or the end of this process."""
        self._descriptor = self._take("open", fcntl.LOCK_SH)

    def close(self) -> None:
        """Say so no longer."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def held(self) -> bool:
        """Whether a console is open now."""
        try:
            os.close(self._take("open", fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError:
            return True
        return False

    def _take(self, name: str, how: int) -> int:
        path = self._path.with_name(f"{self._path.name}.{name}")
        with _translated(path, "be locked"):
            make_private(path.parent)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, how)
            except BaseException:
                os.close(descriptor)
                raise
            return descriptor


@contextmanager
def _translated(path: Path, what: str) -> Iterator[None]:
    """The operating system's errors as a LinkError; that a lock is held is none."""
    try:
        yield
    except FileNotFoundError:
        raise LinkError(
            FailureKind.MISSING,
            "rehearsal",
            f"there is no world at {path}",
            "run `cofa demo` first",
        ) from None
    except BlockingIOError:
        raise
    except OSError as error:
        raise LinkError(
            FailureKind.DENIED if isinstance(error, PermissionError) else FailureKind.INVALID,
            f"rehearsal world {path}",
            f"it cannot {what}: {error.strerror or error}",
            "make it yours to read and write, or set XDG_STATE_HOME to a directory that is",
        ) from None
