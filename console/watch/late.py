"""A watch that can be looked at before it begins, so that the first paint waits for nothing."""

import threading
from collections.abc import Callable, Collection, Sequence
from itertools import count

from console.model.fleet import LogLine, Replica
from console.model.snapshot import Snapshot
from console.watch import LogTail, Watch


class LateWatch:
    """Shows a remembered Snapshot until :meth:`begin`; from then on it is that other watch."""

    def __init__(self, first: Snapshot) -> None:
        self._first = first
        self._watch: Watch | None = None
        self._lock = threading.Lock()
        self._numbers = count()
        self._waiting: dict[int, Callable[[Snapshot], None]] = {}
        self._ends: dict[int, Callable[[], None]] = {}
        self._looked_at: Collection[str] = ()
        self._closed = False

    def begin(self, watch: Watch) -> None:
        """Hand everything over to `watch`, with what was asked for until now."""
        with self._lock:
            if self._closed:
                watch.close()
                return
            self._watch = watch
            for number, subscriber in self._waiting.items():
                self._ends[number] = watch.subscribe(subscriber)
            subscribers = tuple(self._waiting.values())
            self._waiting.clear()
        watch.look_at(self._looked_at)
        for subscriber in subscribers:
            subscriber(watch.snapshot)

    @property
    def snapshot(self) -> Snapshot:
        """The newest one."""
        watch = self._watch
        return watch.snapshot if watch is not None else self._first

    def subscribe(self, subscriber: Callable[[Snapshot], None]) -> Callable[[], None]:
        """Call `subscriber` with each new Snapshot; what is returned ends that."""
        with self._lock:
            number = next(self._numbers)
            if self._watch is None:
                self._waiting[number] = subscriber
            else:
                self._ends[number] = self._watch.subscribe(subscriber)

        def end() -> None:
            with self._lock:
                self._waiting.pop(number, None)
                self._ends.pop(number, lambda: None)()

        return end

    def look_at(self, replicas: Collection[str]) -> None:
        """Read usage for these replicas only, from now on."""
        self._looked_at = replicas
        if self._watch is not None:
            self._watch.look_at(replicas)

    def refresh(self) -> None:
        """Read every source now."""
        if self._watch is not None:
            self._watch.refresh()

    def follow_logs(
        self,
        replicas: Sequence[Replica],
        subscriber: Callable[[tuple[LogLine, ...], str], None],
        *,
        previous: bool = False,
        tail: int = 200,
    ) -> LogTail:
        """Follow these replicas' logs; before the watch has begun that is a message only."""
        if self._watch is None:
            subscriber((), "the engine is not connected yet; open the log again in a moment")
            return _NoTail()
        return self._watch.follow_logs(replicas, subscriber, previous=previous, tail=tail)

    def close(self) -> None:
        """Stop everything at once."""
        with self._lock:
            self._closed = True
        if self._watch is not None:
            self._watch.close()


class _NoTail:
    def close(self) -> None:
        """There is nothing to stop."""
