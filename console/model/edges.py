"""Edges: what users meet first, as seen by probes."""

from dataclasses import dataclass

from console.errors import Failure


@dataclass(frozen=True, slots=True)
class Probe:
    """One HTTP request to an edge."""

    url: str
    at: float
    took: float | None = None
    """Seconds to the whole answer."""
    status: int | None = None
    location: str = ""
    failure: Failure | None = None

    @property
    def ok(self) -> bool:
        """Whether it was answered by 2xx."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate as served."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: float
    not_after: float
    problem: str = ""
    """Why a client would refuse it (untrusted, wrong name); empty if it would not."""


@dataclass(frozen=True, slots=True)
class EdgeReport:
    """One Reading of one edge."""

    name: str
    url: str
    vantage: str
    """From where it was asked: ``here`` or the host's name."""
    health: Probe
    redirect: Probe | None = None
    """The plain-HTTP request; None where the edge publishes no such port."""
    certificate: Certificate | None = None
    assumed: bool = False
    """What it was asked is a guess: see EdgeConfig."""


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Where an edge's own log says it sent requests in vain, lately."""

    edge: str
    """Name of the edge's replica."""
    failed: tuple[tuple[str, int, float], ...] = ()
    """(address, failures, moment of the newest), addresses like ``172.18.0.5:8000``."""
