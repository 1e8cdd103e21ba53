"""EngineLink on the stand's real Swarm of three nodes, with services of its own."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from console.clock import Deadline, SystemClock
from console.config.environment import EngineConfig
from console.links.engine.link import EngineLink
from console.model.fleet import Event, EventKind, Health, Service, ServiceKind, State

pytestmark = pytest.mark.live

CLOCK = SystemClock()


def soon(seconds: float = 20.0) -> Deadline:
    return Deadline.after(CLOCK, seconds)


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What `condition` gives, once it is true."""
    deadline = soon(seconds)
    while not (found := condition()):
        assert not deadline.passed, "it never came"
        time.sleep(0.1)
    return found


@dataclass
class Manager:
    """A manager of the stand's Swarm, and the services that a test made there."""

    host: str
    image: str
    made: list[str]

    def docker(self, *words: str) -> str:
        argv = ["docker", "--host", self.host, *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def create(self, name: str, *words: str, command: str) -> str:
        unique = f"cofa-{name}-{os.getpid()}"
        self.made.append(unique)
        # By digest and without a question to the registry, so that no node waits for one.
        head = ["service", "create", "--detach", "--no-resolve-image", "--name", unique]
        head += ["--no-healthcheck"] if "--health-cmd" not in words else []
        self.docker(*head, *words, self.image, "sh", "-c", command)
        return unique


@pytest.fixture
def manager(stand: Any) -> Iterator[Manager]:
    if stand.swarm is None:
        pytest.skip("the stand has no Swarm: start it by tests/live/stand/up")
    made = Manager(stand.swarm.nodes[0].docker_host, stand.variants["good"].name, [])
    yield made
    for name in made.made:
        made.docker("service", "rm", name)


@pytest.fixture
def link(manager: Manager) -> Iterator[EngineLink]:
    made = EngineLink(EngineConfig(manager.host), environ={})
    yield made
    made.close()


def service(link: EngineLink, key: str) -> Service:
    found = link.read(soon()).service(key)
    assert found is not None
    return found


def running_by_us(link: EngineLink, key: str) -> set[tuple[str, str]]:
    # By its slot: while one replaces another, two have it, and their names tell them apart.
    return {(f"{key}.{r.slot}", r.node) for r in service(link, key).current if r.serving}


def running_by_docker(manager: Manager, key: str) -> set[tuple[str, str]]:
    rows = manager.docker("service", "ps", "--no-trunc", "--format", "{{json .}}", key)
    tasks = [json.loads(row) for row in rows.splitlines()]
    return {
        (task["Name"], task["Node"])
        for task in tasks
        if task["CurrentState"].startswith("Running") and task["DesiredState"] == "Running"
    }


def test_the_swarm_as_docker_lists_it(stand: Any, manager: Manager, link: EngineLink) -> None:
    fleet = link.read(soon())
    assert fleet.swarm
    assert {node.name for node in fleet.nodes} == {node.name for node in stand.swarm.nodes}
    assert [node.name for node in fleet.nodes if node.leader] == [stand.swarm.nodes[0].name]
    assert all(node.state == "ready" and node.address for node in fleet.nodes)
    backend = fleet.service(stand.swarm.backend)
    assert backend is not None
    assert (backend.kind, backend.project) == (ServiceKind.SWARM, stand.swarm.stack)
    assert backend.declared == stand.swarm.replicas
    until(lambda: running_by_us(link, backend.key) == running_by_docker(manager, backend.key))
    edge = fleet.service(stand.swarm.edge)
    assert edge is not None and edge.declared == len(stand.swarm.nodes)


def test_replicas_on_every_node_and_their_logs(link: EngineLink, manager: Manager) -> None:
    key = manager.create(
        "spread",
        *("--replicas", "3", "--replicas-max-per-node", "1", "--health-cmd", "true"),
        *("--health-interval", "1s", "--limit-memory", "32M", "--stop-grace-period", "1s"),
        *("--env", "API_TOKEN=hunter22"),
        command="echo began on $(hostname); sleep 600 & wait",
    )
    spread = until(lambda: (found := service(link, key)).healthy == 3 and found)
    assert {replica.node for replica in spread.replicas} == {
        node.name for node in link.read(soon()).nodes
    }
    assert {replica.health for replica in spread.replicas} == {Health.HEALTHY}
    assert {replica.memory_limit for replica in spread.replicas} == {32 << 20}
    assert len({replica.image.identity for replica in spread.replicas}) == 1
    assert all(("API_TOKEN", "***") in replica.environment for replica in spread.replicas)
    assert sum(replica.id.startswith("task:") for replica in spread.replicas) == 2
    for replica in spread.replicas:
        (line,) = until(lambda r=replica: list(link.logs(r.id, follow=False)))
        assert line.text.startswith("began on") and line.replica == replica.name
    remote = next(replica for replica in spread.replicas if replica.id.startswith("task:"))
    stream: Any = link.logs(remote.id)
    assert next(stream).text.startswith("began on")
    waiting = threading.Thread(target=lambda: list(stream))
    waiting.start()
    stream.close()
    waiting.join(10)
    assert not waiting.is_alive()


def test_tasks_that_fail_count_and_leave_their_words(link: EngineLink, manager: Manager) -> None:
    key = manager.create(
        "failing",
        *("--restart-delay", "200ms", "--restart-max-attempts", "2"),
        command="echo last words; sleep 0.3; exit 3",
    )

    def given_up() -> Any:
        (replica,) = service(link, key).replicas or (None,)
        return replica if replica and replica.restarts == 2 and "(3)" in replica.message else None

    replica = until(given_up)
    assert (replica.state, replica.wanted, replica.serving) == (State.EXITED, True, False)
    assert replica.last_exit.code == 3
    assert "non-zero exit (3)" in replica.message
    lines = list(link.logs(replica.id, follow=False))
    assert lines[-1].text == "last words"


def test_the_previous_tasks_log(link: EngineLink, manager: Manager) -> None:
    key = manager.create(
        "again",
        *("--restart-delay", "200ms", "--restart-max-attempts", "1"),
        *("--env", "TASK={{.Task.ID}}"),
        command="echo I am $TASK; sleep 600 & sleep 1; test -e /tmp/never && wait; exit 7",
    )
    replica = until(
        lambda: (r := service(link, key).replicas) and r[0].running and r[0].last_exit and r[0]
    )
    assert replica.last_exit.code == 7
    now = list(link.logs(replica.id, follow=False))
    before = list(link.logs(replica.id, until=replica.last_exit.at))
    assert len(before) == 1 and before[0].text.startswith("I am ")
    assert before[0].text not in [line.text for line in now]


def test_no_node_for_it(link: EngineLink, manager: Manager) -> None:
    key = manager.create("nowhere", "--constraint", "node.labels.none==1", command="true")
    replica = until(
        lambda: (r := service(link, key).replicas) and "no suitable" in r[0].message and r[0]
    )
    assert replica.state is State.PENDING
    assert replica.node == ""


def test_a_scale_is_an_event(link: EngineLink, manager: Manager) -> None:
    key = manager.create("scaled", "--stop-grace-period", "1s", command="sleep 600 & wait")
    events: list[Event] = []
    stream: Any = link.events(since=CLOCK.wall() - 1)
    thread = threading.Thread(target=lambda: events.extend(stream))
    thread.start()
    manager.docker("service", "scale", "--detach", f"{key}=2")
    until(lambda: [e for e in events if e.subject == key and "replicas 1 -> 2" in e.text])
    until(lambda: len(service(link, key).replicas) == 2)
    stream.close()
    thread.join(10)
    assert {e.kind for e in events if e.subject == key} <= {EventKind.CREATED, EventKind.UPDATED}


def test_a_worker_shows_what_it_runs(stand: Any, manager: Manager) -> None:
    worker = next(node for node in stand.swarm.nodes if node.role == "worker")
    link = EngineLink(EngineConfig(worker.docker_host), environ={})
    try:
        edge = until(lambda: (got := service(link, stand.swarm.edge)).replicas and got)
        fleet = link.read(soon())
    finally:
        link.close()
    assert not fleet.swarm and fleet.nodes == ()
    assert (edge.kind, edge.declared, edge.project) == (ServiceKind.SWARM, None, stand.swarm.stack)
    assert {replica.node for replica in edge.replicas} == {worker.name}
    assert not [replica for replica in edge.replicas if replica.id.startswith("task:")]
