"""The keys of cofa.toml: each table's shape. docs/configuration.md says the same in words.

The keys are named as the fields of console.config.environment and console.model.policy;
what is left out of the file has their defaults.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from console.config import values
from console.config.environment import (
    HERE,
    Arming,
    BackupsConfig,
    EdgeConfig,
    EngineConfig,
    Environment,
    HostConfig,
    HttpConfig,
)
from console.config.kinds import WRONG, Field, Items, Kind, Leaf, Named, PathKind, SecretKind, Shape
from console.config.locator import KeyPath
from console.config.problems import Notes
from console.config.queries import NAMES
from console.model.policy import BurnAlarm, Policy

_TEXT: Final = Leaf("a text", values.text)
_NAME: Final = Leaf("a name", values.text)
_DURATION: Final = Leaf('seconds, or a text like "2 s", "30 min", "6 h", "21 d"', values.duration)
_SPAN: Final = Leaf('seconds above 0, or a text like "2 s", "30 min", "6 h"', values.span)
_RATIO: Final = Leaf('0 to 1, or a text like "80 %"', values.ratio)
_COUNT: Final = Leaf("a whole number", values.count)
_WINDOW: Final = Leaf('a duration as Prometheus writes it: "5m", "1h", "3d"', values.window)
_ENGINE_ADDRESS: Final = Leaf(
    '"unix:///PATH", "tcp://HOST:PORT", "ssh://[USER@]HOST[:PORT][/SOCKET]", "context:NAME"',
    values.engine_address,
)
_LISTENER: Final = Leaf('"HOST:PORT"', values.listener)
_QUERY: Final = Leaf("PromQL", values.query)
_HTTP_URL: Final = Leaf(
    "http:// or https:// URL; credentials go into username, password and bearer", values.url
)
_EMPTY_TEXT: Final = Leaf("a text, may be empty", values.optional_text)
_PATH: Final = PathKind()
_SECRET: Final = SecretKind()


@dataclass(frozen=True, slots=True)
class Monitoring:
    """The table [prometheus]: the link, and the queries that belong to it."""

    http: HttpConfig
    queries: Mapping[str, str] = field(default_factory=dict)
    counters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class File:
    """The whole file."""

    version: int
    environments: Mapping[str, Environment]
    default: str = ""


def _both(first: str, second: str) -> Any:
    """A check that two keys are there together or not at all."""

    def check(table: dict[str, Any], path: KeyPath, notes: Notes) -> None:
        if (first in table) != (second in table):
            there, missing = (first, second) if first in table else (second, first)
            notes.refuse((*path, there), f'goes with "{missing}", which is missing')

    return check


def _ordered(smaller: str, larger: str) -> Any:
    """A check that one limit of the policy is not past another."""

    def check(table: dict[str, Any], path: KeyPath, notes: Notes) -> None:
        policy = Policy(**{key: item for key, item in table.items() if item is not WRONG})
        if getattr(policy, smaller) > getattr(policy, larger):
            key = smaller if smaller in table else larger
            notes.refuse((*path, key), f"{smaller} is beyond {larger}", f"{smaller} <= {larger}")

    return check


def _one_login(table: dict[str, Any], path: KeyPath, notes: Notes) -> None:
    if "bearer" in table and "username" in table:
        notes.refuse((*path, "bearer"), "username and bearer exclude each other", "one of them")


def _one_key(table: dict[str, Any], path: KeyPath, notes: Notes) -> None:
    if "profile" in table and "access_key" in table:
        notes.refuse((*path, "profile"), "profile and access_key exclude each other", "one of them")


def _windows(table: dict[str, Any], path: KeyPath, notes: Notes) -> None:
    long, short = table.get("long", WRONG), table.get("short", WRONG)
    if WRONG not in (long, short) and values.window_seconds(short) >= values.window_seconds(long):
        notes.refuse((*path, "short"), "is not shorter than long", "a window inside long")


def _unencrypted(table: dict[str, Any], path: KeyPath, notes: Notes) -> None:
    address = str(table.get("address", ""))
    loopback = address.startswith(("tcp://127.", "tcp://localhost:", "tcp://[::1]:"))
    if address.startswith("tcp://") and not loopback and "tls_ca" not in table:
        notes.warn(
            (*path, "address") if (*path, "address") in notes.lines else path,
            "tcp:// without tls_ca: whoever is on the way can read and change production; "
            "use ssh://, or TLS",
        )


def _reserved(table: dict[str, Any], path: KeyPath, notes: Notes) -> None:
    if table.get("name") == HERE and table.get("address", "local") != "local":
        notes.refuse((*path, "name"), f'"{HERE}" is the name of this machine', "another name")


def _arming(value: object) -> Arming:
    if value not in list(Arming):
        raise ValueError("says nothing about arming")
    return Arming(str(value))


def _version(value: object) -> int:
    if isinstance(value, bool) or value != 1 or not isinstance(value, int):
        raise ValueError("is no version that this cofa knows")
    return 1


ENGINE: Final = Shape(
    EngineConfig,
    (
        Field("address", _ENGINE_ADDRESS),
        Field("socket", Leaf("a path on the engine's host", values.absolute_path)),
        Field("tls_ca", _PATH),
        Field("tls_cert", _PATH),
        Field("tls_key", _PATH),
    ),
    checks=(_both("tls_cert", "tls_key"), _unencrypted),
    short=Field("address", _ENGINE_ADDRESS),
    wanted="an address or a table",
)

HOST: Final = Shape(
    HostConfig,
    (
        Field("name", _NAME, required=True),
        Field("address", Leaf('"local" or "ssh://[USER@]HOST[:PORT]"', values.host_address)),
    ),
    checks=(_reserved,),
)

EDGE: Final = Shape(
    EdgeConfig,
    (
        Field("name", _NAME, required=True),
        Field("url", Leaf("http:// or https:// URL without a path", values.origin), required=True),
        Field("connect", _LISTENER),
        Field("http_connect", Leaf('"HOST:PORT" or "none"', values.plain_listener)),
        Field("through", _NAME),
        Field("health", Leaf("a path that begins with /", values.path_on_server)),
        Field("ca", _PATH),
        Field("replica", _NAME),
    ),
)

_HTTP_FIELDS: Final = (
    Field("url", _HTTP_URL, required=True),
    Field("through", _NAME),
    Field("username", _TEXT),
    Field("password", _SECRET),
    Field("bearer", _SECRET),
    Field("ca", _PATH),
)
_HTTP_CHECKS: Final = (_both("username", "password"), _one_login)

ALERTMANAGER: Final = Shape(HttpConfig, _HTTP_FIELDS, _HTTP_CHECKS)


def _monitoring(
    queries: Mapping[str, str] | None = None, counters: Mapping[str, str] | None = None, **http: Any
) -> Monitoring:
    return Monitoring(HttpConfig(**http), queries or {}, counters or {})


PROMETHEUS: Final = Shape(
    _monitoring,
    (
        *_HTTP_FIELDS,
        Field("queries", Named(_QUERY, _NAME, NAMES)),
        Field("counters", Named(_QUERY, _NAME)),
    ),
    _HTTP_CHECKS,
)

BACKUPS: Final = Shape(
    BackupsConfig,
    (
        Field("bucket", Leaf("the bucket's name", values.bucket), required=True),
        Field(
            "pattern",
            Leaf(
                'a key with %Y %m %d %H %M %S and *: "database/shop_%Y%m%d_%H%M%S.backup"',
                values.backup_pattern,
            ),
            required=True,
        ),
        Field("endpoint", _HTTP_URL),
        Field("region", _TEXT),
        Field("profile", _TEXT),
        Field("access_key", _SECRET),
        Field("secret_key", _SECRET),
        Field("ca", _PATH),
    ),
    checks=(_both("access_key", "secret_key"), _one_key),
)

BURN: Final = Shape(
    BurnAlarm,
    (
        Field("long", _WINDOW, required=True),
        Field("short", _WINDOW, required=True),
        Field("factor", Leaf("a number above 0", values.positive), required=True),
        Field("severity", Leaf('"P0", "P1", "P2" or "note"', values.severity), required=True),
    ),
    checks=(_windows,),
)

POLICY: Final = Shape(
    Policy,
    (
        Field("p95", _SPAN),
        Field("p95_endpoints", Named(_SPAN, _NAME)),
        Field("availability", _RATIO),
        Field("error_ratio", _RATIO),
        Field("request_floor", Leaf("a number", values.number)),
        Field("burn", Items(BURN)),
        Field("database_connections", _RATIO),
        Field("disk_free", _RATIO),
        Field("disk_free_critical", _RATIO),
        Field("inodes_free", _RATIO),
        Field("disk_horizon", _DURATION),
        Field("memory", _RATIO),
        Field("replica_memory", _RATIO),
        Field("edge_latency", _SPAN),
        Field("restarts", _COUNT),
        Field("restart_window", _SPAN),
        Field("rpo", _SPAN),
        Field("dump_duration", _DURATION),
        Field("certificate", _DURATION),
        Field("certificate_critical", _DURATION),
        Field("watchdog", _EMPTY_TEXT),
        Field("skew", _SPAN),
        Field("never_outside", Items(Leaf("a port", values.port))),
        Field("clear_after", _DURATION),
        Field("replicas", Named(_COUNT, _NAME)),
    ),
    checks=(
        _ordered("certificate_critical", "certificate"),
        _ordered("disk_free_critical", "disk_free"),
    ),
)


def _environment(prometheus: Monitoring | None = None, **others: Any) -> Environment:
    # The environment's own name is known only around this table; load puts it in.
    if prometheus is None:
        return Environment("", **others)
    return Environment(
        "",
        prometheus=prometheus.http,
        queries=prometheus.queries,
        counters=prometheus.counters,
        **others,
    )


ENVIRONMENT: Final = Shape(
    _environment,
    (
        Field("engine", ENGINE),
        Field("projects", Items(_NAME)),
        Field("backend", _NAME),
        Field("arming", Leaf('"allowed" or "forbidden"', _arming)),
        Field("hosts", Items(HOST)),
        Field("edges", Items(EDGE)),
        Field("prometheus", PROMETHEUS),
        Field("alertmanager", ALERTMANAGER),
        Field("backups", BACKUPS),
        Field("policy", POLICY),
    ),
)


FILE: Final = Shape(
    File,
    (
        Field("version", Leaf("1", _version), required=True),
        Field("default", _NAME),
        Field(
            "environments",
            Named(ENVIRONMENT, Leaf("letters, digits, . _ -, at most 40", values.environment_name)),
            required=True,
        ),
    ),
)


def every_key(kind: Kind = FILE, path: str = "") -> Iterator[str]:
    """Every key of the file: ``environments.NAME.edges[].url``."""
    if isinstance(kind, Shape):
        for field_ in kind.fields:
            name = f"{path}.{field_.key}" if path else field_.key
            yield name
            yield from every_key(field_.kind, name)
    elif isinstance(kind, Items):
        yield from every_key(kind.of, f"{path}[]")
    elif isinstance(kind, Named):
        yield from every_key(kind.of, f"{path}.NAME")
