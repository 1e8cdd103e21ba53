"""The named queries: defaults for the usual exporters, each replaceable in cofa.toml.

Requests and durations are looked for under the names that the usual libraries give them
(a :class:`Dialect`); the first that Prometheus has is taken, so that the query which is
shown is short enough to be repeated by hand. In a query these stand for something:

``$selector``
    what selects the backend's series (``job="backend"``), the query named ``selector``;
    empty by default, then every job counts
``$window``
    a duration, in the queries of burn rates
``$requests $buckets $overall $method $handler $status``
    the dialect's names
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from console.model.signals import Unit

SELECTOR: Final = "selector"
"""Name under which the configuration gives the backend's selector."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one library names requests, durations and their labels."""

    name: str
    requests: str
    """Counter of requests."""
    buckets: str
    """Histogram of durations in seconds, by handler."""
    overall: str
    """The histogram for quantiles over all requests; some libraries keep a finer one."""
    method: str
    handler: str
    status: str
    """Label with the status code (``503``) or its class (``5xx``)."""


def _dialect(
    name: str,
    requests: str,
    durations: str,
    labels: str,
    overall: str = "",
) -> Dialect:
    method, handler, status = labels.split()
    return Dialect(
        name,
        requests,
        f"{durations}_bucket",
        f"{overall or durations}_bucket",
        method,
        handler,
        status,
    )


DIALECTS: Final[tuple[Dialect, ...]] = (
    # Its histogram by handler ends at 1 s by default; only the "highr" one sees slower.
    _dialect(
        "prometheus-fastapi-instrumentator",
        "http_requests_total",
        "http_request_duration_seconds",
        "method handler status",
        overall="http_request_duration_highr_seconds",
    ),
    _dialect(
        "http_requests_total by status",
        "http_requests_total",
        "http_request_duration_seconds",
        "method handler status",
    ),
    _dialect(
        "http_requests_total by code",
        "http_requests_total",
        "http_request_duration_seconds",
        "method handler code",
    ),
    _dialect(
        "http_requests_total by status_code",
        "http_requests_total",
        "http_request_duration_seconds",
        "method path status_code",
    ),
    _dialect(
        "starlette_exporter",
        "starlette_requests_total",
        "starlette_request_duration_seconds",
        "method path status_code",
    ),
    _dialect(
        "Micrometer",
        "http_server_requests_seconds_count",
        "http_server_requests_seconds",
        "method uri status",
    ),
    _dialect(
        "OpenTelemetry",
        "http_server_request_duration_seconds_count",
        "http_server_request_duration_seconds",
        "http_request_method http_route http_response_status_code",
    ),
    _dialect(
        "prometheus-client for Rack",
        "http_server_requests_total",
        "http_server_request_duration_seconds",
        "method path code",
    ),
    _dialect(
        "express-prom-bundle",
        "http_request_duration_seconds_count",
        "http_request_duration_seconds",
        "method path status_code",
    ),
    _dialect(
        "prometheus-flask-exporter",
        "flask_http_request_total",
        "flask_http_request_duration_seconds",
        "method path status",
    ),
    _dialect(
        "Traefik",
        "traefik_service_requests_total",
        "traefik_service_request_duration_seconds",
        "method service code",
    ),
)


@dataclass(frozen=True, slots=True)
class Query:
    """One named query."""

    text: str
    """PromQL, with the words of the module's docstring."""
    unit: Unit
    meaning: str


def _quantile(q: str, by: str = "") -> str:
    kind, labels = ("buckets", f", {by}") if by else ("overall", "")
    return f"histogram_quantile({q}, sum by (le{labels}) (rate(${kind}{{$selector}}[5m])))"


def _errors(by: str = "", function: str = "rate", window: str = "5m") -> str:
    """5xx of all requests; where requests came but no 5xx series exists, 0 of them."""
    total = f"sum{by} ({function}($requests{{$selector}}[{window}]))"
    failed = f'sum{by} ({function}($requests{{$status=~"5..",$selector}}[{window}]))'
    return f"({failed} or 0 * {total}) / {total}"


_BY_ENDPOINT: Final = " by ($method, $handler)"
_BY_REPLICA: Final = " by (instance)"
# What holds no data of its own: memory, layers of images, files mounted into containers.
_DISKS: Final = (
    'fstype!~"tmpfs|devtmpfs|ramfs|squashfs|iso9660|nsfs|fuse.*|autofs|proc|sysfs",'
    'mountpoint!~"/(run|sys|proc|dev|snap)(/.*)?|.*/(docker|containerd|kubelet)/.+'
    '|/etc/(hosts|hostname|resolv.conf)"'
)
_BY_DISK: Final = "max by (instance, device, mountpoint)"

QUERIES: Final[Mapping[str, Query]] = {
    "p50": Query(
        _quantile("0.5"), Unit.SECONDS, "median duration of the backend's requests over 5 min"
    ),
    "p95": Query(_quantile("0.95"), Unit.SECONDS, "95 % of requests took at most this, over 5 min"),
    "p99": Query(_quantile("0.99"), Unit.SECONDS, "99 % of requests took at most this, over 5 min"),
    "requests": Query(
        "sum (rate($requests{$selector}[5m]))", Unit.PER_SECOND, "requests a second over 5 min"
    ),
    "errors": Query(
        _errors(), Unit.RATIO, "part of requests answered by 5xx over 5 min; none without requests"
    ),
    "db_connections": Query(
        "max(sum by (instance) (pg_stat_activity_count))"
        " or max(sum by (instance) (pg_stat_database_numbackends))",
        Unit.COUNT,
        "PostgreSQL's open connections, on the server with most",
    ),
    "db_connections_max": Query(
        "min(pg_settings_max_connections)", Unit.COUNT, "PostgreSQL's max_connections, the lowest"
    ),
    "db_cache_hit": Query(
        "sum(rate(pg_stat_database_blks_hit[5m])) / "
        "(sum(rate(pg_stat_database_blks_hit[5m])) + sum(rate(pg_stat_database_blks_read[5m])))",
        Unit.RATIO,
        "part of block reads that PostgreSQL's own cache answered, over 5 min",
    ),
    "db_transactions": Query(
        "sum(rate(pg_stat_database_xact_commit[5m]))"
        " + sum(rate(pg_stat_database_xact_rollback[5m]))",
        Unit.PER_SECOND,
        "transactions ended a second, committed or rolled back",
    ),
    "db_slow_queries": Query(
        'count(pg_stat_activity_max_tx_duration{state="active",application_name!~"pg_dump.*"} > 1)'
        " or 0 * count(pg_stat_activity_max_tx_duration)",
        Unit.COUNT,
        "groups of sessions (as the exporter has them: by database, newer ones also by user"
        " and application) at work in a transaction for over 1 s; pg_dump apart where it is named",
    ),
    "db_size": Query(
        "max(sum by (instance) (pg_database_size_bytes))"
        " or max(sum by (instance) (pg_database_size))",
        Unit.BYTES,
        "all databases of the largest PostgreSQL server",
    ),
    "redis_memory": Query("sum(redis_memory_used_bytes)", Unit.BYTES, "memory that Redis uses"),
    "redis_hit": Query(
        "sum(rate(redis_keyspace_hits_total[5m])) / "
        "(sum(rate(redis_keyspace_hits_total[5m])) + sum(rate(redis_keyspace_misses_total[5m])))"
        " or sum(rate(redis_keyspace_hits[5m])) / "
        "(sum(rate(redis_keyspace_hits[5m])) + sum(rate(redis_keyspace_misses[5m])))",
        Unit.RATIO,
        "part of Redis's lookups that found their key, over 5 min",
    ),
    "endpoint_requests": Query(
        f"sum{_BY_ENDPOINT} (rate($requests{{$selector}}[5m]))",
        Unit.PER_SECOND,
        "requests a second by endpoint",
    ),
    "endpoint_p95": Query(
        _quantile("0.95", "$method, $handler"),
        Unit.SECONDS,
        "p95 by endpoint; never above the histogram's last finite bucket",
    ),
    "endpoint_errors": Query(_errors(_BY_ENDPOINT), Unit.RATIO, "5xx ratio by endpoint"),
    "replica_requests": Query(
        f"sum{_BY_REPLICA} (rate($requests{{$selector}}[5m]))",
        Unit.PER_SECOND,
        "requests a second by scraped address",
    ),
    "replica_p95": Query(
        "histogram_quantile(0.95, sum by (le, instance) (rate($overall{$selector}[5m])))",
        Unit.SECONDS,
        "p95 by scraped address",
    ),
    "replica_errors": Query(_errors(_BY_REPLICA), Unit.RATIO, "5xx ratio by scraped address"),
    "burn_errors": Query(
        _errors(function="increase", window="$window"), Unit.RATIO, "5xx ratio in one window"
    ),
    "burn_requests": Query(
        "sum (increase($requests{$selector}[$window]))", Unit.COUNT, "requests in one window"
    ),
    "host_cpu": Query(
        '1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m]))',
        Unit.RATIO,
        "busy part of all cores, over 5 min",
    ),
    "host_memory": Query(
        "max by (instance) (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)",
        Unit.RATIO,
        "used part of memory: 1 - MemAvailable / MemTotal",
    ),
    "host_boot": Query(
        "max by (instance) (node_boot_time_seconds)", Unit.SECONDS, "when it was booted, since 1970"
    ),
    "host_name": Query(
        "max by (instance, nodename, host, hostname, node) (node_uname_info)",
        Unit.COUNT,
        "its name, as a label",
    ),
    "disk_size": Query(
        f"{_BY_DISK} (node_filesystem_size_bytes{{{_DISKS}}})", Unit.BYTES, "size of a file system"
    ),
    "disk_free": Query(
        f"{_BY_DISK} (node_filesystem_avail_bytes{{{_DISKS}}})",
        Unit.BYTES,
        "what is free of it for programs that are not root",
    ),
    "disk_inodes_free": Query(
        f"{_BY_DISK} (node_filesystem_files_free{{{_DISKS}}} / node_filesystem_files)",
        Unit.RATIO,
        "free part of its inodes",
    ),
    "disk_trend": Query(
        f"{_BY_DISK} (deriv(node_filesystem_avail_bytes{{{_DISKS}}}[6h])"
        " and deriv(node_filesystem_avail_bytes[30m]) < 0"
        " and node_filesystem_avail_bytes offset 30m)",
        Unit.PER_SECOND,
        "bytes a second that its free part changes, by the last 6 h; none where it does not"
        " shrink in the last 30 min, or was not seen before",
    ),
}
"""Every named query. The series p95, requests and errors are the figures over an hour."""

FIGURES: Final[Mapping[str, Unit]] = {
    name: query.unit
    for name, query in QUERIES.items()
    if not name.startswith(("endpoint_", "replica_", "burn_", "host_", "disk_"))
}
"""The single figures by name."""

SERIES: Final = ("p95", "requests", "errors")
"""The figures that are also read over the last hour."""

NAMES: Final = frozenset(QUERIES) | {SELECTOR}
"""What the configuration may replace."""

_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_OF_DIALECT: Final = re.compile(r"\$(requests|buckets|overall|method|handler|status)\b")


def needs_dialect(name: str, overrides: Mapping[str, str]) -> bool:
    """Whether this query says nothing until the backend's dialect is known."""
    return bool(_OF_DIALECT.search(overrides.get(name) or QUERIES[name].text))


def promql(
    name: str, overrides: Mapping[str, str], dialect: Dialect = DIALECTS[1], window: str = "5m"
) -> str:
    """The query named `name`, ready to be asked. Raises KeyError for an unknown name."""
    return _fill(overrides.get(name) or QUERIES[name].text, overrides, dialect, window)


def presence(dialect: Dialect, overrides: Mapping[str, str]) -> str:
    """Counts the series of `dialect`'s requests; no answer where there are none."""
    found = 'count($requests{$status!="",$selector})'
    if dialect.buckets != dialect.overall:
        found += " and on() count($overall{$selector})"
    return _fill(found, overrides, dialect, "5m")


def counter(query: str) -> str:
    """A user's counter over the last hour: of a metric's name its increase, else as it is."""
    bare = query.strip()
    return f"sum(increase({bare}[1h]))" if _METRIC.fullmatch(bare) else bare


def _fill(text: str, overrides: Mapping[str, str], dialect: Dialect, window: str) -> str:
    selector = overrides.get(SELECTOR, "").strip().removeprefix("{").removesuffix("}").strip(", ")
    text = _OF_DIALECT.sub(lambda match: str(getattr(dialect, match[1])), text)
    text = text.replace(",$selector", f",{selector}" if selector else "")
    text = text.replace("{$selector}", f"{{{selector}}}" if selector else "")
    return text.replace("$selector", selector).replace("$window", window)
