"""An environment: which production, where its parts answer, what it is held to.

The same values come from cofa.toml or, without one, from discovery.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from console.model.policy import Policy

HERE = "here"
"""The name of this machine, wherever the name of a host is asked for."""


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret comes from: exactly one of the four. Never the secret itself."""

    env: str | None = None
    file: Path | None = None
    command: tuple[str, ...] | None = None
    env_file: Path | None = None
    """An env file, of which `key` is the secret's name."""
    key: str = ""
    host: str = HERE
    """Name of the host on which `env_file` lies."""


@dataclass(frozen=True, slots=True)
class HostConfig:
    """A machine."""

    name: str
    address: str = "local"
    """``local``, or ``ssh://[USER@]HOST[:PORT]``; HOST may be an alias of ~/.ssh/config."""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """The Docker engine, or a manager of the Swarm."""

    address: str = ""
    """``unix:///path``, ``tcp://host:port``, ``ssh://[user@]host[:port]``, ``context:NAME``;
    empty for what DOCKER_HOST or the current Docker context says."""
    socket: str = "/var/run/docker.sock"
    """The engine's socket on the host of an ``ssh://`` address."""
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """Prometheus or Alertmanager."""

    url: str
    through: str = HERE
    """Name of the host from which the URL is asked."""
    username: str | None = None
    password: SecretRef | None = None
    bearer: SecretRef | None = None
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """One edge: what users ask, and where this one of the edges listens."""

    name: str
    url: str
    """What users ask, without a path: ``https://api.example.com``."""
    connect: str = ""
    """``HOST:PORT`` of this edge; empty for what the URL's name resolves to."""
    http_connect: str = ""
    """``HOST:PORT`` where this edge answers plain HTTP; empty for the URL's name, port 80;
    ``none`` where it serves no plain HTTP."""
    through: str = HERE
    health: str = "/health"
    ca: Path | None = None
    replica: str = ""
    """Name of the replica that is this edge, for its log; empty if it is no container."""
    assumed: bool = False
    """Discovered: its name, health path and CA are guesses, so that an edge which answers
    otherwise than they say is a note and no trouble."""


@dataclass(frozen=True, slots=True)
class BackupsConfig:
    """The bucket with the dumps."""

    bucket: str
    pattern: str
    """Keys with their time in UTC: ``database/shop_%Y%m%d_%H%M%S.backup``."""
    endpoint: str = ""
    region: str = ""
    profile: str = ""
    access_key: SecretRef | None = None
    secret_key: SecretRef | None = None
    ca: Path | None = None


class Arming(StrEnum):
    """Whether an environment may be changed at all."""

    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class Environment:
    """One production (or staging...)."""

    name: str
    engine: EngineConfig = field(default_factory=EngineConfig)
    projects: tuple[str, ...] = ()
    """Compose projects and Swarm stacks that belong to it; empty for all."""
    backend: str = ""
    """Key of the replicated service that users reach; empty where there is none."""
    arming: Arming = Arming.ALLOWED
    hosts: tuple[HostConfig, ...] = ()
    edges: tuple[EdgeConfig, ...] = ()
    prometheus: HttpConfig | None = None
    alertmanager: HttpConfig | None = None
    backups: BackupsConfig | None = None
    queries: Mapping[str, str] = field(default_factory=dict)
    """Named queries that replace the defaults of console.config.queries."""
    counters: Mapping[str, str] = field(default_factory=dict)
    """The user's own counters: name -> metric or PromQL."""
    policy: Policy = field(default_factory=Policy)
    rehearsal: Path | None = None
    """The world's file, where this is the rehearsal."""
    discovered: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """cofa.toml, or what discovery found."""

    environments: Mapping[str, Environment]
    default: str
    path: Path | None = None
    warnings: tuple[str, ...] = ()
    """What works but should not stay so: deprecated keys, secrets that others can read."""


def written(environment: Environment) -> Environment:
    """A discovered environment as it reads back from a file: no guess any more."""
    edges = tuple(replace(edge, assumed=False) for edge in environment.edges)
    return replace(environment, edges=edges, discovered=False)
