"""Streams of the engine: events and logs, which end when they are closed from any thread."""

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Timer
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from console.clock import Deadline
from console.errors import FailureKind, LinkError
from console.links.engine.errors import of_status
from console.links.engine.parts import text
from console.links.engine.wire import Wire
from console.text import clean

if TYPE_CHECKING:
    from requests import Response

T = TypeVar("T")

_READ: Final = 1 << 16
_LONGEST_RECORD: Final = 1 << 20


class Stream(Iterator[T], Generic[T]):
    """An iterator over what comes over its own wire; :meth:`close` ends it from any thread.

    After :meth:`close` it just ends; otherwise a failure is a LinkError.
    """

    def __init__(self, wire: Wire, items: Generator[T, None, None]) -> None:
        self._wire = wire
        self._items = items
        self._lock = Lock()
        self._over = False

    def __next__(self) -> T:
        if self._over:
            raise StopIteration
        try:
            return next(self._items)
        except StopIteration:
            self.close()
            raise
        except LinkError:
            closed = self._over or self._wire.is_cut
            self.close()
            if closed:
                raise StopIteration from None
            raise

    @contextmanager
    def within(self, deadline: Deadline) -> Iterator[None]:
        """End it by LinkError at the deadline, should it still go on then."""
        late = Event()

        def cut() -> None:
            late.set()
            self._wire.cut()

        alarm = Timer(deadline.timeout(), cut)
        alarm.daemon = True
        alarm.start()
        try:
            yield
        finally:
            alarm.cancel()
        if late.is_set():
            remedy = "see `docker logs` there; a hung engine needs a restart"
            raise LinkError(FailureKind.TIMEOUT, "engine", "no complete answer in time", remedy)

    def close(self) -> None:
        """End it; a thread that waits for the next item is let go at once."""
        with self._lock:
            self._over = True
        self._wire.close()
        try:
            self._items.close()
        except ValueError:
            return  # another thread is inside: the shut socket ends it there


def chunks(response: "Response") -> Iterator[bytes]:
    """The body as it comes, in pieces of bounded size; the response is closed after.

    Raises ConnectionResetError where it breaks off.
    """
    from urllib3.exceptions import HTTPError

    raw: Any = response.raw
    try:
        if raw.chunked:
            yield from raw.read_chunked(_READ, decode_content=False)
        else:
            while piece := raw.read1(_READ, decode_content=False):
                yield piece
    except HTTPError:
        raise ConnectionResetError from None
    finally:
        response.close()


def json_records(pieces: Iterator[bytes], subject: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream, one to a line. Raises LinkError for anything else."""
    buffer = b""
    for piece in pieces:
        *lines, buffer = (buffer + piece).split(b"\n")
        if len(buffer) > _LONGEST_RECORD:
            raise _odd(subject, "a record of more than a megabyte")
        for line in lines:
            if line.strip():
                yield _record(line, subject)
    if buffer.strip():
        yield _record(buffer, subject)


def _record(line: bytes, subject: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        raise _odd(subject, "something that is not JSON") from None
    if not isinstance(record, dict):
        raise _odd(subject, "JSON of another shape")
    return record


def _odd(subject: str, what: str) -> LinkError:
    return LinkError(
        FailureKind.INVALID,
        subject,
        f"its event stream sent {what}",
        "is engine.address the Docker API's own? see `docker -H ADDRESS version`",
    )


def accepted(response: "Response", subject: str, doing: str) -> "Response":
    """`response`, if it is a success; else LinkError with the engine's own words."""
    if response.status_code < 400:
        return response
    try:
        body = response.raw.read(4_000, decode_content=False)
    finally:
        response.close()
    try:
        said = json.loads(body)
        words = text(said.get("message"), 300) if isinstance(said, dict) else ""
    except ValueError:
        words = clean(body.decode("utf-8", "replace"), 300)
    kind, why, remedy = of_status(response.status_code, words)
    raise LinkError(kind, subject, f"{doing}: {why}", remedy)
