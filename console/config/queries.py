"""The named queries: defaults for the usual exporters, each replaceable in cofa.toml.

``$selector`` stands for what selects the backend's series; empty by default. Requests and
durations are looked for under the names that the usual libraries give them.
"""

from typing import Final

from console.model.signals import Unit

_REQUESTS: Final = "http_requests_total{$selector}"
_ERRORS: Final = '{__name__="http_requests_total",status=~"5..|5xx"$and_selector}'

FIGURES: Final[dict[str, Unit]] = {
    "p50": Unit.SECONDS,
    "p95": Unit.SECONDS,
    "p99": Unit.SECONDS,
    "requests": Unit.PER_SECOND,
    "errors": Unit.RATIO,
    "db_connections": Unit.COUNT,
    "db_connections_max": Unit.COUNT,
    "db_cache_hit": Unit.RATIO,
    "db_transactions": Unit.PER_SECOND,
    "db_size": Unit.BYTES,
    "redis_memory": Unit.BYTES,
    "redis_hit": Unit.RATIO,
}
"""The single figures by name. Their queries, and those of series, endpoints, replicas,
hosts and burn rates, are below."""
