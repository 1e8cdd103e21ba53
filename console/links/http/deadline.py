"""Sockets that are shut when a read's deadline passes, or when someone cancels it.

A client's own time-outs start again with each byte, so a server that drips one byte a
second outlives them all. Shutting the socket ends every read of it at once.
"""

import ipaddress
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Any, Final, TypeVar

from console.clock import Deadline
from console.links.protocols import TcpAddress, UnixAddress

T = TypeVar("T")

Resolved = list[tuple[Any, Any, int, str, Any]]

_LONGEST_WAIT: Final = 3600.0


class Cut(StrEnum):
    """Why the sockets of a read were shut."""

    DEADLINE = "deadline"
    CANCELLED = "cancelled"


class Lease:
    """The sockets of one read, from its start to its end."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.cut: Cut | None = None
        """Why they were shut, if they were."""
        self._held: list[socket.socket] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def hold(self, sock: socket.socket) -> None:
        """Shut `sock`, too, when this read is cut. Raises TimeoutError if it was already.

        A duplicate is kept: TLS detaches the original, but both name one connection.
        """
        with self._lock:
            if self.cut is None and not self._ended.is_set():
                self._held.append(sock.dup())
                return
        raise TimeoutError("the read is over")

    def shut(self, cut: Cut) -> None:
        """Shut every socket; the first reason stays."""
        with self._lock:
            if self._ended.is_set():
                return
            self.cut = self.cut or cut
            _shut_all(self._held)

    def end(self) -> None:
        """Give every socket back."""
        self._ended.set()
        with self._lock:
            _shut_all(self._held)
            for sock in self._held:
                sock.close()
            self._held.clear()

    def watch(self) -> None:
        """Wait for the deadline and shut, unless the read ends before."""
        while not self._ended.wait(min(self.deadline.left(), _LONGEST_WAIT)):
            if self.deadline.passed:
                self.shut(Cut.DEADLINE)
                return


class SocketGuard:
    """Hands out the leases of one link and cuts them all when told to."""

    def __init__(self) -> None:
        self._leases: set[Lease] = set()
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def lease(self, deadline: Deadline) -> Iterator[Lease]:
        """A lease for one read, watched by a thread of its own until it ends."""
        lease = Lease(deadline)
        with self._lock:
            self._leases.add(lease)
            if self._closed:
                lease.shut(Cut.CANCELLED)
        threading.Thread(target=lease.watch, name="deadline", daemon=True).start()
        try:
            yield lease
        finally:
            with self._lock:
                self._leases.discard(lease)
            lease.end()

    def cancel(self) -> None:
        """Shut the sockets of all reads under way; later reads are not touched."""
        with self._lock:
            leases = list(self._leases)
        for lease in leases:
            lease.shut(Cut.CANCELLED)

    def close(self) -> None:
        """Cancel, now and every later read."""
        with self._lock:
            self._closed = True
        self.cancel()


def dial(address: TcpAddress | UnixAddress, lease: Lease) -> socket.socket:
    """A connected socket that `lease` holds. Raises OSError.

    Several addresses of one name share the time that is left, so that a dead first one
    (IPv6 without a route) does not spend it all.
    """
    if isinstance(address, UnixAddress):
        return _connect(socket.AF_UNIX, str(address.path), lease, lease.deadline.timeout())
    found = resolve(address, lease.deadline)
    error: OSError | None = None
    for left, (family, _, _, _, where) in zip(range(len(found), 0, -1), found, strict=True):
        try:
            return _connect(family, where, lease, lease.deadline.timeout() / left)
        except OSError as caught:
            error = caught
            if lease.cut:
                break
    raise error or OSError(f"{address.host} has no address")


def resolve(address: TcpAddress, deadline: Deadline) -> Resolved:
    """The addresses of a name, by the deadline. Raises OSError (gaierror, TimeoutError).

    The system's resolver cannot be interrupted: it gets a thread that may be left behind.
    """
    with suppress(ValueError):
        ipaddress.ip_address(address.host)
        return socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    box: queue.SimpleQueue[Resolved | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            box.put(socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM))
        except OSError as error:
            box.put(error)
        except UnicodeError:
            box.put(socket.gaierror(socket.EAI_NONAME, "not a host name"))

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        found = box.get(timeout=deadline.timeout())
    except queue.Empty:
        raise TimeoutError(f"the name {address.host} was not resolved in time") from None
    if isinstance(found, OSError):
        raise found
    return found


def side_by_side(
    tasks: Sequence[Callable[[], T]], workers: int, deadline: Deadline
) -> list[T | None]:
    """Run `tasks` on at most `workers` daemon threads; results in the tasks' order.

    A task must not raise and ends by the deadline by itself; one that does not is left
    behind and its result is None.
    """
    results: list[T | None] = [None] * len(tasks)
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(len(tasks)):
        waiting.put(index)

    def work() -> None:
        while True:
            try:
                index = waiting.get_nowait()
            except queue.Empty:
                return
            results[index] = tasks[index]()

    threads = [
        threading.Thread(target=work, name="side-by-side", daemon=True)
        for _ in range(min(workers, len(tasks)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(deadline.left() + 1.0)  # a little for the errors to come back
    return results


def _connect(family: int, where: Any, lease: Lease, timeout: float) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        lease.hold(sock)
        sock.settimeout(timeout)
        sock.connect(where)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def _shut_all(socks: Sequence[socket.socket]) -> None:
    for sock in socks:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
