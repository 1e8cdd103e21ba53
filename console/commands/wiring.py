"""Opens an environment's links, and says how each is read."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from console.clock import Clock, Deadline
from console.config.environment import HERE, EngineConfig, Environment, HostConfig, SecretRef
from console.config.secrets import resolve_secret
from console.errors import FailureKind, LinkError
from console.links.protocols import (
    AlertsLink,
    CatalogueLink,
    EdgeLink,
    FleetLink,
    HostLink,
    IntendedLink,
    Link,
    MetricsLink,
)
from console.model.fleet import ComposeOrigin, Fleet
from console.paths import Paths
from console.secret import Secret
from console.watch.sources import DEADLINE, SourceSpec

if TYPE_CHECKING:
    from console.links.engine.link import EngineLink
    from console.links.s3.starting import Spare

PACES: Final[Mapping[str, float]] = {
    "fleet": 10.0,
    "intended": 60.0,
    "usage": 5.0,
    "metrics": 15.0,
    "rules": 15.0,
    "alertmanager": 15.0,
    "backups": 300.0,
    "edges": 15.0,
    "upstreams": 15.0,
    "hosts": 30.0,
}
"""Seconds between two Readings, by the field of Readings."""
DEADLINES: Final[Mapping[str, float]] = {"backups": 20.0, "intended": 15.0, "fleet": 10.0}
UPSTREAMS_SPAN: Final = 90.0
"""Seconds of an edge's log in which failures to reach an upstream count as present."""
L = TypeVar("L", bound=Link)


@dataclass(frozen=True, slots=True)
class Links:
    """The links of one environment."""

    fleet: FleetLink
    intended: tuple[IntendedLink, ...] = ()
    metrics: MetricsLink | None = None
    rules: AlertsLink | None = None
    alertmanager: AlertsLink | None = None
    backups: CatalogueLink | None = None
    edges: tuple[EdgeLink, ...] = ()
    hosts: tuple[HostLink, ...] = ()

    def __iter__(self) -> Iterator[Link]:
        yield self.fleet
        for link in (self.metrics, self.rules, self.alertmanager, self.backups):
            if link is not None:
                yield link
        yield from (*self.edges, *self.intended, *self.hosts)

    def close(self) -> None:
        """Close them all; tunnels last."""
        for link in self:
            link.close()


class Opener:
    """Opens links; a part whose configuration stayed keeps its link.

    Opening connects to nothing: clients are loaded and connections made with the first
    read, in the thread of the source.
    """

    def __init__(
        self,
        clock: Clock,
        paths: Paths,
        environ: Mapping[str, str],
        spare: "Spare | None" = None,
    ) -> None:
        """`spare`: the process for S3, where it was started beforehand."""
        self._spare = spare
        self._clock = clock
        self._paths = paths
        self._environ = environ
        self._open: dict[object, Link] = {}
        self._used: set[object] = set()
        """What of `_open` the newest :meth:`open` gave."""
        self._engines: dict[EngineConfig, EngineConfig] = {}
        self._rehearsed: Links | None = None

    def open(self, environment: Environment, fleet: Fleet | None = None) -> Links:
        """The links of `environment`; the `fleet` says which Compose files there are.

        Those of earlier calls stay open, as somebody may be reading them, until
        :meth:`close_unused`. Raises LinkError for an address that is none.
        """
        self._used = set()
        if environment.rehearsal is not None:
            return self._rehearsal(environment.rehearsal)
        return self._links(environment, fleet)

    def close_unused(self) -> None:
        """Close what the newest :meth:`open` did without."""
        for key in [key for key in self._open if key not in self._used]:
            self._open.pop(key).close()

    def close(self) -> None:
        """Close every link; tunnels last."""
        for link in reversed(self._open.values()):
            link.close()

    def host(self, environment: Environment) -> HostLink | None:
        """The link to the engine's host, once :meth:`open` has opened it."""
        config = engine_host(environment, self.engine(environment))
        found: Any = self._open.get(("host", config))
        return found  # type: ignore[no-any-return]

    def engine(self, environment: Environment) -> EngineConfig:
        """The engine with a concrete address. Raises LinkError where it has none.

        Told once: whoever switches Docker's context meanwhile must not put another
        production in its place.
        """
        from console.links.engine.address import resolve_engine

        named = environment.engine
        if named not in self._engines:
            self._engines[named] = resolve_engine(named, self._environ)
        return self._engines[named]

    def _keep(self, key: object, make: Callable[[], L]) -> L:
        link: Any = self._open.get(key) or make()
        self._open[key] = link
        self._used.add(key)
        return link  # type: ignore[no-any-return]

    def _rehearsal(self, path: Path) -> Links:
        from console.rehearsal.environment import open_rehearsal

        if self._rehearsed is None:
            world = open_rehearsal(path, self._clock)
            self._rehearsed = Links(**{name: getattr(world, name) for name in LINKS})
        self._open = {link.name: link for link in self._rehearsed}
        self._used = set(self._open)
        return self._rehearsed

    def _links(self, env: Environment, fleet: Fleet | None) -> Links:
        engine = self.engine(env)
        own = engine_host(env, engine)
        hosts = self._hosts(env, own)
        local = hosts[own.name] if own is not None else None
        fleet_link = self._fleet(engine, local)
        return Links(
            fleet=fleet_link,
            intended=self._intended(_origins(env, fleet), fleet_link, local),
            backups=self._backups(env, hosts),
            edges=self._edges(env, hosts),
            hosts=tuple(hosts.values()),
            **self._signals(env, hosts),
        )

    def _hosts(self, env: Environment, own: HostConfig | None) -> dict[str, HostLink]:
        from console.links.host.opening import open_host

        configs = {config.name: config for config in ((own,) if own else ())}
        configs |= {config.name: config for config in env.hosts}
        return {
            name: self._keep(
                ("host", config),
                lambda config=config: open_host(config, self._clock, self._paths, self._environ),  # type: ignore[misc]
            )
            for name, config in configs.items()
        }

    def _fleet(self, engine: EngineConfig, host: HostLink | None) -> "EngineLink":
        from console.links.engine.link import EngineLink

        return self._keep(
            ("engine", engine),
            lambda: EngineLink(engine, host=host, clock=self._clock, environ=self._environ),
        )

    def _intended(
        self, found: tuple[ComposeOrigin, ...], engine: "EngineLink", host: HostLink | None
    ) -> tuple[IntendedLink, ...]:
        from console.links.compose import ComposeFiles

        if host is None:
            return ()
        return tuple(
            self._keep(
                ("compose", origin, engine),
                lambda origin=origin: ComposeFiles(origin, host, engine.image_ids),  # type: ignore[misc]
            )
            for origin in found
        )

    def _signals(self, env: Environment, hosts: Mapping[str, HostLink]) -> dict[str, Any]:
        from console.links.alertmanager.link import AlertmanagerLink
        from console.links.prometheus.alerts import PrometheusAlerts
        from console.links.prometheus.link import PrometheusLink

        secret, clock = self._secrets(hosts), self._clock
        found: dict[str, Any] = {}
        if (config := env.prometheus) is not None:
            host = _through(config.through, hosts)
            named = (
                tuple(env.queries.items()),
                tuple(env.counters.items()),
                env.policy.availability,
            )
            found["metrics"] = self._keep(
                ("metrics", config, named),
                lambda: PrometheusLink(
                    config,
                    host,
                    clock,
                    secret,
                    overrides=env.queries,
                    counters=env.counters,
                    policy=env.policy,
                ),
            )
            found["rules"] = self._keep(
                ("rules", config), lambda: PrometheusAlerts(config, host, clock, secret)
            )
        if (alerts := env.alertmanager) is not None:
            through = _through(alerts.through, hosts)
            found["alertmanager"] = self._keep(
                ("alertmanager", alerts), lambda: AlertmanagerLink(alerts, through, clock, secret)
            )
        return found

    def _backups(self, env: Environment, hosts: Mapping[str, HostLink]) -> CatalogueLink | None:
        from console.links.s3.catalogue import S3Catalogue

        config = env.backups
        if config is None:
            return None
        secret = self._secrets(hosts)
        return self._keep(
            ("backups", config), lambda: S3Catalogue(config, self._clock, secret, self._spare)
        )

    def _edges(self, env: Environment, hosts: Mapping[str, HostLink]) -> tuple[EdgeLink, ...]:
        from console.links.edge.probe import EdgeProbe

        return tuple(
            self._keep(
                ("edge", config),
                lambda config=config: EdgeProbe(  # type: ignore[misc]
                    config, _through(config.through, hosts), self._clock
                ),
            )
            for config in env.edges
        )

    def _secrets(self, hosts: Mapping[str, HostLink]) -> Callable[[SecretRef], Secret]:
        def remote(name: str, path: Path) -> bytes:
            host = _through(name, hosts)
            if host is None:
                return path.read_bytes()
            done = host.run(("cat", str(path)), Deadline.after(self._clock, SECRET_DEADLINE))
            if done.code != 0:
                raise LinkError(
                    FailureKind.DENIED,
                    f"secret in {path} on {name}",
                    "the file cannot be read there",
                    "give it by env, file or command instead",
                )
            return done.stdout

        return lambda ref: resolve_secret(ref, self._environ, remote)


LINKS: Final = (
    "fleet",
    "intended",
    "metrics",
    "rules",
    "alertmanager",
    "backups",
    "edges",
    "hosts",
)
SECRET_DEADLINE: Final = 10.0


def _through(name: str, hosts: Mapping[str, HostLink]) -> HostLink | None:
    """The host from which something is asked; None for this machine."""
    return None if name == HERE else hosts.get(name)


def engine_host(env: Environment, engine: EngineConfig) -> HostConfig | None:
    """The engine's host; None for an engine that is only a TCP port."""
    if engine.address.startswith("ssh://"):
        same = (host for host in env.hosts if host.address == engine.address)
        bare = engine.address.removeprefix("ssh://").rpartition("@")[2]
        return next(same, HostConfig(bare.partition(":")[0], engine.address))
    if engine.address.startswith("unix://"):
        same = (host for host in env.hosts if host.address in ("", "local"))
        return next(same, HostConfig(os.uname().nodename, "local"))
    return None


def _origins(env: Environment, fleet: Fleet | None) -> tuple[ComposeOrigin, ...]:
    """The Compose projects of this environment, each once."""
    from console.links.compose import origins_of

    found = origins_of(fleet) if fleet is not None else ()
    return tuple(one for one in found if not env.projects or one.project in env.projects)


def specs(
    links: Links, env: Environment, looked_at: Callable[[], frozenset[str]], clock: Clock
) -> tuple[SourceSpec, ...]:
    """How each source of these links is read."""

    def spec(slot: str, link: Any, **more: Any) -> SourceSpec:
        given = {"name": link.name, "read": link.read, "skew": getattr(link, "skew", _no_skew)}
        given["load"] = getattr(link, "load", None)
        pace, deadline = PACES[slot], DEADLINES.get(slot, DEADLINE)
        return SourceSpec(slot=slot, link=link, pace=pace, deadline=deadline, **(given | more))

    fleet = links.fleet
    single = ("fleet", "metrics", "rules", "alertmanager", "backups")
    found = [spec(slot, getattr(links, slot)) for slot in single if getattr(links, slot)]
    for slot in ("edges", "hosts", "intended"):
        found += [spec(slot, link) for link in getattr(links, slot)]
    for edge in env.edges:
        if edge.replica:
            found.append(
                spec(
                    "upstreams",
                    fleet,
                    name=f"upstreams:{edge.name}",
                    read=lambda deadline, replica=edge.replica: fleet.upstreams(
                        replica, clock.wall() - UPSTREAMS_SPAN, deadline
                    ),
                    skew=_no_skew,
                )
            )
    found.append(
        spec(
            "usage",
            fleet,
            name="usage",
            read=lambda deadline: fleet.usage(looked_at(), deadline),
            skew=_no_skew,
        )
    )
    return tuple(found)


def _no_skew() -> None:
    return None
