"""An HTTP service as it is configured: where it is asked from, as whom, trusting what."""

import base64
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from console.clock import Deadline
from console.config.environment import HttpConfig, SecretRef
from console.errors import CofaError, FailureKind, LinkError
from console.links.http.answer import shown_url
from console.links.http.deadline import SocketGuard
from console.links.protocols import HostLink, TcpAddress, UnixAddress
from console.links.tls import as_clients_do
from console.secret import Secret

if TYPE_CHECKING:
    from console.links.http.client import HttpClient

ResolveSecret = Callable[[SecretRef], Secret]
"""Gives the secret that a reference names, or raises CofaError."""

_PORTS: Final = {"http": 80, "https": 443}


def address_of(url: str, subject: str) -> TcpAddress:
    """Host and port of `url`. Raises LinkError for what is no http or https URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in _PORTS or not host:
        raise LinkError(
            FailureKind.INVALID,
            subject,
            "its URL is not http://HOST[:PORT] or https://HOST[:PORT]",
            "correct url in cofa.toml",
        )
    return TcpAddress(host, port or _PORTS[parts.scheme])


def reach(
    address: TcpAddress, host: HostLink | None, deadline: Deadline
) -> TcpAddress | UnixAddress:
    """Where to connect from here; through `host` if there is one. Raises LinkError."""
    return host.reach(address, deadline) if host is not None else address


class HttpSource:
    """Opens clients for one HTTP service; what the links of such services are made of."""

    def __init__(
        self,
        name: str,
        config: HttpConfig,
        host: HostLink | None,
        resolve_secret: ResolveSecret,
    ) -> None:
        self.url: Final = config.url.rstrip("/")
        through = f" through {config.through}" if host is not None and not host.local else ""
        self.subject: Final = f"{name} {shown_url(config.url)}{through}"
        self._config = config
        self._host = host
        self._resolve_secret = resolve_secret
        self._guard = SocketGuard()
        self._tls: ssl.SSLContext | None = None
        self._lock = threading.Lock()

    @contextmanager
    def client(self, deadline: Deadline) -> Iterator["HttpClient"]:
        """A client for one read. Raises LinkError where the service cannot be reached."""
        from console.links.http.client import HttpClient

        target = reach(address_of(self.url, self.subject), self._host, deadline)
        headers = self._credentials()
        tls = self._context() if self.url.startswith("https:") else None
        with self._guard.lease(deadline) as lease:
            client = HttpClient(target, lease, self.subject, tls=tls, headers=headers)
            try:
                yield client
            finally:
                client.close()

    def cancel(self) -> None:
        """Fail the reads under way."""
        self._guard.cancel()

    def close(self) -> None:
        """Fail these and all later reads."""
        self._guard.close()

    def _credentials(self) -> dict[str, str]:
        config = self._config
        try:
            if config.bearer is not None:
                return {"Authorization": f"Bearer {self._resolve_secret(config.bearer).reveal()}"}
            if config.username is not None:
                password = self._resolve_secret(config.password).reveal() if config.password else ""
                pair = base64.b64encode(f"{config.username}:{password}".encode()).decode()
                return {"Authorization": f"Basic {pair}"}
        except LinkError:
            raise
        except CofaError as error:
            raise LinkError(
                FailureKind.DENIED,
                self.subject,
                f"its credentials cannot be read: {error}",
                "correct password or bearer of it in cofa.toml",
            ) from None
        return {}

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                self._tls = tls_context(self._config.ca, self.subject)
            return self._tls


def tls_context(ca: object, subject: str) -> ssl.SSLContext:
    """A context that trusts the system's authorities, or those of the file `ca` alone."""
    try:
        return as_clients_do(ssl.create_default_context(cafile=str(ca) if ca else None))
    except (OSError, ssl.SSLError):
        raise LinkError(
            FailureKind.INVALID,
            subject,
            f"the file of its authority ({ca}) cannot be read as PEM certificates",
            "correct ca in cofa.toml",
        ) from None
