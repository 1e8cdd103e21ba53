"""A private sshd on a loopback port, with keys of its own."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from console.clock import Deadline, SystemClock
from console.links.ssh.link import SshHost
from console.paths import Paths

WAIT = 15.0


@dataclass(slots=True)
class Sshd:
    """One server, and a client configuration that knows it."""

    home: Path
    port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def config(self) -> Path:
        return self.home / "ssh_config"

    def start(self) -> None:
        argv = [
            str(shutil.which("sshd")),
            "-D",
            "-E",
            str(self.home / "sshd.log"),
            "-f",
            str(self.home / "sshd_config"),
        ]
        self.process = subprocess.Popen(argv)
        wait_until(lambda: listens(self.port), f"sshd on {self.port}: {self.log()}")

    def log(self) -> str:
        log = self.home / "sshd.log"
        return log.read_text() if log.exists() else ""

    def stop(self) -> None:
        """The listening server and every connection."""
        if self.process is not None:
            self.cut()
            self.process.terminate()
            self.process.wait(WAIT)
            self.process = None

    def cut(self) -> int:
        """Kill the processes that serve connections; the server itself goes on."""
        return self.signal(signal.SIGKILL)

    def freeze(self) -> int:
        """Stop them instead: the connections stay, and nothing answers any more."""
        return self.signal(signal.SIGSTOP)

    def signal(self, number: signal.Signals) -> int:
        assert self.process is not None
        victims = serving(self.process.pid)
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return len(victims)

    def host(self, paths: Paths, alias: str = "box", **environ: str) -> SshHost:
        kept = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environ}
        return SshHost("box", f"ssh://{alias}", SystemClock(), paths, kept, self.config)


def serving(pid: int) -> list[int]:
    """sshd's own processes below `pid`; never the commands that they run."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, tail = path.read_text().rpartition(")")
        except OSError:
            continue
        if int(tail.split()[1]) == pid and head.partition("(")[2].startswith("sshd"):
            child = int(path.parent.name)
            found += [child, *serving(child)]
    return found


def listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1.0):
            return True
    except OSError:
        return False


def wait_until(condition: Callable[[], object], what: str, seconds: float = WAIT) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def keygen(path: Path, *options: str) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path), *options], check=True
    )


def known(path: Path, port: int, key: Path) -> None:
    kind, blob = key.with_suffix(".pub").read_text().split()[:2]
    path.write_text(f"[127.0.0.1]:{port} {kind} {blob}\n")


def client_host(alias: str, sshd: Sshd, **other: str) -> str:
    options = {
        "HostName": "127.0.0.1",
        "Port": str(sshd.port),
        "User": getpass.getuser(),
        "IdentityFile": str(sshd.home / "client"),
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "UserKnownHostsFile": str(sshd.home / "known_hosts"),
        "GlobalKnownHostsFile": "/dev/null",
        **other,
    }
    return f"Host {alias}\n" + "".join(f"  {key} {value}\n" for key, value in options.items())


def prepare(home: Path, options: tuple[str, ...] = ()) -> Sshd:
    """Keys and configurations of a server and its clients."""
    home.mkdir(mode=0o700)
    sshd = Sshd(home, free_port(), options)
    for name in ("host", "other", "client", "stranger"):
        keygen(home / name)
    keygen(home / "locked", "-N", "a passphrase")
    shutil.copy(home / "client.pub", home / "authorized_keys")
    known(home / "known_hosts", sshd.port, home / "host")
    known(home / "changed_hosts", sshd.port, home / "other")
    (home / "no_hosts").touch()
    lines = [
        *options,  # the first value of an option counts
        f"Port {sshd.port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {home / 'host'}",
        f"PidFile {home / 'sshd.pid'}",
        f"AuthorizedKeysFile {home / 'authorized_keys'}",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin yes",
        "LogLevel VERBOSE",
        f"SetEnv HOME={home}",  # bash would read the user's own .bashrc
    ]
    (home / "sshd_config").write_text("\n".join(lines) + "\n")
    proxy = f"{shutil.which('ssh')} -F {sshd.config} -W %h:%p box"
    hosts = [
        client_host("box", sshd),
        client_host("jumped", sshd, ProxyJump="box"),
        client_host("twice", sshd, ProxyJump="box,box"),
        client_host("circle", sshd, ProxyJump="circle"),
        client_host("proxied", sshd, ProxyCommand=proxy),
        client_host("badproxy", sshd, ProxyCommand="sh -c 'echo no such gateway >&2; exit 1'"),
        client_host("badjump", sshd, ProxyJump="box", Port=str(free_port())),
        client_host("nobody", sshd, IdentityFile=str(home / "stranger")),
        client_host("locked", sshd, IdentityFile=str(home / "locked")),
        client_host("unknown", sshd, UserKnownHostsFile=str(home / "no_hosts")),
        client_host("changed", sshd, UserKnownHostsFile=str(home / "changed_hosts")),
        client_host("unnamed", sshd, HostName="no-such-host.invalid"),
        client_host("refused", sshd, Port=str(free_port())),
        client_host("agent", sshd, IdentityFile="none", IdentitiesOnly="no",
                    IdentityAgent="SSH_AUTH_SOCK"),
    ]  # fmt: skip
    sshd.config.write_text("\n".join(hosts))
    return sshd


def require_sshd() -> None:
    missing = [name for name in ("sshd", "ssh", "ssh-keygen") if shutil.which(name) is None]
    reason = f"needs OpenSSH's server and client: {', '.join(missing)} not installed"
    if missing and os.environ.get("COFA_REQUIRE_LIVE") == "1":
        pytest.fail(reason)
    if missing:
        pytest.skip(reason)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # privilege separation wants it


@pytest.fixture
def make_sshd(tmp_path: Path) -> Iterator[Callable[..., Sshd]]:
    """Start servers with options of sshd_config; they end with the test."""
    require_sshd()
    started: list[Sshd] = []

    def make(*options: str) -> Sshd:
        sshd = prepare(tmp_path / f"sshd{len(started)}", options)
        started.append(sshd)
        sshd.start()
        return sshd

    yield make
    for sshd in started:
        sshd.stop()


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """One server for the tests that leave it whole."""
    require_sshd()
    server = prepare(tmp_path_factory.mktemp("ssh") / "sshd")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "c", tmp_path / "s", tmp_path / "k", tmp_path / "r")


@pytest.fixture
def open_ssh(paths: Paths) -> Iterator[Callable[..., SshHost]]:
    """Open hosts of a server; closed with the test."""
    opened: list[SshHost] = []

    def open_(server: Sshd, alias: str = "box", **environ: str) -> SshHost:
        opened.append(server.host(paths, alias, **environ))
        return opened[-1]

    yield open_
    for host in opened:
        host.close()


@pytest.fixture
def within() -> Callable[[float], Deadline]:
    """A deadline so many seconds from now, by the real clock."""
    return lambda seconds: Deadline.after(SystemClock(), seconds)


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait for a condition, bounded."""
    return wait_until
