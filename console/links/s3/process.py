"""A child process that answers one request and never outlives its deadline."""

import os
import selectors
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Final

from console.clock import Deadline
from console.links.s3.starting import kill

_LIMIT: Final = 16 << 20
"""Bytes read from a child; one that says more is killed."""
_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Ended:
    """What a child said, and how it ended."""

    output: bytes
    complaints: bytes
    code: int
    """Exit code, or minus the signal that ended it."""
    overdue: bool
    """It was killed because the deadline passed."""


class Children:
    """The children of one link; all can be killed at once, from any thread."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._closed = False

    def ask(
        self, start: Callable[[], subprocess.Popen[bytes]], request: bytes, deadline: Deadline
    ) -> Ended:
        """Start a child, hand it `request` on standard input, and take what it says.

        A request must fit into a pipe (64 KiB). Raises OSError where it cannot be started.
        """
        with start() as child:
            with self._lock:
                self._running.add(child)
                if self._closed:
                    kill(child)
            try:
                output, complaints, overdue = _talk(child, request, deadline)
            finally:
                # Its whole group, before its id can be given to another.
                kill(child)
                with self._lock:
                    self._running.discard(child)
                    code = child.wait()
        return Ended(output, complaints, code, overdue)

    def cancel(self) -> None:
        """Kill those that run."""
        with self._lock:
            for child in self._running:
                kill(child)

    def close(self) -> None:
        """Kill those that run, and every later one."""
        with self._lock:
            self._closed = True
        self.cancel()


def _talk(
    child: subprocess.Popen[bytes], request: bytes, deadline: Deadline
) -> tuple[bytes, bytes, bool]:
    output, complaints = bytearray(), bytearray()
    pipes: list[tuple[IO[bytes] | None, bytearray]] = [
        (child.stdout, output),
        (child.stderr, complaints),
    ]
    with suppress(BrokenPipeError):
        if child.stdin is not None:
            child.stdin.write(request)
            child.stdin.close()
    with selectors.DefaultSelector() as selector:
        for pipe, kept in pipes:
            if pipe is not None:
                selector.register(pipe, selectors.EVENT_READ, kept)
        while selector.get_map() and len(output) < _LIMIT:
            if deadline.passed:
                return bytes(output), bytes(complaints), True
            for key, _ in selector.select(deadline.timeout(1.0)):
                chunk = os.read(key.fd, _CHUNK)
                if chunk:
                    key.data.extend(chunk)
                    del key.data[_LIMIT:]
                else:
                    selector.unregister(key.fileobj)
    return bytes(output), bytes(complaints), False
