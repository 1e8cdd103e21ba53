"""Sockets that any thread can shut, so that reads under way fail at once."""

import socket
from threading import Lock
from typing import Final

CONNECT_TIMEOUT: Final = 10.0
"""Seconds to connect to a socket, where no deadline says less."""


class Sockets:
    """The sockets in use by one client."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: set[socket.socket] = set()
        self._shut = False

    def allow(self) -> None:
        """Connections may be made from now on."""
        with self._lock:
            self._shut = False

    def add(self, connected: socket.socket) -> None:
        """Keep track of a new connection. Raises ConnectionAbortedError after :meth:`shut`."""
        with self._lock:
            if self._shut:
                raise ConnectionAbortedError("cancelled")
            self._open.add(connected)

    def discard(self, closed: socket.socket | None) -> None:
        """Forget a connection that its client closes."""
        with self._lock:
            if closed is not None:
                self._open.discard(closed)

    @property
    def is_shut(self) -> bool:
        """Whether :meth:`shut` came after the last :meth:`allow`."""
        with self._lock:
            return self._shut

    def shut(self) -> None:
        """End every connection, and refuse new ones until :meth:`allow`."""
        with self._lock:
            self._shut = True
            for connected in self._open:
                try:
                    # Not SSLSocket's own shutdown, which a reader in another thread trips over.
                    socket.socket.shutdown(connected, socket.SHUT_RDWR)
                except OSError:
                    continue
            self._open.clear()
