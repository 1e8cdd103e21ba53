"""A host reached over SSH. paramiko is imported by the first connection, not before."""

import shlex
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from console.clock import Clock, Deadline
from console.errors import FailureKind, LinkError
from console.links.host.facts import (
    OUTPUT_LIMIT,
    SCRIPT,
    CpuSample,
    host_report,
    host_skew,
    parse_facts,
)
from console.links.host.output import command_of
from console.links.protocols import Completed, TcpAddress, UnixAddress
from console.links.ssh.call import Call, ChannelRefusedError, ConnectionLostError, Turns
from console.links.ssh.config import parse_ssh_address
from console.links.ssh.connection import CONNECT_SECONDS, Connection
from console.links.ssh.refusal import PROBE, not_reached
from console.links.ssh.tunnel import Tunnel, remove_stale, tunnel_directory
from console.model.hosts import HostReport
from console.paths import Paths
from console.text import clean

if TYPE_CHECKING:
    from console.links.ssh.channel import SshChannel
    from console.links.ssh.connect import Session

SESSIONS: Final = 6
"""Commands at once over one connection; sshd allows 10 (MaxSessions)."""

_SILENT: Final = 15.0
"""Seconds without a sign of life, keepalives asked, that make a session suspect."""


class SshHost:
    """One machine over SSH: one connection, commands and tunnels over it."""

    def __init__(
        self,
        name: str,
        address: str,
        clock: Clock,
        paths: Paths,
        environ: Mapping[str, str],
        config: Path | None = None,
    ) -> None:
        """`config` stands for ~/.ssh/config. Raises LinkError (INVALID) for a bad address."""
        parsed = parse_ssh_address(address, f"host:{name}")
        self._name = name
        self._subject = f"host:{name} ({parsed})"
        self._clock = clock
        self._paths = paths
        self._lock = threading.Lock()
        self._calls: set[Call] = set()
        self._tunnels: dict[TcpAddress | UnixAddress, Tunnel] = {}
        self._turns = Turns(SESSIONS)
        self._sample: CpuSample | None = None
        self._skew: float | None = None
        self._ran = False
        """Whether the server has ever accepted a command."""
        self._closed = False

        def connect(call: Call) -> "Session":
            from console.links.ssh.connect import Connector

            return Connector(parsed, clock, environ, config).connect(call)

        self._connection = Connection(self._subject, connect, clock)

    @property
    def name(self) -> str:
        return f"host:{self._name}"

    @property
    def local(self) -> bool:
        return False

    def skew(self) -> float | None:
        """How far its clock was ahead at the last read, in seconds."""
        return self._skew

    def read(self, deadline: Deadline) -> HostReport:
        """One round trip: the script of host_facts. Raises LinkError."""
        with self._call(deadline) as call:
            self._connection.session(call)  # its making must not count as skew
        before = self._sample
        asked_at = self._clock.wall()
        argv = ("sh", "-s", "once" if before else "twice")
        done = self.run(argv, deadline, stdin=SCRIPT, limit=OUTPUT_LIMIT)
        answered_at = self._clock.wall()
        try:
            facts = parse_facts(done.stdout)
        except ValueError as error:
            said = (done.stdout + done.stderr).decode("utf-8", "replace").strip().split("\n")[0]
            raise LinkError(
                FailureKind.INVALID,
                self._subject,
                f"its state cannot be read: {error}" + (f" ({clean(said, 120)})" if said else ""),
                "log in with an account that has a POSIX shell and no forced command",
            ) from None
        self._sample = facts.cpu
        self._skew = host_skew(facts, asked_at, answered_at)
        return host_report(self._name, facts, before, self._skew)

    def run(
        self, argv: Sequence[str], deadline: Deadline, *, stdin: bytes = b"", limit: int = 4 << 20
    ) -> Completed:
        """Run a short read-only command; it is repeated once if the connection is lost.

        At the deadline it is sent SIGTERM, as far as the server passes signals on.
        Raises LinkError: MISSING (no such program), TIMEOUT, UNREACHABLE, DENIED, INVALID.
        """
        command = command_of(argv, self._subject)
        with self._call(deadline) as call:
            try:
                done = self._run(command, call, stdin, limit)
            except ConnectionLostError:
                try:
                    done = self._run(command, call, stdin, limit)
                except ConnectionLostError:
                    raise self._lost(f"while running {clean(command[0], 80)}") from None
        if done.code == 127 and command[0].encode() in done.stderr:
            program = clean(command[0], 80)
            raise LinkError(
                FailureKind.MISSING,
                self._subject,
                f"{program} is not installed there",
                f"install {program} on the host, or put it on the account's PATH",
            )
        return done

    def reach(
        self, address: TcpAddress | UnixAddress, deadline: Deadline
    ) -> TcpAddress | UnixAddress:
        """The Unix socket in which a tunnel to `address` ends.

        The tunnel stays until `close`, also when the connection is made anew. Raises
        LinkError, also where `address` does not answer on the host.
        """
        with self._call(deadline) as call:
            self._connection.session(call)
            with self._lock:
                tunnel = self._tunnels.get(address)
            if tunnel is None or not tunnel.open or tunnel.failed:
                self._open(address, call).close()
                tunnel = self._tunnel(address)
        return UnixAddress(tunnel.path)

    def cancel(self) -> None:
        """End the commands and the attempt to connect under way; tunnels go on.

        The connection itself is given up where it owes an answer.
        """
        with self._lock:
            calls = list(self._calls)
        owed = any(call.asked_at is not None for call in calls)
        for call in calls:
            call.cancel()
        self._connection.abort()
        session = self._connection.current
        if session is not None and (owed or session.transport.silent > _SILENT):
            self._connection.drop(session)

    def close(self) -> None:
        """End everything."""
        with self._lock:
            self._closed = True
            tunnels = list(self._tunnels.values())
            self._tunnels.clear()
            calls = list(self._calls)
        for call in calls:
            call.cancel()
        self._connection.close()
        for tunnel in tunnels:
            tunnel.close()

    @contextmanager
    def _call(self, deadline: Deadline) -> Iterator[Call]:
        call = Call(self._subject, deadline)
        with self._lock:
            self._calls.add(call)
        try:
            yield call
        finally:
            with self._lock:
                self._calls.discard(call)

    @contextmanager
    def _using(self, session: "Session", call: Call) -> Iterator[None]:
        """Give up a session that is lost, or owed an answer and has said nothing since."""
        try:
            yield
        except ConnectionLostError:
            self._connection.drop(session)
            raise
        except LinkError:
            asked_at = call.asked_at
            if asked_at is not None:
                since = self._clock.monotonic() - asked_at
                if session.transport.silent >= since:
                    self._connection.drop(session)
            raise

    def _run(self, command: tuple[str, ...], call: Call, stdin: bytes, limit: int) -> Completed:
        from console.links.ssh.exec import converse

        while True:
            session = self._connection.session(call)
            call.doing = f"waiting to run {clean(command[0], 80)}"
            with self._turns.take(call), self._using(session, call):
                try:
                    channel = self._accepted(session, command, call)
                except ChannelRefusedError as refusal:
                    if not self._turns.fewer() and not self._ran:
                        raise self._no_session(refusal) from None
                    # It frees a session a moment after its command has ended.
                    call.doing = (
                        f"waiting for a free session (MaxSessions) to run {clean(command[0], 80)}"
                    )
                    time.sleep(call.pause())
                    continue
                self._ran = True
                call.doing = f"running {clean(command[0], 80)}"
                try:
                    code, output, errors = converse(channel, stdin, limit, call)
                except LinkError:
                    channel.terminate()
                    raise
                finally:
                    channel.close()
                truncated = output.truncated or errors.truncated
                return Completed(command, code, output.value, errors.value, truncated)

    def _accepted(self, session: "Session", command: tuple[str, ...], call: Call) -> "SshChannel":
        """A channel in which the server runs `command`."""
        with call.asking():
            channel = session.transport.open("session", call)
            try:
                channel.run(shlex.join(command), call)
            except BaseException:
                channel.close()
                raise
        return channel

    def _no_session(self, refusal: ChannelRefusedError) -> LinkError:
        return LinkError(
            FailureKind.DENIED,
            self._subject,
            f"the server runs no command for this account ({clean(refusal, 120)})",
            "raise MaxSessions in its sshd_config, or use an account that may run commands",
        )

    def _lost(self, doing: str) -> LinkError:
        return LinkError(
            FailureKind.UNREACHABLE,
            self._subject,
            f"the connection was lost {doing}, twice",
            "check the network, and sshd's log on the host; cofa tries again by itself",
        )

    def _open(self, address: TcpAddress | UnixAddress, call: Call) -> "SshChannel":
        """A channel to `address`. Raises LinkError, with the host's reason."""
        from console.links.ssh.channel import open_to

        for last in (False, True):
            session = self._connection.session(call)
            call.doing = "opening a tunnel"
            try:
                with self._using(session, call), call.asking():
                    return open_to(session.transport, address, call)
            except ConnectionLostError:
                if last:
                    break
            except ChannelRefusedError as refusal:
                call.asked_at = None
                raise not_reached(
                    address, refusal, self._subject, self._probe(address, call)
                ) from None
        raise self._lost("while opening a tunnel")

    def _probe(self, address: TcpAddress | UnixAddress, call: Call) -> str:
        """What the host says of a socket that could not be reached; empty if nothing."""
        if isinstance(address, TcpAddress):
            return ""
        try:
            done = self._run(("sh", "-s", "--", str(address.path)), call, PROBE, 4 << 10)
        except (LinkError, ConnectionLostError):
            return ""
        return done.stdout.decode("utf-8", "replace").strip()

    def _tunnel(self, address: TcpAddress | UnixAddress) -> Tunnel:
        def open_remote() -> "SshChannel":
            deadline = Deadline.after(self._clock, CONNECT_SECONDS)
            return self._open(address, Call(self._subject, deadline))

        with self._lock:
            old = self._tunnels.get(address)
            if old is not None and old.open:
                old.failed = False
                return old
            if self._closed:
                raise LinkError(
                    FailureKind.UNREACHABLE, self._subject, "this link is closed", "reopen it"
                )
            directory = tunnel_directory(self._paths, self._subject)
            remove_stale(directory)
            tunnel = self._tunnels[address] = Tunnel(directory, open_remote, self._subject)
        if old is not None:
            old.close()
        return tunnel
