"""Docker engines, started by hand: one on the host, one in each Swarm node."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from layout import Layout, Node
from namespaces import inside
from procs import Daemon, run, start_time, stop_process, succeeds


@dataclass(frozen=True)
class Engine:
    layout: Layout
    node: Node | None = None

    @property
    def name(self) -> str:
        return self.node.name if self.node else "host"

    @property
    def home(self) -> Path:
        return self.layout.root / "engines" / self.name

    @property
    def socket(self) -> Path:
        """Short: a Unix socket's path must fit 107 bytes."""
        return self.layout.root / f"{'docker' if self.node is None else self.name}.sock"

    @property
    def address(self) -> str:
        return f"unix://{self.socket}"

    @property
    def tcp_address(self) -> str:
        return f"tcp://127.0.0.1:{self.layout.ports.docker}"

    @property
    def daemon(self) -> Daemon:
        return Daemon(
            self.layout,
            f"dockerd-{self.name}",
            self._argv(),
            ready=self._ready,
            reads=(self.home / "daemon.json",),
            timeout=60,
            grace=40,
        )

    def _argv(self) -> tuple[str, ...]:
        dockerd = ("/usr/sbin/dockerd", "--config-file", str(self.home / "daemon.json"))
        return dockerd if self.node is None else (*inside(self.node), *dockerd)

    def _ready(self) -> bool:
        return self.socket.exists() and succeeds(self.words("version"), timeout=10)

    def words(self, *arguments: str | Path) -> tuple[str, ...]:
        return ("docker", "--host", self.address, *map(str, arguments))

    def docker(self, *arguments: str | Path, timeout: float = 60) -> str:
        return run(self.words(*arguments), timeout=timeout)

    def start(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "daemon.json").write_text(json.dumps(self._configuration(), indent=1))
        if self.daemon.outdated():
            self.daemon.stop()
        if self.daemon.pid() is None:
            self._sweep()
        self.daemon.start()

    def _configuration(self) -> dict[str, object]:
        """Its own everything, so that no other engine of the machine is touched."""
        inside = self.node is not None
        return {
            **({} if inside else self._tls()),
            "hosts": [self.address] if inside else [self.address, self.tcp_address],
            "data-root": str(self.home / "data"),
            "exec-root": str(self.home / "exec"),
            "pidfile": str(self.home / "dockerd.pid"),
            "containerd-namespace": f"cofa-{self.name}",
            "containerd-plugins-namespace": f"cofa-{self.name}-plugins",
            "default-address-pools": [self._pool()],
            "bip": "10.215.255.1/24" if inside else self.layout.engine_bridge,
            "insecure-registries": [self.layout.registry],
            "log-driver": "json-file",
            "log-opts": {"max-size": "10m", "max-file": "2"},
            "shutdown-timeout": 20,
            "labels": [f"stand.host={self.name}"],
        }

    def _tls(self) -> dict[str, object]:
        """For TCP alone; who may use the socket is said by its mode."""
        certs = self.layout.keys / "docker"
        files = {"tlscacert": "ca.pem", "tlscert": "server.pem", "tlskey": "server.key"}
        return {"tlsverify": True, **{name: str(certs / file) for name, file in files.items()}}

    def _pool(self) -> dict[str, object]:
        spec = self.layout.engine_pool if self.node is None else self.layout.node_pool
        base, size = (part.partition("=")[2] for part in spec.split(","))
        return {"base": base, "size": int(size)}

    def clear(self) -> None:
        """Containers of any origin, at once: none of them needs its grace period now."""
        if self.daemon.pid() is not None:
            found = self.docker("ps", "--all", "--quiet").split()
            succeeds(self.words("rm", "--force", "--volumes", *found) if found else ("true",))

    def stop(self) -> None:
        self.daemon.stop()
        self._sweep()

    def erase(self) -> None:
        """Its containers' file systems may still be mounted when it was killed."""
        table = Path("/proc/self/mountinfo").read_text().splitlines()
        mounts = [line.split()[4] for line in table]
        for mount in sorted((m for m in mounts if m.startswith(f"{self.home}/")), reverse=True):
            succeeds(["umount", "--lazy", mount])
        shutil.rmtree(self.home, ignore_errors=True)

    def _sweep(self) -> None:
        """What a killed engine leaves: its containerd, the shims, a pid file, a socket."""
        for pid in self._orphans():
            stop_process(pid, 5)
        (self.home / "dockerd.pid").unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)

    def _orphans(self) -> Iterator[int]:
        """Processes that name this engine's own exec root; shims first, then containerd."""
        mark = f"{self.home}/exec/containerd/"
        for program in ("containerd-shim", "containerd"):
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit() and _names(entry, program, mark):
                    yield int(entry.name)


def _names(entry: Path, program: str, mark: str) -> bool:
    """A container's stand may have the same paths: only processes with our root are ours."""
    try:
        words = (entry / "cmdline").read_text(errors="replace").split("\0")
        if not (entry / "root").samefile("/"):
            return False
    except OSError:
        return False
    first = Path(words[0]).name
    ours = first == program or (program == "containerd-shim" and first.startswith(program))
    return ours and start_time(int(entry.name)) is not None and mark in " ".join(words)
