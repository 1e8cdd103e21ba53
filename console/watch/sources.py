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
    load: Callable[[], None] | None = None
    """Loads the client that a read needs; connects to nothing."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A Reading, and which request it answers."""

    name: str
    link: Link
    request: int
    reading: Reading[Any]


class SourceThread:
    """The thread of one source. It ends when told to, or with the process."""

    def __init__(
        self, name: str, clock: Clock, post: Callable[[Heard], None], loading: threading.Lock
    ) -> None:
        """`loading` is held while a client is loaded: one after the other, in the order in
        which they are asked, or the interpreter would have the first ready only with the last.
        """
        self._loading = loading
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
            reading = read_once(spec, self._clock, deadline, self._loading)
            self._post(Heard(spec.name, spec.link, request, reading))


def read_once(
    spec: SourceSpec, clock: Clock, deadline: Deadline, loading: threading.Lock
) -> Reading[Any]:
    """One Reading of `spec`; never raises: whatever goes wrong is the Reading's failure."""
    at, begun = clock.wall(), clock.monotonic()
    try:
        if spec.load is not None:
            with loading:
                spec.load()
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
