"""The scenarios, as data."""

from dataclasses import dataclass
from typing import Final

from console.rehearsal.effects import (
    CertificateEnds,
    CrashLoop,
    DatabaseStrain,
    Deployment,
    DiskFills,
    DumpsFail,
    Effect,
    Errors,
    Slow,
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A trouble that can be rehearsed."""

    name: str
    summary: str
    history: float = 0.0
    """Seconds for which it has been going on where a world starts with it."""
    effects: tuple[Effect, ...] = ()


CALM: Final = "calm"
"""The scenario that heals every other."""

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_DAY: Final = 86400.0
_READING: Final = ("/api/feed", "/api/trips", "/api/users/{id}", "/api/routes/{id}")
"""The endpoints whose time is the database's."""
_ALL: Final = (
    Scenario(CALM, "nothing is wrong; injected, it heals what is"),
    Scenario(
        "replica-crash",
        "one backend is killed for memory again and again",
        14 * _MINUTE,
        (
            CrashLoop(service="backend", numbers=(6,), uptime=75.0, pause=15.0, code=137, oom=True),
            Errors(ratio=0.0008, ramp=30.0),
        ),
    ),
    Scenario(
        "bad-release",
        "v1.3.0, deployed outside cofa: /api/trips answers in over 2 s, some 5xx",
        40 * _MINUTE,
        (
            Deployment(service="backend", tag="v1.3.0"),
            Slow(handlers=("/api/trips",), median=25.0, p95=14.0, after=28 * _MINUTE, ramp=90.0),
            Errors(handlers=("/api/trips",), ratio=0.03, after=28 * _MINUTE, ramp=90.0),
        ),
    ),
    Scenario(
        "slow-database",
        "queries over 1 s hold the connections: 86 % in use, reading is slow",
        14 * _MINUTE,
        (
            DatabaseStrain(connections=0.86, slow_queries=7, cache_hit=0.93, ramp=60.0),
            Slow(handlers=_READING, median=9.0, p95=13.0, ramp=90.0),
        ),
    ),
    Scenario(
        "stale-backup",
        "no backup for more than 9 h, against an RPO of 6 h",
        0.0,
        (DumpsFail(lookback=8.75 * _HOUR),),
    ),
    Scenario(
        "certificate-expiring",
        "the edges serve a certificate that ends in 5 days",
        _HOUR,
        (CertificateEnds(left=5.5 * _DAY),),
    ),
    Scenario(
        "disk-filling",
        "/var/lib/docker has 8 % left and is full in about 5 h",
        20 * _MINUTE,
        (DiskFills(mount="/var/lib/docker", free=0.084, left=5.5 * _HOUR, ramp=5 * _MINUTE),),
    ),
    Scenario(
        "outage",
        "every backend ends at its start: the edges answer 502",
        4 * _MINUTE,
        (CrashLoop(service="backend", uptime=4.0, pause=40.0, code=1),),
    ),
)
SCENARIOS: Final = {scenario.name: scenario for scenario in _ALL}
"""By name, calm first."""
