"""What is there, where no file says it: a Fleet and some variables become an Environment.

Pure. Each value comes with the reason for it; what could not be told is a doubt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from console.config import hints, values
from console.config.environment import (
    HERE,
    BackupsConfig,
    EngineConfig,
    Environment,
    HostConfig,
    HttpConfig,
    SecretRef,
)
from console.config.fronts import Front, fronts
from console.config.hints import Variables
from console.config.places import Place, Vantage
from console.config.roles import (
    backend_candidates,
    edge_services,
    image_name,
    running,
    size,
    stacks,
    words,
)
from console.model.fleet import Fleet, Service

USUAL_PATTERN: Final = "*_%Y%m%d_%H%M%S.backup"
USUAL_FOLDER: Final = "database"
PROMETHEUS_PORT: Final = 9090
ALERTMANAGER_PORT: Final = 9093


@dataclass(frozen=True, slots=True)
class Discovery:
    """An Environment and where each of its values came from."""

    environment: Environment
    reasons: Mapping[str, str]
    """Path below the environment (``edges[0].url``) -> why."""
    doubts: tuple[str, ...] = ()
    """What a person should look at."""
    domain_known: bool = True
    """False where the edges' URLs are mere addresses."""
    files_read: bool = True
    """Whether every env file that is named could be read."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All that discovery has to go by."""

    fleet: Fleet
    engine: EngineConfig
    engine_why: str
    host: HostConfig | None
    """The engine's host; None where only the engine's TCP port is known."""
    env_files: Sequence[Variables] = ()
    """Of the engine's host, the likeliest first."""
    env_doubts: Sequence[str] = ()
    """Why some were not read."""
    certificates: Sequence[Variables] = ()
    """The names in the certificates that edges serve, for where no variable has the domain."""
    projects: Sequence[str] = ()
    """The only ones that `fleet` is about; none: all."""
    answering: Mapping[int, str] = field(default_factory=dict)
    """Usual ports of the engine's host on which the usual server did answer -> its words."""


def discover(seen: Seen, name: str = "production") -> Discovery:
    """The Environment that `seen` amounts to."""
    work = _Work(seen)
    projects = sorted({service.project for service in seen.fleet.services if service.project})
    work.because("engine", seen.engine_why)
    only = "as named on the command line" if seen.projects else ""
    work.because("projects", only or f"all: {', '.join(projects) or 'there is none yet'}")
    edges = edge_services(seen.fleet)
    backend = work.backend(edges)
    work.stacks(backend)
    variables = (
        *hints.service_variables(edges),
        *seen.env_files,
        *hints.service_variables(_backend_first(seen.fleet, backend)),
    )
    found = work.fronts(edges, backend, (*variables, *seen.certificates))
    environment = Environment(
        name=name,
        engine=seen.engine,
        projects=tuple(seen.projects),
        backend=backend.key if backend else "",
        hosts=work.hosts(),
        edges=tuple(front.edge for front in found),
        prometheus=work.server("prometheus", PROMETHEUS_PORT, backend),
        alertmanager=work.server("alertmanager", ALERTMANAGER_PORT, backend),
        backups=work.backups(variables),
        discovered=True,
    )
    return Discovery(
        environment,
        work.reasons,
        tuple(work.doubts),
        domain_known=work.domain_known,
        files_read=not seen.env_doubts,
    )


def vantage_of(seen: Seen) -> Vantage:
    """From where the engine's host and its containers are asked."""
    if seen.host is None:
        host = urlsplit(seen.engine.address).hostname or "127.0.0.1"
        return Vantage(seen.fleet, HERE, host, inside=False)
    remote = seen.host.address != "local"
    return Vantage(seen.fleet, seen.host.name if remote else HERE)


class _Work:
    """Gathers reasons and doubts while the parts are looked for."""

    def __init__(self, seen: Seen) -> None:
        self.reasons: dict[str, str] = {}
        self.doubts: list[str] = list(seen.env_doubts)
        self.domain_known = True
        self._seen = seen
        self._vantage = vantage_of(seen)

    def because(self, path: str, why: str) -> None:
        self.reasons[path] = why

    def backend(self, edges: Sequence[Service]) -> Service | None:
        candidates = backend_candidates(self._seen.fleet, edges)
        if not candidates:
            self.doubts.append("no service looks like the backend: set `backend`")
            return None
        first, *others = candidates
        checked = ", health check" if first.healthcheck else ""
        why = f"the likeliest by name, replicas ({size(first)}{checked}) and networks"
        rivals = [service.key for service in others if size(service) >= 2][:3]
        if rivals:
            why += f"; also possible: {', '.join(rivals)}"
        self.because("backend", why)
        return first

    def stacks(self, backend: Service | None) -> None:
        found = stacks(self._seen.fleet)
        others = [service for service in found if backend and service.project != backend.project]
        if backend and others:
            names = ", ".join(service.project for service in others)
            self.doubts.append(
                f"{names}: a production of its own beside {backend.project}; Prometheus, "
                "Alertmanager and backups are asked for one only: write each down by "
                f"`cofa init --project {others[0].project}`"
            )

    def hosts(self) -> tuple[HostConfig, ...]:
        seen = self._seen
        others = sorted(
            node.name for node in seen.fleet.nodes if node.name != seen.fleet.engine_name
        )
        if seen.host is None:
            self.doubts.append(
                "the engine is reached by TCP only: add its host as ssh:// under `hosts`, or its "
                "disks, Compose files and inner ports stay unseen"
            )
            return ()
        self.because("hosts[0]", "the engine's host")
        if others:
            self.doubts.append(
                f"other nodes of the Swarm ({', '.join(others)}): add each as ssh:// under `hosts`"
            )
        return (seen.host,)

    def fronts(
        self, edges: Sequence[Service], backend: Service | None, variables: Sequence[Variables]
    ) -> tuple[Front, ...]:
        domain = hints.find(variables, hints.DOMAIN_NAMES, hints.domain)
        found = fronts(edges, backend, domain, self._vantage)
        for index, front in enumerate(found):
            for key, why in front.reasons.items():
                self.because(f"edges[{index}].{key}", why)
        for service in edges:
            if (up := len(running(service))) < size(service):
                self.doubts.append(
                    f"{service.name}: {up} of {size(service)} replicas run; discover again when "
                    "all do, or write the others under `edges`"
                )
        if not found:
            self.doubts.append("no edge was found: name what users ask under `edges`")
        elif domain is None:
            self.domain_known = False
            self.doubts.append(
                "no domain was found in any variable: correct the `url` of each edge, or its "
                "certificate will not fit"
            )
        return found

    def server(self, name: str, port: int, backend: Service | None) -> HttpConfig | None:
        """Prometheus or Alertmanager."""
        for service in self._servers(name, backend):
            place = self._place(service, port)
            if place is not None:
                self.because(f"{name}.url", place.why)
                return self._http(name, f"http://{place.address}")
        if port in self._seen.answering:
            self.because(f"{name}.url", f"{self._seen.answering[port]} on its usual port")
            return self._http(name, f"http://{self._vantage.loopback}:{port}")
        there = [service.key for service in self._servers(name, backend)]
        what = (
            f"{', '.join(there)} cannot be reached from here" if there else f"no {name} was found"
        )
        self.doubts.append(f"{what}: write [{name}] if there is one")
        return None

    def _http(self, name: str, url: str) -> HttpConfig:
        if self._vantage.through != HERE:
            self.because(f"{name}.through", "the engine's host, where it listens")
        return HttpConfig(url, self._vantage.through)

    def _servers(self, name: str, backend: Service | None) -> list[Service]:
        def named(service: Service) -> bool:
            unwanted = {"exporter", "adapter", "operator", "webhook", "init", "proxy"}
            for text in (image_name(service), service.name):
                if name in words(text) and not unwanted & words(text):
                    return True
            return False

        found = [service for service in self._seen.fleet.services if named(service)]
        project = backend.project if backend else ""
        found.sort(key=lambda s: (not running(s), s.project != project, s.key))
        return found

    def _place(self, service: Service, port: int) -> Place | None:
        for replica in running(service):
            place = self._vantage.published(
                replica, lambda p: p.container_port == port
            ) or self._vantage.published(replica, lambda p: True)
            place = place or self._vantage.own(replica, port)
            if place is not None:
                return place
        return None

    def backups(self, variables: Sequence[Variables]) -> BackupsConfig | None:
        everywhere = (*variables, *hints.service_variables(self._seen.fleet.services))
        bucket = hints.find(everywhere, hints.BUCKET_NAMES, hints.bucket)
        if bucket is None:
            self.doubts.append("no bucket of backups was found: write [backups] if there is one")
            return None
        self.because("backups.bucket", bucket.why)
        region = hints.find(everywhere, hints.REGION_NAMES, hints.region)
        endpoint = hints.find(everywhere, hints.ENDPOINT_NAMES, hints.endpoint)
        for key, hint in (("region", region), ("endpoint", endpoint)):
            if hint:
                self.because(f"backups.{key}", hint.why)
        keys = self._keys()
        return BackupsConfig(
            bucket.value,
            self._pattern(everywhere),
            endpoint=self._endpoint(endpoint.value) if endpoint else "",
            region=region.value if region else "",
            access_key=keys[0] if keys else None,
            secret_key=keys[1] if keys else None,
        )

    def _pattern(self, variables: Sequence[Variables]) -> str:
        hint = hints.find(variables, hints.PREFIX_NAMES, hints.prefix) or hints.find(
            variables, hints.BUCKET_NAMES, hints.bucket_prefix
        )
        folder = hint.value if hint else USUAL_FOLDER
        why = f"the folder by {hint.why}" if hint else "a guess by the usual name of a pg_dump job"
        self.because("backups.pattern", why)
        self.doubts.append("compare `backups.pattern` with a key in the bucket")
        return f"{folder}/{USUAL_PATTERN}"

    def _endpoint(self, url: str) -> str:
        """The endpoint, with a service's name turned into where that service answers."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        for service in self._seen.fleet.services:
            place = self._place(service, port) if service.name == parts.hostname else None
            if place is not None:
                self.because("backups.endpoint", f"{parts.hostname}: {place.why}")
                return f"{parts.scheme}://{place.address}"
        return values.url(url)

    def _keys(self) -> tuple[SecretRef, SecretRef] | None:
        host = self._vantage.through
        for source in self._seen.env_files:
            if {hints.KEY_ID, hints.KEY_SECRET} <= source.names:
                why = f"named in {source.origin}; read there each time, never copied"
                self.because("backups.access_key", why)
                return (
                    SecretRef(env_file=Path(source.path), key=hints.KEY_ID, host=host),
                    SecretRef(env_file=Path(source.path), key=hints.KEY_SECRET, host=host),
                )
        self.because(
            "backups.bucket",
            self.reasons["backups.bucket"] + "; no keys found, so boto3's usual places serve",
        )
        return None


def _backend_first(fleet: Fleet, backend: Service | None) -> list[Service]:
    same = [
        service
        for service in fleet.services
        if backend is None or service.project == backend.project
    ]
    return sorted(same, key=lambda service: (service is not backend, service.key))
