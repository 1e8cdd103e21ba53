"""docker-py's low-level client over connections that can be shut.

Imported late: it loads docker, requests and urllib3 (60 ms). docker-py's own SSH transport,
and paramiko with it, stays out: cofa's tunnels reach remote engines.
"""

import socket
from typing import Any, Final

import requests.adapters
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.ssl_ import create_urllib3_context

from console.links.engine.address import Target
from console.links.engine.sockets import CONNECT_TIMEOUT, Sockets
from console.links.optional import left_out
from console.links.tls import as_clients_do

with left_out("docker.transport.sshconn"):
    from docker import APIClient
    from docker.tls import TLSConfig
    from docker.transport.unixconn import (
        UnixHTTPAdapter,
        UnixHTTPConnection,
        UnixHTTPConnectionPool,
    )

POOL: Final = 8
"""Connections kept for calls side by side."""


def client_for(target: Target, version: str, sockets: Sockets) -> APIClient:
    """A client that connects at its first call.

    It goes straight to the engine: proxies and ~/.netrc of the environment are not for it.
    """
    tls = _tls(target)
    client = APIClient(
        base_url=target.url,
        version=version,
        tls=tls if tls is not None else False,
        max_pool_size=POOL,
    )
    client.trust_env = False
    if target.socket is not None:
        client.mount("http+docker://", _unix_adapter(target, sockets))
    else:
        client.mount("http://", _tcp_adapter(sockets))
        client.mount("https://", _tcp_adapter(sockets))
    return client


def _tls(target: Target) -> TLSConfig | None:
    if not target.url.startswith("https://"):
        return None
    pair = (str(target.certificate), str(target.key)) if target.certificate and target.key else None
    return TLSConfig(client_cert=pair, ca_cert=str(target.ca) if target.ca else None, verify=True)


def _unix_adapter(target: Target, sockets: Sockets) -> UnixHTTPAdapter:
    seconds: Any = CONNECT_TIMEOUT

    class Connection(UnixHTTPConnection):
        """One that tells of its socket, and closes it where it cannot connect."""

        def connect(self) -> None:
            connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connecting.settimeout(self.timeout)
                connecting.connect(self.unix_socket)
            except BaseException:
                connecting.close()
                raise
            self.sock = connecting
            _told(self, sockets)

        def close(self) -> None:
            sockets.discard(_socket_of(self))
            super().close()

    class Pool(UnixHTTPConnectionPool):
        """Of such connections."""

        def _new_conn(self) -> Any:
            return Connection(self.base_url, self.socket_path, seconds)

    class Adapter(UnixHTTPAdapter):
        """With such pools."""

        def get_connection(self, url: Any, proxies: Any = None) -> Any:
            # One pool for all: requests asks by whole URL, which would make one for each.
            with self.pools.lock:
                pool = self.pools.get("engine")
                if pool is None:
                    pool = Pool(url, self.socket_path, seconds, maxsize=self.max_pool_size)
                    self.pools["engine"] = pool
            return pool

    return Adapter(f"http+{target.url}", max_pool_size=POOL)


def _tcp_adapter(sockets: Sockets) -> requests.adapters.HTTPAdapter:
    class Plain(HTTPConnection):
        """One that tells of its socket."""

        def connect(self) -> None:
            super().connect()
            _told(self, sockets)

        def close(self) -> None:
            sockets.discard(_socket_of(self))
            super().close()

    class Secure(HTTPSConnection):
        """The same over TLS."""

        def connect(self) -> None:
            super().connect()
            _told(self, sockets)

        def close(self) -> None:
            sockets.discard(_socket_of(self))
            super().close()

    class PlainPool(HTTPConnectionPool):
        """Of such connections."""

        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        """Of such connections."""

        ConnectionCls = Secure

    class Adapter(requests.adapters.HTTPAdapter):
        """With such pools."""

        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            verifying = as_clients_do(create_urllib3_context())
            super().init_poolmanager(*args, ssl_context=verifying, **kwargs)
            self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

    return Adapter(pool_maxsize=POOL)


def _socket_of(connection: HTTPConnection) -> socket.socket | None:
    return getattr(connection, "sock", None)


def _told(connection: HTTPConnection, sockets: Sockets) -> None:
    connected = _socket_of(connection)
    if connected is None:
        return
    try:
        sockets.add(connected)
    except ConnectionAbortedError:
        connection.close()
        raise
