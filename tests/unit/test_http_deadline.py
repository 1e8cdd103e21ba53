"""The guard of sockets, dialling and running side by side."""

import socket
import threading
from typing import Any

import pytest

from console.clock import Deadline, ManualClock, SystemClock
from console.links.http.answer import shown_url, skew_of
from console.links.http.deadline import Cut, SocketGuard, dial, resolve, side_by_side
from console.links.protocols import TcpAddress, UnixAddress


def soon(seconds: float = 5.0) -> Deadline:
    return Deadline.after(SystemClock(), seconds)


@pytest.fixture
def listener() -> Any:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def address(listener: socket.socket) -> TcpAddress:
    return TcpAddress("127.0.0.1", listener.getsockname()[1])


def test_the_deadline_shuts_what_is_held(listener: socket.socket) -> None:
    with SocketGuard().lease(soon(0.1)) as lease, dial(address(listener), lease) as sock:
        sock.settimeout(5)
        assert sock.recv(1) == b""  # shut on this side: the other one never spoke
        assert lease.cut is Cut.DEADLINE


def test_cancel_shuts_what_is_held_and_nothing_later(listener: socket.socket) -> None:
    guard = SocketGuard()
    with guard.lease(soon()) as lease, dial(address(listener), lease) as sock:
        guard.cancel()
        assert sock.recv(1) == b"" and lease.cut is Cut.CANCELLED
        with pytest.raises(TimeoutError), socket.socket() as late:
            lease.hold(late)
    with guard.lease(soon()) as lease, dial(address(listener), lease):
        assert lease.cut is None


def test_a_lease_that_ended_leaves_no_open_connection(listener: socket.socket) -> None:
    with SocketGuard().lease(soon()) as lease:
        dial(address(listener), lease).close()
        peer, _ = listener.accept()
    with peer:
        peer.settimeout(5)
        assert peer.recv(1) == b""


def test_an_address_that_fails_does_not_hide_the_next(
    listener: socket.socket, monkeypatch: Any
) -> None:
    real = socket.getaddrinfo(*listener.getsockname(), type=socket.SOCK_STREAM)
    dead = socket.getaddrinfo("127.0.0.1", 1, type=socket.SOCK_STREAM)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: dead + real)
    with SocketGuard().lease(soon()) as lease, dial(TcpAddress("two", 1), lease) as sock:
        assert sock.getpeername() == listener.getsockname()


def test_a_resolver_that_hangs_is_left_behind(monkeypatch: Any) -> None:
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: ended.wait(8) and [])
    with pytest.raises(TimeoutError, match="not resolved in time"):
        resolve(TcpAddress("slow.example", 80), soon(0.05))
    ended.set()


def test_a_name_that_is_none_is_an_os_error() -> None:
    with pytest.raises(OSError):
        resolve(TcpAddress("a" * 70 + ".example", 80), soon())


def test_a_socket_that_is_not_there(tmp_path: Any) -> None:
    with SocketGuard().lease(soon()) as lease, pytest.raises(FileNotFoundError):
        dial(UnixAddress(tmp_path / "gone"), lease)


def test_side_by_side_keeps_the_order_and_leaves_the_hung_behind() -> None:
    ended = threading.Event()
    tasks: list[Any] = [lambda: 1, lambda: ended.wait(8) and 2, lambda: 3]
    assert side_by_side(tasks, 2, Deadline.after(ManualClock(), 0)) == [1, None, 3]
    ended.set()


def test_side_by_side_runs_side_by_side() -> None:
    both = threading.Barrier(2)
    assert side_by_side([lambda: both.wait(5) >= 0] * 2, 2, soon()) == [True, True]


def test_skew_is_what_the_stamp_proves() -> None:
    assert skew_of(100.0, 99.0, 101.0) == 0.0
    assert skew_of(110.0, 99.0, 101.0) == 9.0
    assert skew_of(90.0, 99.0, 101.0) == -9.0
    assert skew_of(98.0, 99.0, 101.0, 1.0) == 0.0


def test_a_shown_url_has_no_credentials_and_no_escapes() -> None:
    assert shown_url("https://ana:pw@h/x\x1b[2J") == "https://h/x"
    assert shown_url("http://[::1") == "http://[::1"
