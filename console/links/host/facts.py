"""What a host says of itself: the script that asks, and the pure reading of its answer.

The same script runs here and over SSH. It is POSIX sh (dash, busybox), reads /proc, and
asks df only about file systems on local devices: a hung network mount would hang df.
"""

import re
from dataclasses import dataclass
from typing import Final

from console.model.hosts import HostReport
from console.model.signals import Disk, HostFigures
from console.text import clean

OUTPUT_LIMIT: Final = 256 << 10
"""Bytes of output that are read; a real answer has a few thousand."""

MOUNT_LIMIT: Final = 64
"""File systems that are looked at."""

# Fed to `sh -s`, not given as an argument: some login shells mangle newlines in arguments.
# With the argument `twice` it samples the CPU a second time, for a host never read before.
SCRIPT: Final = rb"""LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin
part() { echo "::cofa $1"; }
part date
date +%s.%N
part user
id -un
part kernel
uname -sr
part boot
cat /proc/sys/kernel/random/boot_id
part stat
grep -e '^cpu' -e '^btime' /proc/stat
part load
cat /proc/loadavg
part memory
grep -e '^MemTotal:' -e '^MemAvailable:' /proc/meminfo
seen=' '
set -- "$1"
while read -r source mount type rest; do
  case $type in
    rootfs|tmpfs|ramfs|devtmpfs|squashfs|erofs|cramfs|romfs|iso9660|udf|autofs) continue ;;
    nfs*|cifs|smb*|ceph|9p|afs|fuse.*) continue ;;
  esac
  case $mount:$source:$type in
    /:*|*:/dev/*|*:zfs|*:btrfs|*:bcachefs) ;;
    *) continue ;;
  esac
  case $seen in *" $source "*) continue ;; esac
  [ $# -le 64 ] || break
  seen="$seen$source "
  set -- "$@" "$(printf '%b' "$mount")"
done </proc/self/mounts
again=$1
shift
if [ $# -gt 0 ]; then
  part space
  df -P -k -- "$@" 2>/dev/null
  part inodes
  df -P -i -- "$@" 2>/dev/null
fi
if [ "$again" = twice ]; then
  sleep 0.1 2>/dev/null || sleep 1
  part again
  grep -e '^cpu ' /proc/stat
fi
part end
date +%s.%N
exit 0
"""

_MARK: Final = "::cofa "
_CLOCK: Final = re.compile(r"(\d{1,11})(?:\.(\d{1,9}))?")
_DF: Final = re.compile(
    r".*?\s+(\d{1,18})\s+(?:\d{1,18}|-)\s+(-?\d{1,18}|-)\s+(?:\d{1,9}%|-)\s+(.+)"
)
_BOOT_ID: Final = re.compile(r"[0-9a-fA-F-]{8,64}")


@dataclass(frozen=True, slots=True)
class CpuSample:
    """The counters of /proc/stat since boot, in ticks (proc(5))."""

    boot_id: str
    idle: int
    """Idle, also while it waits for a disk."""
    total: int


@dataclass(frozen=True, slots=True)
class HostFacts:
    """One answer of the script. None: it did not say."""

    began: float | None
    """The host's own clock when the script began, and when it ended."""
    ended: float | None
    user: str
    kernel: str
    boot_id: str
    booted_at: float | None
    """By the host's own clock."""
    cpu: CpuSample | None
    cpu_again: CpuSample | None
    cpus: int | None
    load1: float | None
    memory_ratio: float | None
    disks: tuple[Disk, ...]


def parse_facts(output: bytes) -> HostFacts:
    """Read the script's answer; lines before its first mark (login noise) do not count.

    Raises ValueError, in words for the user, where this is no answer of the script.
    """
    parts = _parts(output.decode("utf-8", "replace"))
    if "date" not in parts:
        raise ValueError("the account runs no commands: the answer was not the script's")
    if "end" not in parts:
        raise ValueError("the answer broke off")
    stat = parts.get("stat", [])
    if not any(line.startswith("cpu") for line in stat):
        raise ValueError("there is no Linux /proc to read")
    boot = _first(parts, "boot")
    boot_id = boot if _BOOT_ID.fullmatch(boot) else ""
    btime = next((line.split() for line in stat if line.startswith("btime ")), [])
    load = _first(parts, "load").split()
    return HostFacts(
        began=_moment(_first(parts, "date")),
        ended=_moment(_first(parts, "end")),
        user=clean(_first(parts, "user"), 64),
        kernel=clean(_first(parts, "kernel"), 128),
        boot_id=boot_id,
        booted_at=float(btime[1]) if len(btime) == 2 and _count(btime[1]) else None,
        cpu=_cpu(stat, boot_id),
        cpu_again=_cpu(parts.get("again", []), boot_id),
        cpus=sum(1 for line in stat if re.match(r"cpu\d", line)) or None,
        load1=float(load[0]) if load and re.fullmatch(r"\d{1,9}(\.\d{1,9})?", load[0]) else None,
        memory_ratio=_memory(parts.get("memory", [])),
        disks=_disks(parts.get("space", []), parts.get("inodes", [])),
    )


def cpu_ratio(before: CpuSample | None, after: CpuSample | None) -> float | None:
    """Busy part (0..1) of the time between two samples; None if they do not belong together."""
    if before is None or after is None or before.boot_id != after.boot_id:
        return None
    total = after.total - before.total
    idle = after.idle - before.idle
    # The kernel's idle counter may step back a little when a CPU goes offline.
    return min(1.0, max(0.0, 1.0 - idle / total)) if total > 0 else None


def host_skew(facts: HostFacts, asked_at: float, answered_at: float) -> float | None:
    """How far the host's clock is ahead, in seconds: at least this far, if not 0.

    Both ways take time, and a login shell may take seconds to start, so that the true
    value lies between (began - asked) and (ended - answered). The one nearest to 0 is what
    is proven.
    """
    if facts.began is None or facts.ended is None:
        return None
    low, high = sorted((facts.began - asked_at, facts.ended - answered_at))
    return low if low > 0 else min(high, 0.0)


def host_report(
    name: str, facts: HostFacts, before: CpuSample | None, skew: float | None
) -> HostReport:
    """The Reading that these facts make, with times by our clock."""
    booted_at = facts.booted_at
    if booted_at is not None and skew is not None and abs(skew) >= 1.0:
        booted_at -= round(skew)
    cpu = cpu_ratio(before, facts.cpu)
    if cpu is None:
        cpu = cpu_ratio(facts.cpu, facts.cpu_again)
    return HostReport(
        name=name,
        user=facts.user,
        kernel=facts.kernel,
        boot_id=facts.boot_id,
        booted_at=booted_at,
        figures=HostFigures(name, cpu, facts.memory_ratio, facts.disks, booted_at),
        cpus=facts.cpus,
        load1=facts.load1,
    )


def _parts(text: str) -> dict[str, list[str]]:
    parts: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for line in text.split("\n"):
        if line.startswith(_MARK):
            lines = parts.setdefault(line.removeprefix(_MARK).strip(), [])
        elif lines is not None and line.strip():
            lines.append(line)
    return parts


def _first(parts: dict[str, list[str]], name: str) -> str:
    return next(iter(parts.get(name, [])), "").strip()


def _count(text: str) -> bool:
    return re.fullmatch(r"\d{1,18}", text) is not None


def _moment(text: str) -> float | None:
    """busybox's date knows no %N: half a second is then the best guess for the rest."""
    match = _CLOCK.match(text)
    if match is None:
        return None
    return int(match[1]) + (float(f"0.{match[2]}") if match[2] else 0.5)


def _cpu(lines: list[str], boot_id: str) -> CpuSample | None:
    """user nice system idle iowait irq softirq steal; guest time is already in user."""
    for line in lines:
        fields = line.split()
        if fields[0] == "cpu" and len(fields) >= 5 and all(map(_count, fields[1:])):
            ticks = [int(field) for field in fields[1:9]]
            return CpuSample(boot_id, sum(ticks[3:5]), sum(ticks))
    return None


def _memory(lines: list[str]) -> float | None:
    found: dict[str, int] = {}
    for line in lines:
        fields = line.split()
        if len(fields) >= 2 and _count(fields[1]):
            found[fields[0]] = int(fields[1])
    total, available = found.get("MemTotal:"), found.get("MemAvailable:")
    if not total or available is None:
        return None
    return min(1.0, max(0.0, 1.0 - available / total))


def _disks(space: list[str], inodes: list[str]) -> tuple[Disk, ...]:
    free_inodes: dict[str, float] = {}
    for line in inodes:
        match = _DF.fullmatch(line.rstrip())
        # Some file systems (btrfs, vfat) count no inodes: total 0, or "-".
        if match and int(match[1]) > 0 and _count(match[2]):
            free_inodes[match[3]] = min(1.0, int(match[2]) / int(match[1]))
    disks: dict[str, Disk] = {}
    for line in space:
        match = _DF.fullmatch(line.rstrip())
        if match is None or int(match[1]) == 0 or match[3] in disks:
            continue
        free = None if match[2] == "-" else max(0.0, int(match[2]) * 1024.0)
        disks[match[3]] = Disk(
            mount=clean(match[3], 256),
            size=int(match[1]) * 1024.0,
            free=free,
            free_inodes_ratio=free_inodes.get(match[3]),
        )
        if len(disks) == MOUNT_LIMIT:
            break
    return tuple(sorted(disks.values(), key=lambda disk: disk.mount))
