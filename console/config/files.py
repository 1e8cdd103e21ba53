"""Reads a file of this machine, bounded, and nothing that only looks like one."""

import os
import stat
from pathlib import Path


def read_regular(path: Path, limit: int) -> tuple[bytes, os.stat_result]:
    """At most `limit` + 1 bytes of a regular file, and its status.

    Raises OSError, and ValueError for a pipe, a device or a directory.
    """
    # A pipe would block without O_NONBLOCK.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            raise ValueError("is no regular file")
        pieces: list[bytes] = []
        left = limit + 1
        while left > 0 and (piece := os.read(descriptor, left)):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces), info
    finally:
        os.close(descriptor)
