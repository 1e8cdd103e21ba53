"""One daemon thread per source: asked by the watch, it reads and posts what it heard."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final

from console.clock import Clock, Deadline
from console.errors import Failure, FailureKind, LinkError
from console.links.protocols import Link
from console.model.readings import Reading

LOG = logging.getLogger("cofa.watch")
DEADLINE: Final = 6.0
"""Seconds a source has to answer, unless it says otherwise."""


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """How one source is read."""

    name: str
    slot: str
    """The field of Readings that it fills."""
    link: Link
    read: Callable[[Deadline], Any]
    skew: Callable[[], float | None]
    pace: float
    """Seconds between two Readings."""
    deadline: float = DEADLINE


@dataclass(frozen=True, slots=True)
class Heard:
    """A Reading, and which request it answers."""

    name: str
    link: Link
    request: int
    reading: Reading[Any]


class SourceThread:
    """The thread of one source. It ends when told to, or with the process."""

    def __init__(self, name: str, clock: Clock, post: Callable[[Heard], None]) -> None:
        self._clock = clock
        self._post = post
        self._requests: SimpleQueue[tuple[SourceSpec, int, Deadline] | None] = SimpleQueue()
        threading.Thread(target=self._run, name=f"source {name}", daemon=True).start()

    def ask(self, spec: SourceSpec, request: int, deadline: Deadline) -> None:
        """Read once, as `spec` says; the answer is posted with this request's number."""
        self._requests.put((spec, request, deadline))

    def end(self) -> None:
        """Let the thread end after what it is doing."""
        self._requests.put(None)

    def _run(self) -> None:
        while (order := self._requests.get()) is not None:
            spec, request, deadline = order
            reading = read_once(spec, self._clock, deadline)
            self._post(Heard(spec.name, spec.link, request, reading))


def read_once(spec: SourceSpec, clock: Clock, deadline: Deadline) -> Reading[Any]:
    """One Reading of `spec`; never raises: whatever goes wrong is the Reading's failure."""
    at, begun = clock.wall(), clock.monotonic()
    try:
        value = spec.read(deadline)
    except LinkError as error:
        return Reading(at, clock.monotonic() - begun, failure=error.failure)
    except Exception as error:
        LOG.exception("source %s", spec.name)
        return Reading(at, clock.monotonic() - begun, failure=_defect(spec.name, error))
    return Reading(at, clock.monotonic() - begun, value=value, skew=spec.skew())


def too_late(spec: SourceSpec, took: float) -> Failure:
    """The failure of a source that has not answered in `took` seconds."""
    return Failure(
        FailureKind.TIMEOUT,
        spec.name,
        f"no answer within {round(took, 1):g} s",
        "it is asked again; `cofa doctor` shows what it waits for",
    )


def _defect(name: str, error: Exception) -> Failure:
    return Failure(
        FailureKind.INVALID,
        name,
        f"cofa could not read it: {type(error).__name__}",
        "this is a defect of cofa: its log has the details (`cofa doctor` says where)",
    )
