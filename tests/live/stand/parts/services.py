"""The stand's own daemons: registry, S3, sshd, traffic."""

from __future__ import annotations

import json
import socket
import ssl
import urllib.request
from pathlib import Path

from engines import Engine
from layout import SOURCE, Layout, Node
from namespaces import inside
from procs import Daemon, run, say, succeeds

PYTHON = "/usr/bin/python3"
S3_PACKAGES = ("moto[s3]==5.2.*", "flask==3.1.*", "flask-cors==6.*", "awscli==1.*")
TRAFFIC_HOURS = 12


def answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def serves(url: str, ca_file: Path) -> bool:
    """Through an edge to a backend and back."""
    context = ssl.create_default_context(cafile=str(ca_file))
    https = urllib.request.HTTPSHandler(context=context)
    opener = urllib.request.build_opener(https, urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=1.5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def place(node: Node | None) -> tuple[str, ...]:
    return () if node is None else inside(node)


def registry(layout: Layout, node: Node | None = None) -> Daemon:
    """The same store is served inside each node, so that one image name works everywhere."""
    name = "registry" if node is None else f"registry-{node.name}"
    settings = layout.root / "registry.json"
    argv = (*place(node), "docker-registry", "serve", str(settings))
    probe = (*place(node), "curl", "-fsS", "-m", "2", f"http://{layout.registry}/v2/")
    return Daemon(layout, name, argv, ready=lambda: succeeds(probe), reads=(settings,))


def configure_registry(layout: Layout) -> None:
    store = layout.root / "registry"
    store.mkdir(exist_ok=True)
    configuration = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": False}},
        "storage": {"filesystem": {"rootdirectory": str(store)}, "delete": {"enabled": True}},
        "http": {"addr": layout.registry},
    }
    (layout.root / "registry.json").write_text(json.dumps(configuration, indent=1))


def sshd(layout: Layout, node: Node | None = None) -> Daemon:
    name = "sshd" if node is None else f"sshd-{node.name}"
    settings = layout.root / f"{name}.conf"
    argv = (*place(node), "/usr/sbin/sshd", "-D", "-e", "-f", str(settings))
    address = "127.0.0.1" if node is None else node.address
    return Daemon(
        layout,
        name,
        argv,
        ready=lambda: answers(address, layout.ports.ssh),
        reads=(settings,),
    )


def configure_sshd(engine: Engine) -> None:
    """Key-only; on it `docker` finds that host's engine, as on any server."""
    layout, node = engine.layout, engine.node
    daemon = sshd(layout, node)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    lines = {
        "ListenAddress": f"{node.address if node else '127.0.0.1'}:{layout.ports.ssh}",
        "HostKey": layout.keys / "ssh_host",
        "AuthorizedKeysFile": layout.keys / "authorized_keys",
        "PidFile": "none",
        "UsePAM": "yes" if root_is_locked() else "no",
        "PermitRootLogin": "prohibit-password",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "AllowTcpForwarding": "yes",
        "AllowStreamLocalForwarding": "yes",
        "AllowAgentForwarding": "yes",
        # Its files lie below /tmp, which everybody may write to.
        "StrictModes": "no",
        "Subsystem": "sftp internal-sftp",
        "SetEnv": f"DOCKER_HOST={engine.address}",
    }
    text = "".join(f"{name} {value}\n" for name, value in lines.items())
    (layout.root / f"{daemon.name}.conf").write_text(text)


def root_is_locked() -> bool:
    """sshd without PAM refuses an account whose password begins with an exclamation mark."""
    for line in Path("/etc/shadow").read_text().splitlines():
        user, secret, *_ = line.split(":")
        if user == "root":
            return secret.startswith("!")
    return False


def make_venv(layout: Layout) -> None:
    """moto and aws: from PyPI, in an environment of the stand's own."""
    stamp = layout.venv / "stand-packages"
    wanted = " ".join(S3_PACKAGES)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say("installing the S3 server")
    run([PYTHON, "-m", "venv", "--clear", layout.venv], timeout=120)
    pip = (layout.venv / "bin/python", "-m", "pip", "install", "--quiet")
    run((*pip, "--disable-pip-version-check", *S3_PACKAGES), timeout=300)
    stamp.write_text(wanted)


def s3(layout: Layout) -> Daemon:
    program = SOURCE / "programs/s3_server.py"
    return Daemon(
        layout,
        "s3",
        (str(layout.venv / "bin/python"), str(program), str(layout.ports.s3)),
        ready=lambda: answers("127.0.0.1", layout.ports.s3),
        reads=(program,),
        timeout=60,
    )


def traffic(layout: Layout) -> Daemon:
    ports = layout.ports
    edges = (str(ports.edge_a_https), str(ports.edge_b_https))
    ca, program = str(layout.keys / "ca.pem"), SOURCE / "programs/traffic.py"
    argv = (PYTHON, str(program), ca, str(TRAFFIC_HOURS), *edges)
    return Daemon(layout, "traffic", argv, reads=(program,))
