"""Logs of several replicas, followed side by side and merged by time."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from console.clock import Clock
from console.errors import LinkError
from console.links.protocols import FleetLink
from console.model.fleet import LogLine, Replica

BATCH_EVERY: Final = 0.1
"""Seconds in which lines are collected before they are handed over, in order of time."""
BACKLOG_MOST: Final = 20_000
"""Lines waiting to be handed over; past it the oldest are dropped, and that is said."""
REPLICAS_MOST: Final = 32
"""Replicas followed at once: each holds a connection to the engine."""


class FollowedLogs:
    """Implements :class:`console.watch.LogTail`.

    One thread per replica reads, one more hands batches to the subscriber.
    """

    def __init__(
        self,
        fleet: FleetLink,
        replicas: Sequence[Replica],
        subscriber: Callable[[tuple[LogLine, ...], str], None],
        clock: Clock,
        *,
        previous: bool,
        tail: int,
    ) -> None:
        self._fleet = fleet
        self._replicas = tuple(replicas[:REPLICAS_MOST])
        self._left_out = len(replicas) - len(self._replicas)
        self._subscriber = subscriber
        self._clock = clock
        self._previous = previous
        self._tail = tail
        self._lines: deque[LogLine] = deque(maxlen=BACKLOG_MOST)
        self._dropped = 0
        self._messages: deque[str] = deque()
        self._streams: set[Iterator[LogLine]] = set()
        self._lock = threading.Lock()
        self._arrived = threading.Event()
        self._closed = threading.Event()

    @property
    def closed(self) -> bool:
        """Whether following has stopped."""
        return self._closed.is_set()

    def start(self) -> None:
        """Begin to follow."""
        if self._left_out:
            self._say(f"{self._left_out} more replicas are left out: filter to follow those")
        for replica in self._replicas:
            threading.Thread(
                target=self._read, args=(replica,), name=f"log {replica.name}", daemon=True
            ).start()
        threading.Thread(target=self._hand_over, name="logs", daemon=True).start()

    def close(self) -> None:
        """Stop following; returns at once."""
        self._closed.set()
        self._arrived.set()
        with self._lock:
            streams, self._streams = self._streams, set()
        for stream in streams:
            _close(stream)

    def _read(self, replica: Replica) -> None:
        until = _end(replica) if self._previous else None
        if self._previous and until is None:
            self._say(f"{replica.name}: no earlier instance is known")
            return
        try:
            stream = self._fleet.logs(
                replica.id, follow=not self._previous, tail=self._tail, until=until
            )
            with self._lock:
                self._streams.add(stream)
            if self._closed.is_set():
                _close(stream)
                return
            for line in stream:
                self._take(line)
                if self._closed.is_set():
                    return
            self._say("" if self._previous else f"{replica.name}: its log ended")
        except LinkError as error:
            self._say(f"{replica.name}: {error}")

    def _take(self, line: LogLine) -> None:
        with self._lock:
            self._dropped += len(self._lines) == BACKLOG_MOST
            self._lines.append(line)
        self._arrived.set()

    def _say(self, message: str) -> None:
        if message and not self._closed.is_set():
            self._messages.append(message)
            self._arrived.set()

    def _hand_over(self) -> None:
        while self._arrived.wait() and not self._closed.is_set():
            self._closed.wait(BATCH_EVERY)
            with self._lock:
                self._arrived.clear()
                lines = sorted(self._lines, key=lambda line: line.at or 0.0)
                self._lines.clear()
                dropped, self._dropped = self._dropped, 0
            if self._closed.is_set():
                return
            if dropped:
                self._messages.append(f"{dropped} lines came faster than they could be shown")
            if lines:
                self._subscriber(tuple(lines), "")
            while self._messages:
                self._subscriber((), self._messages.popleft())


def _end(replica: Replica) -> float | None:
    """When the instance before the present one ended."""
    told = replica.last_exit.at if replica.last_exit else None
    return replica.ended_at if told is None else told


def _close(stream: Iterator[LogLine]) -> None:
    close = getattr(stream, "close", None)
    if close is not None:
        try:
            close()
        except (ValueError, LinkError):
            # A plain generator that is being read cannot be closed from here; its reader
            # sees that it is no longer wanted with the next line.
            return
