"""One HTTP exchange at a time over httpx: fixed target, deadline, bounded body.

Imported late: it loads httpx. Nothing follows redirects or reads proxies from the
environment, because what is asked must be what answers.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpcore

from console.clock import Clock
from console.errors import LinkError
from console.links.http.answer import (
    BODY_LIMIT,
    Answer,
    broken_off,
    cancelled,
    explain,
    timed_out,
    too_large,
    unpack,
)
from console.links.http.deadline import Cut, Lease, dial
from console.links.optional import left_out
from console.links.protocols import TcpAddress, UnixAddress

with left_out("httpx._main"):
    import httpx

_AGENT: Final = "cofa"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who a TLS handshake found."""

    der: bytes
    """Its certificate."""
    facts: Mapping[str, Any]
    """The same as ``ssl.SSLSocket.getpeercert`` has it."""


class _Seen(threading.local):
    """What one thread's request has met so far; a request stays on its thread."""

    received = 0
    """Bytes, head and body."""


class _Stream(httpcore.NetworkStream):
    """A socket as httpcore wants it; says whom a TLS handshake on it found."""

    def __init__(self, sock: socket.socket, seen: _Seen, met: Callable[[Peer], None]) -> None:
        self._sock = sock
        self._seen = seen
        self._met = met

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._sock.settimeout(timeout)
        data = self._sock.recv(max_bytes)
        self._seen.received += len(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer:  # an empty send to a peer that has answered and gone is EPIPE
            self._sock.settimeout(timeout)
            self._sock.sendall(buffer)

    def close(self) -> None:
        self._sock.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> "_Stream":
        try:
            self._sock.settimeout(timeout)
            sock = ssl_context.wrap_socket(self._sock, server_hostname=server_hostname)
            self._met(Peer(sock.getpeercert(True) or b"", sock.getpeercert() or {}))
            return _Stream(sock, self._seen, self._met)
        except BaseException:
            self.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object" and isinstance(self._sock, ssl.SSLSocket):
            return self._sock
        return None


class _Dialler(httpcore.NetworkBackend):
    """Connects to one address, whatever the URL's name: SNI and Host stay the URL's."""

    def __init__(self, target: TcpAddress | UnixAddress, lease: Lease) -> None:
        self._target = target
        self._lease = lease
        self.peer: Peer | None = None
        self.seen: Final = _Seen()

    def _met(self, peer: Peer) -> None:
        self.peer = peer

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(dial(self._target, self._lease), self.seen, self._met)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class _Transport(httpx.BaseTransport):
    """httpx over the dialler; hands back whole answers with bounded, unpacked bodies."""

    def __init__(
        self,
        dialler: _Dialler,
        lease: Lease,
        subject: str,
        tls: ssl.SSLContext | None,
        limit: int,
    ) -> None:
        self._lease = lease
        self._subject = subject
        self._limit = limit
        self._seen = dialler.seen
        # A context without trust in anything stands in for plain HTTP: none is made then.
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            network_backend=dialler,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        asked = httpcore.Request(
            method=request.method,
            url=url,
            headers=request.headers.raw,
            content=request.read(),
            extensions=request.extensions,
        )
        clock = self._lease.deadline.clock
        started, self._seen.received = clock.monotonic(), 0
        answered = False
        try:
            response = self._pool.handle_request(asked)
            head_at, answered = clock.wall(), True
            try:
                whole = self._body(response)
            finally:
                response.close()
        except (OSError, httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise self._explain(error, clock.monotonic() - started, answered) from error
        headers = httpx.Headers(response.headers)
        body = unpack(whole, headers.pop("content-encoding", ""), self._subject, self._limit)
        return httpx.Response(
            response.status, headers=headers, content=body, extensions={"head_at": head_at}
        )

    def _body(self, response: httpcore.Response) -> bytes:
        parts: list[bytes] = []
        length = 0
        for part in response.iter_stream():
            parts.append(part)
            length += len(part)
            if length > self._limit:
                raise too_large(self._subject, self._limit)
        return b"".join(parts)

    def _explain(self, error: Exception, waited: float, answered: bool) -> LinkError:
        received = self._seen.received
        if self._lease.cut is Cut.CANCELLED:
            return cancelled(self._subject)
        if self._lease.cut is Cut.DEADLINE or self._lease.deadline.passed:
            return timed_out(self._subject, waited, received)
        if answered:
            return broken_off(self._subject)
        return explain(error, self._subject, waited, received)

    def close(self) -> None:
        self._pool.close()


class HttpClient:
    """Asks one server during one read. Several threads may ask at once."""

    def __init__(
        self,
        target: TcpAddress | UnixAddress,
        lease: Lease,
        subject: str,
        *,
        tls: ssl.SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
        limit: int = BODY_LIMIT,
    ) -> None:
        self.subject = subject
        self._lease = lease
        self._dialler = _Dialler(target, lease)
        self._client = httpx.Client(
            transport=_Transport(self._dialler, lease, subject, tls, limit),
            headers={"User-Agent": _AGENT, "Accept-Encoding": "gzip", **(headers or {})},
            trust_env=False,
            follow_redirects=False,
        )

    @property
    def clock(self) -> Clock:
        """The clock of the read's deadline."""
        return self._lease.deadline.clock

    @property
    def peer(self) -> Peer | None:
        """Whom the newest TLS handshake found; also where no answer came after it."""
        return self._dialler.peer

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """The whole answer, whatever its status. Raises LinkError."""
        started = self.clock.monotonic()
        asked_at = self.clock.wall()
        try:
            response = self._client.get(
                url, headers=headers, timeout=self._lease.deadline.timeout()
            )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise explain(error, self.subject, 0.0, 0) from None
        return Answer(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=response.content,
            asked_at=asked_at,
            answered_at=response.extensions["head_at"],
            took=self.clock.monotonic() - started,
        )

    def close(self) -> None:
        """Close its connections."""
        self._client.close()
