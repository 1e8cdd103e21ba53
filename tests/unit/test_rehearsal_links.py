"""The rehearsal's links: streams that wake and end, one world for all, nothing pretended."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console.clock import Deadline, ManualClock, SystemClock
from console.errors import FailureKind, LinkError
from console.links.protocols import Completed, TcpAddress, UnixAddress
from console.model.fleet import Event, EventKind, LogLine
from console.paths import Paths
from console.rehearsal.environment import (
    Rehearsal,
    open_rehearsal,
    rehearsal_environment,
    world_identity,
    world_path,
)
from console.rehearsal.log import WorldFile
from console.rehearsal.scenarios import CALM
from console.rehearsal.world import Inject, apply, first_log

PATIENCE = 20.0


class World:
    """A world's file, a clock of its own, and the links."""

    def __init__(self, path: Path, scenario: str = CALM) -> None:
        self.path = path
        self.clock = ManualClock(1_795_000_000.0)
        WorldFile(path).create(first_log(scenario, self.clock.wall(), seed=5, speed=10.0))
        self.links = open_rehearsal(path, self.clock)

    @property
    def deadline(self) -> Deadline:
        return Deadline.after(self.clock, 5.0)

    def inject(self, scenario: str) -> None:
        entry = WorldFile(self.path).append(
            lambda log: apply(log, Inject(scenario), self.clock.now)
        )
        assert entry is not None

    def replica(self, name: str) -> str:
        found = self.links.fleet.read(self.deadline).replica(name)
        assert found is not None
        return found.id


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path / "world.jsonl")
    yield found
    found.links.close()


class Reader(threading.Thread):
    """Takes a stream's items in a thread of its own until it ends."""

    def __init__(self, stream: Iterator[Event] | Iterator[LogLine]) -> None:
        super().__init__(daemon=True)
        self.items: list[Event | LogLine] = []
        self._stream = stream
        self._news = threading.Condition()
        self.start()

    def run(self) -> None:
        for item in self._stream:
            with self._news:
                self.items.append(item)
                self._news.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(condition, PATIENCE)

    def ended(self) -> bool:
        self.join(PATIENCE)
        return not self.is_alive()


def test_two_processes_see_one_world(world: World) -> None:
    other = open_rehearsal(world.path, world.clock)
    world.inject("outage")
    world.clock.advance(5.0)
    assert world.links.fleet.read(world.deadline) == other.fleet.read(world.deadline)
    assert world.links.metrics.read(world.deadline) == other.metrics.read(world.deadline)
    assert other.edges[1].read(world.deadline).health.status == 502


def test_events_arrive_as_another_process_changes_the_world(world: World) -> None:
    reader = Reader(world.links.fleet.events())
    world.inject("replica-crash")
    world.clock.advance(5.0)
    reader.wait_for(lambda: len(reader.items) >= 3)
    kinds = [item.kind for item in reader.items if isinstance(item, Event)]
    assert kinds[-3:] == [EventKind.OOM, EventKind.DIED, EventKind.STARTED]
    world.links.fleet.cancel()
    assert reader.ended()
    assert world.links.fleet.read(world.deadline).services, "usable again after a cancel"
    assert isinstance(world.links.fleet.events(), Iterator)


def test_events_since_a_moment_are_replayed(tmp_path: Path) -> None:
    world = World(tmp_path / "world.jsonl", "bad-release")
    reader = Reader(world.links.fleet.events(world.clock.now - 3600.0))
    reader.wait_for(lambda: len(reader.items) >= 15)
    assert all(item.at is not None and item.at <= world.clock.now for item in reader.items)
    world.links.close()
    assert reader.ended()


def test_a_followed_log_goes_on_until_it_is_closed_from_another_thread(world: World) -> None:
    stream = world.links.fleet.logs(world.replica("shop-backend-4"), tail=5)
    reader = Reader(stream)
    reader.wait_for(lambda: len(reader.items) == 5)
    world.clock.advance(10.0)
    reader.wait_for(lambda: len(reader.items) > 12)
    moments = [item.at or 0.0 for item in reader.items]
    assert moments == sorted(moments) and len(set(moments)) == len(moments)
    stream.close()
    assert reader.ended()


def test_a_followed_log_ends_with_its_container(world: World) -> None:
    reader = Reader(world.links.fleet.logs(world.replica("shop-backend-4"), tail=1))
    reader.wait_for(lambda: len(reader.items) == 1)
    world.inject("bad-release")
    world.clock.advance(20.0)
    assert reader.ended()


@pytest.mark.parametrize("tail", [0, 1, 7, 300])
def test_a_log_that_is_not_followed_ends_and_honours_its_tail(world: World, tail: int) -> None:
    replica = world.replica("shop-nginx-1")
    lines = list(world.links.fleet.logs(replica, follow=False, tail=tail))
    assert len(lines) == tail
    until = world.clock.now - 30.0
    since = until - 20.0
    some = list(world.links.fleet.logs(replica, follow=False, tail=500, since=since, until=until))
    assert some and all(since <= (line.at or 0) <= until for line in some)


def test_a_followed_log_with_an_end_stops_there(world: World) -> None:
    replica = world.replica("shop-backend-5")
    reader = Reader(world.links.fleet.logs(replica, tail=3, until=world.clock.now + 5.0))
    reader.wait_for(lambda: len(reader.items) == 3)
    world.clock.advance(60.0)
    assert reader.ended()
    assert all((item.at or 0) <= world.clock.now - 55.0 for item in reader.items)


def test_what_is_not_there_is_missing_and_not_empty(world: World) -> None:
    asks: list[Callable[[], object]] = [
        lambda: world.links.fleet.logs("no-such-id"),
        lambda: world.links.fleet.upstreams("no-such-edge", 0.0, world.deadline),
    ]
    for ask in asks:
        with pytest.raises(LinkError) as caught:
            ask()
        assert caught.value.failure.kind is FailureKind.MISSING


def test_commands_and_tunnels_are_said_not_to_be_simulated(world: World) -> None:
    host = world.links.hosts[0]
    assert not host.local
    asks: list[Callable[[], Completed | TcpAddress | UnixAddress]] = [
        lambda: host.run(["uptime"], world.deadline),
        lambda: host.reach(TcpAddress("127.0.0.1", 9090), world.deadline),
    ]
    for ask in asks:
        with pytest.raises(LinkError, match="not simulated") as caught:
            ask()
        assert caught.value.failure.kind is FailureKind.UNSUPPORTED


def test_a_closed_link_says_so_and_a_second_close_is_nothing(world: World) -> None:
    world.links.close()
    world.links.close()
    links = world.links
    reads: list[Callable[[Deadline], object]] = [links.fleet.read, links.metrics.read]
    reads += [links.backups.read, links.edges[0].read, links.hosts[0].read]
    for read in reads:
        with pytest.raises(LinkError, match="closed"):
            read(world.deadline)
    with pytest.raises(LinkError, match="closed"):
        links.fleet.events()


def test_a_broken_world_makes_every_read_fail_and_a_new_one_mends_it(world: World) -> None:
    world.path.write_text('{"version":9}\n')
    with pytest.raises(LinkError, match="format 9"):
        world.links.metrics.read(world.deadline)
    with pytest.raises(LinkError, match="format 9"):
        list(world.links.fleet.events())
    WorldFile(world.path).create(first_log("outage", world.clock.now, seed=1, speed=10.0))
    assert world.links.edges[0].read(world.deadline).health.status == 502


def test_figures_of_the_past_are_forgotten_with_their_world(world: World) -> None:
    calm = world.links.metrics.read(world.deadline).series["p95"]
    WorldFile(world.path).create(first_log("slow-database", world.clock.now, seed=5, speed=10.0))
    slow = world.links.metrics.read(world.deadline).series["p95"]
    assert slow.start == calm.start
    assert (slow.values[-1] or 0) > 2.0 > (calm.values[-1] or 9)


def test_the_environment_is_the_rehearsals_and_reaches_nothing_real(tmp_path: Path) -> None:
    paths = Paths.of({"HOME": str(tmp_path)})
    with pytest.raises(LinkError, match="run `cofa demo` first"):
        rehearsal_environment(paths)
    WorldFile(world_path(paths)).create(first_log(CALM, 5e8, seed=1, speed=1.0))
    environment = rehearsal_environment(paths)
    assert environment.name == "rehearsal"
    assert environment.rehearsal == world_path(paths)
    addresses = [environment.engine.address, *(host.address for host in environment.hosts)]
    assert environment.prometheus and environment.alertmanager
    addresses += [environment.prometheus.url, environment.alertmanager.url]
    assert all(".invalid" in address for address in addresses)
    rehearsal: Rehearsal = open_rehearsal(world_path(paths), SystemClock())
    assert [f"edge:{edge.name}" for edge in environment.edges] == [e.name for e in rehearsal.edges]
    found = rehearsal.fleet.read(Deadline.after(SystemClock(), 5.0))
    assert found.service(environment.backend) is not None
    assert all(found.replica(edge.replica) is not None for edge in environment.edges)


def test_another_world_in_the_same_place_has_another_identity(world: World) -> None:
    before = world_identity(world.path)
    world.inject("outage")
    assert world_identity(world.path) == before
    WorldFile(world.path).create(first_log(CALM, world.clock.now + 1, seed=5, speed=10.0))
    assert world_identity(world.path) != before
