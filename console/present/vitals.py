"""The vitals: each figure with its policy value, and whether it is seen at all."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from console.model.findings import Finding, Severity
from console.model.fleet import Role, Service
from console.model.hosts_seen import all_hosts, fullest
from console.model.readings import Sight, Source
from console.model.snapshot import Snapshot
from console.present import units

NOT_WATCHED: Final = "not watched"
READING: Final = "reading"


@dataclass(frozen=True, slots=True)
class Vital:
    """One figure."""

    key: str
    label: str
    value: str
    """``2.31 s``; ``no data``, ``not watched`` or ``reading`` where there is none."""
    policy: str = ""
    """``limit 2 s``, or what else belongs to the figure."""
    word: str = ""
    """P0, P1, P2, note, ``ok`` where it is held to something, ``stale 3 min``; else empty."""
    trend: tuple[float | None, ...] = ()
    top: float = 0.0
    """What the trend is held to: a calm one stays low."""

    @property
    def style(self) -> str:
        """Name of its style."""
        if self.value in (NOT_WATCHED, units.NO_DATA, READING):
            return "dim"
        return "stale" if self.word.startswith("stale") else self.word.lower()


def vitals(snapshot: Snapshot, now: float) -> tuple[Vital, ...]:
    """All of them, in the order in which they are shown."""
    return (
        _replicas(snapshot, now),
        _requests(snapshot, now),
        _connections(snapshot, now),
        _latency(snapshot, now),
        _cache_hit(snapshot, now),
        _errors(snapshot, now),
        _budget(snapshot, now),
        _slow_queries(snapshot, now),
        _backup(snapshot, now),
        _certificate(snapshot, now),
        _redis(snapshot, now),
        _edges(snapshot, now),
        _disk(snapshot, now),
        _memory(snapshot, now),
    )


def backends(snapshot: Snapshot) -> tuple[Service, ...]:
    """The services that users reach."""
    services = snapshot.fleet.services if snapshot.fleet else ()
    return tuple(service for service in services if service.role is Role.BACKEND)


def counters(snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
    """The user's own counters: name and rate."""
    source = snapshot.readings.metrics
    figures = source.value.counters if source and source.value else ()
    return tuple(
        (f.name, f"{units.number(f.value)} /h" if units.known(f.value) else units.NO_DATA)
        for f in figures
    )


def worst(findings: Iterable[Finding], *rules: str) -> Severity | None:
    """The worst severity that these rules found."""
    found = [f.severity for f in findings if f.rule in rules and not f.blind]
    return min(found, key=lambda severity: severity.rank, default=None)


def _about(findings: Iterable[Finding], found: Iterable[Service]) -> list[Finding]:
    """The findings about these services and their replicas."""
    keys = {s.key for s in found} | {r.name for s in found for r in s.replicas}
    return [finding for finding in findings if finding.place.key in keys]


def _unseen(source: Source[Any] | None, now: float) -> str:
    """Why there is no value: ``not watched``, ``reading``, ``no data``."""
    if source is None:
        return NOT_WATCHED
    return READING if source.sight(now) is Sight.READING else units.NO_DATA


def _stale(source: Source[Any] | None, now: float) -> str:
    if source is None or source.good is None or source.sight(now) is Sight.SEEN:
        return ""
    return f"stale {units.age(source.age(now))}"


def _vital(
    snapshot: Snapshot,
    now: float,
    source: Source[Any] | None,
    names: tuple[str, str],
    value: str | None,
    *,
    policy: str = "",
    rules: tuple[str, ...] = (),
) -> Vital:
    """A vital of `source`; a `value` of None is not there, for whatever reason."""
    key, label = names
    if value is None or source is None or source.good is None:
        unbegun = source is None and snapshot.verdict.unbegun
        return Vital(key, label, READING if unbegun else _unseen(source, now))
    severity = worst(snapshot.findings, *rules)
    word = _stale(source, now) or (severity.value if severity else "ok" if rules else "")
    return Vital(key, label, value, policy, word)


def _figure(snapshot: Snapshot, name: str) -> float | None:
    source = snapshot.readings.metrics
    value = source.value.value(name) if source and source.value else None
    return value if units.known(value) else None


def _metric(
    snapshot: Snapshot,
    now: float,
    names: tuple[str, str],
    value: str | None,
    policy: str = "",
    rules: tuple[str, ...] = (),
) -> Vital:
    source = snapshot.readings.metrics
    return _vital(snapshot, now, source, names, value, policy=policy, rules=rules)


def _replicas(snapshot: Snapshot, now: float) -> Vital:
    found = backends(snapshot)
    about = replace(snapshot, findings=tuple(_about(snapshot.findings, found)))
    declared = sum(service.declared or 0 for service in found)
    healthy = sum(service.healthy for service in found)
    return _vital(
        about,
        now,
        snapshot.readings.fleet,
        ("replicas", "replicas"),
        f"{healthy} of {declared}" if found else None,
        rules=("service-below-declared", "replica-restarting"),
    )


def _requests(snapshot: Snapshot, now: float) -> Vital:
    value = _figure(snapshot, "requests")
    text = None if value is None else units.rate(value)
    return _metric(snapshot, now, ("requests", "requests"), text)


def _connections(snapshot: Snapshot, now: float) -> Vital:
    used, most = _figure(snapshot, "db_connections"), _figure(snapshot, "db_connections_max")
    text = units.number(used) if used is not None else None
    if text is not None and most is not None:
        text += f" of {units.number(most)}"
    return _metric(
        snapshot,
        now,
        ("db_connections", "db conns"),
        text,
        f"limit {units.share(snapshot.policy.database_connections)}",
        ("database-connections",),
    )


def _latency(snapshot: Snapshot, now: float) -> Vital:
    source = snapshot.readings.metrics
    value = _figure(snapshot, "p95")
    series = source.value.series.get("p95") if source and source.value else None
    vital = _vital(
        snapshot,
        now,
        source,
        ("p95", f"p95 {units.span(series.step * (len(series.values) - 1))}" if series else "p95"),
        None if value is None else units.duration(value),
        policy=f"limit {units.limit(snapshot.policy.p95)}",
        rules=("latency",),
    )
    return replace(vital, trend=series.values if series else (), top=snapshot.policy.p95)


def _cache_hit(snapshot: Snapshot, now: float) -> Vital:
    value = _figure(snapshot, "db_cache_hit")
    rate, size = _figure(snapshot, "db_transactions"), _figure(snapshot, "db_size")
    more = [] if rate is None else [units.rate(rate)]
    more += [] if size is None else [units.size(size)]
    text = None if value is None else units.percent(value)
    return _metric(snapshot, now, ("db_cache_hit", "db cache"), text, ", ".join(more))


def _errors(snapshot: Snapshot, now: float) -> Vital:
    value = _figure(snapshot, "errors")
    return _metric(
        snapshot,
        now,
        ("errors", "5xx"),
        None if value is None else units.percent(value),
        f"limit {units.share(snapshot.policy.error_ratio)}",
        ("errors",),
    )


def _budget(snapshot: Snapshot, now: float) -> Vital:
    """How fast the error budget burns, over the longest window that has data."""
    source = snapshot.readings.metrics
    burns = [
        b for b in (source.value.burn if source and source.value else ()) if b.rate is not None
    ]
    longest = max(burns, key=lambda burn: window_seconds(burn.window), default=None)
    window = units.span(window_seconds(longest.window)) if longest else ""
    text = f"{longest.rate:.1f}x" if longest else None
    return _metric(snapshot, now, ("burn", "burn rate"), text, f"over {window}")


def _slow_queries(snapshot: Snapshot, now: float) -> Vital:
    value = _figure(snapshot, "db_slow_queries")
    text = None if value is None else f"{units.number(value)} queries"
    return _metric(snapshot, now, ("slow", "slow"), text, rules=("slow-queries",))


def _backup(snapshot: Snapshot, now: float) -> Vital:
    source = snapshot.readings.backups
    newest = source.value.newest if source and source.value else None
    text = units.span(now - newest.started_at) if newest else None
    policy = f"of {units.span(snapshot.policy.rpo)}" if newest else ""
    if source and source.value and newest is None:
        text = "none"
    rules = ("backup-age", "backup-missing")
    return _vital(snapshot, now, source, ("backup", "backup"), text, policy=policy, rules=rules)


def _certificate(snapshot: Snapshot, now: float) -> Vital:
    """The certificate that ends first, of all edges."""
    ends = [
        (source.value.certificate.not_after, source)
        for source in snapshot.readings.edges
        if source.value is not None and source.value.certificate is not None
    ]
    if not ends:
        first = next(iter(snapshot.readings.edges), None)
        return _vital(snapshot, now, first, ("certificate", "cert"), None)
    end, source = min(ends, key=lambda pair: pair[0])
    text = f"{units.age(end - now)} left" if end > now else f"expired {units.age(now - end)} ago"
    return _vital(snapshot, now, source, ("certificate", "cert"), text, rules=("certificate",))


def _redis(snapshot: Snapshot, now: float) -> Vital:
    memory, hit = _figure(snapshot, "redis_memory"), _figure(snapshot, "redis_hit")
    parts = [] if memory is None else [units.size(memory)]
    parts += [] if hit is None else [f"hit {units.percent(hit)}"]
    return _metric(snapshot, now, ("redis", "redis"), " ".join(parts) or None)


def _edges(snapshot: Snapshot, now: float) -> Vital:
    sources = snapshot.readings.edges
    read = [source for source in sources if source.value is not None]
    good = sum(1 for s in read if s.value is not None and s.value.health.ok)
    worst_seen = max(sources, key=lambda s: s.sight(now) is not Sight.SEEN, default=None)
    text = f"{good} of {len(sources)}" if read else None
    rules = ("edge-down", "edge-error", "edge-wrong-status", "edge-slow", "edge-stale-upstream")
    vital = _vital(snapshot, now, worst_seen, ("edges", "edges"), text, rules=rules)
    # The edges' errors may be part of the backend's outage: then no finding of theirs stands.
    return replace(vital, word="") if vital.word == "ok" and good < len(sources) else vital


def _disk(snapshot: Snapshot, now: float) -> Vital:
    readings = snapshot.readings
    host_source = next(iter(readings.hosts), None) or readings.metrics
    found = fullest(all_hosts(readings))
    if found is None:
        return _vital(snapshot, now, host_source, ("disk", "disk free"), None)
    host, disk = found
    source = readings.source(host.source)
    text = f"{units.percent(disk.free_ratio)} {host.name}"
    return _vital(snapshot, now, source, ("disk", "disk free"), text, rules=("disk",))


def _memory(snapshot: Snapshot, now: float) -> Vital:
    readings = snapshot.readings
    host_source = next(iter(readings.hosts), None) or readings.metrics
    hosts = [h for h in all_hosts(readings) if h.figures.memory_ratio is not None]
    if not hosts:
        return _vital(snapshot, now, host_source, ("memory", "memory"), None)
    host = max(hosts, key=lambda h: h.figures.memory_ratio or 0.0)
    text = f"{units.percent(host.figures.memory_ratio)} {host.name}"
    source = readings.source(host.source)
    return _vital(snapshot, now, source, ("memory", "memory"), text, rules=("host-memory",))


_WINDOW_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def window_seconds(window: str) -> float:
    """Seconds of a Prometheus duration of one unit (``5m``); 0 for what is none."""
    count, unit = window[:-1], window[-1:]
    return float(count) * _WINDOW_UNITS[unit] if count.isdigit() and unit in _WINDOW_UNITS else 0.0
