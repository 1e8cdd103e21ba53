"""A Snapshot for machines: the JSON of `cofa glance --json`, schema 1.

docs/json/glance.schema.json describes it. Additions are minor, removals major. What is not
known is null; moments are RFC 3339 in UTC, ages seconds, ratios 0 to 1.
"""

from typing import Any, Final

from console.model.changes import Change
from console.model.findings import Finding
from console.model.fleet import Service
from console.model.hosts_seen import all_hosts, fullest
from console.model.readings import Source
from console.model.signals import AlertState
from console.model.snapshot import Snapshot
from console.present.units import DAY, iso, known
from console.present.vitals import backends

SCHEMA: Final = 1


def glance_json(snapshot: Snapshot) -> dict[str, Any]:
    """Everything that the Glance shows, by name."""
    verdict = snapshot.verdict
    return {
        "schema": SCHEMA,
        "environment": snapshot.environment,
        "at": iso(snapshot.at),
        "status": verdict.word.value.lower(),
        "rehearsal": snapshot.rehearsal,
        "counts": {
            "p0": verdict.p0,
            "p1": verdict.p1,
            "p2": verdict.p2,
            "notes": verdict.notes,
            "blind": len(verdict.blind),
        },
        "vitals": _vitals(snapshot),
        "findings": [_finding(finding) for finding in snapshot.findings],
        "changes": [_change(change) for change in snapshot.changes],
        "sources": [_source(source, snapshot.at) for source in _counted(snapshot)],
    }


def _vitals(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "replicas": _replicas(backends(snapshot)),
        "p50_ms": _milliseconds(_figure(snapshot, "p50")),
        "p95_ms": _milliseconds(_figure(snapshot, "p95")),
        "p99_ms": _milliseconds(_figure(snapshot, "p99")),
        "request_rate": _figure(snapshot, "requests"),
        "error_ratio": _figure(snapshot, "errors"),
        "alerts_firing": _alerts_firing(snapshot),
        "backup": _backup(snapshot),
        "certificate_days": _certificate_days(snapshot),
        "database_connections": _figure(snapshot, "db_connections"),
        "database_connections_max": _figure(snapshot, "db_connections_max"),
        "disk_free_ratio": _disk_free(snapshot),
        "edges": _edges(snapshot),
    }


def _replicas(services: tuple[Service, ...]) -> dict[str, int | None]:
    if not services:
        return {"healthy": None, "declared": None}
    declared = [service.declared for service in services if service.declared is not None]
    return {
        "healthy": sum(service.healthy for service in services),
        "declared": sum(declared) if declared else None,
    }


def _figure(snapshot: Snapshot, name: str) -> float | None:
    source = snapshot.readings.metrics
    value = source.value.value(name) if source and source.value else None
    return value if known(value) else None


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def _alerts_firing(snapshot: Snapshot) -> int | None:
    """As Prometheus counts, else Alertmanager; the Watchdog, which always fires, is no alert."""
    source = snapshot.readings.rules or snapshot.readings.alertmanager
    if source is None or source.value is None:
        return None
    return sum(
        alert.state is AlertState.FIRING and alert.name != snapshot.policy.watchdog
        for alert in source.value.alerts
    )


def _backup(snapshot: Snapshot) -> dict[str, Any]:
    source = snapshot.readings.backups
    newest = source.value.newest if source and source.value else None
    if newest is None:
        return {"key": None, "age_s": None}
    return {"key": newest.key, "age_s": round(max(0.0, snapshot.at - newest.started_at), 1)}


def _certificate_days(snapshot: Snapshot) -> float | None:
    """Days left of the certificate that ends first; negative once it has ended."""
    ends = [
        source.value.certificate.not_after
        for source in snapshot.readings.edges
        if source.value is not None and source.value.certificate is not None
    ]
    return round((min(ends) - snapshot.at) / DAY, 2) if ends else None


def _disk_free(snapshot: Snapshot) -> float | None:
    found = fullest(all_hosts(snapshot.readings))
    return None if found is None else found[1].free_ratio


def _edges(snapshot: Snapshot) -> dict[str, int | None]:
    sources = snapshot.readings.edges
    reports = [source.value for source in sources if source.value is not None]
    healthy = sum(report.health.ok for report in reports)
    return {"ok": healthy if reports else None, "total": len(sources)}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "rule": finding.rule,
        "severity": finding.severity.value,
        "subject": finding.subject,
        "summary": finding.summary,
        "since": iso(finding.since),
        "since_known": finding.since_known,
        "evidence": list(finding.evidence),
        "runbook": finding.runbook,
        "source": finding.source,
        "blind": finding.blind,
        "stale_since": None if finding.stale_since is None else iso(finding.stale_since),
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "at": iso(change.at),
        "kind": change.kind.value,
        "subject": change.subject,
        "text": change.text,
        "by": change.by or None,
        "count": change.count,
    }


def _counted(snapshot: Snapshot) -> list[Source[Any]]:
    """The sources that the verdict counts: usage is only read for what is on screen."""
    return [source for source in snapshot.readings if source is not snapshot.readings.usage]


def _source(source: Source[Any], now: float) -> dict[str, Any]:
    age, failure = source.age(now), source.failure
    return {
        "name": source.name,
        "ok": source.sight(now).value == "ok",
        "state": source.sight(now).value,
        "age_s": None if age is None else round(age, 1),
        "error": None
        if failure is None
        else {"kind": failure.kind.value, "why": failure.why, "remedy": failure.remedy},
    }
