"""Hosts: what the machines themselves say."""

from dataclasses import dataclass

from console.model.signals import HostFigures


@dataclass(frozen=True, slots=True)
class HostReport:
    """One Reading of one host over SSH, or of this machine."""

    name: str
    user: str
    kernel: str
    boot_id: str
    booted_at: float | None
    figures: HostFigures
    cpus: int | None = None
    load1: float | None = None
