"""Which containers have to be inspected again: a list is cheap, 300 inspections are not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final

from console.links.engine.containers import Container, fingerprint, restarted_since
from console.links.engine.parts import text
from console.model.fleet import Exit, Health

CHECK_REFRESH: Final = 30.0
"""Seconds after which a healthy container's health log is read again, at the earliest."""
REFRESH: Final = 300.0
"""Seconds after which any inspection is repeated, should all else have missed a change."""
REFRESHES: Final = 40
"""Inspections repeated only for their age, in one read."""
_SAME_END: Final = 5.0
"""Seconds between an end as inspected and as the event tells it."""


@dataclass(frozen=True, slots=True)
class _Kept:
    mark: tuple[object, ...]
    container: Container
    at: float


class Inspections:
    """Inspected containers, kept while nothing says that they changed."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[str, _Kept] = {}
        self._changed: set[str] = set()
        self._exits: dict[str, Exit] = {}

    def due(self, summaries: Iterable[Mapping[str, Any]], now: float) -> list[Mapping[str, Any]]:
        """Those of the list to be inspected, at the engine's time `now`."""
        must: list[Mapping[str, Any]] = []
        aged: list[tuple[float, Mapping[str, Any]]] = []
        with self._lock:
            for summary in summaries:
                container_id = text(summary.get("Id"), 64)
                kept = self._kept.get(container_id)
                if (
                    kept is None
                    or container_id in self._changed
                    or self._differs(kept, summary, now)
                ):
                    self._changed.discard(container_id)
                    must.append(summary)
                elif now - kept.at > _patience(kept.container) or now < kept.at:
                    aged.append((kept.at, summary))
        aged.sort(key=lambda pair: pair[0])
        return must + [summary for _, summary in aged[:REFRESHES]]

    @staticmethod
    def _differs(kept: _Kept, summary: Mapping[str, Any], now: float) -> bool:
        unwell = kept.container.replica.health in (Health.UNHEALTHY, Health.STARTING)
        started = kept.container.replica.started_at
        return unwell or kept.mark != fingerprint(summary) or restarted_since(summary, started, now)

    def keep(self, summary: Mapping[str, Any], container: Container, now: float) -> None:
        """Keep an inspection, and how the container ended if it did."""
        with self._lock:
            self._kept[container.replica.id] = _Kept(fingerprint(summary), container, now)
            if container.replica.last_exit is not None:
                self._exits[container.replica.id] = container.replica.last_exit

    def container(self, container_id: str) -> Container | None:
        """The container as last inspected, with its last end where that is known.

        Once started again, a container tells when it had ended, but not how: that is known
        from the event or from a read in between.
        """
        with self._lock:
            kept = self._kept.get(container_id)
            if kept is None:
                return None
            container, end = kept.container, self._exits.get(container_id)
        ended_at = container.replica.ended_at
        if container.replica.last_exit or end is None or end.at is None or ended_at is None:
            return container
        if abs(end.at - ended_at) > _SAME_END:
            return container
        return replace(container, replica=replace(container.replica, last_exit=end))

    def changed(self, container_id: str, end: Exit | None = None) -> None:
        """An event told of this container; `end` if it told how its process ended."""
        with self._lock:
            if container_id in self._kept:
                self._changed.add(container_id)
            if end is not None:
                self._exits[container_id] = end

    def drop_others(self, present: Iterable[str]) -> None:
        """Forget the containers that are gone."""
        ids = set(present)
        with self._lock:
            self._kept = {key: value for key, value in self._kept.items() if key in ids}
            self._exits = {key: value for key, value in self._exits.items() if key in ids}
            self._changed &= ids


def _patience(container: Container) -> float:
    if container.checked and container.replica.running:
        return max(CHECK_REFRESH, container.check_interval or 0.0)
    return REFRESH
