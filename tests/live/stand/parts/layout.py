"""Where everything of the stand is: directories, ports, addresses, names.

One stand per machine. All of it listens on loopback, on a bridge of this
machine that leads nowhere else, or on Docker's own networks.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
DEFAULT_ROOT = "/tmp/cofa-stand"
PROJECT = "shop"
STACK = "plaza"
DOMAIN = "shop.test"
GOOD_TAG = "v1.2.3"


@dataclass(frozen=True)
class Ports:
    """Loopback ports of the host. High, and none a service's usual one."""

    docker: int = 12376
    registry: int = 18050
    edge_a_https: int = 18443
    edge_a_http: int = 18080
    edge_b_https: int = 18444
    edge_b_http: int = 18081
    prometheus: int = 19090
    alertmanager: int = 19093
    postgres: int = 15432
    redis: int = 16379
    s3: int = 18900
    ssh: int = 18022


@dataclass(frozen=True)
class Node:
    """One Swarm node: a network namespace with an engine and an sshd of its own."""

    number: int

    @property
    def name(self) -> str:
        return f"plaza-{self.number}"

    @property
    def namespace(self) -> str:
        return f"cofa-{self.name}"

    @property
    def address(self) -> str:
        return f"10.213.77.{10 + self.number}"

    @property
    def outer_link(self) -> str:
        return f"cofa-v{self.number}"


@dataclass(frozen=True)
class Layout:
    root: Path
    ports: Ports = Ports()

    bridge = "cofa-br0"
    bridge_address = "10.213.77.1"
    bridge_network = "10.213.77.0/24"
    # Room for a thousand containers, where a test wants hundreds.
    engine_bridge = "10.214.252.1/22"
    engine_pool = "base=10.214.0.0/17,size=24"
    node_pool = "base=10.215.0.0/16,size=24"
    overlay_pool = "10.216.0.0/16"

    @classmethod
    def from_environment(cls) -> Layout:
        return cls(Path(os.environ.get("COFA_STAND_DIR") or DEFAULT_ROOT).resolve())

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def pids(self) -> Path:
        return self.root / "pids"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def venv(self) -> Path:
        return self.cache / "venv"

    @property
    def shop(self) -> Path:
        """The Compose project, as it would lie under /srv on a server."""
        return self.root / "srv" / PROJECT

    @property
    def registry(self) -> str:
        return f"127.0.0.1:{self.ports.registry}"

    @property
    def ready(self) -> Path:
        return self.root / "READY"

    @property
    def description(self) -> Path:
        return self.root / "stand.json"

    @property
    def swarm_description(self) -> Path:
        return self.root / "swarm3.json"

    def image(self, name: str, tag: str) -> str:
        return f"{self.registry}/{PROJECT}/{name}:{tag}"

    def make_directories(self) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.chmod(0o700)
        for path in (self.cache, self.logs, self.pids, self.keys, self.shop):
            path.mkdir(parents=True, exist_ok=True)
