"""One connection per host: made when it is wanted, kept, and made again with backoff."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from console.clock import Clock, Deadline
from console.errors import FailureKind, LinkError
from console.links.ssh.call import Call
from console.text import clean

if TYPE_CHECKING:
    from console.links.ssh.connect import Session

CONNECT_SECONDS: Final = 20.0
"""For one attempt, jumps and login included; it may outlast the call that wanted it."""

FIRST_DELAY: Final = 1.0
LONGEST_DELAY: Final = 30.0
"""Seconds between two attempts: doubled by each failure, within these."""

LOGIN_DELAY: Final = 10.0
"""At least this after a refused login: servers ban an address that knocks too often."""

STEADY: Final = 30.0
"""Seconds after which a connection counts as good, and its loss as a new trouble."""


@dataclass(frozen=True, slots=True, eq=False)
class _Attempt:
    """One try to connect, in a thread of its own."""

    call: Call
    began: float


class Connection:
    """Hands out the session; any number of threads may ask for it.

    An attempt runs in a thread of its own, so that a link slower than one call's deadline
    is still made, and the next call finds it.
    """

    def __init__(self, subject: str, connect: Callable[[Call], "Session"], clock: Clock) -> None:
        self._subject = subject
        self._connect = connect
        self._clock = clock
        self._changed = threading.Condition()
        self._session: Session | None = None
        self._since = 0.0
        self._attempt: _Attempt | None = None
        self._failure: LinkError | None = None
        self._not_before = 0.0
        self._delay = 0.0
        self._closed = False

    def session(self, call: Call) -> "Session":
        """The session that is there, or the one that is being made.

        Raises LinkError: the last failure, until its backoff has passed; TIMEOUT.
        """
        with self._changed:
            while True:
                call.check()
                if self._closed:
                    raise LinkError(
                        FailureKind.UNREACHABLE, self._subject, "this link is closed", "reopen it"
                    )
                if self._session is not None and self._session.alive:
                    return self._session
                self._forget()
                if self._attempt is None:
                    self._try(self._clock.monotonic())
                else:
                    call.doing = self._attempt.call.doing
                self._changed.wait(call.pause())

    @property
    def current(self) -> "Session | None":
        """The session that is there, without making one."""
        with self._changed:
            return self._session

    def drop(self, session: "Session") -> None:
        """Give up a session that no longer answers."""
        session.kill()
        with self._changed:
            self._forget()

    def abort(self) -> None:
        """End an attempt under way; those who wait for it fail by their own calls."""
        with self._changed:
            attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.call.cancel()

    def close(self) -> None:
        """End everything, for good."""
        with self._changed:
            self._closed = True
            session, self._session = self._session, None
            self._changed.notify_all()
        self.abort()
        if session is not None:
            session.kill()

    def _forget(self) -> None:
        """Let go of a session that has died (under the lock)."""
        session = self._session
        if session is None or session.alive:
            return
        self._session = None
        session.kill()
        now = self._clock.monotonic()
        if now - self._since >= STEADY:
            self._delay = 0.0
        else:
            # A server that ends each connection soon is not to be knocked at all the time.
            self._delay = _longer(self._delay)
            self._not_before = self._since + self._delay

    def _try(self, now: float) -> None:
        """Begin an attempt unless it is too early (under the lock)."""
        if now < self._not_before:
            if self._failure is not None:
                raise self._failure
            return
        call = Call(self._subject, Deadline.after(self._clock, CONNECT_SECONDS))
        self._attempt = _Attempt(call, now)
        threading.Thread(
            target=self._run, args=(self._attempt,), name=f"cofa-{self._subject}", daemon=True
        ).start()

    def _run(self, attempt: _Attempt) -> None:
        session: Session | None = None
        failure: LinkError | None = None
        try:
            session = self._connect(attempt.call)
        except LinkError as error:
            failure = error
        except Exception as error:  # paramiko raises whatever a server provokes
            failure = LinkError(
                FailureKind.INVALID,
                self._subject,
                f"failed {attempt.call.doing}: {type(error).__name__} {clean(error, 200)}",
                "see whether OpenSSH can: ssh -v, with the same host",
            )
        with self._changed:
            wanted = self._attempt is attempt and not self._closed
            if wanted:
                self._attempt = None
                self._since = self._clock.monotonic()
                self._session, self._failure = session, failure
                if failure is not None:
                    self._back_off(failure)
                self._changed.notify_all()
        if session is not None and not wanted:
            session.kill()

    def _back_off(self, failure: LinkError) -> None:
        self._delay = _longer(self._delay)
        if failure.failure.kind in (FailureKind.DENIED, FailureKind.UNSUPPORTED):
            self._delay = max(self._delay, LOGIN_DELAY)
        self._not_before = self._clock.monotonic() + self._delay


def _longer(delay: float) -> float:
    return min(LONGEST_DELAY, max(FIRST_DELAY, 2 * delay))
