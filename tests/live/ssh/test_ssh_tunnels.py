"""Tunnels through a real sshd, to TCP and to Unix sockets."""

import hashlib
import os
import socket
import socketserver
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from console.errors import FailureKind, LinkError
from console.links.protocols import TcpAddress, UnixAddress

pytestmark = pytest.mark.live


class Digest(socketserver.BaseRequestHandler):
    """Reads to the end, then answers: only half-close makes that possible."""

    def handle(self):
        digest = hashlib.sha256()
        while data := self.request.recv(65536):
            digest.update(data)
        with suppress(BrokenPipeError):  # a client that has left
            self.request.sendall(digest.hexdigest().encode())


class TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64


class UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


@pytest.fixture(params=["tcp", "unix"])
def address(request, tmp_path):
    if request.param == "tcp":
        server = TcpServer(("127.0.0.1", 0), Digest)
        found = TcpAddress("127.0.0.1", server.server_address[1])
    else:
        server = UnixServer(str(tmp_path / "server"), Digest)
        found = UnixAddress(tmp_path / "server")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join(10)


def ask(path, data):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(20)
        client.connect(str(path))
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := client.recv(4096):
            answer += piece
        return answer.decode()


def test_forty_at_once_through_one_tunnel(sshd, open_ssh, within, address):
    end = open_ssh(sshd).reach(address, within(20))
    assert isinstance(end, UnixAddress)
    payloads = [os.urandom(50_000) for _ in range(40)]
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda data: ask(end.path, data), payloads))
    assert answers == [hashlib.sha256(data).hexdigest() for data in payloads]


def test_a_large_upload_passes_the_windows(sshd, open_ssh, within, address):
    end = open_ssh(sshd).reach(address, within(20))
    data = os.urandom(6_000_000)
    assert ask(end.path, data) == hashlib.sha256(data).hexdigest()


def test_only_its_owner_may_enter(sshd, open_ssh, within, address):
    end = open_ssh(sshd).reach(address, within(20))
    assert stat.S_IMODE(end.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(end.path.parent.stat().st_mode) == 0o700
    assert len(str(end.path)) <= 100


def test_one_address_has_one_tunnel_until_close(sshd, open_ssh, within, address):
    host = open_ssh(sshd)
    end = host.reach(address, within(20))
    assert host.reach(address, within(20)) == end
    host.close()
    assert not end.path.exists()


def test_a_tunnel_outlives_its_connection(make_sshd, open_ssh, within, address, eventually):
    server = make_sshd()
    host = open_ssh(server)
    end = host.reach(address, within(20))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as waiting:
        waiting.settimeout(20)
        waiting.connect(str(end.path))
        waiting.sendall(b"half a question")
        eventually(lambda: any(pair._far for pair in the_tunnel(host)._pairs), "the channel")
        server.cut()
        assert waiting.recv(10) == b""  # it ends, and does not hang
    expected = hashlib.sha256(b"again").hexdigest()
    eventually(lambda: ask(end.path, b"again") == expected, "the tunnel to work again")
    assert host.reach(address, within(20)) == end


def the_tunnel(host):
    return next(iter(host._tunnels.values()))


def test_a_client_that_leaves_frees_its_channel(sshd, open_ssh, within, address, eventually):
    host = open_ssh(sshd)
    end = host.reach(address, within(20))
    for _ in range(3):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(end.path))
            client.sendall(b"never mind")
    eventually(lambda: not the_tunnel(host)._pairs, "the connections to end")


def test_a_socket_that_was_swept_away_is_made_again(sshd, open_ssh, within, address):
    host = open_ssh(sshd)
    host.reach(address, within(20)).path.unlink()
    end = host.reach(address, within(20))
    assert ask(end.path, b"x") == hashlib.sha256(b"x").hexdigest()


@pytest.mark.parametrize(
    ("address", "kind", "why"),
    [
        (TcpAddress("127.0.0.1", 1), FailureKind.UNREACHABLE, "Connection refused"),
        (UnixAddress(Path("/nowhere.sock")), FailureKind.MISSING, "there is no /nowhere.sock"),
        (UnixAddress(Path("/etc")), FailureKind.INVALID, "no socket"),
    ],
)
def test_what_cannot_be_reached_is_named(sshd, open_ssh, within, address, kind, why):
    with pytest.raises(LinkError) as caught:
        open_ssh(sshd).reach(address, within(20))
    assert caught.value.failure.kind is kind
    assert why in caught.value.failure.why


def test_a_socket_without_a_listener_is_named(sshd, open_ssh, within, tmp_path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead"))
    with pytest.raises(LinkError) as caught:
        open_ssh(sshd).reach(UnixAddress(tmp_path / "dead"), within(20))
    assert caught.value.failure.kind is FailureKind.UNREACHABLE
    assert "nothing listens" in caught.value.failure.why


def test_a_server_that_forbids_tunnels_is_named(make_sshd, open_ssh, within, address):
    host = open_ssh(make_sshd("AllowTcpForwarding no", "AllowStreamLocalForwarding no"))
    with pytest.raises(LinkError) as caught:
        host.reach(address, within(20))
    assert caught.value.failure.kind is FailureKind.DENIED
    assert "sshd refuses" in caught.value.failure.why
    assert "Forwarding" in caught.value.failure.remedy
