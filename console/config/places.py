"""Where a replica can be asked: its published port, else its own address."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from console.config.environment import HERE
from console.model.fleet import Fleet, Port, Replica

_ANY: Final = ("", "0.0.0.0", "::", "[::]", "*")  # noqa: S104 - read, not bound
_PLUMBING: Final = ("ingress", "docker_gwbridge", "none")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something answers."""

    address: str
    """``HOST:PORT``."""
    container_port: int
    why: str


@dataclass(frozen=True, slots=True)
class Vantage:
    """From where the engine's host and its containers are asked."""

    fleet: Fleet
    through: str = HERE
    """Name of the host, as HttpConfig and EdgeConfig have it."""
    loopback: str = "127.0.0.1"
    """The engine's host as seen from there."""
    inside: bool = True
    """Whether the containers' own addresses can be reached from there."""

    def published(
        self, replica: Replica, fits: Callable[[Port], bool], prefer: Sequence[int] = ()
    ) -> Place | None:
        """Its published TCP port that fits, the preferred container ports first."""
        ports = [port for port in replica.ports if port.protocol == "tcp" and fits(port)]
        if not ports:
            return None

        def rank(port: Port) -> tuple[int, bool, int]:
            known = port.container_port in prefer
            order = prefer.index(port.container_port) if known else len(prefer)
            return order, ":" in port.host_address, port.host_port

        port = min(ports, key=rank)
        host = port.host_address
        if host in _ANY:
            host = self._host_of(replica)
        why = f"container {replica.name} publishes {port.container_port} there"
        return Place(f"{_bracketed(host)}:{port.host_port}", port.container_port, why)

    def own(self, replica: Replica, port: int) -> Place | None:
        """The replica's own address, with a port that nobody confirmed."""
        if not replica.addresses:
            why = f"container {replica.name} seems to be on its host's network; {port} is assumed"
            return Place(f"{_bracketed(self._host_of(replica))}:{port}", port, why)
        if not self.inside or not self._near(replica):
            return None
        for network, address in sorted(replica.addresses.items()):
            if address and network not in _PLUMBING:
                why = (
                    f"container {replica.name} publishes no such port; its address on {network} "
                    f"changes when it is made anew; {port} is assumed"
                )
                return Place(f"{_bracketed(address.partition('/')[0])}:{port}", port, why)
        return None

    def _near(self, replica: Replica) -> bool:
        return replica.node in ("", self.fleet.engine_name)

    def _host_of(self, replica: Replica) -> str:
        """Its node as seen from here. A Swarm's own node answers at its address as well."""
        near = self._near(replica)
        if near and not self.inside:
            return self.loopback
        for node in self.fleet.nodes:
            if replica.node in (node.name, node.id) and node.address not in _ANY:
                return node.address
        return self.loopback if near else replica.node


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
