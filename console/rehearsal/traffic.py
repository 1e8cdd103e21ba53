"""What users ask and how long they wait: the load of every endpoint. Pure."""

from dataclasses import dataclass
from math import erfc, exp, log, pi, sin, sqrt
from typing import Final

from console.rehearsal.containers import Container, generations, process
from console.rehearsal.effects import Errors, Slow
from console.rehearsal.stack import BACKEND
from console.rehearsal.world import World

_Z95: Final = 1.6448536269514722
"""The 95th percentile of the standard normal distribution."""
_HALVINGS: Final = 40


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint on a calm day."""

    method: str
    handler: str
    rate: float
    """Requests per second at the busiest hour."""
    median: float
    """Seconds."""
    p95: float
    """Seconds."""
    weight: float
    """Bytes of an answer, about."""


ENDPOINTS: Final = (
    Endpoint("GET", "/api/feed", 104.0, 0.068, 0.185, 18_400),
    Endpoint("GET", "/api/trips", 48.0, 0.075, 0.208, 9_200),
    Endpoint("GET", "/api/users/{id}", 38.0, 0.021, 0.060, 1_300),
    Endpoint("GET", "/api/routes/{id}", 19.5, 0.110, 0.290, 48_000),
    Endpoint("POST", "/api/photos", 1.5, 0.340, 0.880, 420),
    Endpoint("POST", "/auth/login", 1.0, 1.850, 2.600, 610),
)
BASE_ERRORS: Final = 0.0002
"""The part of answers that is 5xx on a calm day."""


@dataclass(frozen=True, slots=True)
class Load:
    """One endpoint now; its latencies are distributed log-normally."""

    endpoint: Endpoint
    rate: float
    median: float
    p95: float
    error_ratio: float


def daylight(world: World) -> float:
    """How busy the hour is, 0.3..1: least at 05:00, most at 17:00 UTC."""
    return 0.65 + 0.35 * sin(2 * pi * (world.at / 86400.0 - 11 / 24))


def serving(world: World) -> tuple[Container, ...]:
    """The backends that answer requests now."""
    newest = (generations(world, BACKEND, number)[-1:] for number in BACKEND.numbers)
    return tuple(
        container for found in newest for container in found if process(world, container).serving
    )


def loads(world: World) -> tuple[Load, ...]:
    """Every endpoint's load; none where no backend answers."""
    return loads_if_served(world) if serving(world) else ()


def loads_if_served(world: World) -> tuple[Load, ...]:
    """The same without asking whether any backend answers."""
    busy = daylight(world)
    slow = tuple(world.effects(Slow))
    wrong = tuple(world.effects(Errors))
    found: list[Load] = []
    for endpoint in ENDPOINTS:
        handler = endpoint.handler
        median = endpoint.median * (1 + 0.04 * world.drift(f"median {handler}", 95.0))
        p95 = endpoint.p95 * (1 + 0.07 * world.drift(f"p95 {handler}", 140.0))
        errors = BASE_ERRORS * (1 + 0.5 * world.drift(f"errors {handler}", 600.0))
        for _, effect, strength in slow:
            if handler in effect.handlers:
                median *= effect.median**strength
                p95 *= effect.p95**strength
        for _, wrongs, strength in wrong:
            if not wrongs.handlers or handler in wrongs.handlers:
                errors += wrongs.ratio * strength
        rate = endpoint.rate * busy * (1 + 0.05 * world.drift(f"rate {handler}", 50.0))
        found.append(Load(endpoint, rate, median, max(p95, median * 1.2), min(1.0, errors)))
    return tuple(found)


def quantile(found: tuple[Load, ...], part: float) -> float | None:
    """The latency in seconds that this part (0..1) of all requests does not exceed."""
    total = sum(load.rate for load in found)
    if total <= 0:
        return None
    shapes = [
        (load.rate / total, log(load.median), log(load.p95 / load.median) / _Z95 * sqrt(2))
        for load in found
    ]
    low, high = log(0.0005), log(600.0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        beyond = sum(share * 0.5 * erfc((middle - mean) / width) for share, mean, width in shapes)
        low, high = (middle, high) if beyond > 1 - part else (low, middle)
    return exp((low + high) / 2)


def total_rate(found: tuple[Load, ...]) -> float | None:
    """All requests per second."""
    return sum(load.rate for load in found) if found else None


def error_ratio(found: tuple[Load, ...]) -> float | None:
    """The part of all answers that is 5xx."""
    total = sum(load.rate for load in found)
    return sum(load.rate * load.error_ratio for load in found) / total if total else None
