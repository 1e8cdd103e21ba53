"""The watch: reads the sources side by side, keeps the newest Readings, tells its subscribers.

Plain threads, no asyncio. What subscribers do with a Snapshot is theirs; they are called
from the watch's threads and must not block.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from console.model.fleet import LogLine, Replica
from console.model.snapshot import Snapshot


class LogTail(Protocol):
    """Logs of some replicas, being followed."""

    def close(self) -> None:
        """Stop following."""
        ...


class Watch(Protocol):
    """What the screens need of the watch."""

    @property
    def snapshot(self) -> Snapshot:
        """The newest one; there always is one."""
        ...

    def subscribe(self, subscriber: Callable[[Snapshot], None]) -> Callable[[], None]:
        """Call `subscriber` with each new Snapshot; what is returned ends that."""
        ...

    def look_at(self, replicas: Collection[str]) -> None:
        """Read usage (CPU, memory) for these replicas (ids) only, from now on."""
        ...

    def refresh(self) -> None:
        """Read every source now."""
        ...

    def follow_logs(
        self,
        replicas: Sequence[Replica],
        subscriber: Callable[[tuple[LogLine, ...], str], None],
        *,
        previous: bool = False,
        tail: int = 200,
    ) -> LogTail:
        """Follow these replicas' logs, merged by time.

        `subscriber` gets lines in batches, and as second argument a message when a
        replica's log cannot be read or ended (empty otherwise). `previous`: the lines of
        the instance before the present one, up to its end, not followed.
        """
        ...

    def close(self) -> None:
        """Stop everything at once; returns without waiting for hung sources."""
        ...
