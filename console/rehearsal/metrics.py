"""What Prometheus would answer to the named queries. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import floor
from typing import Final

from console.config.queries import FIGURES
from console.model.signals import (
    Burn,
    EndpointFigures,
    Figure,
    Metrics,
    ReplicaFigures,
    Series,
    Unit,
)
from console.rehearsal.effects import DatabaseStrain
from console.rehearsal.hosts import figures as host_figures
from console.rehearsal.stack import BACKEND, DATABASE_CONNECTIONS, GIB, MIB, address
from console.rehearsal.traffic import (
    Load,
    daylight,
    error_ratio,
    loads,
    quantile,
    serving,
    total_rate,
)
from console.rehearsal.world import World

AVAILABILITY: Final = 0.999
STEP: Final = 60.0
POINTS: Final = 61
"""One hour of series, with both its ends."""
WINDOWS: Final = {"5m": 300.0, "30m": 1800.0, "1h": 3600.0, "6h": 21600.0, "3d": 259200.0}
_SAMPLES: Final = 12
_EXTRA: Final[Mapping[str, Unit]] = {"db_slow_queries": Unit.COUNT}
"""Figures of this production that are not among the usual exporters'."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """All endpoints together, at one moment."""

    p50: float | None
    p95: float | None
    p99: float | None
    requests: float | None
    errors: float | None


def traffic(world: World) -> Traffic:
    """The traffic now."""
    return _sum_up(loads(world))


def metrics(world: World, past: Callable[[World], Traffic] = traffic) -> Metrics:
    """Every named query's answer. `past` is asked for moments on an even grid alone, so that
    a reader may remember what it said."""
    found = loads(world)
    values = asdict(_sum_up(found)) | _database(world, found) | _redis(world)
    return Metrics(
        figures={
            name: Figure(name, values.get(name), unit, f"rehearsal: {name}")
            for name, unit in {**_EXTRA, **FIGURES}.items()
        },
        series=_series(world, past),
        endpoints=tuple(
            EndpointFigures(
                load.endpoint.method,
                load.endpoint.handler,
                load.rate,
                load.p95,
                load.error_ratio,
            )
            for load in found
        ),
        replicas=_replicas(world, found),
        hosts=(host_figures(world),),
        burn=tuple(_burn(world, window, seconds, past) for window, seconds in WINDOWS.items()),
        counters=_counters(world, found),
    )


def database_connections(world: World) -> float:
    """How many of max_connections are in use."""
    used = 19 + 19 * daylight(world) + 2 * world.drift("connections", 60.0)
    for _, effect, strength in world.effects(DatabaseStrain):
        used += (effect.connections * DATABASE_CONNECTIONS - used) * strength
    return float(round(used))


def _sum_up(found: tuple[Load, ...]) -> Traffic:
    return Traffic(
        quantile(found, 0.50),
        quantile(found, 0.95),
        quantile(found, 0.99),
        total_rate(found),
        error_ratio(found),
    )


def _database(world: World, found: tuple[Load, ...]) -> dict[str, float | None]:
    hit, slow = 0.991 + 0.002 * world.drift("cache hit", 900.0), 0.0
    for _, effect, strength in world.effects(DatabaseStrain):
        hit += (effect.cache_hit - hit) * strength
        slow += round(effect.slow_queries * strength)
    weeks = (world.at - world.header.started_at) / (7 * 86400.0)
    return {
        "db_connections": database_connections(world),
        "db_connections_max": float(DATABASE_CONNECTIONS),
        "db_cache_hit": hit,
        "db_transactions": 3.0 + 2.4 * (total_rate(found) or 0.0),
        "db_size": 2.1 * GIB * 1.012**weeks,
        "db_slow_queries": slow,
    }


def _redis(world: World) -> dict[str, float | None]:
    return {
        "redis_memory": 62 * MIB * (1 + 0.04 * world.drift("redis memory", 600.0)),
        "redis_hit": 0.962 + 0.008 * world.drift("redis hit", 600.0),
    }


def _series(world: World, past: Callable[[World], Traffic]) -> dict[str, Series]:
    """The last hour at whole minutes, so that every reader sees the same points."""
    start = (floor(world.at / STEP) - POINTS + 1) * STEP
    points = [past(world.moved(start + index * STEP)) for index in range(POINTS)]
    values = {
        "p95": tuple(point.p95 for point in points),
        "requests": tuple(point.requests for point in points),
        "errors": tuple(point.errors for point in points),
    }
    return {name: Series(name, FIGURES[name], start, STEP, found) for name, found in values.items()}


def _replicas(world: World, found: tuple[Load, ...]) -> tuple[ReplicaFigures, ...]:
    answering = {container.number for container in serving(world)}
    rate, p95, errors = total_rate(found), quantile(found, 0.95), error_ratio(found)
    figures: list[ReplicaFigures] = []
    for number in BACKEND.numbers:
        instance = f"{address(BACKEND, number)}:8000"
        if number not in answering or rate is None or p95 is None:
            figures.append(ReplicaFigures(instance, None, None, None))
            continue
        wander = 0.05 * world.drift(f"replica {number}", 75.0)
        share = rate / len(answering) * (1 + wander)
        figures.append(ReplicaFigures(instance, share, p95 * (1 - wander), errors))
    return tuple(figures)


def _burn(world: World, window: str, seconds: float, past: Callable[[World], Traffic]) -> Burn:
    step = seconds / _SAMPLES
    last = floor(world.at / step)
    samples = [past(world.moved((last - index) * step)) for index in range(_SAMPLES)]
    asked = sum(sample.requests or 0.0 for sample in samples)
    failed = sum((sample.requests or 0.0) * (sample.errors or 0.0) for sample in samples)
    if not asked:
        return Burn(window, None, 0.0)
    return Burn(window, failed / asked / (1 - AVAILABILITY), asked * step)


def _counters(world: World, found: tuple[Load, ...]) -> tuple[Figure, ...]:
    if not found:
        return ()
    busy = daylight(world)
    photos = next(load.rate for load in found if load.endpoint.handler == "/api/photos")
    return (
        Figure("trips", 210 * busy * (1 + 0.1 * world.drift("trips", 900.0)),
               Unit.COUNT, "rehearsal: trips"),
        Figure("photos", photos * 3600, Unit.COUNT, "rehearsal: photos"),
    )  # fmt: skip
