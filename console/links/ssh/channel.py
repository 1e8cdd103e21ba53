"""paramiko where it has no public interface. Imported late, by ssh_connect alone.

It can wait without end for a channel or for a command to be accepted, loses the server's
own words when a channel is refused, forgets which signal ended a command, and opens no
channel to a remote Unix socket. What is used of its inside is used here and nowhere else;
its version is pinned, and tests/contract/test_ssh_channel.py holds it to this.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import paramiko
from paramiko.channel import Channel
from paramiko.common import (
    MSG_CHANNEL_OPEN_FAILURE,
    MSG_CHANNEL_OPEN_SUCCESS,
    MSG_CHANNEL_REQUEST,
    cMSG_CHANNEL_OPEN,
    cMSG_CHANNEL_REQUEST,
    cMSG_GLOBAL_REQUEST,
)
from paramiko.message import Message
from paramiko.packet import Packetizer

from console.links.protocols import TcpAddress, UnixAddress
from console.links.ssh.call import Call, ChannelRefusedError, ConnectionLostError
from console.text import clean

KEEPALIVE: Final = 10.0
"""Seconds between two questions whether the server is still there."""

DEAD_AFTER: Final = 25.0
"""Seconds without a byte from the server, keepalives asked, that end a connection."""

# paramiko logs refusals as errors; without a handler Python would write them to stderr,
# into the middle of a screen.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class _Packets(Packetizer):
    """Notes when the server was heard last, and gives up when it is silent for too long."""

    heard: float

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        data: bytes = super().read_all(n, check_rekey)
        self.heard = time.monotonic()
        return data

    def start_handshake(self, timeout: float) -> None:
        """Nothing: its timer thread would hold up the end of the process."""

    def _check_keepalive(self) -> None:
        # Called by paramiko's own thread ten times a second while nothing arrives.
        if time.monotonic() - self.heard > DEAD_AFTER:
            raise EOFError
        super()._check_keepalive()  # type: ignore[misc]


class SshTransport(paramiko.Transport):
    """paramiko's transport, which detects a silent server and keeps refusals' words."""

    packetizer: _Packets
    # Internals of the pinned version that are used here; its stubs do not name them.
    _preferred_keys: tuple[str, ...]
    _handler_table: dict[int, Callable[[Message], None]]
    _channel_handler_table: dict[int, Any]
    _channels: Any
    _next_channel: Callable[[], int]
    _send_user_message: Callable[[Message], None]
    _parse_channel_open_failure: Callable[[Message], None]
    _parse_channel_open_success: Callable[[Message], None]

    def __init__(self, sock: object) -> None:
        super().__init__(sock, packetizer_class=_Packets)  # type: ignore[arg-type]
        self.packetizer.heard = time.monotonic()
        self.refusals: dict[int, tuple[int, str]] = {}
        self._given_up: dict[int, SshChannel] = {}
        """Kept here, as paramiko's own table holds channels weakly."""
        self._handler_table[MSG_CHANNEL_OPEN_FAILURE] = self._refused
        self._handler_table[MSG_CHANNEL_OPEN_SUCCESS] = self._opened
        # paramiko calls Channel's own methods by this table, never an overriding one.
        self._channel_handler_table = {
            **self._channel_handler_table,
            MSG_CHANNEL_REQUEST: SshChannel._handle_request,
        }

    @property
    def silent(self) -> float:
        """Seconds since the last byte from the server."""
        return time.monotonic() - self.packetizer.heard

    def prefer_host_keys(self, algorithms: tuple[str, ...]) -> None:
        """Ask for these host key algorithms first."""
        others = self._preferred_keys
        known = tuple(name for name in algorithms if name in others)
        self._preferred_keys = known + tuple(name for name in others if name not in known)

    def keep_alive(self) -> None:
        """Ask regularly for an answer: any answer, also a refusal, is a sign of life."""
        self.packetizer.set_keepalive(KEEPALIVE, self._ask)

    def kill(self) -> None:
        """End it without a word to the server and without waiting."""
        self.packetizer.close()

    def _ask(self) -> None:
        message = Message()
        message.add_byte(cMSG_GLOBAL_REQUEST)
        message.add_string("keepalive@openssh.com")
        message.add_boolean(True)
        self._send_user_message(message)

    def _refused(self, message: Message) -> None:
        start = message.packet.tell()
        number, code, words = message.get_int(), message.get_int(), message.get_binary()
        if self._given_up.pop(number, None) is None:
            self.refusals[number] = code, clean(words.decode("utf-8", "replace"), 200)
        message.packet.seek(start)
        self._parse_channel_open_failure(message)

    def _opened(self, message: Message) -> None:
        start = message.packet.tell()
        number = message.get_int()
        message.packet.seek(start)
        self._parse_channel_open_success(message)
        given_up = self._given_up.pop(number, None)
        if given_up is not None:
            given_up.close()

    def open(
        self, kind: str, call: Call, fill: Callable[[Message], None] | None = None
    ) -> "SshChannel":
        """Open a channel, as Transport.open_channel does, within the call's deadline.

        Raises ChannelRefusedError, ConnectionLostError, LinkError (TIMEOUT).
        """
        message = Message()
        message.add_byte(cMSG_CHANNEL_OPEN)
        message.add_string(kind)
        with self.lock:
            number = self._next_channel()
            message.add_int(number)
            message.add_int(self.default_window_size)
            message.add_int(self.default_max_packet_size)
            if fill is not None:
                fill(message)
            channel = SshChannel(number)
            self._channels.put(number, channel)
            self.channel_events[number] = event = threading.Event()
            self.channels_seen[number] = True
            channel._set_transport(self)
            channel._set_window(self.default_window_size, self.default_max_packet_size)
        self.send(message)
        try:
            call.wait(event, self.is_active)
        except BaseException:
            # The server may still open it: then it is closed at once.
            self._given_up[number] = channel
            raise
        finally:
            refusal = self.refusals.pop(number, None)
        if refusal is not None:
            raise ChannelRefusedError(*refusal)
        if not self.is_active():
            raise ConnectionLostError
        return channel

    def send(self, message: Message) -> None:
        """Send one message. Raises ConnectionLostError."""
        if not self.is_active():
            raise ConnectionLostError
        try:
            self._send_user_message(message)
        except (EOFError, OSError, paramiko.SSHException) as error:
            raise ConnectionLostError(clean(error, 200)) from None


class SshChannel(Channel):
    """A channel that knows which signal ended its command."""

    transport: SshTransport
    _set_transport: Callable[[SshTransport], None]
    _set_window: Callable[[int, int], None]
    _event_pending: Callable[[], None]
    ended_by: str = ""
    """Name of the signal, without SIG."""

    def run(self, command: str, call: Call) -> None:
        """Ask the server to run `command` by the user's shell, and wait until it is accepted.

        Raises ChannelRefusedError, ConnectionLostError, LinkError (TIMEOUT).
        """
        self._event_pending()
        self._request("exec", reply=True, value=command)
        call.wait(self.event, self.transport.is_active)
        if not self.event_ready:
            if not self.transport.is_active():
                raise ConnectionLostError
            raise ChannelRefusedError(0, "the server runs no commands for this account")

    def send(self, data: bytes) -> int:  # type: ignore[override]
        """As a socket: fails by OSError alone."""
        try:
            return super().send(data)
        except (EOFError, paramiko.SSHException):
            raise ConnectionResetError from None

    def recv(self, size: int) -> bytes:
        """As a socket: fails by OSError alone."""
        try:
            return super().recv(size)
        except (EOFError, paramiko.SSHException):
            raise ConnectionResetError from None

    def shutdown(self, how: int) -> None:
        """As a socket: fails by OSError alone."""
        try:
            super().shutdown(how)
        except (EOFError, paramiko.SSHException):
            raise ConnectionResetError from None

    def close(self) -> None:
        """As a socket: also when the connection is gone."""
        with suppress(OSError, EOFError, paramiko.SSHException):
            super().close()

    def terminate(self) -> None:
        """Ask for SIGTERM to the command (RFC 4254, 6.9); sshd may ignore it."""
        self._request("signal", reply=False, value="TERM")

    def _request(self, kind: str, *, reply: bool, value: str) -> None:
        message = Message()
        message.add_byte(cMSG_CHANNEL_REQUEST)
        message.add_int(self.remote_chanid)
        message.add_string(kind)
        message.add_boolean(reply)
        message.add_string(value)
        self.transport.send(message)

    def _handle_request(self, message: Message) -> None:
        start = message.packet.tell()
        kind, _ = message.get_text(), message.get_boolean()
        if kind == "exit-signal":
            self.ended_by = clean(message.get_text(), 16)
            number = getattr(signal, f"SIG{self.ended_by}", None)
            self.exit_status = 128 + number if isinstance(number, signal.Signals) else 128
            self.status_event.set()
        message.packet.seek(start)
        super()._handle_request(message)  # type: ignore[misc]


def open_to(transport: SshTransport, address: TcpAddress | UnixAddress, call: Call) -> SshChannel:
    """A channel to a server that the host can reach.

    direct-tcpip is RFC 4254, 7.2; direct-streamlocal is OpenSSH's PROTOCOL, 2.4.
    Raises ChannelRefusedError, ConnectionLostError, LinkError (TIMEOUT).
    """
    if isinstance(address, UnixAddress):
        return transport.open(
            "direct-streamlocal@openssh.com", call, lambda m: _streamlocal(m, address.path)
        )
    return transport.open("direct-tcpip", call, lambda m: _tcpip(m, address))


def _streamlocal(message: Message, path: Path) -> None:
    message.add_string(str(path))
    message.add_string("")  # reserved
    message.add_int(0)  # reserved


def _tcpip(message: Message, address: TcpAddress) -> None:
    message.add_string(address.host)
    message.add_int(address.port)
    message.add_string("127.0.0.1")
    message.add_int(0)
