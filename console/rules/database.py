"""The database, by its exporter: connections, slow queries."""

from collections.abc import Iterator
from typing import Final

from console.model.findings import PlaceKind, Severity
from console.present import units
from console.rules.view import Candidate, Kind, View

NEARLY_NONE_LEFT: Final = 0.95
"""From this part on of all connections, the next replica finds none."""


def candidates(view: View) -> Iterator[Candidate]:
    """Connections near their maximum, and queries that take too long."""
    source = view.readings.metrics
    metrics = view.seen(source)
    if source is None or metrics is None:
        return
    used, most = metrics.value("db_connections"), metrics.value("db_connections_max")
    if units.known(used) and units.known(most) and most > 0:
        ratio = used / most
        if ratio > view.policy.database_connections:
            figure = metrics.figures["db_connections"]
            finding = view.finding(
                "database-connections",
                "database",
                Severity.P1 if ratio >= NEARLY_NONE_LEFT else Severity.P2,
                f"db connections {units.number(used)} of {units.number(most)} "
                f"({units.percent(ratio)}), limit {units.share(view.policy.database_connections)}",
                (PlaceKind.METRIC, "db_connections"),
                source.name,
                evidence=(f"query: {figure.query}" if figure.query else "",),
                runbook="connection-pool",
            )
            yield Candidate(finding, kind=Kind.CONNECTIONS)
    slow = metrics.value("db_slow_queries")
    if units.known(slow) and slow >= 1:
        figure = metrics.figures["db_slow_queries"]
        finding = view.finding(
            "slow-queries",
            "database",
            Severity.P2,
            f"{units.number(slow)} slow {'query' if slow == 1 else 'queries'} in the database",
            (PlaceKind.METRIC, "db_slow_queries"),
            source.name,
            evidence=(f"query: {figure.query}" if figure.query else "",),
            runbook="database-health",
        )
        yield Candidate(finding, kind=Kind.SLOW_QUERIES)
