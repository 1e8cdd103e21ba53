"""The watch: sources side by side, and what happens when they fail, hang or come and go."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from console.clock import Deadline, SystemClock
from console.config.environment import Environment
from console.errors import FailureKind, LinkError
from console.model.fleet import (
    Event,
    EventKind,
    Fleet,
    Image,
    LogLine,
    Replica,
    Service,
    ServiceKind,
    State,
    Usage,
)
from console.model.readings import Sight
from console.model.snapshot import Snapshot
from console.watch.assembly import Kept
from console.watch.live import LiveWatch
from console.watch.sources import SourceSpec

FLEET = Fleet("prod-1", "26.1", (Service("shop/api", "api", ServiceKind.COMPOSE),))


def until(condition: Callable[[], Any], seconds: float = 5.0) -> None:
    """Wait for a condition, bounded."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not so in time"
        time.sleep(0.005)


class FakeLink:
    """A link that does what its test says; counts reads and cancels."""

    def __init__(self, name: str, read: Callable[[], Any] = lambda: None) -> None:
        self.name = name
        self.answer = read
        self.reads = 0
        self.cancelled = threading.Event()
        self.release = threading.Event()

    def read(self, _deadline: Deadline) -> Any:
        self.reads += 1
        return self.answer()

    def skew(self) -> float | None:
        return 0.5

    def cancel(self) -> None:
        self.cancelled.set()

    def close(self) -> None:
        self.release.set()

    def hang(self) -> None:
        """Like a client that no cancel reaches."""
        self.release.wait(30.0)

    def wait_for_cancel(self) -> None:
        """Like a client whose sockets are shut."""
        assert self.cancelled.wait(30.0)
        raise LinkError(FailureKind.UNREACHABLE, self.name, "cancelled", "wait")


class FakeFleet(FakeLink):
    """An engine whose events and logs a test feeds."""

    def __init__(self) -> None:
        super().__init__("engine", lambda: FLEET)
        self.happened: list[Event] = []
        self.asked: list[frozenset[str]] = []
        self.streams: list[threading.Event] = []

    def usage(self, replicas: Any, _deadline: Deadline) -> dict[str, Usage]:
        self.asked.append(frozenset(replicas))
        return {name: Usage(1.0, 0.5, 10, None) for name in replicas}

    def events(self, since: float | None = None) -> Iterator[Event]:
        given = 0
        while not self.release.is_set():
            while given < len(self.happened):
                yield self.happened[given]
                given += 1
            self.release.wait(0.005)

    def logs(self, replica: str, **_: Any) -> Iterator[LogLine]:
        if replica == "gone":
            raise LinkError(FailureKind.MISSING, "gone", "no such container", "look again")
        yield LogLine(2.0 if replica == "b" else 1.0, replica, "stdout", f"hello from {replica}")


def spec(
    link: Any, slot: str, pace: float = 30.0, deadline: float = 5.0, read: Any = None
) -> SourceSpec:
    return SourceSpec(link.name, slot, link, read or link.read, link.skew, pace, deadline)


@pytest.fixture
def fleet() -> Iterator[FakeFleet]:
    link = FakeFleet()
    yield link
    link.release.set()


@pytest.fixture
def watching(fleet: FakeFleet) -> Iterator[Callable[..., LiveWatch]]:
    started: list[LiveWatch] = []
    links: list[FakeLink] = []

    def start(*specs: SourceSpec, events: bool = False, **more: Any) -> LiveWatch:
        links.extend(one.link for one in specs)  # type: ignore[misc]
        watch = LiveWatch(
            (spec(fleet, "fleet"), *specs), fleet, Environment("test"), SystemClock(), **more
        )
        started.append(watch)
        watch.start(events=events)
        return watch

    yield start
    for watch in started:
        watch.close()
    for link in links:
        link.release.set()


def sight(watch: LiveWatch, name: str) -> Sight:
    source = watch.snapshot.readings.source(name)
    assert source is not None
    return source.sight(watch.snapshot.at)


def test_each_source_is_read_and_the_newest_snapshot_has_all(
    watching: Callable[..., LiveWatch],
) -> None:
    watch = watching(spec(FakeLink("prometheus"), "metrics"))
    until(lambda: watch.settled)
    assert sight(watch, "engine") is Sight.SEEN
    assert sight(watch, "prometheus") is Sight.SEEN
    assert watch.snapshot.fleet is not None
    assert watch.snapshot.readings.fleet is not None
    assert watch.snapshot.readings.fleet.newest is not None
    assert watch.snapshot.readings.fleet.newest.skew == 0.5


def test_a_source_that_fails_stops_nothing_else_and_is_a_finding(
    watching: Callable[..., LiveWatch],
) -> None:
    def refuse() -> None:
        raise LinkError(FailureKind.DENIED, "prometheus", "answered 401", "set a password")

    watch = watching(spec(FakeLink("prometheus", refuse), "metrics"))
    until(lambda: watch.settled)
    assert sight(watch, "engine") is Sight.SEEN
    assert sight(watch, "prometheus") is Sight.BLIND
    assert [f.subject for f in watch.snapshot.findings if f.blind] == ["prometheus"]


def test_a_defect_in_a_link_is_a_failed_reading_and_no_dead_thread(
    watching: Callable[..., LiveWatch],
) -> None:
    answers = iter([ZeroDivisionError(), None])

    def broken() -> None:
        answer = next(answers)
        if answer is not None:
            raise answer

    link = FakeLink("prometheus", broken)
    watch = watching(spec(link, "metrics"))
    until(lambda: watch.settled)
    source = watch.snapshot.readings.source("prometheus")
    assert source is not None and source.failure is not None
    assert "ZeroDivisionError" in source.failure.why
    watch.refresh()
    until(lambda: sight(watch, "prometheus") is Sight.SEEN)


def test_a_source_that_hangs_is_cancelled_at_its_deadline_and_asked_again(
    watching: Callable[..., LiveWatch],
) -> None:
    link = FakeLink("prometheus")
    link.answer = link.wait_for_cancel
    watch = watching(spec(link, "metrics", pace=0.2, deadline=0.2))
    until(lambda: sight(watch, "prometheus") is Sight.BLIND)
    source = watch.snapshot.readings.source("prometheus")
    assert source is not None and source.failure is not None
    assert source.failure.kind is FailureKind.TIMEOUT
    link.answer = lambda: None
    until(lambda: sight(watch, "prometheus") is Sight.SEEN)


def test_what_has_not_answered_when_it_is_given_up_has_failed(
    watching: Callable[..., LiveWatch],
) -> None:
    silent, quick = FakeLink("prometheus"), FakeLink("alertmanager")
    silent.answer = silent.wait_for_cancel
    watch = watching(spec(silent, "metrics", deadline=60.0), spec(quick, "alertmanager"))
    until(lambda: sight(watch, "alertmanager") is Sight.SEEN and silent.reads)
    assert sight(watch, "prometheus") is Sight.READING
    assert watch.give_up().wait(5.0)
    assert sight(watch, "prometheus") is Sight.BLIND and sight(watch, "alertmanager") is Sight.SEEN
    assert [finding.blind for finding in watch.snapshot.findings] == [True]


def test_a_thread_that_no_cancel_reaches_is_abandoned_twice_at_most(
    watching: Callable[..., LiveWatch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.watch.live.GRACE", 0.05)
    link = FakeLink("prometheus")
    link.answer = link.hang
    watch = watching(spec(link, "metrics", pace=0.05, deadline=0.05))
    until(lambda: link.reads == 2)
    other = FakeLink("alertmanager")
    watch.adopt(
        Environment("test"),
        (*(lane.spec for lane in watch._lanes.values()), spec(other, "alertmanager", pace=0.05)),
    )
    until(lambda: other.reads > 10)
    assert link.reads == 2
    link.answer = lambda: None
    link.release.set()
    until(lambda: sight(watch, "prometheus") is Sight.SEEN)


def test_an_event_of_the_engine_has_the_fleet_read_again(
    watching: Callable[..., LiveWatch], fleet: FakeFleet
) -> None:
    watch = watching(events=True)
    until(lambda: watch.settled and fleet.reads == 1)
    fleet.happened.append(Event(time.time(), EventKind.DIED, "shop-api-1", "shop/api"))
    until(lambda: fleet.reads == 2)


def test_an_event_during_a_read_causes_one_more(
    watching: Callable[..., LiveWatch], fleet: FakeFleet
) -> None:
    reading, go = threading.Event(), threading.Event()

    def slow() -> Fleet:
        reading.set()
        assert go.wait(5.0)
        return FLEET

    fleet.answer = slow
    watch = watching(events=True)
    assert reading.wait(5.0)
    fleet.happened.append(Event(time.time(), EventKind.DIED, "shop-api-1", "shop/api"))
    until(lambda: watch._lanes["engine"].again)
    go.set()
    until(lambda: fleet.reads == 2)


def test_usage_is_read_only_for_what_is_looked_at(
    watching: Callable[..., LiveWatch], fleet: FakeFleet
) -> None:
    def read(deadline: Deadline) -> dict[str, Usage]:
        return fleet.usage(watch.looked_at, deadline)

    usage = SourceSpec("usage", "usage", fleet, read, fleet.skew, 0.05)
    watch = watching(usage)
    until(lambda: watch.settled)
    assert fleet.asked == []
    watch.look_at(["a", "b"])
    until(lambda: frozenset({"a", "b"}) in fleet.asked)


def test_a_kept_reading_within_its_pace_is_not_read_again_by_the_patient(
    watching: Callable[..., LiveWatch], fleet: FakeFleet
) -> None:
    first = watching()
    until(lambda: first.settled)
    first.close()
    patient = watching(kept=first.kept, patient=True)
    assert patient.settled
    assert patient.snapshot.fleet == first.snapshot.fleet
    assert fleet.reads == 1
    watching(kept=first.kept)
    until(lambda: fleet.reads == 2)


def test_kept_readings_are_shown_at_once_but_not_as_seen(
    watching: Callable[..., LiveWatch], fleet: FakeFleet
) -> None:
    first = watching()
    until(lambda: first.settled)
    fleet.answer = fleet.hang
    again = LiveWatch(
        (spec(fleet, "fleet"),), fleet, Environment("test"), SystemClock(), kept=first.kept
    )
    assert again.snapshot.fleet == first.snapshot.fleet
    assert again.snapshot.verdict.reading
    again.close()


def test_adopting_keeps_the_readings_of_links_that_stay(
    watching: Callable[..., LiveWatch], fleet: FakeFleet
) -> None:
    gone, new = FakeLink("prometheus"), FakeLink("alertmanager")
    watch = watching(spec(gone, "metrics"))
    until(lambda: watch.settled)
    adopted = watch.adopt(Environment("other"), (spec(fleet, "fleet"), spec(new, "alertmanager")))
    assert adopted.wait(5.0)
    until(lambda: watch.snapshot.environment == "other" and watch.settled)
    assert watch.snapshot.readings.metrics is None
    assert sight(watch, "alertmanager") is Sight.SEEN
    assert fleet.reads == 1


def test_what_was_read_through_another_link_is_not_kept(
    watching: Callable[..., LiveWatch], fleet: FakeFleet
) -> None:
    before, after = FakeLink("prometheus"), FakeLink("prometheus")
    watch = watching(spec(before, "metrics"), patient=True)
    until(lambda: watch.settled)
    adopted = watch.adopt(Environment("test"), (spec(fleet, "fleet"), spec(after, "metrics")))
    assert adopted.wait(5.0)
    until(lambda: watch.settled)
    assert after.reads == 1


def test_a_source_is_read_in_the_way_that_was_adopted_last(
    watching: Callable[..., LiveWatch], fleet: FakeFleet
) -> None:
    asked: list[str] = []
    first = spec(fleet, "upstreams", pace=0.05, read=lambda _: asked.append("nginx.1"))
    second = replace(first, read=lambda _: asked.append("nginx.2"))
    watch = watching(replace(first, name="upstreams:nginx"))
    until(lambda: asked)
    watch.adopt(
        Environment("test"), (spec(fleet, "fleet"), replace(second, name="upstreams:nginx"))
    )
    until(lambda: "nginx.2" in asked)


def test_what_was_just_adopted_is_not_settled(
    watching: Callable[..., LiveWatch], fleet: FakeFleet
) -> None:
    watch = watching()
    until(lambda: watch.settled)
    hold = threading.Event()

    def held(_: Snapshot) -> None:
        hold.wait(10.0)

    watch.subscribe(held)
    new = FakeLink("alertmanager")
    adopted = watch.adopt(Environment("test"), (spec(fleet, "fleet"), spec(new, "alertmanager")))
    assert adopted.wait(5.0)
    settled = watch.settled
    hold.set()
    assert not settled


def test_a_subscriber_that_fails_harms_no_other(watching: Callable[..., LiveWatch]) -> None:
    watch = watching()
    seen: list[Snapshot] = []

    def broken(_: Snapshot) -> None:
        raise RuntimeError("subscriber")

    watch.subscribe(broken)
    end = watch.subscribe(seen.append)
    watch.refresh()
    until(lambda: seen)
    end()
    until(lambda: watch.settled)
    count = len(seen)
    watch.refresh()
    until(lambda: watch._lanes["engine"].request > 1 and watch.settled)
    assert len(seen) <= count + 1


def test_closing_waits_for_nobody(watching: Callable[..., LiveWatch]) -> None:
    link = FakeLink("prometheus")
    link.answer = link.hang
    watch = watching(spec(link, "metrics"))
    until(lambda: link.reads == 1)
    watch.close()
    assert not link.release.is_set()


def replica(name: str) -> Replica:
    return Replica(name, name, "shop/api", Image("api"), State.RUNNING)


def test_logs_of_several_replicas_are_merged_by_time(watching: Callable[..., LiveWatch]) -> None:
    lines: list[LogLine] = []
    said: list[str] = []

    def take(batch: tuple[LogLine, ...], message: str) -> None:
        lines.extend(batch)
        said.extend([message] if message else [])

    tail = watching().follow_logs([replica("b"), replica("a"), replica("gone")], take)
    until(lambda: len(lines) == 2 and len(said) == 3)
    assert [line.replica for line in lines] == ["a", "b"]
    assert any("no such container" in message for message in said)
    tail.close()


def test_the_log_before_an_end_that_nobody_watched(watching: Callable[..., LiveWatch]) -> None:
    lines: list[LogLine] = []
    started_again = replace(replica("a"), ended_at=100.0)
    tail = watching().follow_logs(
        [started_again], lambda batch, _: lines.extend(batch), previous=True
    )
    until(lambda: len(lines) == 1)
    tail.close()


def test_kept_state_starts_empty() -> None:
    assert Kept().readings.fleet is None
