"""A real server on loopback that misbehaves as it is told; loaded by conftest's fixtures.

Whatever hangs or drips ends by itself with a good answer after some seconds, so that a
client which does not keep its deadline succeeds late, and its test fails, instead of hanging.
"""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress

PATIENCE = 8.0

Behaviour = Callable[["Exchange"], None]


class Exchange:
    """One request that came in, and the socket to answer it on."""

    def __init__(self, sock: socket.socket, head: bytes, stopped: threading.Event) -> None:
        self.sock = sock
        self.head = head
        self.stopped = stopped

    @property
    def target(self) -> str:
        """Path and query."""
        if self.head[:1] == b"\x16":
            return ""
        return self.head.split(b" ", 2)[1].decode()

    def header(self, name: str) -> str:
        """One header of the request, empty if it has none."""
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name:
                return value.strip()
        return ""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)


class FaultyServer:
    """Answers every request by `behave`; every thread and socket ends with `stop`."""

    def __init__(self, behave: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self.behave = behave
        self.requests: list[str] = []
        self.heads: list[bytes] = []
        self._tls = tls
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        with self._lock:
            for sock in self._open:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with self._lock:
            self._open.add(sock)
        try:
            with suppress(OSError):
                sock.settimeout(PATIENCE)
                if self._tls is not None:
                    sock = self._tls.wrap_socket(sock, server_side=True)
                self._exchanges(sock)
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()

    def _exchanges(self, sock: socket.socket) -> None:
        while not self._stopped.is_set():
            head = b""
            # A TLS greeting is answered, too, as plain servers do.
            while b"\r\n\r\n" not in head and head[:1] != b"\x16":
                chunk = sock.recv(65536)
                if not chunk:
                    return
                head += chunk
            exchange = Exchange(sock, head, self._stopped)
            self.heads.append(head)
            self.requests.append(exchange.target)
            self.behave(exchange)


def response(
    body: bytes,
    status: str = "200 OK",
    kind: str = "application/json",
    length: int | None = None,
    more: str = "",
) -> bytes:
    """A whole HTTP response; `length` to lie about its length."""
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body) if length is None else length}\r\n{more}\r\n"
    ).encode() + body


def always(body: bytes, status: str = "200 OK", kind: str = "application/json") -> Behaviour:
    """The same answer to everything."""
    return lambda exchange: exchange.send(response(body, status, kind))


def html(exchange: Exchange) -> None:
    exchange.send(response(b"<!DOCTYPE html><html>Log in</html>", kind="text/html"))


def unauthorized(exchange: Exchange) -> None:
    exchange.send(
        response(b"no", "401 Unauthorized", "text/plain", more="WWW-Authenticate: Basic\r\n")
    )


def forbidden(exchange: Exchange) -> None:
    exchange.send(response(b"<html>no</html>", "403 Forbidden", "text/html"))


def half_a_body(exchange: Exchange) -> None:
    exchange.send(response(b'{"status":"success","data":{"resu', length=5000))
    exchange.sock.shutdown(socket.SHUT_RDWR)


def half_without_length(exchange: Exchange) -> None:
    exchange.send(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"status":"success","data":{"resu')
    exchange.sock.shutdown(socket.SHUT_RDWR)


def drip(exchange: Exchange) -> None:
    """A good head, then the body byte by byte, each well within any client's time-out."""
    body = b'{"status":"success","data":{"result":[]}}'
    exchange.send(response(b"", length=len(body)))
    for index in range(len(body)):
        if exchange.stopped.wait(PATIENCE / len(body)):
            return
        exchange.send(body[index : index + 1])


def silent(exchange: Exchange) -> None:
    """Nothing at all for a long time."""
    if not exchange.stopped.wait(PATIENCE):
        exchange.send(response(b'{"status":"success","data":{"result":[]}}'))


def reset(exchange: Exchange) -> None:
    """A TCP reset."""
    exchange.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.sock.close()
    raise OSError


def hang_up(exchange: Exchange) -> None:
    exchange.sock.shutdown(socket.SHUT_RDWR)


def huge(exchange: Exchange) -> None:
    """More than anyone wants, of unknown length."""
    exchange.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n["
    )
    chunk = b"1," * (1 << 19)
    for _ in range(64):
        exchange.send(chunk)
    exchange.sock.shutdown(socket.SHUT_RDWR)


def redirect_to_itself(exchange: Exchange) -> None:
    where = f"Location: {exchange.target}\r\n"
    exchange.send(response(b"", "302 Found", more=where))


def empty(exchange: Exchange) -> None:
    exchange.send(response(b""))


def not_http(exchange: Exchange) -> None:
    exchange.send(b"-ERR unknown command\r\n")
    exchange.sock.shutdown(socket.SHUT_RDWR)


def deep(exchange: Exchange) -> None:
    """JSON that is nested beyond reason."""
    exchange.send(response(b"[" * 200_000))


def wait_until(happened: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Whether `happened` came true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.01)
    return happened()
