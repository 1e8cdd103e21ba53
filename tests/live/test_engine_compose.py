"""EngineLink and ComposeFiles on the stand's real engine, with a Compose project of its own."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.clock import Deadline, SystemClock
from console.config.environment import EngineConfig
from console.links.compose import ComposeFiles, origins_of
from console.links.engine.link import EngineLink
from console.links.host.local import LocalHost
from console.model.drift import drift, drift_words
from console.model.fleet import Event, EventKind, Health, Service, ServiceKind, State

pytestmark = pytest.mark.live

CLOCK = SystemClock()
COMPOSE = """
services:
  api:
    image: ${IMAGE}:${TAG}
    command: [sh, -c, "while true; do echo tick $$(date +%s); sleep 0.1; done"]
    init: true
    restart: always
    environment: {DB_PASSWORD: hunter22, DATABASE_URL: "postgres://u:hunter22@db/x"}
    healthcheck: {test: ["CMD", "true"], interval: 1s}
    stop_grace_period: 1s
    deploy: {replicas: 2, resources: {limits: {memory: 64M}}}
  fragile:
    image: ${IMAGE}:${TAG}
    command: [sh, -c, "echo begun; sleep 600"]
    init: true
    restart: "no"
    stop_grace_period: 1s
  job:
    image: ${IMAGE}:${TAG}
    command: ["true"]
    restart: "no"
"""


def soon(seconds: float = 20.0) -> Deadline:
    return Deadline.after(CLOCK, seconds)


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What `condition` gives, once it is true."""
    deadline = soon(seconds)
    while not (found := condition()):
        assert not deadline.passed, "it never came"
        time.sleep(0.05)
    return found


@dataclass
class Project:
    """A Compose project of these tests, on the stand's engine."""

    name: str
    folder: Path
    host: str

    def docker(self, *words: str) -> str:
        argv = ["docker", "--host", self.host, *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def compose(self, *words: str) -> str:
        files = ("--project-directory", str(self.folder), "-f", str(self.folder / "compose.yaml"))
        return self.docker("compose", "-p", self.name, *files, *words)

    def pid(self, container: str) -> int:
        return int(self.docker("inspect", "--format", "{{.State.Pid}}", container))

    def kill(self, container: str) -> None:
        """As the kernel would: past the engine, and at init's child as well."""
        os.kill(self.pid(container), signal.SIGKILL)


@pytest.fixture(scope="module")
def project(stand: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("fleet")
    good = stand.variants["good"]
    (folder / ".env").write_text(f"IMAGE={good.name.rpartition(':')[0]}\nTAG={good.tag}\n")
    (folder / "compose.yaml").write_text(COMPOSE)
    made = Project(f"cofa-fleet-{os.getpid()}", folder, stand.docker.host)
    try:
        made.compose("up", "--detach", "--quiet-pull")
        yield made
    finally:
        made.compose("down", "--timeout", "1")


@pytest.fixture
def link(stand: Any) -> Iterator[EngineLink]:
    made = EngineLink(EngineConfig(stand.docker.host), environ={})
    yield made
    made.close()


def service(link: EngineLink, project: Project, name: str) -> Service:
    found = link.read(soon()).service(f"{project.name}/{name}")
    assert found is not None
    return found


def test_the_stands_fleet_is_read_as_docker_lists_it(stand: Any, link: EngineLink) -> None:
    fleet = link.read(soon())
    argv = [
        "docker",
        "--host",
        stand.docker.host,
        "ps",
        "-a",
        "--no-trunc",
        "--format",
        "{{json .}}",
    ]
    rows = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    listed = {
        row["Names"] for row in map(json.loads, rows) if f"{stand.compose.project}-" in row["Names"]
    }
    ours = {
        replica.name
        for service in fleet.services
        if service.project == stand.compose.project
        for replica in service.replicas
    }
    assert len(ours & listed) >= len(stand.compose.services)
    assert {f"{stand.compose.project}/{name}" for name in stand.compose.services} <= {
        service.key for service in fleet.services
    }
    backend = fleet.service(f"{stand.compose.project}/{stand.compose.backend}")
    assert backend is not None and backend.kind is ServiceKind.COMPOSE and backend.healthcheck
    skew = link.skew()
    assert skew is not None and abs(skew) < 1


def test_no_secret_of_the_stand_leaves_the_link(stand: Any, link: EngineLink) -> None:
    values = dict(
        line.split("=", 1)
        for line in Path(stand.compose.env_file).read_text().splitlines()
        if "=" in line
    )
    secrets = [values[name] for name in ("SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD")]
    shown = repr(link.read(soon()))
    assert not [secret for secret in secrets if secret in shown]


def test_services_of_the_project(link: EngineLink, project: Project) -> None:
    api = until(lambda: (found := service(link, project, "api")).healthy == 2 and found)
    assert [replica.slot for replica in api.replicas] == [1, 2]
    replica = api.replicas[0]
    assert (replica.state, replica.health) == (State.RUNNING, Health.HEALTHY)
    assert replica.memory_limit == 64 << 20
    assert replica.image.digest is not None
    assert dict(replica.environment)["DB_PASSWORD"] == "***"
    assert dict(replica.environment)["DATABASE_URL"] == "postgres://u:***@db/x"
    job = until(lambda: (found := service(link, project, "job")).one_shot and found)
    assert job.replicas[0].last_exit is not None and job.replicas[0].last_exit.code == 0


def test_a_kill_is_an_event_and_an_exit(link: EngineLink, project: Project) -> None:
    fragile = service(link, project, "fragile").replicas[0]
    events: list[Event] = []
    stream: Any = link.events(since=CLOCK.wall())
    thread = threading.Thread(target=lambda: events.extend(stream))
    thread.start()
    project.kill(fragile.name)
    until(lambda: service(link, project, "fragile").replicas[0].state is State.EXITED)
    after = service(link, project, "fragile").replicas[0]
    assert after.last_exit is not None
    assert (after.last_exit.code, after.last_exit.signal) == (137, 9)
    until(lambda: [event for event in events if event.subject == fragile.name])
    stream.close()
    thread.join(10)
    (died,) = [e for e in events if e.subject == fragile.name and e.kind is EventKind.DIED]
    assert died.text == "exited 137 (SIGKILL)"
    assert died.service == f"{project.name}/fragile"
    assert not [event for event in events if "exec" in event.text]


def test_a_restart_keeps_how_it_ended_and_its_last_words(
    link: EngineLink, project: Project
) -> None:
    """The engine alone forgets the exit code once the container runs again."""
    before = service(link, project, "api").replicas[1]
    events: Any = link.events(since=CLOCK.wall() - 1)
    project.kill(before.name)
    until(lambda: next(events).kind is EventKind.DIED)
    after = until(
        lambda: (
            (r := service(link, project, "api").replicas[1]).restarts > before.restarts
            and r.running
            and r
        )
    )
    assert after.last_exit is not None and after.last_exit.code == 137
    assert after.last_exit.at is not None
    events.close()
    lines = list(link.logs(after.id, tail=5, until=after.last_exit.at))
    assert len(lines) == 5
    assert all(line.at is not None and line.at <= after.last_exit.at + 1 for line in lines)
    assert all(line.text.startswith("tick") and line.replica == after.name for line in lines)


def test_logs_are_followed_until_closed(link: EngineLink, project: Project) -> None:
    replica = service(link, project, "api").replicas[0]
    stream: Any = link.logs(replica.id, tail=1)
    lines = [next(stream) for _ in range(5)]
    moments = [line.at for line in lines]
    assert moments == sorted(moments) and moments[-1] > CLOCK.wall() - 20
    assert {line.replica for line in lines} == {replica.name}
    waiting = threading.Thread(target=lambda: list(stream))
    waiting.start()
    stream.close()
    waiting.join(10)
    assert not waiting.is_alive()


def test_usage_is_sane(link: EngineLink, project: Project) -> None:
    replicas = [replica.id for replica in service(link, project, "api").replicas]
    first = link.usage([*replicas, "0123456789ab"], soon())
    assert set(first) == set(replicas)
    assert {usage.cpu for usage in first.values()} == {None}

    def measured() -> Any:
        usage = link.usage(replicas, soon())
        return usage if all(u.cpu for u in usage.values()) else None

    for usage in until(measured).values():
        assert 0 < usage.cpu < os.cpu_count()
        assert 0 < usage.memory < usage.memory_limit == 64 << 20


def compose_files(link: EngineLink, project: Project) -> ComposeFiles:
    fleet = link.read(soon())
    (origin,) = [one for one in origins_of(fleet) if one.project == project.name]
    return ComposeFiles(origin, LocalHost("here", CLOCK), link.image_ids)


def drifts(link: EngineLink, project: Project) -> str:
    intended = compose_files(link, project).read(soon())
    assert not intended.problem
    fleet = link.read(soon())
    found = []
    for intention in intended.services:
        running = fleet.service(intention.service)
        assert running is not None
        found.append(drift(running, intention))
    return drift_words(one for one in found if one is not None)


def test_drift_by_another_tag_in_the_env_file(
    stand: Any, link: EngineLink, project: Project
) -> None:
    assert drifts(link, project) == ""
    env_file = project.folder / ".env"
    kept = env_file.read_text()
    try:
        env_file.write_text(kept.replace("TAG=v1.2.3", f"TAG={stand.variants['good2'].tag}"))
        words = drifts(link, project)
        assert "update api from v1.2.3 to v1.3.0" in words
        env_file.write_text(kept.replace("TAG=v1.2.3", f"TAG={stand.variants['sick'].tag}"))
        assert "revert api from v1.2.3 to v1.3.1-sick" in drifts(link, project)
    finally:
        env_file.write_text(kept)
    compose = project.folder / "compose.yaml"
    try:
        compose.write_text(COMPOSE.replace("hunter22,", "hunter23,"))
        assert drifts(link, project) == "a plain `up` would recreate api"
    finally:
        compose.write_text(COMPOSE)


def test_files_that_are_gone_are_a_problem(link: EngineLink, project: Project) -> None:
    compose = project.folder / "compose.yaml"
    files = compose_files(link, project)
    compose.rename(compose.with_suffix(".away"))
    try:
        intended = files.read(soon())
    finally:
        compose.with_suffix(".away").rename(compose)
    assert intended.services == ()
    assert "no such file" in intended.problem


def test_hostile_containers(stand: Any, link: EngineLink, project: Project) -> None:
    evil = "\x1b]0;owned\x07[/nope]\u202e"
    program = (
        "import sys; sys.stdout.write('x' * (1 << 20) + chr(10) + chr(27) + '[31mred' + chr(10))"
    )
    name = f"{project.name}-evil"
    words = ["run", "--detach", "--tty", "--name", f"{name}-tty", "--env", f"E{evil}={evil}"]
    words += ["--label", f"com.docker.compose.project={evil}"]
    words += ["--label", f"com.docker.compose.service={evil}"]
    image = stand.variants["good"].name
    project.docker(*words, image, "sh", "-c", f"printf '%s\\n' '{evil}'; sleep 60")
    project.docker("run", "--detach", "--name", name, image, "python3", "-c", program)
    try:
        fleet = link.read(soon())
        assert "\x1b" not in repr(fleet) and "\u202e" not in repr(fleet)
        terminal, plain = fleet.replica(f"{name}-tty"), fleet.replica(name)
        assert terminal is not None and plain is not None
        (line,) = until(lambda: list(link.logs(terminal.id, follow=False)))
        assert line.text == "[/nope]"
        lines = until(lambda: len(found := list(link.logs(plain.id, follow=False))) == 2 and found)
        assert lines[0].text.endswith(f"x ... {(1 << 20) - 4000} more bytes")
        assert lines[1].text == "red"
    finally:
        project.docker("rm", "--force", name, f"{name}-tty")


NGINX = """
daemon off; error_log /dev/stderr error; pid /tmp/nginx.pid;
events {}
http {
  access_log off;
  upstream backend { server 127.0.0.1:9 max_fails=0; }
  server { listen 127.0.0.1:8080; location / { proxy_pass http://backend; } }
}
"""


def test_an_edges_own_log_names_the_dead(stand: Any, link: EngineLink, project: Project) -> None:
    name = f"{project.name}-edge"
    once = "curl -s -o /dev/null --retry 20 --retry-connrefused http://127.0.0.1:8080/"
    requests = f"for n in 1 2 3; do {once}; done"
    program = (
        f"printf '%s' \"$CONF\" >/tmp/nginx.conf; ({requests}) & exec nginx -c /tmp/nginx.conf"
    )
    words = ["run", "--detach", "--name", name, "--env", f"CONF={NGINX}"]
    project.docker(*words, f"{stand.registry}/shop/edge:1.22", "sh", "-c", program)
    try:
        link.read(soon())
        since = CLOCK.wall() - 60
        found = until(
            lambda: (
                (got := link.upstreams(name, since, soon())).failed
                and got.failed[0][1] >= 3
                and got
            )
        )
        assert found.edge == name
        ((address, _, newest),) = found.failed
        assert address == "127.0.0.1:9"
        assert since < newest <= CLOCK.wall() + 1
        assert link.upstreams(name, newest + 1, soon()).failed == ()
    finally:
        project.docker("rm", "--force", name)
