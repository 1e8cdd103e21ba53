"""What containers use: ``GET /containers/{id}/stats?stream=false&one-shot=true``.

One-shot answers at once but without an earlier sample, so that the CPU is counted between
two samples of ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.links.engine.parts import moment, positive, section, whole
from console.model.fleet import Usage


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer."""

    at: float
    """The engine's time."""
    cpu: int | None
    """CPU time used since the container's start, nanoseconds."""
    memory: int | None
    memory_limit: int | None


def sample_of(answer: Mapping[str, Any]) -> Sample | None:
    """One answer; None where the container does not run (the engine sends zeros then)."""
    at = moment(answer.get("read"))
    cpu = positive(section(answer, "cpu_stats", "cpu_usage").get("total_usage"))
    memory = section(answer, "memory_stats")
    if at is None or (cpu is None and not memory):
        return None
    return Sample(at, cpu, _used(memory), positive(memory.get("limit")))


def _used(memory: Mapping[str, Any]) -> int | None:
    """As the docker CLI counts: without the inactive file cache (its calculateMemUsage)."""
    usage = whole(memory.get("usage"))
    if usage is None:
        return None
    stats = section(memory, "stats")
    version_1, version_2 = (
        whole(stats.get("total_inactive_file")),
        whole(stats.get("inactive_file")),
    )
    cache = version_1 if version_1 is not None else version_2 or 0
    return usage - cache if cache < usage else usage


def usage_of(sample: Sample, earlier: Sample | None, host_memory: int | None) -> Usage:
    """Usage between two samples; without an earlier one the CPU is not known.

    A limit of the host's whole memory is none: the engine reports it where none is set.
    """
    cpu = None
    if earlier is not None and sample.cpu is not None and earlier.cpu is not None:
        seconds = sample.at - earlier.at
        used = sample.cpu - earlier.cpu
        if seconds > 0 and used >= 0:
            cpu = used / 1e9 / seconds
    limit = sample.memory_limit
    if limit is not None and host_memory is not None and limit >= host_memory:
        limit = None
    return Usage(sample.at, cpu, sample.memory, limit)
