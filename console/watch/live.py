"""The watch at work: one conductor thread owns all state, the sources' threads only read.

Whatever happens (a Reading, an event of the engine, a request of a screen) is a message to
the conductor, so that nothing here needs a lock.
"""

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import Any, Final

from console.clock import Clock, Deadline
from console.config.environment import Environment
from console.errors import LinkError
from console.links.protocols import FleetLink
from console.model.fleet import Event, LogLine, Replica
from console.model.readings import Reading, Source
from console.model.snapshot import Readings, Snapshot
from console.watch import LogTail
from console.watch.assembly import Kept, assemble
from console.watch.logs import FollowedLogs
from console.watch.sources import Heard, SourceSpec, SourceThread, too_late

LOG = logging.getLogger("cofa.watch")
ABANDONED_MOST: Final = 2
"""Threads of one source that may hang before it is no longer asked."""
SLACK: Final = 0.3
"""Seconds past its deadline in which a link may still say itself what it waited for."""
GRACE: Final = 2.0
"""Seconds a cancelled read has to return before its thread is abandoned."""
EVENTS_SETTLE: Final = 0.2
"""Seconds between an event and the read that it causes: events come in bursts."""
EVENTS_SPACING: Final = 1.0
"""Seconds between two reads that events cause."""
EVENTS_BACKOFF: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)


@dataclass(slots=True)
class _Lane:
    """One source as the conductor sees it."""

    spec: SourceSpec
    source: Source[Any]
    thread: SourceThread
    due: float
    """Monotonic moment of the next read."""
    request: int = 0
    asked: float = 0.0
    """Monotonic moment of the last read's start."""
    again: bool = False
    """Wanted once more, by something that happened after the read under way began."""
    deadline: float | None = None
    """Monotonic deadline of the read under way."""
    cancelled: bool = False
    hung: set[int] = field(default_factory=set)
    """Requests whose threads were abandoned."""

    @property
    def busy(self) -> bool:
        return self.deadline is not None


class LiveWatch:
    """Implements :class:`console.watch.Watch` over real or rehearsed links."""

    def __init__(
        self,
        specs: Sequence[SourceSpec],
        fleet: FleetLink,
        environment: Environment,
        clock: Clock,
        *,
        kept: Kept | None = None,
        patient: bool = False,
    ) -> None:
        """`kept`: what an earlier watch left. `patient`: a kept Reading that is younger
        than its source's pace is not read again (a glance), else all are read at once."""
        self._clock = clock
        self._fleet = fleet
        self._environment = environment
        self._inbox: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._subscribers: tuple[Callable[[Snapshot], None], ...] = ()
        self._subscribing = threading.Lock()
        self._closed = threading.Event()
        self._loading = threading.Lock()
        self._tails: set[FollowedLogs] = set()
        self._looked_at: frozenset[str] = frozenset()
        self._events: tuple[Event, ...] = ()
        self._kept = kept or Kept()
        self._patient = patient
        self._lanes = {
            spec.name: self._lane(spec, self._kept.readings.source(spec.name)) for spec in specs
        }
        self._snapshot, self._kept = assemble(
            self._environment, self._readings(), self._kept, (), clock.wall()
        )
        self._settled = self._nothing_due()

    @property
    def snapshot(self) -> Snapshot:
        """The newest one."""
        return self._snapshot

    @property
    def kept(self) -> Kept:
        """What the next watch should start from."""
        return self._kept

    @property
    def settled(self) -> bool:
        """Whether the newest Snapshot has all that was due: no read is due or under way."""
        return self._settled

    def start(self, *, events: bool = True) -> None:
        """Begin to read; with `events` the engine's stream is followed as well."""
        threading.Thread(target=self._conduct, name="watch", daemon=True).start()
        if events:
            threading.Thread(target=self._follow_events, name="events", daemon=True).start()

    def subscribe(self, subscriber: Callable[[Snapshot], None]) -> Callable[[], None]:
        """Call `subscriber` with each new Snapshot; what is returned ends that."""
        with self._subscribing:
            self._subscribers = (*self._subscribers, subscriber)

        def end() -> None:
            with self._subscribing:
                self._subscribers = tuple(s for s in self._subscribers if s is not subscriber)

        return end

    def adopt(self, environment: Environment, specs: Sequence[SourceSpec]) -> threading.Event:
        """Go on with another environment; a source whose link stays keeps its Readings.

        The event that is given back is set when that has happened.
        """
        adopted = threading.Event()
        self._inbox.put(lambda: self._adopt(environment, tuple(specs), adopted))
        return adopted

    def give_up(self) -> threading.Event:
        """Count what has not answered by now as failed, for whoever will not wait longer.

        The event that is given back is set when the newest Snapshot says so.
        """
        given_up = threading.Event()
        self._inbox.put(lambda: self._give_up(given_up))
        return given_up

    def look_at(self, replicas: Collection[str]) -> None:
        """Read usage for these replicas only."""
        wanted = frozenset(replicas)
        if wanted != self._looked_at:
            self._looked_at = wanted
            self._inbox.put(lambda: self._make_due("usage"))

    @property
    def looked_at(self) -> frozenset[str]:
        """The replicas whose usage is wanted."""
        return self._looked_at

    def refresh(self) -> None:
        """Read every source now."""
        self._inbox.put(lambda: self._make_due(*self._lanes))

    def follow_logs(
        self,
        replicas: Sequence[Replica],
        subscriber: Callable[[tuple[LogLine, ...], str], None],
        *,
        previous: bool = False,
        tail: int = 200,
    ) -> LogTail:
        """Follow these replicas' logs, merged by time."""
        followed = FollowedLogs(
            self._fleet, replicas, subscriber, self._clock, previous=previous, tail=tail
        )
        self._tails = {tail for tail in self._tails if not tail.closed} | {followed}
        followed.start()
        return followed

    def close(self) -> None:
        """Stop at once; threads that hang are daemons and end with the process."""
        self._closed.set()
        self._inbox.put(None)
        for tail in self._tails:
            tail.close()
        for lane in self._lanes.values():
            lane.thread.end()

    # The conductor's thread; the constructor alone runs before it.

    def _lane(self, spec: SourceSpec, known: Source[Any] | None) -> _Lane:
        """`known`: what an earlier watch heard of it, through a link like this one."""
        source: Source[Any] = Source(spec.name, spec.pace)
        due = self._clock.monotonic()
        if known is not None and known.good is not None:
            source = Source(spec.name, spec.pace, good=known.good)
            age = self._clock.wall() - known.good.at
            if self._patient and known.newest == known.good and 0 <= age < spec.pace:
                source = source.heard(known.good)
                due += spec.pace - age
        return _Lane(spec, source, self._thread(spec), due)

    def _adopt(
        self, environment: Environment, specs: tuple[SourceSpec, ...], adopted: threading.Event
    ) -> None:
        before, lanes = dict(self._lanes), {}
        for spec in specs:
            lane = before.get(spec.name)
            if lane is not None and lane.spec.link is spec.link:
                lanes[spec.name] = replace(before.pop(spec.name), spec=spec)
            else:
                lanes[spec.name] = self._lane(spec, None)
        for lane in before.values():
            lane.thread.end()
        self._lanes, self._environment = lanes, environment
        self._settled = False
        adopted.set()

    def _thread(self, spec: SourceSpec) -> SourceThread:
        return SourceThread(spec.name, self._clock, self._post_heard, self._loading)

    def _post_heard(self, heard: Heard) -> None:
        self._inbox.put(lambda: self._hear(heard))

    def _conduct(self) -> None:
        while not self._closed.is_set():
            changed = self._take_messages(self._ask_and_wait())
            if self._closed.is_set():
                return
            changed |= self._end_overdue()
            if changed:
                self._publish()

    def _ask_and_wait(self) -> float:
        """Ask every source that is due; gives the seconds until the next duty."""
        now = self._clock.monotonic()
        wake = now + 60.0
        for lane in self._lanes.values():
            if not lane.busy and lane.due <= now and self._wanted(lane):
                lane.request += 1
                lane.asked = now
                own = Deadline.after(self._clock, lane.spec.deadline)
                lane.deadline = own.at + SLACK
                lane.thread.ask(lane.spec, lane.request, own)
            if lane.deadline is not None:
                wake = min(wake, lane.deadline)
            elif self._wanted(lane):
                wake = min(wake, lane.due)
        return max(0.0, wake - now)

    def _wanted(self, lane: _Lane) -> bool:
        if lane.spec.slot == "usage" and not self._looked_at:
            return False
        return len(lane.hung) < ABANDONED_MOST

    def _take_messages(self, timeout: float) -> bool:
        taken = False
        try:
            message = self._inbox.get(timeout=timeout)
            while message is not None:
                message()
                taken = True
                message = self._inbox.get_nowait()
        except Empty:
            pass
        return taken

    def _hear(self, heard: Heard) -> None:
        lane = self._lanes.get(heard.name)
        if lane is None or lane.spec.link is not heard.link:
            return
        lane.hung.discard(heard.request)
        if heard.request != lane.request or not lane.busy:
            return
        if not lane.cancelled:
            lane.source = lane.source.heard(heard.reading)
        self._rest(lane)

    def _rest(self, lane: _Lane) -> None:
        lane.deadline, lane.cancelled = None, False
        now = self._clock.monotonic()
        lane.due = max(now + 0.1, lane.asked + lane.spec.pace)
        if lane.again:
            lane.again = False
            lane.due = min(lane.due, max(now + EVENTS_SETTLE, lane.asked + EVENTS_SPACING))

    def _end_overdue(self) -> bool:
        now = self._clock.monotonic()
        ended = False
        for lane in self._lanes.values():
            if lane.deadline is None or lane.deadline > now:
                continue
            ended = True
            if not lane.cancelled:
                took = now - lane.asked
                asked = self._clock.wall() - took
                late: Reading[Any] = Reading(asked, took, failure=too_late(lane.spec, took))
                lane.source = lane.source.heard(late)
                lane.cancelled, lane.deadline = True, now + GRACE
                _cancel(lane.spec)
            else:
                LOG.warning("source %s hangs; its thread is abandoned", lane.spec.name)
                lane.hung.add(lane.request)
                lane.thread.end()
                lane.thread = self._thread(lane.spec)
                self._rest(lane)
        return ended

    def _give_up(self, given_up: threading.Event) -> None:
        now = self._clock.monotonic()
        for lane in self._lanes.values():
            if lane.deadline is not None and not lane.cancelled:
                lane.deadline = min(lane.deadline, now)
        self._end_overdue()
        self._publish()
        given_up.set()

    def _make_due(self, *names: str, after: float = 0.0) -> None:
        now = self._clock.monotonic()
        for lane in (self._lanes[name] for name in names if name in self._lanes):
            lane.again = lane.busy
            lane.due = min(lane.due, now + after)

    def _publish(self) -> None:
        events, self._events = self._events, ()
        self._snapshot, self._kept = assemble(
            self._environment, self._readings(), self._kept, events, self._clock.wall()
        )
        for subscriber in self._subscribers:
            try:
                subscriber(self._snapshot)
            except Exception:
                LOG.exception("a subscriber of the watch failed")
        self._settled = self._nothing_due()

    def _nothing_due(self) -> bool:
        now = self._clock.monotonic()
        return not any(
            lane.busy or (lane.due <= now and self._wanted(lane)) for lane in self._lanes.values()
        )

    def _readings(self) -> Readings:
        slots: dict[str, list[Source[Any]]] = {}
        for lane in self._lanes.values():
            slots.setdefault(lane.spec.slot, []).append(lane.source)
        filled: Mapping[str, Any] = {
            slot: tuple(sources) if slot in Readings.MANY else sources[0]
            for slot, sources in slots.items()
        }
        return Readings(**filled)

    # The events' thread.

    def _follow_events(self) -> None:
        since: float | None = None
        failures = 0
        while not self._closed.is_set():
            try:
                for event in self._fleet.events(since):
                    failures = 0
                    since = max(since or 0.0, event.at)
                    self._inbox.put(lambda event=event: self._hear_event(event))  # type: ignore[misc]
                    if self._closed.is_set():
                        return
            except LinkError:
                pass
            except Exception:
                LOG.exception("the engine's events")
            self._closed.wait(EVENTS_BACKOFF[min(failures, len(EVENTS_BACKOFF) - 1)])
            failures += 1

    def _hear_event(self, event: Event) -> None:
        if event not in self._events:
            self._events = (*self._events, event)
        now = self._clock.monotonic()
        for lane in self._lanes.values():
            if lane.spec.slot == "fleet":
                soon = max(EVENTS_SETTLE, lane.asked + EVENTS_SPACING - now)
                self._make_due(lane.spec.name, after=soon)


def _cancel(spec: SourceSpec) -> None:
    try:
        spec.link.cancel()
    except Exception:
        LOG.exception("cancelling source %s", spec.name)
