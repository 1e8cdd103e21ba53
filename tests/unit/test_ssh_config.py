"""Addresses, and what `ssh -G` says of them."""

import os
import pwd
import shutil
import socket
from pathlib import Path

import pytest

from console.clock import Deadline, SystemClock
from console.errors import FailureKind, LinkError
from console.links.ssh.config import (
    SshAddress,
    parse_resolved,
    parse_ssh_address,
    resolve,
)

HOME = Path(pwd.getpwuid(os.getuid()).pw_dir)
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ssh://prod-1", SshAddress("prod-1")),
        ("prod-1", SshAddress("prod-1")),
        ("ssh://Deploy@Prod-1:2222", SshAddress("Prod-1", "Deploy", 2222)),
        ("ssh://deploy@10.0.0.1/", SshAddress("10.0.0.1", "deploy")),
        ("ssh://[fe80::1%25eth0]:22", SshAddress("fe80::1%eth0", None, 22)),
        ("ssh://[::1]", SshAddress("::1")),
        ("ssh://my_box", SshAddress("my_box")),
    ],
)
def test_an_address(text, address):
    assert parse_ssh_address(text, "host:x") == address


@pytest.mark.parametrize(
    "text",
    [
        "", "ssh://", "ssh://-oProxyCommand=id", "ssh://-l@box", "ssh://box:0", "ssh://box:99999",
        "ssh://box:ssh", "ssh://a b", "ssh://$(id)", "ssh://a;id", "ssh://box/path", "ssh://box?x",
        "ssh://u`id`@box", "ssh://box#x", "ssh://a%3Bid", "ssh://%0aid@box",
        "ssh://%2doProxy@box", "ssh://[::1", "ssh://a'b",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text):
    with pytest.raises(LinkError) as caught:
        parse_ssh_address(text, "host:x")
    assert caught.value.failure.kind is FailureKind.INVALID


def test_a_password_is_refused_and_never_repeated():
    with pytest.raises(LinkError) as caught:
        parse_ssh_address("ssh://deploy:hunter2@box", "host:x")
    assert "hunter2" not in str(caught.value)
    assert "password" in caught.value.failure.why


RESOLVED = """host prod-1
user deploy
hostname 10.0.0.5
port 2222
addressfamily inet6
identitiesonly yes
identityagent $MY_AGENT
identityfile ~/.ssh/%r_key
identityfile /keys/${TEAM}/id
certificatefile /keys/id-cert.pub
globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2
userknownhostsfile /root/my hosts /dev/null
hostkeyalias shop
connecttimeout 4
bindaddress 10.1.1.1
proxyjump u@j1:2222,j2
proxycommand none
knownhostscommand /bin/x %H
pubkeyauthentication true
"""


def test_what_ssh_says_is_taken_over():
    environ = {"MY_AGENT": "/agent.sock", "TEAM": "ops"}
    target = parse_resolved(RESOLVED, SshAddress("prod-1"), environ)
    assert (target.hostname, target.port, target.user) == ("10.0.0.5", 2222, "deploy")
    assert target.identities == (HOME / ".ssh/deploy_key", Path("/keys/ops/id"))
    assert target.certificates == (Path("/keys/id-cert.pub"),)
    assert target.identities_only
    assert target.agent == "/agent.sock"
    assert target.proxy_jump == ("u@j1:2222", "j2")
    assert target.proxy_command == ""
    assert target.known_hosts == (
        Path("/root/my hosts"),
        Path("/dev/null"),
        Path("/etc/ssh/ssh_known_hosts"),
        Path("/etc/ssh/ssh_known_hosts2"),
    )
    assert target.host_key_alias == "shop"
    assert (target.connect_timeout, target.bind) == (4.0, "10.1.1.1")
    assert target.family is socket.AF_INET6
    assert target.known_hosts_command
    assert target.public_keys
    assert target.where == "deploy@10.0.0.5:2222"


def test_what_the_address_says_wins():
    target = parse_resolved(RESOLVED, SshAddress("prod-1", "root", 22), {})
    assert target.where == "root@10.0.0.5:22"


def test_a_proxy_command_gets_its_tokens():
    text = "hostname 10.0.0.5\nport 22\nuser d\nproxycommand nc -x %n %h %p %% %r\n"
    target = parse_resolved(text, SshAddress("prod-1"), {})
    assert target.proxy_command == "nc -x prod-1 10.0.0.5 22 % d"


@pytest.mark.parametrize(
    ("value", "agent"),
    [
        ("none", ""), ("SSH_AUTH_SOCK", "/from/environment"), ("$OTHER", "/other"),
        ("~/agent", str(HOME / "agent")), ("$MISSING", ""),
    ],
)  # fmt: skip
def test_the_agent(value, agent):
    environ = {"SSH_AUTH_SOCK": "/from/environment", "OTHER": "/other"}
    target = parse_resolved(f"identityagent {value}\n", SshAddress("x"), environ)
    assert target.agent == agent


def test_defaults_without_an_answer():
    target = parse_resolved("", SshAddress("prod-1"), {})
    assert (target.hostname, target.port, target.user, target.agent) == ("prod-1", 22, ME, "")


CONFIG = """Host shop
  HostName %h.example.com
  Port 2200
  User deploy
  IdentityFile ~/.ssh/shop
  ProxyJump bastion
  UserKnownHostsFile /kh
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config"
    path.write_text(CONFIG)
    return path


def ask(alias, environ, config):
    clock = SystemClock()
    deadline = Deadline.after(clock, 20)
    return resolve(SshAddress(alias), "host:x", deadline, clock, environ, config)


@pytest.mark.parametrize("openssh", [True, False], ids=["ssh -G", "without OpenSSH"])
def test_a_configuration_is_followed(config, tmp_path, openssh, monkeypatch):
    monkeypatch.setenv("HOME", str(HOME))  # where paramiko's parser looks
    if openssh and shutil.which("ssh") is None:
        pytest.skip("needs OpenSSH's client")
    environ = {"PATH": os.environ["PATH"] if openssh else str(tmp_path / "empty")}
    target = ask("shop", environ, config)
    assert target.where == "deploy@shop.example.com:2200"
    assert target.identities == (HOME / ".ssh/shop",)
    assert target.proxy_jump == ("bastion",)
    assert Path("/kh") in target.known_hosts
    other = ask("other", environ, config)
    assert other.hostname == "other"
    assert HOME / ".ssh/id_ed25519" in other.identities
    assert HOME / ".ssh/known_hosts" in other.known_hosts


def test_include_comes_with_openssh(config, tmp_path):
    if shutil.which("ssh") is None:
        pytest.skip("needs OpenSSH's client")
    more = tmp_path / "more"
    more.write_text("Host inner\n  HostName 10.9.9.9\n")
    config.write_text(f"Include {more}\n{CONFIG}")
    assert ask("inner", dict(os.environ), config).hostname == "10.9.9.9"


def test_a_bad_configuration_is_named(config):
    if shutil.which("ssh") is None:
        pytest.skip("needs OpenSSH's client")
    config.write_text("Nonsense yes\n")
    with pytest.raises(LinkError) as caught:
        ask("shop", dict(os.environ), config)
    assert caught.value.failure.kind is FailureKind.INVALID
    assert "ssh -G shop" in caught.value.failure.remedy


def test_a_match_that_hangs_ends_at_the_deadline(config):
    if shutil.which("ssh") is None:
        pytest.skip("needs OpenSSH's client")
    config.write_text('Match exec "sleep 30"\n  User x\n')
    clock = SystemClock()
    with pytest.raises(LinkError) as caught:
        resolve(SshAddress("x"), "h", Deadline.after(clock, 0.3), clock, dict(os.environ), config)
    assert caught.value.failure.kind is FailureKind.TIMEOUT
