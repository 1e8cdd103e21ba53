"""The machine: CPU, memory, disks. Pure."""

from typing import Final

from console.model.hosts import HostReport
from console.model.signals import Disk, HostFigures
from console.rehearsal.effects import DiskFills
from console.rehearsal.noise import identity
from console.rehearsal.stack import HOST
from console.rehearsal.traffic import daylight
from console.rehearsal.world import World

CPUS: Final = 8
UPTIME: Final = 41 * 86400.0
"""For how long the machine had been up when the world started, in seconds."""
_GROWTH_A_DAY: Final = 0.0003
"""Part of a disk that a day's logs and uploads take."""
_DISKS: Final = (("/", 40e9, 0.71, 0.93), ("/var/lib/docker", 100e9, 0.59, 0.96))
"""(mount, size in bytes, free part, free part of the inodes) when the world started."""


def disks(world: World) -> tuple[Disk, ...]:
    """The file systems and, where one is filling, when it will be full."""
    return tuple(_disk(world, mount, size, free, inodes) for mount, size, free, inodes in _DISKS)


def figures(world: World) -> HostFigures:
    """What the node exporter says of the machine."""
    cpu = 0.11 + 0.17 * daylight(world) + 0.02 * world.drift("host cpu", 40.0)
    memory = 0.46 + 0.05 * daylight(world) + 0.01 * world.drift("host memory", 300.0)
    return HostFigures(HOST, cpu, memory, disks(world), world.header.started_at - UPTIME)


def report(world: World) -> HostReport:
    """What the machine says of itself."""
    found = figures(world)
    return HostReport(
        name=HOST,
        user="ops",
        kernel="6.12.48+deb13-amd64",
        boot_id=identity(world.header.seed, "boot", 32),
        booted_at=found.booted_at,
        figures=found,
        cpus=CPUS,
        load1=None if found.cpu_ratio is None else round(found.cpu_ratio * CPUS * 1.1, 2),
    )


def _disk(world: World, mount: str, size: float, free: float, inodes: float) -> Disk:
    days = (world.at - world.header.started_at) / 86400.0
    # The daily clean-up keeps a disk from filling for ever.
    ratio = free - _GROWTH_A_DAY * (days % 30.0)
    full_at: float | None = None
    for trouble, effect, strength in world.effects(DiskFills):
        if effect.mount != mount:
            continue
        reached = trouble.moment(trouble.start(effect) + effect.ramp)
        left = max(0.0, 1 - max(0.0, world.at - reached) / effect.left)
        ratio += (effect.free * left - ratio) * strength
        if not trouble.healed(world.at):
            full_at = reached + effect.left
    return Disk(mount, size, ratio * size, inodes, full_at)
