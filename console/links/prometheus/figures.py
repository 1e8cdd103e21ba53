"""From the answers of named queries to Metrics: pure functions."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from console.config import queries
from console.config.queries import Dialect
from console.model.signals import (
    Burn,
    Disk,
    EndpointFigures,
    Figure,
    HostFigures,
    ReplicaFigures,
    Series,
    Unit,
)

KEPT: Final = 500
"""Endpoints, replicas, hosts, and file systems of a host kept of one Reading."""

_HORIZON: Final = 365 * 86400.0
"""A disk that would be full later than this, in seconds, is not filling."""


_CONTAINER_ID: Final = re.compile("[0-9a-f]{12}")

K = TypeVar("K")


class Labelled(Protocol):
    """One series of an instant query."""

    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def value(self) -> float | None: ...


class Points(Protocol):
    """One series of a range query."""

    @property
    def points(self) -> Sequence[tuple[float, float | None]]: ...


Answers = Mapping[str, Sequence[Labelled]]
"""What each named query gave; a query that was not answered is not in it."""


def single(name: str, samples: Sequence[Labelled], problems: list[str]) -> float | None:
    """The one value of a figure; several are a fault of its query."""
    if len(samples) > 1:
        problems.append(f"query {name}: gave {len(samples)} series, a figure needs one (sum them?)")
        return None
    return samples[0].value if samples else None


def figure(
    name: str, key: str, query: str, unit: Unit, answers: Answers, problems: list[str]
) -> Figure:
    """The figure `name`, answered under `key`."""
    return Figure(name, single(name, answers.get(key, ()), problems), unit, query)


def series(
    name: str, tracks: Sequence[Points], start: float, step: float, count: int, skew: float
) -> Series:
    """`count` values at even steps from `start` on, by a clock that is `skew` ahead of ours."""
    values: list[float | None] = [None] * count
    for track in tracks[:1]:
        for at, value in track.points:
            index = round((at - start) / step)
            if 0 <= index < count:
                values[index] = value
    return Series(name, queries.FIGURES[name], start - skew, step, tuple(values))


def endpoints(answers: Answers, dialect: Dialect) -> tuple[EndpointFigures, ...]:
    """The busiest endpoints first."""

    def key(labels: Mapping[str, str]) -> tuple[str, str]:
        return (
            labels.get(dialect.method) or labels.get("method", ""),
            labels.get(dialect.handler) or labels.get("handler", ""),
        )

    table = _table(answers, key, ("endpoint_requests", "endpoint_p95", "endpoint_errors"))
    found = [
        EndpointFigures(method, handler, rate, p95, errors)
        for (method, handler), (rate, p95, errors) in table.items()
    ]
    return tuple(sorted(found, key=lambda item: (-(item.rate or 0.0), item.name))[:KEPT])


def replicas(answers: Answers) -> tuple[ReplicaFigures, ...]:
    """By the address that is scraped."""
    table = _table(answers, _instance, ("replica_requests", "replica_p95", "replica_errors"))
    return tuple(
        ReplicaFigures(name, rate, p95, errors)
        for name, (rate, p95, errors) in sorted(table.items())[:KEPT]
    )


def burn(answers: Answers, windows: Iterable[str], availability: float) -> tuple[Burn, ...]:
    """Error ratio of each window over the ratio that the promise allows."""
    allowed = 1.0 - availability
    found = []
    for window in windows:
        errors = answers.get(f"burn_errors:{window}", ())
        requests = answers.get(f"burn_requests:{window}", ())
        ratio = errors[0].value if len(errors) == 1 else None
        found.append(
            Burn(
                window,
                ratio / allowed if ratio is not None and allowed > 0 else None,
                requests[0].value if len(requests) == 1 else None,
            )
        )
    return tuple(found)


def hosts(answers: Answers, now: float) -> tuple[HostFigures, ...]:
    """Every host with an exporter, by its own name where it says one."""
    names = {_instance(s.labels): _host_name(s.labels) for s in answers.get("host_name", ())}
    table = _table(answers, _instance, ("host_cpu", "host_memory", "host_boot"))
    disks = _disks(answers, now)
    found = []
    for instance in sorted({*table, *disks})[:KEPT]:
        cpu, memory, boot = table.get(instance, (None, None, None))
        name = names.get(instance) or _without_port(instance)
        found.append(HostFigures(name, cpu, memory, disks.get(instance, ()), boot))
    return tuple(found)


def _disks(answers: Answers, now: float) -> dict[str, tuple[Disk, ...]]:
    """File systems by instance; one device mounted in several places counts once."""

    def key(labels: Mapping[str, str]) -> tuple[str, str, str]:
        get = labels.get
        return get("instance", ""), get("device", ""), get("mountpoint", "")

    columns = ("disk_size", "disk_free", "disk_inodes_free", "disk_trend")
    table = _table(answers, key, columns)
    found: dict[str, dict[tuple[str, float | None], Disk]] = {}
    for (instance, device, mount), (size, free, inodes, trend) in sorted(
        table.items(), key=lambda row: (row[0][0], len(row[0][2]), row[0][2])
    ):
        if not size and not free:
            continue
        disks = found.setdefault(instance, {})
        if len(disks) < KEPT:
            identity = (device, size) if device.startswith("/") else (mount, None)
            disk = Disk(mount, size, free, inodes, _full_at(free, trend, now))
            disks.setdefault(identity, disk)
    return {
        instance: tuple(sorted(disks.values(), key=lambda disk: disk.mount))
        for instance, disks in found.items()
    }


def _host_name(labels: Mapping[str, str]) -> str:
    """What its scrape calls it; else its kernel, unless that is a container's id."""
    for label in ("host", "hostname", "node"):
        if labels.get(label):
            return labels[label]
    nodename = labels.get("nodename", "")
    return "" if _CONTAINER_ID.fullmatch(nodename) else nodename


def _without_port(instance: str) -> str:
    host, colon, port = instance.rpartition(":")
    return host if colon and port.isdecimal() else instance


def _full_at(free: float | None, trend: float | None, now: float) -> float | None:
    if free is None or trend is None or trend >= 0 or free > -trend * _HORIZON:
        return None
    return now + free / -trend


def _instance(labels: Mapping[str, str]) -> str:
    return labels.get("instance", "")


def _table(
    answers: Answers, key: Callable[[Mapping[str, str]], K], columns: Sequence[str]
) -> dict[K, list[float | None]]:
    """Rows by `key`, one value per query in `columns`; of duplicates the first counts."""
    table: dict[K, list[float | None]] = {}
    for index, column in enumerate(columns):
        seen: set[K] = set()
        for sample in answers.get(column, ()):
            name = key(sample.labels)
            if name not in seen:
                seen.add(name)
                table.setdefault(name, [None] * len(columns))[index] = sample.value
    return table
