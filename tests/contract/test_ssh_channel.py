"""What is used of paramiko's inside still does what it did, against paramiko's own server."""

import gc
import socket
import threading
import time
import tomllib
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import paramiko
import pytest
from paramiko.common import (
    MSG_CHANNEL_OPEN,
    MSG_GLOBAL_REQUEST,
    cMSG_CHANNEL_OPEN_FAILURE,
    cMSG_CHANNEL_REQUEST,
)
from paramiko.message import Message

from console.clock import Deadline, SystemClock
from console.errors import FailureKind, LinkError
from console.links.protocols import TcpAddress, UnixAddress
from console.links.ssh import channel as ssh_channel
from console.links.ssh.call import Call, ChannelRefusedError, ConnectionLostError
from console.links.ssh.channel import SshTransport, open_to


class Server(paramiko.ServerInterface):
    """Lets everyone in; runs `ok`, refuses `no`, never answers `hang`."""

    def __init__(self):
        self.commands = []
        self.ended = threading.Event()

    def check_auth_none(self, username):
        return paramiko.AUTH_SUCCESSFUL

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED

    def check_channel_direct_tcpip_request(self, chanid, origin, destination):
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel, command):
        self.commands.append(command)
        if command == b"hang":
            self.ended.wait(20)
        return command != b"no"


class Pair:
    """A client and a server in one process."""

    def __init__(self):
        near, far = socket.socketpair()
        self.interface = Server()
        self.server = paramiko.Transport(far)
        self.server.add_server_key(paramiko.ECDSAKey.generate())
        self.server.start_server(event=threading.Event(), server=self.interface)
        self.client = SshTransport(near)
        self.client.start_client(timeout=20)
        self.client.auth_none("someone")

    def close(self):
        self.interface.ended.set()
        self.client.close()
        self.server.close()


@pytest.fixture
def pair():
    made = Pair()
    yield made
    made.close()


def call(seconds=20.0):
    return Call("host:x", Deadline.after(SystemClock(), seconds))


def eventually(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_version_is_the_pinned_one():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert f"paramiko=={version('paramiko')}" in project["project"]["dependencies"]


def asked(pair, address):
    """The fields of the request to open a channel, as the server gets them."""
    found = []
    original = pair.server._handler_table[MSG_CHANNEL_OPEN]

    def note(message):
        start = message.packet.tell()
        found.append((message.get_text(), message.get_int(), message.get_int(), message.get_int()))
        found.append((message.get_text(), message.get_remainder()))
        message.packet.seek(start)
        original(message)

    pair.server._handler_table[MSG_CHANNEL_OPEN] = note
    channel = open_to(pair.client, address, call())
    channel.close()
    return found[0][0], found[1][0], found[1][1]


def test_a_unix_socket_is_asked_for_as_openssh_has_it(pair):
    kind, path, rest = asked(pair, UnixAddress(Path("/var/run/docker.sock")))
    assert kind == "direct-streamlocal@openssh.com"
    assert path == "/var/run/docker.sock"
    assert rest == b"\0\0\0\0" + b"\0\0\0\0"  # reserved string, reserved uint32


def test_a_port_is_asked_for_as_rfc_4254_has_it(pair):
    kind, host, rest = asked(pair, TcpAddress("10.0.0.5", 9090))
    assert (kind, host) == ("direct-tcpip", "10.0.0.5")
    fields = Message(rest)
    assert (fields.get_int(), fields.get_text(), fields.get_int()) == (9090, "127.0.0.1", 0)


def test_bytes_go_both_ways(pair):
    channel = open_to(pair.client, UnixAddress(Path("/x")), call())
    far = pair.server.accept(10)
    channel.settimeout(10)
    far.settimeout(10)
    channel.sendall(b"there")
    assert far.recv(10) == b"there"
    far.sendall(b"back")
    assert channel.recv(10) == b"back"
    channel.shutdown_write()
    assert far.recv(10) == b""
    channel.close()


def test_a_refusal_keeps_the_servers_words(pair):
    def refuse(message):
        message.get_text()
        reply = Message()
        reply.add_byte(cMSG_CHANNEL_OPEN_FAILURE)
        reply.add_int(message.get_int())
        reply.add_int(2)
        reply.add_string("Connection \x1b[31mrefused")
        reply.add_string("en")
        pair.server._send_message(reply)

    pair.server._handler_table[MSG_CHANNEL_OPEN] = refuse
    with pytest.raises(ChannelRefusedError) as caught:
        open_to(pair.client, TcpAddress("x", 1), call())
    assert (caught.value.code, caught.value.words) == (2, "Connection refused")
    assert pair.client.is_active()


def test_an_opening_that_is_not_answered_ends_and_is_closed_when_it_comes(pair):
    held = []
    original = pair.server._handler_table[MSG_CHANNEL_OPEN]
    pair.server._handler_table[MSG_CHANNEL_OPEN] = held.append
    with pytest.raises(LinkError) as caught:
        pair.client.open("session", call(0.2))
    assert caught.value.failure.kind is FailureKind.TIMEOUT
    del caught
    gc.collect()  # nobody holds the channel any more
    eventually(lambda: held)
    original(held[0])
    far = pair.server.accept(10)
    eventually(lambda: far.closed)
    pair.server._handler_table[MSG_CHANNEL_OPEN] = original
    assert pair.client.open("session", call()) is not None


def test_a_command_is_accepted_or_refused_or_given_up(pair):
    channel = pair.client.open("session", call())
    channel.run("ok", call())
    refused = pair.client.open("session", call())
    with pytest.raises(ChannelRefusedError):
        refused.run("no", call())
    hanging = pair.client.open("session", call())
    with pytest.raises(LinkError) as caught:
        hanging.run("hang", call(0.2))
    assert caught.value.failure.kind is FailureKind.TIMEOUT
    assert pair.interface.commands[:2] == [b"ok", b"no"]


def test_the_signal_that_ended_a_command_is_told(pair):
    channel = pair.client.open("session", call())
    channel.run("ok", call())
    far = pair.server.accept(10)
    message = Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(far.remote_chanid)
    message.add_string("exit-signal")
    message.add_boolean(False)
    message.add_string("KILL")
    message.add_boolean(False)
    message.add_string("")
    message.add_string("")
    pair.server._send_message(message)
    eventually(channel.exit_status_ready)
    assert (channel.ended_by, channel.exit_status) == ("KILL", 137)


def test_a_lost_connection_is_told_to_those_who_wait(pair):
    pair.server._handler_table[MSG_CHANNEL_OPEN] = lambda message: None
    threading.Timer(0.1, pair.server.close).start()
    with pytest.raises(ConnectionLostError):
        pair.client.open("session", call())
    with pytest.raises(ConnectionLostError):
        pair.client.open("session", call())


def test_a_channel_of_a_lost_connection_fails_as_a_socket_does(pair):
    channels = [open_to(pair.client, UnixAddress(Path("/x")), call()) for _ in range(3)]
    pair.client.packetizer._Packetizer__socket.close()  # lost, and not noticed yet
    with pytest.raises(OSError):
        channels[0].sendall(b"x" * 100_000)
    with suppress(OSError):
        channels[1].shutdown_write()
    channels[2].close()
    assert channels[2].closed


def test_kill_ends_it_without_the_server(pair):
    pair.client.kill()
    eventually(lambda: not pair.client.is_alive())
    assert not pair.client.is_active()


def test_a_server_that_answers_keepalives_is_kept(pair, monkeypatch):
    monkeypatch.setattr(ssh_channel, "KEEPALIVE", 0.1)
    monkeypatch.setattr(ssh_channel, "DEAD_AFTER", 1.0)
    asked_for = []
    original = pair.server._handler_table[MSG_GLOBAL_REQUEST]

    def note(message):
        asked_for.append(1)
        original(message)

    pair.server._handler_table[MSG_GLOBAL_REQUEST] = note
    pair.client.keep_alive()
    eventually(lambda: len(asked_for) > 12)
    assert pair.client.is_active()
    assert pair.client.silent < 1.0


def test_a_silent_server_is_given_up(pair, monkeypatch):
    monkeypatch.setattr(ssh_channel, "KEEPALIVE", 0.1)
    monkeypatch.setattr(ssh_channel, "DEAD_AFTER", 0.5)
    pair.server._handler_table[MSG_GLOBAL_REQUEST] = lambda message: None
    pair.client.keep_alive()
    eventually(lambda: not pair.client.is_active())


def test_known_host_keys_are_asked_for_first(pair):
    near, far = socket.socketpair()
    with near, far:
        transport = SshTransport(near)
        transport.prefer_host_keys(("rsa-sha2-512", "sk-unknown"))
        assert transport.preferred_keys[0] == "rsa-sha2-512"
        assert set(paramiko.Transport._preferred_keys) <= set(transport.preferred_keys)
        assert "sk-unknown" not in transport.preferred_keys


def test_a_failed_handshake_leaves_no_timer_to_wait_for():
    near, far = socket.socketpair()
    with near, far:
        far.sendall(b"SSH-2.0-silent\r\n")
        transport = SshTransport(near)
        transport.start_client(event=threading.Event())
        eventually(lambda: transport.remote_version)
        assert not [t for t in threading.enumerate() if isinstance(t, threading.Timer)]
        transport.kill()
        eventually(lambda: not transport.is_alive())
