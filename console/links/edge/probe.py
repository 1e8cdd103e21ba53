"""One edge, asked as its users ask it, but at its own address.

URL, Host and SNI stay those of the users; only the connection goes to this one edge. Its
certificate is read as served, also where it would be refused. Redirects are reported and
never followed.
"""

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from console.clock import Clock, Deadline
from console.config.environment import EdgeConfig
from console.errors import FailureKind, LinkError
from console.links.edge.certificate import refused, verified
from console.links.http.answer import (
    certificate_words,
    refused_certificate,
    shown_url,
    skew_by_date,
    timed_out,
)
from console.links.http.deadline import Lease, SocketGuard, side_by_side
from console.links.http.source import address_of, reach, tls_context
from console.links.protocols import HostLink, TcpAddress, UnixAddress
from console.model.edges import Certificate, EdgeReport, Probe
from console.text import clean

if TYPE_CHECKING:
    from console.links.http.client import HttpClient

_BODY_LIMIT: Final = 1 << 20
_NONE: Final = "none"
_MARGIN: Final = 0.1
_MARGIN_MOST: Final = 1.0
"""The part of a read's time, and the seconds at most, that are kept back from its requests:
an edge that never answers is what users meet, and there is to be time left to report it."""

Target = TcpAddress | UnixAddress


@dataclass(frozen=True, slots=True)
class Seen:
    """What one request met."""

    probe: Probe
    certificate: Certificate | None = None
    skew: float | None = None


def _hung(probe: Probe) -> bool:
    return probe.failure is not None and probe.failure.kind is FailureKind.TIMEOUT


class EdgeProbe:
    """Health, redirect and certificate of one edge (an EdgeLink)."""

    def __init__(self, config: EdgeConfig, host: HostLink | None, clock: Clock) -> None:
        self._config = config
        self._host = host
        self._clock = clock
        self._url: Final = config.url.rstrip("/")
        self._subject: Final = f"edge {config.name} {shown_url(self._url)}"
        self._guard = SocketGuard()
        self._lock = threading.Lock()
        self._tls: ssl.SSLContext | None = None
        self._skew: float | None = None

    @property
    def name(self) -> str:
        return f"edge:{self._config.name}"

    def load(self) -> None:
        """Load httpx (35 ms)."""
        import console.links.http.client  # noqa: F401

    def skew(self) -> float | None:
        return self._skew

    def cancel(self) -> None:
        self._guard.cancel()

    def close(self) -> None:
        self._guard.close()

    def read(self, deadline: Deadline) -> EdgeReport:
        """Both probes side by side. Raises LinkError where nothing could be tried."""
        usual = address_of(self._url, self._subject)
        address = self._listens(self._config.connect, usual)
        try:
            target = reach(address, self._host, deadline)
        except LinkError as error:
            return self._refused_at_host(error, deadline)
        secure = self._url.startswith("https:")
        tls = self._context() if secure else None
        kept_back = min(_MARGIN_MOST, deadline.left() * _MARGIN)
        asking = replace(deadline, at=deadline.at - kept_back)
        with self._guard.lease(asking) as lease:
            asked: list[Callable[[], Seen]] = [
                lambda: self._ask(self._url + self._config.health, target, lease, tls)
            ]
            if secure and self._config.http_connect != _NONE:
                asked.append(lambda: self._ask_plain(usual.host, lease))
            seen = side_by_side(asked, len(asked), asking)
        health = seen[0] or self._overdue()
        if self._host is not None and _hung(health.probe):
            # The way may be what hangs: then this raises, and the edge is not seen.
            self._host.run(("true",), deadline)
        redirect = (seen[1] or self._overdue()) if len(seen) > 1 else None
        self._skew = health.skew
        return EdgeReport(
            name=self._config.name,
            url=shown_url(self._url),
            vantage=self._config.through,
            health=health.probe,
            redirect=redirect.probe if redirect else None,
            certificate=health.certificate,
            assumed=self._config.assumed,
        )

    def _refused_at_host(self, error: LinkError, deadline: Deadline) -> EdgeReport:
        """Where the host is there but the edge is not, that is what users meet."""
        if self._host is None or error.failure.kind is not FailureKind.UNREACHABLE:
            raise error
        self._host.run(("true",), deadline)
        at, shown = self._clock.wall(), shown_url(self._url)
        failure = replace(error.failure, subject=self._subject)
        health = Probe(f"{shown}{self._config.health}", at, failure=failure)
        name, assumed = self._config.name, self._config.assumed
        return EdgeReport(name, shown, self._config.through, health, assumed=assumed)

    def _ask(self, url: str, target: Target, lease: Lease, tls: ssl.SSLContext | None) -> Seen:
        """The request that users make, and the certificate that it met."""
        from console.links.http.client import HttpClient

        at = self._clock.wall()
        shown = shown_url(url)
        client = HttpClient(target, lease, self._subject, tls=tls, limit=_BODY_LIMIT)
        try:
            answer = client.get(url)
        except LinkError as error:
            certificate = self._certificate_refused(error, target, lease, client)
            if tls is not None and certificate is not None and certificate.problem:
                return self._ask_trusting(url, target, lease, certificate)
            return Seen(Probe(shown, at, failure=error.failure), certificate)
        finally:
            client.close()
        location = shown_url(answer.headers.get("location", ""))
        probe = Probe(shown, at, answer.took, answer.status, location)
        certificate = verified(client.peer.facts) if client.peer else None
        return Seen(probe, certificate, skew_by_date(answer))

    def _ask_trusting(self, url: str, target: Target, lease: Lease, refused: Certificate) -> Seen:
        """What stands behind a certificate that clients refuse: two troubles, not one."""
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname = False
        trusting.verify_mode = ssl.CERT_NONE
        seen = self._ask(url, target, lease, trusting)
        return replace(seen, certificate=refused)

    def _ask_plain(self, host: str, lease: Lease) -> Seen:
        """What users get who write no https://."""
        url = f"http://{f'[{host}]' if ':' in host else host}/"
        at = self._clock.wall()
        try:
            address = self._listens(self._config.http_connect, TcpAddress(host, 80))
            target = reach(address, self._host, lease.deadline)
        except LinkError as error:
            return Seen(Probe(url, at, failure=error.failure))
        return self._ask(url, target, lease, None)

    def _certificate_refused(
        self, error: LinkError, target: Target, lease: Lease, client: "HttpClient"
    ) -> Certificate | None:
        """What was served although the request failed: accepted or refused."""
        if client.peer is not None:
            return verified(client.peer.facts)
        refusal = refused_certificate(error)
        if refusal is None:
            return None
        server = address_of(self._url, self._subject).host
        return refused(target, server, lease, certificate_words(refusal))

    def _overdue(self) -> Seen:
        """For a request that did not even end when its socket was shut."""
        failure = timed_out(self._subject, 0.0, 0).failure
        return Seen(Probe(shown_url(self._url), self._clock.wall(), failure=failure))

    def _listens(self, configured: str, usual: TcpAddress) -> TcpAddress:
        """``HOST:PORT`` of the configuration, or what the URL says."""
        if not configured:
            return usual
        host, _, port = configured.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise LinkError(
                FailureKind.INVALID,
                self._subject,
                f"{clean(configured, 100)} is not HOST:PORT",
                "correct connect or http_connect of this edge in cofa.toml",
            )
        return TcpAddress(host.strip("[]"), int(port))

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                self._tls = tls_context(self._config.ca, self._subject)
            return self._tls
