"""A session follows the fleet: it discovers again when the shape changes, or when it must."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from console.clock import Deadline, SystemClock
from console.commands import discovering, seeing
from console.commands.wiring import Links
from console.errors import FailureKind, LinkError
from console.model.fleet import Event, Fleet, Service, ServiceKind
from console.paths import KeptPlace, Paths
from console.watch.kept import KeptFiles


def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not so in time"
        time.sleep(0.005)


def fleet(*names: str) -> Fleet:
    return Fleet("e", "26", tuple(Service(f"p/{n}", n, ServiceKind.COMPOSE) for n in names))


class Engine:
    """An engine that runs what a test says."""

    name = "engine"

    def __init__(self) -> None:
        self.fleet = fleet("api")
        self.ended = threading.Event()

    def read(self, _deadline: Deadline) -> Fleet:
        return self.fleet

    def skew(self) -> float | None:
        return None

    def usage(self, _replicas: Any, _deadline: Deadline) -> dict[str, Any]:
        return {}

    def events(self, _since: float | None = None) -> Iterator[Event]:
        self.ended.wait(30.0)
        yield from ()

    def cancel(self) -> None:
        """There is nothing to shut."""

    def close(self) -> None:
        self.ended.set()


@pytest.fixture
def engine() -> Iterator[Engine]:
    link = Engine()
    yield link
    link.close()


@pytest.fixture
def opened(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], seeing.Session]]:
    """Opens a session over that engine alone, with short waits between discoveries."""

    class Opener:
        def __init__(self, *_: Any) -> None:
            pass

        def open(self, *_: Any) -> Links:
            return Links(engine)  # type: ignore[arg-type]

        def close_unused(self) -> None:
            pass

        def close(self) -> None:
            pass

    monkeypatch.setattr(seeing, "Opener", Opener)
    monkeypatch.setattr(seeing, "DISCOVER_EVERY", 0.02)
    monkeypatch.setattr(seeing, "RETRY_FIRST", 0.01)
    sessions: list[seeing.Session] = []

    def open_one() -> seeing.Session:
        paths = Paths.of({"HOME": str(tmp_path)})
        files = KeptFiles(KeptPlace.of(paths, "found", ""))
        session = seeing.Session(None, files, SystemClock(), paths, {})
        sessions.append(session)
        session.start(events=False)
        return session

    yield open_one
    for session in sessions:
        session.close()


def test_what_could_not_be_read_is_tried_again(
    opened: Callable[[], seeing.Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["lost", "half", "whole"])
    tried: list[str] = []

    def rediscover(environment: Any, *_: Any) -> Any:
        answer = next(answers)
        tried.append(answer)
        if answer == "lost":
            raise LinkError(FailureKind.UNREACHABLE, "host", "gone", "wait")
        return environment, answer == "whole"

    monkeypatch.setattr(discovering, "rediscover", rediscover)
    session = opened()
    until(lambda: len(tried) == 3)
    until(lambda: session._retry is None)
    assert session.settled


def test_a_changed_fleet_is_discovered_again_and_an_unchanged_one_is_not(
    opened: Callable[[], seeing.Session], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def rediscover(environment: Any, found: Fleet, *_: Any) -> Any:
        seen.append(len(found.services))
        return environment, True

    monkeypatch.setattr(discovering, "rediscover", rediscover)
    session = opened()
    until(lambda: seen == [1] and session.settled)
    for _ in range(3):
        reads = session.watch._lanes["engine"].request
        session.watch.refresh()
        until(lambda reads=reads: session.watch._lanes["engine"].request > reads)
    assert seen == [1]
    engine.fleet = fleet("api", "edge")
    session.watch.refresh()
    until(lambda: seen == [1, 2])


def test_a_session_that_is_closed_keeps_what_it_saw(
    opened: Callable[[], seeing.Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovering, "rediscover", lambda environment, *_: (environment, True))
    session = opened()
    until(lambda: session.settled)
    session.close()
    kept, _ = session._files.load()
    assert kept.readings.fleet is not None
    assert kept.readings.fleet.value == fleet("api")
