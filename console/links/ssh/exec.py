"""Running one short command over an SSH session. Imported late."""

import select
import socket
from contextlib import suppress
from typing import Final

from console.clock import Deadline
from console.links.host.output import CHUNK, LINGER, Output
from console.links.ssh.call import Call, ConnectionLostError
from console.links.ssh.channel import SshChannel

_PIECE: Final = 16 << 10
"""Bytes of standard input sent at once."""


def converse(
    channel: SshChannel, stdin: bytes, limit: int, call: Call
) -> tuple[int, Output, Output]:
    """Feed an accepted command and read it until it ends; its exit code and output.

    Raises ConnectionLostError, LinkError (TIMEOUT).
    """
    output, errors = Output(limit), Output(limit)
    channel.settimeout(0.0)
    ready = select.poll()
    ready.register(channel.fileno(), select.POLLIN)
    rest = memoryview(stdin)
    over: Deadline | None = None
    feeding = True
    while not (channel.eof_received or channel.closed) or _waiting(channel):
        pause = call.pause()
        if feeding:
            rest = _feed(channel, rest)
            feeding = bool(rest)
            if not feeding:
                _end_input(channel)
        if not _waiting(channel) and not channel.closed:
            ready.poll(1 if feeding else pause * 1000)
        _drain(channel, output, errors)
        if over is None and channel.exit_status_ready():
            over = Deadline.after(call.deadline.clock, LINGER)
        if over is not None and over.passed:
            break
    call.wait(channel.status_event, channel.transport.is_active)
    if channel.exit_status < 0:
        raise ConnectionLostError
    return channel.exit_status, output, errors


def _waiting(channel: SshChannel) -> bool:
    return channel.recv_ready() or channel.recv_stderr_ready()


def _drain(channel: SshChannel, output: Output, errors: Output) -> None:
    with suppress(socket.timeout):
        while channel.recv_ready():
            output.add(channel.recv(CHUNK))
        while channel.recv_stderr_ready():
            errors.add(channel.recv_stderr(CHUNK))


def _feed(channel: SshChannel, rest: memoryview) -> memoryview:
    """Send what the server's window has room for."""
    with suppress(socket.timeout):
        while rest and channel.send_ready():
            try:
                rest = rest[channel.send(bytes(rest[:_PIECE])) :]
            except OSError as error:
                if isinstance(error, TimeoutError):
                    raise
                return rest[:0]  # the command has ended, or reads no more
    return rest


def _end_input(channel: SshChannel) -> None:
    with suppress(OSError):
        channel.shutdown_write()
