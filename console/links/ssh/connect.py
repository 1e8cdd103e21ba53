"""Making one SSH connection: sockets, jumps, the host's key, the login. Imported late."""

import os
import queue
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Final

import paramiko

from console.clock import Clock
from console.errors import FailureKind, LinkError
from console.links.protocols import TcpAddress
from console.links.ssh.auth import log_in
from console.links.ssh.call import Call, ChannelRefusedError, ConnectionLostError
from console.links.ssh.channel import SshTransport, open_to
from console.links.ssh.config import SshAddress, SshTarget, parse_ssh_address, resolve
from console.links.ssh.host_key import check_host_key, read_known_hosts
from console.links.ssh.known_hosts import wanted_algorithms
from console.text import clean

_JUMPS: Final = 8
"""Hosts to go through, at most: ends a configuration that jumps in a circle."""

_LOST_AFTER_MS: Final = 20_000
"""TCP_USER_TIMEOUT: unanswered data for this long ends a connection (RFC 5482)."""


@dataclass(slots=True)
class Session:
    """A connection that is logged in, with all that carries it."""

    target: SshTarget
    transport: SshTransport
    carriers: list[Callable[[], None]] = field(default_factory=list)
    """What ends it, nearest to the wire first; none of them waits."""
    killed: bool = False

    @property
    def alive(self) -> bool:
        """Whether it can still be used, as far as is known."""
        # paramiko's thread takes a moment to notice that it was killed.
        if self.killed:
            return False
        return self.transport.is_active() and self.transport.is_authenticated()

    def kill(self) -> None:
        """Shut everything down at once. From any thread; again does nothing."""
        self.killed = True
        _end_all(self.carriers)


@dataclass(frozen=True, slots=True)
class Connector:
    """How to connect to one host."""

    address: SshAddress
    clock: Clock
    environ: Mapping[str, str]
    config: Path | None = None

    def connect(self, call: Call) -> Session:
        """Connect and log in. Raises LinkError with what to do about it."""
        return self._connect(self.address, call, depth=0)

    def _connect(
        self, address: SshAddress, call: Call, depth: int, jumps: tuple[str, ...] | None = None
    ) -> Session:
        if depth > _JUMPS:
            raise LinkError(
                FailureKind.INVALID,
                call.subject,
                f"ProxyJump goes through more than {_JUMPS} hosts, or in a circle",
                f"see what ssh makes of it: ssh -G {address.host} | grep -i proxy",
            )
        call.doing = f"resolving {address.host}"
        target = resolve(
            address, call.subject, call.deadline, self.clock, self.environ, self.config
        )
        hops = target.proxy_jump if jumps is None else jumps
        carriers: list[Callable[[], None]] = []
        call.doing = f"connecting to {target.where}"
        try:
            if hops:
                wire = self._jump(hops, target, call, depth, carriers)
            elif target.proxy_command:
                wire = _by_command(target, call, self.environ, carriers)
            else:
                wire = _by_tcp(target, call, carriers)
            transport = _handshake(wire, target, call, carriers)
            log_in(transport, target, call)
            transport.keep_alive()
        except BaseException:
            _end_all(carriers)
            raise
        return Session(target, transport, carriers)

    def _jump(
        self,
        hops: tuple[str, ...],
        target: SshTarget,
        call: Call,
        depth: int,
        carriers: list[Callable[[], None]],
    ) -> "_Wire":
        """A channel to the target from the last hop, reached through the others."""
        hop = parse_ssh_address(hops[-1], call.subject)
        # Only the first hop follows its own ProxyJump, as with ssh -J.
        before = hops[:-1] or None
        session = self._connect(hop, call, depth + 1, before)
        carriers += session.carriers
        call.doing = f"connecting from {session.target.where} to {target.where}"
        try:
            there = TcpAddress(target.hostname, target.port)
            return _Wire(open_to(session.transport, there, call))
        except (ChannelRefusedError, ConnectionLostError) as error:
            raise LinkError(
                FailureKind.UNREACHABLE,
                call.subject,
                f"{session.target.where} cannot reach {target.hostname}:{target.port} for us"
                f" ({clean(error, 120) or 'connection lost'})",
                f"try it there: ssh {hop} nc -vz {target.hostname} {target.port};"
                " its sshd_config must allow AllowTcpForwarding",
            ) from None


@dataclass(frozen=True, slots=True)
class _Wire:
    """What carries the bytes of a connection."""

    end: socket.socket | paramiko.Channel
    words: Callable[[], str] = str
    """What a ProxyCommand has said of its trouble."""


def _by_tcp(target: SshTarget, call: Call, carriers: list[Callable[[], None]]) -> _Wire:
    """The first of the host's addresses that answers."""
    failures: list[str] = []
    refused = False
    addresses = _look_up(target, call)
    for number, (family, kind, protocol, _, where) in enumerate(addresses):
        call.check()
        share = call.deadline.timeout() / (len(addresses) - number)
        wire = socket.socket(family, kind, protocol)
        call.on_cancel(partial(_shut, wire))
        try:
            wire.settimeout(min(share, target.connect_timeout or share))
            _connect(wire, where, target)
        except OSError as error:
            wire.close()
            call.check()
            refused = refused or isinstance(error, ConnectionRefusedError)
            said = os.strerror(error.errno) if error.errno else "no answer in time"
            failures.append(f"{where[0]}: {said}")
        else:
            carriers.append(partial(_close, wire))
            return _Wire(wire)
    raise _unreachable(target, call, failures, refused)


def _connect(wire: socket.socket, where: tuple[str, int], target: SshTarget) -> None:
    if target.bind:
        wire.bind((target.bind, 0))
    wire.connect(where)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _LOST_AFTER_MS)


def _unreachable(target: SshTarget, call: Call, failures: list[str], refused: bool) -> LinkError:
    timed_out = not refused and any("time" in failure for failure in failures)
    return LinkError(
        FailureKind.TIMEOUT if timed_out else FailureKind.UNREACHABLE,
        call.subject,
        f"cannot connect to {target.hostname}:{target.port} ({'; '.join(failures[:4])})",
        "check that sshd runs there and listens on this port, then HostName and Port"
        if refused
        else "check the network, VPN and firewall on the way, then HostName and Port",
    )


def _look_up(target: SshTarget, call: Call) -> list[tuple[int, int, int, str, tuple[str, int]]]:
    """Addresses of the host; the resolver knows no deadline, so it gets a thread."""
    answer: queue.SimpleQueue[object] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(
                socket.getaddrinfo(target.hostname, target.port, target.family, socket.SOCK_STREAM)
            )
        except (OSError, UnicodeError) as error:
            answer.put(error)

    threading.Thread(target=ask, name="cofa-resolver", daemon=True).start()
    while True:
        pause = call.pause()
        with suppress(queue.Empty):
            found = answer.get(timeout=pause)
            break
    if isinstance(found, list):
        return found
    raise LinkError(
        FailureKind.UNREACHABLE,
        call.subject,
        f"the name {target.hostname} does not resolve ({clean(found, 120)})",
        f"check HostName with: ssh -G {target.alias} | grep -i ^hostname; then the DNS or VPN",
    )


def _by_command(
    target: SshTarget,
    call: Call,
    environ: Mapping[str, str],
    carriers: list[Callable[[], None]],
) -> _Wire:
    """What a ProxyCommand makes of its standard input and output.

    The command is a shell command by the definition of ssh_config(5), `exec` included.
    """
    ours, theirs = socket.socketpair()
    words = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
    shell = shutil.which("sh", path=environ.get("PATH")) or "/bin/sh"
    try:
        process = subprocess.Popen(
            [shell, "-c", f"exec {target.proxy_command}"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=words,
            env=environ,
            start_new_session=True,
        )
    except OSError as error:
        ours.close()
        words.close()
        raise LinkError(
            FailureKind.UNREACHABLE,
            call.subject,
            f"its ProxyCommand cannot be started: {clean(error, 120)}",
            f"see it: ssh -G {target.alias} | grep -i proxycommand",
        ) from None
    finally:
        theirs.close()
    carriers.append(partial(_close, ours))
    carriers.append(partial(_end, process, words))
    call.on_cancel(partial(_shut, ours))
    return _Wire(ours, partial(_last_words, words))


def _last_words(file: IO[bytes]) -> str:
    """The end of what a ProxyCommand wrote to its standard error."""
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - 400))
    lines = file.read(400).decode("utf-8", "replace").strip().splitlines()
    return clean(lines[-1], 200) if lines else ""


def _handshake(
    wire: _Wire,
    target: SshTarget,
    call: Call,
    carriers: list[Callable[[], None]],
) -> SshTransport:
    """Agree on keys with the server, and check that it is the one we know."""
    known = read_known_hosts(target)
    name = target.host_key_alias or target.hostname
    port = 22 if target.host_key_alias else target.port
    transport = SshTransport(wire.end)
    carriers.append(transport.kill)
    transport.prefer_host_keys(wanted_algorithms(known, name, port))
    transport.banner_timeout = transport.handshake_timeout = call.deadline.timeout()
    call.doing = f"waiting for the SSH server {target.where}"
    agreed = threading.Event()
    transport.start_client(event=agreed)
    call.wait(agreed, transport.is_active)
    if not transport.is_active():
        call.check()
        raise _no_handshake(transport, target, call, wire.words())
    check_host_key(transport.get_remote_server_key().asbytes(), known, target, call)
    return transport


def _no_handshake(transport: SshTransport, target: SshTarget, call: Call, words: str) -> LinkError:
    error = transport.get_exception()
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return LinkError(
            FailureKind.UNSUPPORTED,
            call.subject,
            f"no algorithm in common with {target.where}: {clean(error, 200)}",
            "allow aes256-gcm, curve25519-sha256 and ssh-ed25519 in its sshd_config",
        )
    if transport.remote_version:
        return LinkError(
            FailureKind.UNREACHABLE,
            call.subject,
            f"{target.where} hung up before the login"
            + (f" ({clean(error, 120)})" if error and str(error) else ""),
            "it may be overloaded (MaxStartups) or have banned this address (fail2ban);"
            f" try: ssh -v {target.alias} true",
        )
    if target.proxy_command:
        return LinkError(
            FailureKind.UNREACHABLE,
            call.subject,
            f"its ProxyCommand gave no SSH server: {words or 'it ended without a word'}",
            f"try it: ssh -v {target.alias} true",
        )
    return LinkError(
        FailureKind.INVALID,
        call.subject,
        f"what answers at {target.hostname}:{target.port} is no SSH server, or hangs up at once",
        f"check Port; try: ssh -v {target.alias} true",
    )


def _end_all(carriers: list[Callable[[], None]]) -> None:
    for carrier in carriers:
        with suppress(OSError, EOFError, paramiko.SSHException):
            carrier()


def _shut(wire: socket.socket) -> None:
    # Wakes a thread that waits in connect or recv, which close alone does not.
    wire.shutdown(socket.SHUT_RDWR)


def _close(wire: socket.socket) -> None:
    with suppress(OSError):
        _shut(wire)
    wire.close()


def _end(process: subprocess.Popen[bytes], words: IO[bytes]) -> None:
    words.close()
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
