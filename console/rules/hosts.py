"""Hosts: disks, inodes, memory."""

from collections.abc import Iterator
from typing import Final

from console.model.findings import PlaceKind, Severity
from console.model.hosts_seen import HostSeen, hosts_seen
from console.model.readings import Sight
from console.model.signals import Disk
from console.present import units
from console.rules.view import Candidate, Kind, View

FULL_SOON: Final = 4 * 3600.0
"""A disk that will be full within this time cannot wait for the next business day."""
FULL_MEMORY: Final = 0.97


def candidates(view: View) -> Iterator[Candidate]:
    """The troubles of all hosts that are seen now, each host once."""
    readings = view.readings
    own = [source for source in readings.hosts if source.sight(view.now) is Sight.SEEN]
    metrics = readings.metrics if view.seen(readings.metrics) is not None else None
    for host in hosts_seen(own, metrics):
        for disk in host.figures.disks:
            yield from _space(view, host, disk)
            yield from _inodes(view, host, disk)
        yield from _memory(view, host)


def _space(view: View, host: HostSeen, disk: Disk) -> Iterator[Candidate]:
    policy, free = view.policy, disk.free_ratio
    left = disk.full_at - view.now if units.known(disk.full_at) else None
    filling = left is not None and left < policy.disk_horizon
    short = free is not None and free < policy.disk_free
    if free is None or not (short or filling):
        return
    critical = free < policy.disk_free_critical or (left is not None and left < FULL_SOON)
    words = f"{units.percent(free)} free" + (f", limit {units.share(policy.disk_free)}" * short)
    if left is not None and left < 14 * units.DAY:
        when = f"full in {units.span(left)}" if left > 0 else "full now"
        words = f"{words}, {when}" if short else f"{when}, {words}"
    finding = view.finding(
        "disk",
        f"{host.name}:{disk.mount}",
        Severity.P1 if critical else Severity.P2,
        f"disk {disk.mount} of {host.name} {words}",
        (PlaceKind.HOST, host.name),
        host.source,
        evidence=(
            f"{units.size(disk.free)} of {units.size(disk.size)} free",
            f"full {units.full_moment(disk.full_at)} by its trend" if disk.full_at else "",
        ),
        runbook="disk-full",
    )
    keys = (*sorted(host.aliases), disk.mount)
    yield Candidate(finding, kind=Kind.DISK, keys=keys)


def _inodes(view: View, host: HostSeen, disk: Disk) -> Iterator[Candidate]:
    free = disk.free_inodes_ratio
    if free is None or free >= view.policy.inodes_free:
        return
    finding = view.finding(
        "inodes",
        f"{host.name}:{disk.mount}",
        Severity.P1 if free < view.policy.inodes_free / 5 else Severity.P2,
        f"inodes of {disk.mount} on {host.name} {units.percent(free)} free, "
        f"limit {units.share(view.policy.inodes_free)}",
        (PlaceKind.HOST, host.name),
        host.source,
        evidence=(f"df -i {disk.mount}",),
        runbook="disk-full",
    )
    yield Candidate(finding)


def _memory(view: View, host: HostSeen) -> Iterator[Candidate]:
    used = host.figures.memory_ratio
    if used is None or used <= view.policy.memory:
        return
    finding = view.finding(
        "host-memory",
        host.name,
        Severity.P1 if used >= FULL_MEMORY else Severity.P2,
        f"memory of {host.name} {units.percent(used)} used, "
        f"limit {units.share(view.policy.memory)}",
        (PlaceKind.HOST, host.name),
        host.source,
        evidence=("1 - MemAvailable / MemTotal",),
        runbook="memory-leak",
    )
    yield Candidate(finding, kind=Kind.HOST_MEMORY, keys=tuple(sorted(host.aliases)))
