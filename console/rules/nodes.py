"""Swarm nodes that are not there."""

from collections.abc import Iterator

from console.model.findings import PlaceKind, Severity
from console.rules.view import Candidate, Kind, View


def candidates(view: View) -> Iterator[Candidate]:
    """Nodes that are down, unknown or disconnected."""
    if view.fleet is None:
        return
    nodes = view.fleet.nodes
    managers = [node for node in nodes if node.role == "manager"]
    lost = sum(node.state != "ready" for node in managers)
    for node in nodes:
        if node.state == "ready":
            continue
        held = sum(
            replica.node == node.name
            for service in view.fleet.services
            for replica in service.current
        )
        quorum = ""
        if node.role == "manager":
            spare = (len(managers) - 1) // 2 - lost
            quorum = f"{len(managers) - lost} of {len(managers)} managers left, " + (
                f"{spare} more may go" if spare > 0 else "the next one lost stops the Swarm"
            )
        finding = view.finding(
            "node-down",
            node.name,
            Severity.P1,
            f"node {node.name} ({node.role}) is {node.state}",
            (PlaceKind.NODE, node.name),
            view.engine,
            evidence=(
                f"docker node inspect {node.name}: {node.state}, {node.availability}",
                f"tasks the Swarm still counts there: {held}",
                quorum,
            ),
        )
        keys = tuple(name.lower() for name in (node.name, node.address) if name)
        yield Candidate(finding, kind=Kind.NODE, keys=keys)
