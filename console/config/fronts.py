"""The edges of a stack that was discovered: which replicas, and where each answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from console.config.environment import EdgeConfig
from console.config.hints import Hint
from console.config.places import Place, Vantage
from console.config.roles import PLAIN_PORTS, TLS_PORTS, running
from console.model.fleet import Port, Replica, Service

# Dashboards and statistics of Traefik, Caddy, HAProxy and Envoy: no user asks them.
_ADMIN_PORTS: Final = frozenset({2019, 8404, 9000, 9901, 1936})
_IMPLIED: Final = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Front:
    """One edge and where its values came from."""

    edge: EdgeConfig
    reasons: Mapping[str, str]


def fronts(
    edges: Sequence[Service], backend: Service | None, domain: Hint | None, vantage: Vantage
) -> tuple[Front, ...]:
    """One Front per address at which users are answered.

    Where there is no edge, those of the backend's own published ports.
    """
    found = [
        front
        for service in edges
        for replica in running(service)
        if (front := _front(service, replica, domain, vantage, assume=True))
    ]
    if not edges and backend is not None:
        found = [
            front
            for replica in running(backend)
            if (front := _front(backend, replica, domain, vantage, assume=False))
        ]
    return _named_apart([_asked_for(front, backend) for front in _apart(found)])


def _front(
    service: Service, replica: Replica, domain: Hint | None, vantage: Vantage, *, assume: bool
) -> Front | None:
    tls = vantage.published(replica, _is_tls, TLS_PORTS)
    plain = vantage.published(replica, _is_plain, PLAIN_PORTS)
    if tls is None and plain is None and assume:
        plain = vantage.own(replica, 80)
    chosen = tls or plain
    if chosen is None:
        return None
    scheme = "https" if tls else "http"
    url, url_why = _url(scheme, domain, chosen)
    edge = EdgeConfig(
        name=_short(service, replica),
        url=url,
        connect=chosen.address,
        http_connect=plain.address if tls and plain else "none",
        through=vantage.through,
        replica=replica.name if assume else "",
        assumed=True,
    )
    reasons = {"name": f"image {replica.image.name}", "url": url_why, "connect": chosen.why}
    if not assume:
        reasons["name"] = "no edge stands in front: the backend's own port"
    reasons["http_connect"] = (
        plain.why if tls and plain else "no port for plain HTTP beside it is published"
    )
    return Front(edge, reasons)


def _asked_for(front: Front, backend: Service | None) -> Front:
    """An edge is asked what the backend's own health check asks."""
    if backend is None or not backend.health_path:
        return front
    edge = replace(front.edge, health=backend.health_path)
    return Front(edge, {**front.reasons, "health": f"what the check of {backend.name} asks"})


def _url(scheme: str, domain: Hint | None, place: Place) -> tuple[str, str]:
    why = "https, as it publishes a TLS port" if scheme == "https" else "http: no TLS port found"
    if domain:
        return f"{scheme}://{domain.value}", f"{domain.why}; {why}"
    host, _, port = place.address.rpartition(":")
    suffix = "" if int(port) == _IMPLIED[scheme] else f":{port}"
    return f"{scheme}://{host}{suffix}", f"no domain found: its address; {why}"


def _is_tls(port: Port) -> bool:
    return (
        port.container_port in TLS_PORTS
        or port.host_port == 443
        or (port.container_port % 1000 == 443)
    )


def _is_plain(port: Port) -> bool:
    return not _is_tls(port) and port.container_port not in _ADMIN_PORTS


def _short(service: Service, replica: Replica) -> str:
    if len(service.current) == 1:
        return service.name
    for mark in "-_":
        if service.project and replica.name.startswith(service.project + mark):
            return replica.name[len(service.project) + 1 :]
    return replica.name


def _apart(found: Sequence[Front]) -> list[Front]:
    """One Front per address: what the Swarm's ingress answers is no single replica."""
    kept: dict[str, list[Front]] = {}
    for front in found:
        kept.setdefault(front.edge.connect, []).append(front)
    return [group[0] if len(group) == 1 else _shared(group) for group in kept.values()]


def _shared(group: Sequence[Front]) -> Front:
    first = group[0]
    edge = EdgeConfig(
        name=first.edge.name.rstrip("0123456789").rstrip(".-_") or first.edge.name,
        url=first.edge.url,
        connect=first.edge.connect,
        http_connect=first.edge.http_connect,
        through=first.edge.through,
        assumed=True,
    )
    why = f"{len(group)} replicas share this address, so no single one can be asked"
    return Front(edge, {**first.reasons, "connect": f"{first.reasons['connect']}; {why}"})


def _named_apart(found: Sequence[Front]) -> tuple[Front, ...]:
    """The same, with no name twice."""
    taken: set[str] = set()
    result: list[Front] = []
    for front in found:
        edge, number = front.edge, 2
        name = edge.name
        while name in taken:
            name = f"{edge.name}-{number}"
            number += 1
        taken.add(name)
        result.append(Front(replace(edge, name=name), front.reasons))
    return tuple(result)
