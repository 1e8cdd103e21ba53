"""One machine is one host, whoever speaks of it: itself over SSH, or a metrics exporter."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from console.model.hosts import HostReport
from console.model.readings import Source
from console.model.signals import Disk, HostFigures, Metrics
from console.model.snapshot import Readings

BOOT_TOLERANCE: Final = 10.0
"""Two reports of one boot differ by less than this many seconds."""


@dataclass(frozen=True, slots=True)
class HostSeen:
    """What is known of one host, and from which source."""

    figures: HostFigures
    source: str
    aliases: frozenset[str]
    """Every name and address it goes by, in lower case."""

    @property
    def name(self) -> str:
        """The name to show."""
        return self.figures.host


def hosts_seen(
    hosts: Iterable[Source[HostReport]], metrics: Source[Metrics] | None
) -> tuple[HostSeen, ...]:
    """The hosts of these sources' last good values.

    A host that speaks for itself comes first: its own figures count, and those of an
    exporter fill in what it does not say.
    """
    seen: list[HostSeen] = []
    for source in hosts:
        if source.value is not None:
            figures = _own(source.value)
            seen.append(HostSeen(figures, source.name, _aliases(figures.host, source.value.name)))
    exported = metrics.value.hosts if metrics is not None and metrics.value is not None else ()
    for figures in exported:
        place = next((i for i, other in enumerate(seen) if _same(other, figures)), None)
        if place is None:
            name = metrics.name if metrics is not None else ""
            seen.append(HostSeen(_distinct(figures), name, _aliases(figures.host)))
        else:
            seen[place] = _merged(seen[place], figures)
    return tuple(seen)


def all_hosts(readings: Readings) -> tuple[HostSeen, ...]:
    """The hosts of all sources."""
    return hosts_seen(readings.hosts, readings.metrics)


def bare(name: str) -> str:
    """A host's name without the port that an exporter's instance has."""
    head, colon, port = name.rpartition(":")
    return (head if colon and port.isdigit() else name).strip("[]").lower()


def fullest(hosts: Sequence[HostSeen]) -> tuple[HostSeen, Disk] | None:
    """The disk with the least free part of all."""
    disks = [(host, disk) for host in hosts for disk in host.figures.disks]
    known = [(host, disk) for host, disk in disks if disk.free_ratio is not None]
    return min(known, key=lambda pair: pair[1].free_ratio or 0.0, default=None)


def _own(report: HostReport) -> HostFigures:
    figures = report.figures
    return _distinct(
        replace(figures, host=report.name, booted_at=report.booted_at or figures.booted_at)
    )


def _distinct(figures: HostFigures) -> HostFigures:
    """The same without further mounts of one file system (the shortest path stands)."""
    kept: dict[tuple[float | None, float | None], Disk] = {}
    for disk in sorted(figures.disks, key=lambda disk: (len(disk.mount), disk.mount)):
        key = (disk.size, disk.free)
        if disk.size is None or key not in kept:
            kept[key if disk.size is not None else (None, len(kept))] = disk
    return replace(figures, disks=tuple(kept.values()))


def _aliases(*names: str) -> frozenset[str]:
    bares = {bare(name) for name in names if name}
    return frozenset(bares | {name.partition(".")[0] for name in bares if not name[:1].isdigit()})


def _same(seen: HostSeen, other: HostFigures) -> bool:
    """By name, or by the same boot together with a file system of the same size."""
    if seen.aliases & _aliases(other.host):
        return True
    booted, there = seen.figures.booted_at, other.booted_at
    if booted is None or there is None or abs(booted - there) > BOOT_TOLERANCE:
        return False
    own = {(disk.mount, disk.size) for disk in seen.figures.disks if disk.size}
    return any((disk.mount, disk.size) in own for disk in other.disks)


def _merged(seen: HostSeen, other: HostFigures) -> HostSeen:
    own = seen.figures
    trend = {disk.mount: disk for disk in other.disks}
    disks = tuple(
        replace(
            disk,
            full_at=disk.full_at or trend[disk.mount].full_at,
            free_inodes_ratio=disk.free_inodes_ratio
            if disk.free_inodes_ratio is not None
            else trend[disk.mount].free_inodes_ratio,
        )
        if disk.mount in trend
        else disk
        for disk in own.disks
    )
    figures = replace(
        own,
        cpu_ratio=own.cpu_ratio if own.cpu_ratio is not None else other.cpu_ratio,
        memory_ratio=own.memory_ratio if own.memory_ratio is not None else other.memory_ratio,
        disks=disks or _distinct(other).disks,
        booted_at=own.booted_at or other.booted_at,
    )
    return HostSeen(figures, seen.source, seen.aliases | _aliases(other.host))
