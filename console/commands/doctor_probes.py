"""Tries every link side by side; a link that hangs is given up at its deadline."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from console.clock import Clock, Deadline
from console.errors import Failure, FailureKind, LinkError
from console.links.protocols import Link
from console.text import clean

GRACE: Final = 2.0
"""Seconds past its deadline that a link has to fail by itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a link gave."""

    value: Any
    failure: Failure | None
    took: float
    skew: float | None = None


@dataclass(slots=True)
class Probe:
    """One link being read once, in a daemon thread of its own."""

    link: Link
    read: Callable[[Deadline], Any]
    seconds: float
    clock: Clock
    _answer: Answer | None = field(default=None, init=False)
    _done: threading.Event = field(default_factory=threading.Event, init=False)
    _started: float = field(default=0.0, init=False)

    def start(self) -> "Probe":
        """Begin to read."""
        self._started = self.clock.monotonic()
        threading.Thread(target=self._run, name=f"doctor {self.link.name}", daemon=True).start()
        return self

    def answer(self) -> Answer:
        """The answer, once it is there; a failure where it does not come in time."""
        end = self._started + self.seconds + GRACE
        self._done.wait(max(0.0, end - self.clock.monotonic()))
        if self._answer is not None:
            return self._answer
        self.link.cancel()
        failure = Failure(
            FailureKind.TIMEOUT,
            self.link.name,
            f"no answer in {self.seconds:g} s, nor a failure",
            "it may hang on the way: try it by hand from its host",
        )
        return Answer(None, failure, self.clock.monotonic() - self._started)

    def _run(self) -> None:
        value, failure = None, None
        try:
            value = self.read(Deadline.after(self.clock, self.seconds))
        except LinkError as error:
            failure = error.failure
        except Exception as error:
            failure = Failure(
                FailureKind.INVALID,
                self.link.name,
                f"a defect of cofa ({type(error).__name__}: {clean(error, 200)})",
                "please send this line to its developers",
            )
        took = self.clock.monotonic() - self._started
        skew = getattr(self.link, "skew", lambda: None)() if failure is None else None
        self._answer = Answer(value, failure, took, skew)
        self._done.set()
