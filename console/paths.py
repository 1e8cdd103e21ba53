"""Where cofa keeps its own files, as the XDG base directory specification says."""

import os
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """cofa's directories. Each is made on first use, readable by its owner alone."""

    config: Path
    state: Path
    """What must outlive a reboot: memory of findings, the log, crash files."""
    cache: Path
    """What can be read again: kept Readings."""
    runtime: Path
    """Sockets of tunnels; gone after a reboot."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Paths":
        """The directories for this user; a relative XDG value is ignored, as specified."""
        home = home_of(environ)

        def base(name: str, default: Path) -> Path:
            value = Path(environ.get(name, ""))
            return (value if value.is_absolute() else default) / "cofa"

        runtime = Path(environ.get("XDG_RUNTIME_DIR", ""))
        return cls(
            config=base("XDG_CONFIG_HOME", home / ".config"),
            state=base("XDG_STATE_HOME", home / ".local" / "state"),
            cache=base("XDG_CACHE_HOME", home / ".cache"),
            runtime=runtime / "cofa"
            if runtime.is_absolute() and runtime.is_dir()
            else base("XDG_CACHE_HOME", home / ".cache") / "run",
        )


@dataclass(frozen=True, slots=True)
class KeptPlace:
    """Which files belong to one environment.

    `origin` tells apart environments of one name, each with files of its own: the
    configuration's path. What was kept under another `identity` is not used.
    """

    cache: Path
    state: Path
    identity: str = ""

    @classmethod
    def of(cls, paths: Paths, name: str, origin: str, identity: str = "") -> "KeptPlace":
        """The files for this environment."""
        safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in name)[:40]
        tag = f"{safe}-{zlib.crc32(os.fsencode(origin)):08x}.json"
        return cls(paths.cache / f"readings-{tag}", paths.state / f"memory-{tag}", identity)


def home_of(environ: Mapping[str, str]) -> Path:
    """The user's home; for one who has none, as in a container, a place that is never there."""
    try:
        return Path(environ.get("HOME") or Path.home())
    except RuntimeError:
        return Path("/nonexistent")


def private_directory(path: Path) -> Path:
    """Make `path` (0700, with its parents) unless it is there, and give it back.

    Raises PermissionError where it belongs to another user or is open to others: the mode
    of a directory that cofa did not make is not its to change.
    """
    make_private(path)
    info = path.stat()
    if info.st_uid != os.getuid():
        raise PermissionError(f"{path} belongs to another user (uid {info.st_uid})")
    if info.st_mode & 0o077:
        raise PermissionError(f"{path} is open to other users; chmod 700 {path}")
    return path


def make_private(path: Path) -> None:
    """Make the directory `path` and those above it that are missing, each 0700."""
    for directory in (*reversed(path.parents), path):
        if not directory.exists():
            directory.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, data: bytes) -> None:
    """Replace `path` (0600) by `data` in one step, so that no reader sees half of it."""
    make_private(path.parent)
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_native_id()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
