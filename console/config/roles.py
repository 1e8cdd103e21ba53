"""What services are for, by their images, names and ports."""

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from console.config.environment import Environment
from console.model.fleet import Fleet, Port, Replica, Role, Service

# Looked for anywhere in an image's or a service's name, in this order: a postgres-exporter
# is no database.
_PARTS: Final[dict[Role, tuple[str, ...]]] = {
    Role.MONITORING: ("exporter", "prometheus", "alertmanager", "grafana", "cadvisor", "promtail"),
    Role.DATABASE: ("postgres", "postgis", "timescale", "mysql", "mariadb", "cockroach", "mongo"),
    Role.CACHE: ("memcached", "valkey", "keydb", "dragonfly"),
    Role.EDGE: ("nginx", "traefik", "haproxy", "caddy", "openresty"),
}
# Looked for as whole words: a hotel has no otel, and a redistributor no redis.
_WORDS: Final[dict[Role, frozenset[str]]] = {
    Role.MONITORING: frozenset(
        {"metrics", "monitoring", "loki", "otel", "opentelemetry", "fluentd", "jaeger", "tempo"}
    ),
    Role.DATABASE: frozenset({"db", "database", "pg", "pgbouncer"}),
    Role.CACHE: frozenset({"cache", "redis"}),
    Role.EDGE: frozenset(
        {"edge", "proxy", "lb", "gateway", "ingress", "loadbalancer", "balancer", "envoy"}
    ),
}
_HELPERS: Final = frozenset(
    {"backup", "backups", "cron", "migrate", "migration", "migrations", "init", "certbot"}
    | {"socket", "oauth2", "cloudsql", "sql", "mailhog", "adminer", "pgadmin", "minio", "registry"}
)
_BACKEND_WORDS: Final = frozenset({"backend", "api", "app", "web", "server", "site", "www"})
_WORKER_WORDS: Final = frozenset(
    {"worker", "workers", "celery", "beat", "scheduler", "queue", "consumer", "job", "jobs"}
    | {"sidekiq", "frontend", "static", "mail", "smtp", "docs"}
)
TLS_PORTS: Final = (443, 8443)
PLAIN_PORTS: Final = (80, 8080)


def assign_roles(fleet: Fleet, environment: Environment) -> Fleet:
    """`fleet` with each service's role: the backend and edges of `environment`, else by name."""
    edges = {edge.replica for edge in environment.edges if edge.replica}
    fronts = {edge.name for edge in environment.edges}
    likely = None if environment.backend else next(iter(backend_candidates(fleet, ())), None)
    backend = likely.key if likely else environment.backend
    others = {service.key for service in stacks(fleet)} if environment.discovered else set()

    def role(service: Service) -> Role:
        if (backend and backend in (service.key, service.name)) or service.key in others:
            return Role.BACKEND
        names = {replica.name for replica in service.replicas}
        if names & edges or {service.name, service.key} & fronts:
            return Role.EDGE
        known = known_role(service)
        # A proxy inside the stack is no edge once the edges are named.
        return Role.OTHER if known is Role.EDGE and environment.edges else known

    services = tuple(replace(service, role=role(service)) for service in fleet.services)
    return replace(fleet, services=services)


def known_role(service: Service) -> Role:
    """The role that the image, else the service's name, is known for; OTHER if for none."""
    if words(service.name) & _HELPERS:
        return Role.OTHER
    for text in (image_name(service), service.name):
        if words(text) & _HELPERS:
            return Role.OTHER
        plain = text.lower().replace("-", "").replace("_", "")
        for role, parts in _PARTS.items():
            if any(part in plain for part in parts) or words(text) & _WORDS[role]:
                return role
    return Role.OTHER


def edge_services(fleet: Fleet) -> tuple[Service, ...]:
    """The services in front: those known as edges, the published ones before all others.

    Where none is known, those that publish a web port while another service looks like the
    backend behind them.
    """
    known = [service for service in _lasting(fleet) if known_role(service) is Role.EDGE]
    published = [service for service in known if web_ports(service)]
    if published or known:
        return tuple(published or known)
    backend = next(iter(backend_candidates(fleet, ())), None)
    return tuple(
        service
        for service in _lasting(fleet)
        if known_role(service) is Role.OTHER
        and service is not backend
        and backend is not None
        and service.project == backend.project
        and _published(service, (*TLS_PORTS, *PLAIN_PORTS))
        and not words(service.name) & _WORKER_WORDS
    )


def backend_candidates(fleet: Fleet, edges: Collection[Service]) -> tuple[Service, ...]:
    """Services that may be the backend, the likeliest first."""
    networks = {network for edge in edges for network in _networks(edge)}
    fronts = {edge.key for edge in edges}
    scored = [
        (_score(service, networks), service)
        for service in _lasting(fleet)
        if known_role(service) is Role.OTHER
        and service.key not in fronts
        and not words(service.name) & _HELPERS
    ]
    likely = [(score, service) for score, service in scored if score >= 15]
    likely.sort(key=lambda pair: (-pair[0], -size(pair[1]), pair[1].key))
    return tuple(service for _, service in likely)


def stacks(fleet: Fleet) -> tuple[Service, ...]:
    """The backend of each project that is a production of its own, with edges in front."""
    projects: dict[str, list[Service]] = {}
    for service in fleet.services:
        projects.setdefault(service.project, []).append(service)
    found = []
    for project, services in sorted(projects.items()):
        part = replace(fleet, services=tuple(services))
        edges = edge_services(part)
        first = next(iter(backend_candidates(part, edges)), None)
        if project and first and size(first) > 1 and any(web_ports(edge) for edge in edges):
            found.append(first)
    return tuple(found)


def size(service: Service) -> int:
    """How many replicas it has or should have."""
    return max(service.declared or 0, len(service.current))


def web_ports(service: Service) -> tuple[Port, ...]:
    """The TCP ports that its replicas publish."""
    return tuple(
        port for replica in service.current for port in replica.ports if port.protocol == "tcp"
    )


def image_name(service: Service) -> str:
    """The last part of its image's name: ``nginx``."""
    image = service.image or next((replica.image for replica in service.replicas), None)
    return image.name.rpartition("/")[2] if image else ""


def words(text: str) -> frozenset[str]:
    """Its words without numbers: ``shop-api_redis7`` has shop, api and redis."""
    return frozenset(part.rstrip("0123456789") for part in re.split(r"[^a-z0-9]+", text.lower()))


def running(service: Service) -> tuple[Replica, ...]:
    """Its replicas that run."""
    return tuple(replica for replica in service.current if replica.running)


def _lasting(fleet: Fleet) -> list[Service]:
    return [service for service in fleet.services if not service.one_shot and size(service) > 0]


def _score(service: Service, edge_networks: set[str]) -> int:
    count = size(service)
    score = min(count, 10)
    if words(service.name) & _BACKEND_WORDS:
        score += 40
    elif words(image_name(service)) & _BACKEND_WORDS:
        score += 20
    if words(service.name) & _WORKER_WORDS:
        score -= 60
    if count > 1:
        score += 30
    if service.healthcheck:
        score += 15
    if edge_networks & _networks(service):
        score += 10
    if _published(service, TLS_PORTS):
        score -= 15
    return score


def _networks(service: Service) -> set[str]:
    return {network for replica in service.current for network in replica.addresses}


def _published(service: Service, ports: Collection[int]) -> bool:
    return any(
        port.container_port in ports or port.host_port in ports for port in web_ports(service)
    )
