"""Whole commands in turn, A B A B, so that a drift of the machine meets both alike."""

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Paired:
    """Seconds of two things measured in turn."""

    name: str
    other: str
    times: tuple[float, ...]
    others: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median of the pairs' ratios."""
        return statistics.median(a / b for a, b in zip(self.times, self.others, strict=True))

    def line(self, limit: float) -> str:
        """What the benchmark prints."""
        verdict = "met" if self.ratio <= limit else "MISSED"
        return (
            f"{self.name:<42} {statistics.median(self.times):7.3f} s   {self.other} "
            f"{statistics.median(self.others):.3f} s   ratio {self.ratio:.2f}, "
            f"limit {limit:.2f}  {verdict}"
        )


def paired(
    name: str, one: Callable[[], float], other: str, two: Callable[[], float], runs: int = 15
) -> Paired:
    """Measure both in turn, after one uncounted turn."""
    one()
    two()
    pairs = [(one(), two()) for _ in range(runs)]
    return Paired(name, other, tuple(a for a, _ in pairs), tuple(b for _, b in pairs))


def command(
    argv: Sequence[str],
    environ: Mapping[str, str],
    before: Callable[[], None] = lambda: None,
    codes: frozenset[int] = frozenset({0}),
) -> Callable[[], float]:
    """A function that runs `argv` once and gives its wall seconds."""

    def run() -> float:
        before()
        begun = time.monotonic()
        ended = subprocess.run(argv, env=dict(environ), capture_output=True, timeout=60)
        took = time.monotonic() - begun
        if ended.returncode not in codes:
            raise RuntimeError(f"{argv[0]} ended with {ended.returncode}: {ended.stderr[-400:]!r}")
        return took

    return run


def figure(name: str, value: float, unit: str, limit: float) -> str:
    """One line for a figure that has a limit of its own."""
    verdict = "met" if value <= limit else "MISSED"
    return f"{name:<42} {value:7.2f} {unit:<5} limit {limit:g}  {verdict}"
