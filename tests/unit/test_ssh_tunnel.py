"""Tunnels: their sockets, their directory, and how both ways end. Without SSH."""

import os
import socket
import stat
import tempfile
import threading
import time
from pathlib import Path

import pytest

from console.errors import FailureKind, LinkError
from console.links.ssh import tunnel as tunnels
from console.links.ssh.tunnel import LONGEST_PATH, Tunnel, remove_stale, tunnel_directory
from console.paths import Paths


class FakeRemote:
    """The far end as a socket: what an SSH channel is to a tunnel."""

    def __init__(self, end):
        self.end = end
        self.closed = False

    def recv(self, size):
        return self.end.recv(size)

    def sendall(self, data):
        self.end.sendall(data)

    def shutdown_write(self):
        self.end.shutdown(socket.SHUT_WR)

    def close(self):
        self.closed = True
        try:
            self.end.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


class World:
    """Opens remotes, and keeps the servers' ends of them."""

    def __init__(self):
        self.servers = []
        self.remotes = []
        self.failure = None

    def open_remote(self):
        if self.failure is not None:
            raise self.failure
        ours, theirs = socket.socketpair()
        self.servers.append(theirs)
        self.remotes.append(ours)
        theirs.settimeout(10)
        return FakeRemote(ours)

    def close(self):
        for end in (*self.servers, *self.remotes):
            end.close()


@pytest.fixture
def world():
    made = World()
    yield made
    made.close()


@pytest.fixture
def tunnel(world, tmp_path):
    made = Tunnel(tmp_path, world.open_remote, "host:x")
    yield made
    made.close()
    eventually(lambda: not made._pairs)


@pytest.fixture
def client(tunnel):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        made.settimeout(10)
        made.connect(str(tunnel.path))
        yield made


def eventually(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def server_of(world):
    eventually(lambda: world.servers)
    return world.servers[0]


def test_both_ways_and_half_close(client, world, tunnel):
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    server = server_of(world)
    assert server.recv(100) == b"question"
    assert server.recv(100) == b""
    server.sendall(b"answer")
    server.shutdown(socket.SHUT_WR)
    assert client.recv(100) == b"answer"
    assert client.recv(100) == b""
    client.close()
    eventually(lambda: not tunnel._pairs)


def test_the_far_end_may_stop_first_and_still_listen(client, world):
    server = server_of(world)
    server.shutdown(socket.SHUT_WR)
    assert client.recv(100) == b""
    client.sendall(b"still here")
    assert server.recv(100) == b"still here"


def test_a_client_that_leaves_frees_the_far_end(client, world, tunnel):
    server = server_of(world)
    client.close()
    assert server.recv(100) == b""
    eventually(lambda: not tunnel._pairs)


def test_a_client_that_leaves_under_an_idle_stream_frees_it(client, world, tunnel):
    # As one that follows events: the server never reads, and says nothing more.
    server_of(world).sendall(b"one event")
    assert client.recv(100) == b"one event"
    client.close()
    eventually(lambda: not tunnel._pairs)


def test_both_ways_full_at_once_do_not_block_each_other(client, world):
    server = server_of(world)
    data = os.urandom(3_000_000)
    threads = [
        threading.Thread(target=client.sendall, args=(data,)),
        threading.Thread(target=server.sendall, args=(data,)),
    ]
    for thread in threads:
        thread.start()
    got = [b"", b""]
    for index, end in enumerate((client, server)):
        pieces = []
        while sum(map(len, pieces)) < len(data):
            pieces.append(end.recv(1 << 16))
        got[index] = b"".join(pieces)
    for thread in threads:
        thread.join(10)
    assert got == [data, data]


def test_a_failure_ends_the_client_and_is_remembered(world, tmp_path):
    world.failure = LinkError(FailureKind.UNREACHABLE, "x", "no", "nothing")
    made = Tunnel(tmp_path, world.open_remote, "host:x")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(10)
            client.connect(str(made.path))
            assert client.recv(1) == b""
        assert made.failed
        world.failure = None
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(made.path))
            server_of(world)
            eventually(lambda: not made.failed)
    finally:
        made.close()


def test_too_many_are_turned_away(tunnel, world, monkeypatch):
    monkeypatch.setattr(tunnels, "CONNECTIONS", 2)
    clients = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(3)]
    try:
        for number, client in enumerate(clients):
            client.settimeout(10)
            client.connect(str(tunnel.path))
            eventually(lambda n=number: len(world.servers) == min(n + 1, 2))
        assert clients[2].recv(1) == b""
        assert len(world.servers) == 2
    finally:
        for client in clients:
            client.close()


def test_close_ends_everything(client, world, tunnel):
    server_of(world)
    tunnel.close()
    assert client.recv(1) == b""
    assert not tunnel.path.exists()
    assert not tunnel.open
    tunnel.close()


def test_the_socket_is_its_owners_alone(tunnel):
    assert stat.S_IMODE(tunnel.path.stat().st_mode) == 0o600


def paths(runtime: Path) -> Paths:
    return Paths(runtime, runtime, runtime, runtime)


def test_the_directory_is_private(tmp_path):
    directory = tunnel_directory(paths(tmp_path / "run"), "host:x")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_long_directory_is_replaced_by_a_short_one(tmp_path, monkeypatch):
    with tempfile.TemporaryDirectory() as short:
        monkeypatch.setattr(tunnels.tempfile, "gettempdir", lambda: short)
        directory = tunnel_directory(paths(tmp_path / ("long" * 40)), "host:x")
        assert directory.parent == Path(short)
        assert len(str(directory)) + 20 <= LONGEST_PATH
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_home_that_cannot_be_written_is_no_hindrance(tmp_path, monkeypatch):
    (tmp_path / "home").write_text("no directory can be made in this")
    with tempfile.TemporaryDirectory() as short:
        monkeypatch.setattr(tunnels.tempfile, "gettempdir", lambda: short)
        directory = tunnel_directory(paths(tmp_path / "home" / "run"), "host:x")
        assert directory.parent == Path(short)
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_symbolic_link_in_its_place_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "real")
    with pytest.raises(LinkError) as caught:
        tunnel_directory(paths(tmp_path / "run"), "host:x")
    assert caught.value.failure.kind is FailureKind.DENIED
    assert "XDG_RUNTIME_DIR" in caught.value.failure.remedy


def test_only_what_the_dead_left_is_removed(tunnel, tmp_path):
    def leave(name, age):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
            dead.bind(str(tmp_path / name))
        moment = time.time() - age
        os.utime(tmp_path / name, (moment, moment))

    leave("old.tunnel", 3600)
    leave("new.tunnel", 0)
    leave("other.sock", 3600)
    os.utime(tunnel.path, (0, 0))
    remove_stale(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {tunnel.path.name, "new.tunnel", "other.sock"}
