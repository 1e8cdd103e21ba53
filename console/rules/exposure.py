"""Ports that may never be published on an outside address."""

from collections.abc import Iterator

from console.model.findings import PlaceKind, Severity
from console.model.fleet import Port, Service
from console.present.replica import service_label
from console.rules.view import Candidate, View


def candidates(view: View) -> Iterator[Candidate]:
    """One finding per service: its replicas and the two IP versions share the fault."""
    if view.fleet is None:
        return
    never = frozenset(view.policy.never_outside)
    for service in view.fleet.services:
        open_ports = _open(service, never)
        if not open_ports:
            continue
        told = ", ".join(sorted({str(port.host_port) for port in open_ports}, key=int))
        finding = view.finding(
            "port-outside",
            service.key,
            Severity.P2,
            f"{service_label(view.fleet, service)} publishes {told} to the outside",
            (PlaceKind.SERVICE, service.key),
            view.engine,
            evidence=(
                *(_words(port) for port in open_ports),
                "ports that Docker publishes go past ufw; bind them to 127.0.0.1",
            ),
        )
        yield Candidate(finding)


def _open(service: Service, never: frozenset[int]) -> tuple[Port, ...]:
    ports = {
        port
        for replica in service.current
        if replica.running
        for port in replica.ports
        if port.outside
        and port.host_port
        and not never.isdisjoint({port.host_port, port.container_port})
    }
    return tuple(sorted(ports, key=lambda port: (port.host_port, port.host_address)))


def _words(port: Port) -> str:
    address = f"[{port.host_address}]" if ":" in port.host_address else port.host_address
    return f"{address}:{port.host_port} -> {port.container_port}/{port.protocol}"
