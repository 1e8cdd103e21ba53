"""One operation under way on an SSH host: its deadline, and the way to cut it short.

Knows nothing of paramiko, so that it costs nothing to import.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from console.clock import Deadline
from console.errors import FailureKind, LinkError

_SLICE: Final = 0.05
"""Seconds between two looks whether a waiting call was cancelled."""


PROHIBITED: Final = 1
"""SSH_OPEN_ADMINISTRATIVELY_PROHIBITED (RFC 4254, 5.1)."""


class ConnectionLostError(Exception):
    """The connection went down while something was asked of it."""


class ChannelRefusedError(Exception):
    """The server refused a channel: code as RFC 4254 has it, and the server's words."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


class Call:
    """Waits on paramiko's events for no longer than its deadline.

    paramiko waits without a limit in several places (exec, exit status), so that every
    wait of a link goes through here.
    """

    def __init__(self, subject: str, deadline: Deadline) -> None:
        self.subject = subject
        self.deadline = deadline
        self.doing = "connecting"
        """What it does now, for the message when it is cut short."""
        self.cancelled = False
        self.asked_at: float | None = None
        """Since when (monotonic) the server owes an answer that takes it no time."""
        self._lock = threading.Lock()
        self._closers: list[Callable[[], None]] = []

    def check(self) -> None:
        """Raise LinkError (TIMEOUT) if it is too late, or cancelled."""
        if self.cancelled or self.deadline.passed:
            raise self.too_late()

    def too_late(self) -> LinkError:
        """The error of a call that was cut short."""
        why = f"cancelled while {self.doing}" if self.cancelled else f"timed out {self.doing}"
        remedy = "check the network and the load of the host"
        if self.doing.startswith("running "):
            remedy += ", and that the account's login shell starts quickly (its ~/.bashrc)"
        return LinkError(FailureKind.TIMEOUT, self.subject, why, remedy)

    def wait(self, event: threading.Event, alive: Callable[[], bool]) -> None:
        """Until `event` is set or nothing is `alive` to set it. Raises LinkError (TIMEOUT)."""
        while not event.wait(self.pause()) and alive():
            pass

    def pause(self) -> float:
        """Seconds for one slice of a wait of another kind; raises as `check` does."""
        self.check()
        return min(_SLICE, self.deadline.timeout())

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Around what a server that is alive answers at once."""
        self.asked_at = self.deadline.clock.monotonic()
        yield
        self.asked_at = None

    def on_cancel(self, closer: Callable[[], None]) -> None:
        """Run `closer` when the call is cancelled, or now if it was."""
        with self._lock:
            if not self.cancelled:
                self._closers.append(closer)
                return
        with suppress(OSError):
            closer()

    def cancel(self) -> None:
        """Cut it short; from any thread."""
        with self._lock:
            self.cancelled = True
            closers = self._closers[:]
            self._closers.clear()
        for closer in reversed(closers):
            with suppress(OSError):
                closer()


class Turns:
    """Lets only so many calls have a session channel at once; sshd refuses the 11th."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy = 0
        self._changed = threading.Condition()

    @contextmanager
    def take(self, call: Call) -> Iterator[None]:
        """Wait for a turn, and have it. Raises LinkError (TIMEOUT)."""
        with self._changed:
            while self._busy >= self._most:
                self._changed.wait(call.pause())
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def fewer(self) -> bool:
        """The server refused one: allow as many as it lets us have besides.

        False where there were no others, so that waiting for one to end is in vain.
        """
        with self._changed:
            self._most = max(1, self._busy - 1)
            return self._busy > 1
