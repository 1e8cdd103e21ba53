"""EngineLink against an engine of our own on a Unix socket: its faults, one by one."""

import contextlib
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from console.clock import Deadline, SystemClock
from console.config.environment import EngineConfig
from console.errors import Failure, FailureKind, LinkError
from console.links.engine.link import EngineLink
from console.model.fleet import EventKind, Exit, Fleet

ANSWERS = Path(__file__).parent / "engine_answers"
CLOCK = SystemClock()
Handler = Callable[[socket.socket], None]


def http(body: bytes, status: str = "200 OK", kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def as_json(value: object, status: str = "200 OK") -> bytes:
    return http(json.dumps(value).encode(), status)


def chunked(kind: str = "application/json") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class Engine:
    """A server of canned answers, by path without the API's version."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, bytes | Handler] = {}
        self.asked: list[str] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            reader = connection.makefile("rb")
            with reader:
                try:
                    while request := reader.readline():
                        while reader.readline().strip():
                            pass
                        target = request.split()[1].decode()
                        self.asked.append(target)
                        self._answer(connection, re.sub(r"^/v[\d.]+", "", target).split("?")[0])
                except (OSError, ValueError):
                    return

    def _answer(self, connection: socket.socket, path: str) -> None:
        answer = self.answers.get(
            path, as_json({"message": f"no such thing: {path}"}, "404 Not Found")
        )
        if callable(answer):
            answer(connection)
        else:
            connection.sendall(answer)

    def close(self) -> None:
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path / "engine.sock")
    compose = json.loads((ANSWERS / "compose.json").read_text())
    images = json.loads((ANSWERS / "images.json").read_text())
    made.answers = {
        "/version": as_json({"ApiVersion": "1.45", "MinAPIVersion": "1.24"}),
        "/info": as_json(
            {
                "ID": "x",
                "Name": "prod-1",
                "ServerVersion": "26.1.5",
                "MemTotal": 8 << 30,
                "SystemTime": "2026-11-22T17:12:25.1Z",
                "Swarm": {"ControlAvailable": False},
            }
        ),
        "/containers/json": as_json(compose["containers"]),
    }
    for container_id, detail in compose["inspections"].items():
        made.answers[f"/containers/{container_id}/json"] = as_json(detail)
    for image_id, image in images.items():
        made.answers[f"/images/{image_id}/json"] = as_json(image)
    yield made
    made.close()


@pytest.fixture
def link(engine: Engine) -> Iterator[EngineLink]:
    made = EngineLink(EngineConfig(f"unix://{engine.path}"), environ={})
    yield made
    made.close()


def soon(seconds: float = 10.0) -> Deadline:
    return Deadline.after(CLOCK, seconds)


def failure(link: EngineLink, seconds: float = 10.0) -> Failure:
    with pytest.raises(LinkError) as caught:
        link.read(soon(seconds))
    return caught.value.failure


def until(condition: Callable[[], object]) -> None:
    deadline = soon(10)
    while not condition():
        assert not deadline.passed, "it never came"
        time.sleep(0.005)


def hang(connection: socket.socket) -> None:
    connection.recv(1)


def test_a_read(link: EngineLink) -> None:
    fleet = link.read(soon())
    assert isinstance(fleet, Fleet)
    assert (fleet.engine_name, fleet.engine_version, fleet.swarm) == ("prod-1", "26.1.5", False)
    assert [service.key for service in fleet.services] == [
        "shop/backend",
        "shop/edge-a",
        "shop/postgres",
    ]
    backend = fleet.services[0].replicas[0]
    assert backend.image.digest is not None
    skew = link.skew()
    assert skew is not None and abs(1795367545.1 - CLOCK.wall() - skew) < 5


def test_a_second_read_inspects_nothing(engine: Engine, link: EngineLink) -> None:
    first = link.read(soon())
    engine.asked.clear()
    info = {"ID": "x", "Name": "prod-1", "SystemTime": "2026-11-22T17:12:27.1Z"}
    engine.answers["/info"] = as_json(info)
    assert link.read(soon()).services == first.services
    assert sorted(path.split("?")[0].rpartition("/")[2] for path in engine.asked) == [
        "info",
        "json",
    ]
    assert len(engine.asked) == 2


def test_a_container_that_went_in_between_is_left_out(engine: Engine, link: EngineLink) -> None:
    gone = next(path for path in engine.answers if re.search("containers/[0-9a-f]{64}/json", path))
    del engine.answers[gone]
    fleet = link.read(soon())
    assert sum(len(service.replicas) for service in fleet.services) == 3


def test_one_broken_container_hides_no_other(engine: Engine, link: EngineLink) -> None:
    path = next(path for path in engine.answers if re.search("containers/[0-9a-f]{64}/json", path))
    engine.answers[path] = as_json({"message": "layer is gone"}, "500 Internal Server Error")
    fleet = link.read(soon())
    assert sum(len(service.replicas) for service in fleet.services) == 4


@pytest.mark.parametrize("path", ["/version", "/info", "/containers/json"])
@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (http(b"<html>proxy</html>", kind="text/html"), FailureKind.INVALID, "HTML"),
        (http(b""), FailureKind.INVALID, "not JSON"),
        (as_json("text"), FailureKind.INVALID, ""),
        (as_json(None), FailureKind.INVALID, ""),
        (http(b'{"a": 1}')[:-3], FailureKind.INVALID, "broke off"),
        (as_json({"message": "boom"}, "500 Internal Server Error"), FailureKind.INVALID, "boom"),
        (http(b"<html>", "403 Forbidden"), FailureKind.DENIED, "403"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", FailureKind.UNREACHABLE, "without an HTTP answer"),
        (b"HTTP/1.1 200 OK\r\n", FailureKind.INVALID, ""),
    ],
    ids=["html", "empty", "text", "null", "half", "500", "403", "ssh", "no-headers"],
)
def test_garbage(
    engine: Engine, link: EngineLink, path: str, answer: bytes, kind: FailureKind, words: str
) -> None:
    def send(connection: socket.socket) -> None:
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)

    engine.answers[path] = send
    found = failure(link)
    assert found.kind is kind, found
    assert words in found.why
    assert found.remedy and str(engine.path) in found.subject


def test_too_old(engine: Engine, link: EngineLink) -> None:
    engine.answers["/version"] = as_json({"ApiVersion": "1.39", "MinAPIVersion": "1.12"})
    found = failure(link)
    assert found.kind is FailureKind.UNSUPPORTED
    assert "1.39" in found.why and "20.10" in found.remedy


def test_the_version_is_negotiated(engine: Engine, link: EngineLink) -> None:
    engine.answers["/version"] = as_json({"ApiVersion": "1.99", "MinAPIVersion": "1.44"})
    link.read(soon())
    assert {path.split("/")[1] for path in engine.asked if "json" in path} == {"v1.47"}


def test_a_hang_ends_at_the_deadline(engine: Engine, link: EngineLink) -> None:
    engine.answers["/containers/json"] = hang
    assert failure(link, 0.3).kind is FailureKind.TIMEOUT


def test_a_drip_ends_at_the_deadline(engine: Engine, link: EngineLink) -> None:
    """Each byte comes in time, so that no socket's own time-out ever fires."""

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.02)

    engine.answers["/info"] = drip
    assert failure(link, 0.4).kind is FailureKind.TIMEOUT


def test_cancel_ends_a_read_at_once_and_the_next_one_works(
    engine: Engine, link: EngineLink
) -> None:
    normal = engine.answers["/containers/json"]
    engine.answers["/containers/json"] = hang
    found: list[Failure] = []
    thread = threading.Thread(target=lambda: found.append(failure(link, 60)))
    thread.start()
    until(lambda: any("containers" in path for path in engine.asked))
    link.cancel()
    thread.join(10)
    assert found and found[0].kind is FailureKind.UNREACHABLE
    engine.answers["/containers/json"] = normal
    assert link.read(soon()).services


def test_a_connection_that_breaks_is_tried_once_more(engine: Engine, link: EngineLink) -> None:
    normal = engine.answers["/containers/json"]
    breaks = [2, 0]

    def broken(connection: socket.socket) -> None:
        breaks[1] += 1
        if breaks[1] == breaks[0]:
            engine.answers["/containers/json"] = normal
        connection.shutdown(socket.SHUT_RDWR)

    engine.answers["/containers/json"] = broken
    assert failure(link).kind is FailureKind.UNREACHABLE
    breaks[:] = [1, 0]
    engine.answers["/containers/json"] = broken
    assert link.read(soon()).services


def test_another_engine_is_greeted_anew(engine: Engine, link: EngineLink) -> None:
    """As after a downgrade: the version agreed upon before is refused."""
    link.read(soon())
    normal = engine.answers["/info"]
    words = "client version 1.45 is too new. Maximum supported API version is 1.41"
    engine.answers["/info"] = as_json({"message": words}, "400 Bad Request")
    assert words in failure(link).why
    engine.answers["/info"] = normal
    engine.answers["/version"] = as_json({"ApiVersion": "1.41", "MinAPIVersion": "1.12"})
    link.read(soon())
    assert engine.asked[-1].startswith("/v1.41/")


def test_no_socket(tmp_path: Path) -> None:
    link = EngineLink(EngineConfig(f"unix://{tmp_path}/none.sock"), environ={})
    found = failure(link)
    assert found.kind is FailureKind.UNREACHABLE
    assert "no such socket" in found.why and "systemctl start docker" in found.remedy
    link.close()


def test_nobody_listens(engine: Engine, link: EngineLink) -> None:
    engine.close()
    found = failure(link)
    assert found.kind is FailureKind.UNREACHABLE and "refused" in found.why


def test_no_rights(engine: Engine, link: EngineLink, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root no socket is denied, so the kernel's answer is given for it."""

    def denied(self: socket.socket, address: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", denied)
    found = failure(link)
    assert found.kind is FailureKind.DENIED
    assert "usermod -aG docker" in found.remedy and "sudo" in found.remedy


def test_an_engine_that_expects_tls(tmp_path: Path) -> None:
    """A plain request to a TLS engine is answered by 400 and these words."""
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            words = b"Client sent an HTTP request to an HTTPS server."
            connection.sendall(http(words, "400 Bad Request", "text/plain"))

    thread = threading.Thread(target=refuse, daemon=True)
    thread.start()
    link = EngineLink(EngineConfig(f"tcp://127.0.0.1:{listener.getsockname()[1]}"), environ={})
    found = failure(link)
    assert "TLS" in found.why and "tls_ca" in found.remedy
    link.close()
    thread.join(5)
    listener.close()


def test_an_engine_behind_ssh_needs_its_host() -> None:
    link = EngineLink(EngineConfig("ssh://prod-1"), environ={})
    assert failure(link).kind is FailureKind.UNSUPPORTED
    link.close()


def test_a_lost_quorum_is_said(engine: Engine, link: EngineLink) -> None:
    engine.answers["/info"] = as_json({"ID": "x", "Swarm": {"ControlAvailable": True}})
    words = "The swarm does not have a leader."
    for path in ("/services", "/tasks", "/nodes"):
        engine.answers[path] = as_json({"message": words}, "503 Service Unavailable")
    found = failure(link)
    assert found.kind is FailureKind.UNREACHABLE
    assert words in found.why and "quorum" in found.remedy


def record(action: str, **attributes: str) -> bytes:
    container = json.loads((ANSWERS / "compose.json").read_text())["containers"][0]["Id"]
    actor = {"ID": container, "Attributes": attributes}
    made = {"Type": "container", "Action": action, "Actor": actor, "time": 1795368000}
    return chunk(json.dumps(made).encode() + b"\n")


def test_events_come_and_make_the_container_due(engine: Engine, link: EngineLink) -> None:
    link.read(soon())
    stay = threading.Event()

    def stream(connection: socket.socket) -> None:
        connection.sendall(chunked() + record("die", exitCode="137"))
        stay.wait(10)
        connection.shutdown(socket.SHUT_RDWR)

    engine.answers["/events"] = stream
    events = link.events(since=1795367999.5)
    event = next(events)
    assert (event.kind, event.text) == (EventKind.DIED, "exited 137 (SIGKILL)")
    asked = next(path for path in engine.asked if "/events" in path)
    assert "since=1795367999.5" in asked and "exec" not in asked
    engine.asked.clear()
    link.read(soon())
    assert [p for p in engine.asked if re.search("containers/[0-9a-f]{64}/json", p)]
    stay.set()
    with pytest.raises(LinkError, match="broke off"):
        next(events)


def test_events_end_quietly_when_cancelled(engine: Engine, link: EngineLink) -> None:
    def stream(connection: socket.socket) -> None:
        connection.sendall(chunked())
        hang(connection)

    engine.answers["/events"] = stream
    seen: list[object] = []
    thread = threading.Thread(target=lambda: seen.extend([*link.events(), "end"]))
    thread.start()
    until(lambda: any("/events" in path for path in engine.asked))
    link.cancel()
    thread.join(10)
    assert seen == ["end"]


def test_an_endless_event_is_refused(engine: Engine, link: EngineLink) -> None:
    def stream(connection: socket.socket) -> None:
        connection.sendall(chunked())
        for _ in range(64):
            connection.sendall(chunk(b"x" * 65_536))

    engine.answers["/events"] = stream
    with pytest.raises(LinkError, match="more than a megabyte"):
        next(link.events())


def logged(engine: Engine, *, end: bool) -> str:
    container: str = json.loads((ANSWERS / "compose.json").read_text())["containers"][0]["Id"]

    def stream(connection: socket.socket) -> None:
        text = b"2026-11-22T17:12:23.970368921Z \x1b[31mhello\n"
        data = bytes([2, 0, 0, 0]) + len(text).to_bytes(4, "big") + text
        connection.sendall(chunked("application/vnd.docker.multiplexed-stream") + chunk(data))
        connection.sendall(b"0\r\n\r\n") if end else hang(connection)

    engine.answers[f"/containers/{container}/logs"] = stream
    return container


def test_logs(engine: Engine, link: EngineLink) -> None:
    container = logged(engine, end=True)
    fleet = link.read(soon())
    (line,) = link.logs(container, follow=False)
    assert (line.stream, line.text) == ("stderr", "hello")
    assert fleet.replica(line.replica) is not None


def test_close_of_followed_logs_from_another_thread(engine: Engine, link: EngineLink) -> None:
    container = logged(engine, end=False)
    lines: Any = link.logs(container)
    assert next(lines).text == "hello"
    ended = threading.Event()

    def wait() -> None:
        assert list(lines) == []
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    lines.close()
    assert ended.wait(10)
    thread.join(5)
    lines.close()


def test_logs_of_what_is_gone(link: EngineLink) -> None:
    with pytest.raises(LinkError) as caught:
        next(link.logs("0123456789abcdef"))
    assert caught.value.failure.kind is FailureKind.MISSING


def test_the_last_lines_before_an_end(engine: Engine, link: EngineLink) -> None:
    """The engine's own tail would count from the log's end: so none is asked for."""
    container = logged(engine, end=True)
    lines = list(link.logs(container, tail=5, until=1795367543.97))
    assert [line.text for line in lines] == ["hello"]
    asked = next(path for path in engine.asked if "/logs" in path)
    assert "tail=all" in asked and "until=1795367544.97" in asked and "follow=0" in asked
    assert list(link.logs(container, tail=5, until=1795367000.0)) == []


def test_usage_leaves_out_what_is_gone(engine: Engine, link: EngineLink) -> None:
    stats = json.loads((ANSWERS / "stats.json").read_text()) | {"read": "2026-11-22T17:12:23Z"}
    engine.answers["/containers/aaa/stats"] = as_json(stats)
    first = link.usage(["aaa", "bbb", "task:ccc"], soon())
    assert set(first) == {"aaa"} and first["aaa"].cpu is None
    stats["read"] = "2026-11-22T17:12:25Z"
    stats["cpu_stats"]["cpu_usage"]["total_usage"] += 10**9
    engine.answers["/containers/aaa/stats"] = as_json(stats)
    assert link.usage(["aaa"], soon())["aaa"].cpu == pytest.approx(0.5)
    assert all("one-shot=True" in path for path in engine.asked if "/stats" in path)


def test_image_ids(engine: Engine, link: EngineLink) -> None:
    engine.answers["/images/shop:v1/json"] = as_json({"Id": "sha256:one"})
    assert link.image_ids(["shop:v1", "gone:v2"], soon()) == {"shop:v1": "sha256:one"}


def test_upstreams_of_an_unknown_edge(engine: Engine, link: EngineLink) -> None:
    with pytest.raises(LinkError) as caught:
        link.upstreams("nginx-9/../x", 0.0, soon())
    assert caught.value.failure.kind is FailureKind.MISSING
    assert "nginx-9%2F..%2Fx" in engine.asked[-1]


def test_upstreams_of_a_swarms_edge_before_the_first_read(engine: Engine, link: EngineLink) -> None:
    known = json.loads((ANSWERS / "swarm.json").read_text())
    info = {"ID": "x", "Name": "plaza-1", "Swarm": {"ControlAvailable": True}}
    engine.answers["/info"] = as_json(info)
    for name in ("services", "tasks", "nodes"):
        engine.answers[f"/{name}"] = as_json(known[name])
    with pytest.raises(LinkError):
        link.upstreams("plaza_edge.plaza-2", 0.0, soon())
    asked = re.search(r"/tasks/(\w+)/logs", engine.asked[-1])
    assert asked and asked[1] in {task["ID"] for task in known["tasks"]}


def test_exits_of_events_are_kept_for_the_restarted(engine: Engine, link: EngineLink) -> None:
    """A container that runs again does not say how it had ended: the event did."""
    summary = json.loads((ANSWERS / "compose.json").read_text())["containers"][0]
    path = f"/containers/{summary['Id']}/json"
    detail = json.loads((ANSWERS / "compose.json").read_text())["inspections"][summary["Id"]]
    detail["State"]["FinishedAt"] = "2026-11-22T17:20:00.2Z"
    engine.answers[path] = as_json(detail)
    engine.answers["/events"] = chunked() + record("die", exitCode="137") + b"0\r\n\r\n"
    link.read(soon())
    next(iter(link.events()))
    replica = next(
        replica
        for service in link.read(soon()).services
        for replica in service.replicas
        if replica.id == summary["Id"]
    )
    assert replica.last_exit == Exit(1795368000.0, 137)


def test_no_client_is_loaded_before_the_first_read() -> None:
    import subprocess
    import sys

    program = (
        "import sys; from console.links.engine.link import EngineLink; "
        "from console.links.compose import ComposeFiles; "
        "from console.config.environment import EngineConfig; EngineLink(EngineConfig()); "
        "print([name for name in ('docker', 'requests', 'urllib3', 'paramiko') "
        "if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.stdout.strip() == "[]"
