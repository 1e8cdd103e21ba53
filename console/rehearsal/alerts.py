"""The alerting rules, and what they make of the world. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import floor
from typing import Final

from console.model.signals import Alert, Alerts, AlertState, Rule
from console.rehearsal.hosts import disks, figures
from console.rehearsal.metrics import database_connections
from console.rehearsal.stack import DATABASE_CONNECTIONS, DAY, HOST
from console.rehearsal.traffic import error_ratio, loads, serving
from console.rehearsal.world import World

PROMETHEUS_STARTED: Final = 23 * DAY
"""Seconds before the world's start: since then the Watchdog has been firing."""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One alerting rule of prometheus.yml."""

    name: str
    expression: str
    wait: float
    """Its `for`, in seconds."""
    severity: str
    summary: str
    value: Callable[[World], float | None]
    """What the expression yields; None where the condition does not hold."""
    labels: Mapping[str, str] = field(default_factory=dict)


def _api_down(world: World) -> float | None:
    return 1.0 if not serving(world) else None


def _errors(world: World) -> float | None:
    ratio = error_ratio(loads(world))
    return ratio if ratio is not None and ratio > 0.05 else None


def _connections(world: World) -> float | None:
    used = database_connections(world) / DATABASE_CONNECTIONS
    return used if used > 0.8 else None


def _disk(world: World) -> float | None:
    ratios = [disk.free_ratio for disk in disks(world) if disk.mount == "/var/lib/docker"]
    ratio = ratios[0] if ratios else None
    return ratio if ratio is not None and ratio < 0.15 else None


def _memory(world: World) -> float | None:
    used = figures(world).memory_ratio
    return used if used is not None and used > 0.9 else None


RULES: Final = (
    AlertRule("Watchdog", "vector(1)", 0.0, "none", "alerting works", lambda world: 1.0),
    AlertRule(
        "APIDown", 'absent(up{job="backend"} == 1)', 60.0, "critical",
        "no backend answers", _api_down, {"job": "backend"},
    ),
    AlertRule(
        "HighErrorRate",
        'sum(rate(http_requests_total{status=~"5.."}[5m]))'
        " / sum(rate(http_requests_total[5m])) > 0.05",
        120.0, "critical", "more than 5 % of the answers are 5xx", _errors,
    ),
    AlertRule(
        "DBConnectionPoolExhausted",
        "sum(pg_stat_activity_count) / max(pg_settings_max_connections) > 0.8",
        300.0, "warning", "over 80 % of the database's connections are in use", _connections,
    ),
    AlertRule(
        "DiskSpaceRunningOut",
        "node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.15",
        600.0, "warning", "less than 15 % free on /var/lib/docker", _disk,
        {"instance": f"{HOST}:9100", "mountpoint": "/var/lib/docker"},
    ),
    AlertRule(
        "HighMemoryUsage",
        "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes > 0.9",
        300.0, "critical", "over 90 % of the memory is in use", _memory,
        {"instance": f"{HOST}:9100"},
    ),
)  # fmt: skip


def prometheus_alerts(world: World) -> Alerts:
    """Its alerts, pending ones too, and its rules."""
    return Alerts(
        tuple(alert for alert, _ in _alerts(world)),
        tuple(
            Rule(rule.name, rule.expression, "ok", labels={"severity": rule.severity})
            for rule in RULES
        ),
    )


def alertmanager_alerts(world: World) -> Alerts:
    """Those that fire, since they began to fire."""
    found: list[Alert] = []
    for alert, fires_at in _alerts(world):
        if alert.state is AlertState.FIRING:
            found.append(Alert(
                alert.name, alert.state, fires_at, alert.labels, alert.annotations,
            ))  # fmt: skip
    return Alerts(tuple(found))


def _alerts(world: World) -> Iterator[tuple[Alert, float]]:
    """Every active alert, and when it fires. The rules are evaluated at each whole second, so
    that every reader gets the same moments."""
    world = world.moved(floor(world.at))
    for rule in RULES:
        value = rule.value(world)
        if value is None:
            continue
        since = _since(world, rule)
        fires_at = world.after(since, rule.wait)
        yield (
            Alert(
                name=rule.name,
                state=AlertState.FIRING if fires_at <= world.at else AlertState.PENDING,
                since=since,
                labels={"alertname": rule.name, "severity": rule.severity, **rule.labels},
                annotations={"summary": rule.summary},
                value=value,
            ),
            fires_at,
        )


def _since(world: World, rule: AlertRule) -> float:
    """When the condition began to hold: troubles only grow until they are healed."""
    smooth = world.smooth()
    began = floor(world.disturbed_since) - 1
    if rule.value(smooth.moved(began)) is not None:
        return world.header.started_at - PROMETHEUS_STARTED
    before: float = began
    since = world.at
    while since - before > 1:
        middle = (before + since) // 2
        if rule.value(smooth.moved(middle)) is None:
            before = middle
        else:
            since = middle
    return since
