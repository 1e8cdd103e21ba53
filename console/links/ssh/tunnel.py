"""Tunnels: a Unix socket here that is a server on the host.

The socket lies in a directory of the user's alone: a port on loopback could be entered by
every user of this machine.
"""

import os
import secrets
import select
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from console.errors import FailureKind, LinkError
from console.paths import Paths, private_directory

LONGEST_PATH: Final = 100
"""A socket's path has at most 107 bytes (unix(7)); a client may add a few."""

CONNECTIONS: Final = 64
"""Through one tunnel at once; more are turned away."""

_CONNECTION_LOST: Final = (OSError, EOFError)
"""What using a channel raises once its SSH connection is gone; paramiko's is an EOFError."""
_BLOCK: Final = 32 << 10
_LOOK_MS: Final = 500
"""Between two looks whether a half-closed connection has ended."""

_STALE_AFTER: Final = 60.0
_SUFFIX: Final = ".tunnel"


class Remote(Protocol):
    """The far end of one connection: an SSH channel. Fails by OSError alone."""

    @property
    def closed(self) -> bool: ...
    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...
    def shutdown_write(self) -> None: ...
    def close(self) -> None: ...


def tunnel_directory(paths: Paths, subject: str) -> Path:
    """The directory for sockets: 0700, and short enough for a socket's path.

    Where the home is too deep or cannot be written, it lies among the temporary files.
    Raises LinkError (DENIED) where no such directory can be had.
    """
    name_length = 12 + len(_SUFFIX)
    shared = Path(tempfile.gettempdir()) / f"cofa-{os.getuid()}"
    try:
        if len(os.fsencode(paths.runtime)) + 1 + name_length > LONGEST_PATH:
            return _own(shared)
        try:
            return _own(paths.runtime)
        except OSError:
            if os.path.lexists(paths.runtime):
                raise
            return _own(shared)
    except OSError as error:
        raise LinkError(
            FailureKind.DENIED,
            subject,
            f"no private directory for the sockets of tunnels: {error}",
            "set XDG_RUNTIME_DIR to a directory of your own, mode 0700",
        ) from None


def _own(directory: Path) -> Path:
    """`directory`, made if need be. Raises OSError where it is not ours alone."""
    if directory.is_symlink():
        raise PermissionError(f"{directory} is a symbolic link")
    return private_directory(directory)


def remove_stale(directory: Path) -> None:
    """Remove the sockets of processes that died: nobody listens, and not since just now."""
    for path in directory.glob(f"*{_SUFFIX}"):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime < _STALE_AFTER:
                continue
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.setblocking(False)
                try:
                    probe.connect(str(path))
                except ConnectionRefusedError:
                    path.unlink(missing_ok=True)


class Tunnel:
    """One listening socket; each connection to it opens a channel of its own.

    It outlives the SSH connection: `open_remote` brings a channel of whichever session is
    there when somebody connects.
    """

    def __init__(self, directory: Path, open_remote: Callable[[], Remote], subject: str) -> None:
        self.path = directory / f"{secrets.token_hex(6)}{_SUFFIX}"
        self._open_remote = open_remote
        self._lock = threading.Lock()
        self._pairs: set[_Pair] = set()
        self._closed = False
        self.failed = False
        """Whether the newest connection could not be carried on."""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listener.bind(str(self.path))
            self.path.chmod(0o600)
            self._listener.listen(CONNECTIONS)
        except OSError as error:
            self._listener.close()
            raise LinkError(
                FailureKind.DENIED,
                subject,
                f"no tunnel can end in {self.path}: {error}",
                "set XDG_RUNTIME_DIR to a directory of your own, mode 0700",
            ) from None
        threading.Thread(target=self._listen, name="cofa-tunnel", daemon=True).start()

    @property
    def open(self) -> bool:
        """Whether it can still be entered: its socket may have been swept away."""
        return not self._closed and self.path.exists()

    def close(self) -> None:
        """End it and every connection through it. From any thread; again does nothing."""
        with self._lock:
            self._closed = True
            pairs = list(self._pairs)
        self.path.unlink(missing_ok=True)
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        self._listener.close()
        for pair in pairs:
            pair.shut()

    def _listen(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                if self._closed:
                    return
                time.sleep(0.1)  # out of descriptors: the next accept may work
                continue
            pair = _Pair(near)
            with self._lock:
                turned_away = self._closed or len(self._pairs) >= CONNECTIONS
                if not turned_away:
                    self._pairs.add(pair)
            if turned_away:
                near.close()
            else:
                threading.Thread(
                    target=self._carry, args=(pair,), name="cofa-tunnel-up", daemon=True
                ).start()

    def _carry(self, pair: "_Pair") -> None:
        try:
            remote = self._open_remote()
        except LinkError:
            # The client only sees its connection end; `reach` finds out and says why.
            self.failed = True
        else:
            self.failed = False
            pair.carry(remote)
        finally:
            pair.end()
            with self._lock:
                self._pairs.discard(pair)


class _Pair:
    """One connection: what comes near goes far, and the other way round."""

    def __init__(self, near: socket.socket) -> None:
        self._near = near
        self._far: Remote | None = None

    def carry(self, far: Remote) -> None:
        """Carry both ways until both have ended."""
        self._far = far
        down = threading.Thread(target=self._down, args=(far,), name="cofa-tunnel-down")
        down.daemon = True
        down.start()
        with suppress(*_CONNECTION_LOST):
            while data := self._near.recv(_BLOCK):
                far.sendall(data)
            far.shutdown_write()
            self._wait_for(down)
        self.shut()
        down.join()

    def _wait_for(self, down: threading.Thread) -> None:
        """Until the other way has ended, or the client has left and waits for nothing.

        A client that only stopped sending (half-close) is no POLLHUP.
        """
        gone = select.poll()
        gone.register(self._near, 0)
        while down.is_alive() and not gone.poll(_LOOK_MS):
            pass

    def _down(self, far: Remote) -> None:
        with suppress(*_CONNECTION_LOST):
            while data := far.recv(_BLOCK):
                self._near.sendall(data)
            # The far end has said all; what is still to be sent to it may go on.
            self._near.shutdown(socket.SHUT_WR)
            gone = select.poll()
            gone.register(self._near, 0)
            while not far.closed and not gone.poll(_LOOK_MS):
                pass
        self.shut()

    def shut(self) -> None:
        """Wake both ways: they end."""
        with suppress(OSError):
            self._near.shutdown(socket.SHUT_RDWR)
        if self._far is not None:
            with suppress(*_CONNECTION_LOST):
                self._far.close()

    def end(self) -> None:
        """Give both ends back."""
        self.shut()
        self._near.close()
