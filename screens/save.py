"""Writing what is on the screen into a file of the user's own."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path


def save(name: str, lines: Sequence[str], at: float, directory: Path) -> Path:
    """Write `lines` into a new file (0600) of `directory` and give its path.

    The name holds the moment; where a file of that name is there, a number follows.
    Raises OSError.
    """
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
    stem = f"cofa-{safe(name)}-{stamp}"
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
    for number in range(1, 1000):
        path = directory / (f"{stem}.txt" if number == 1 else f"{stem}-{number}.txt")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        return path
    raise FileExistsError(f"{directory}: {stem}.txt and 998 more are there already")


def safe(name: str) -> str:
    """`name` as a part of a file's name: letters, digits, dash and dot only."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-.") else "-" for c in name)
    return kept.strip("-.")[:60] or "screen"
