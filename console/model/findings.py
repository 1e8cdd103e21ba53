"""Findings: what needs attention, and the one word that sums them up."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad; P0 to P2 as the incident policy has them, ``note`` needs no answer."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return list(Severity).index(self)


class PlaceKind(StrEnum):
    """What a finding is about, and so which screen opens on it."""

    SERVICE = "service"
    REPLICA = "replica"
    NODE = "node"
    HOST = "host"
    EDGE = "edge"
    ALERT = "alert"
    METRIC = "metric"
    BACKUP = "backup"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Place:
    """The thing itself, by its kind and key (service key, replica name, ...)."""

    kind: PlaceKind
    key: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that needs attention. Its identity is rule + subject."""

    rule: str
    """Name of the rule, in kebab-case: ``replica-unhealthy``."""
    subject: str
    severity: Severity
    summary: str
    """One line, with figures and their limits: ``p95 2.31 s, limit 2 s, on /api/trips``."""
    place: Place
    source: str
    """Name of the source it was read from."""
    since: float
    since_known: bool = False
    """True where the source says since when; else it was only seen since then."""
    evidence: tuple[str, ...] = ()
    runbook: str | None = None
    blind: bool = False
    """It says that something cannot be seen; raises no severity by itself."""
    stale_since: float | None = None
    """Its source has been blind since then: what is said was true before."""
    over: bool = False
    """Its trouble was gone at the last look: it stays for its clear delay."""

    @property
    def id(self) -> str:
        """Stable while the trouble lasts."""
        return f"{self.rule}/{self.subject}"


class Word(StrEnum):
    """The verdict in one word."""

    OK = "OK"
    DEGRADED = "DEGRADED"
    CRITICAL = "CRITICAL"
    UNKNOWN = "UNKNOWN"


EXIT_CODES = {Word.OK: 0, Word.DEGRADED: 1, Word.CRITICAL: 2, Word.UNKNOWN: 3}
"""Exit codes of ``cofa glance``."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the findings and the sources come to."""

    word: Word
    p0: int = 0
    p1: int = 0
    p2: int = 0
    notes: int = 0
    answered: int = 0
    """Sources seen now."""
    sources: int = 0
    reading: bool = False
    """Some source has not answered for the first time yet."""
    blind: tuple[Finding, ...] = ()
    """The findings that say what cannot be seen, oldest first."""

    @property
    def unbegun(self) -> bool:
        """Whether it is not known yet which sources there are."""
        return self.reading and self.sources == 0


def verdict(findings: Iterable[Finding], *, answered: int, sources: int, reading: bool) -> Verdict:
    """Sum up. A live trouble wins over blindness, and blindness over OK.

    Findings whose source is blind (`stale_since`) are counted but no longer decide: what
    cannot be seen is neither healthy nor proven ill.
    """
    kept = sorted(findings, key=order)
    seen = [finding for finding in kept if not finding.blind]
    live = {finding.severity for finding in seen if finding.stale_since is None}
    blind = tuple(sorted((f for f in kept if f.blind), key=lambda f: f.since))
    if Severity.P0 in live:
        word = Word.CRITICAL
    elif live & {Severity.P1, Severity.P2}:
        word = Word.DEGRADED
    elif blind or reading or answered < sources or sources == 0:
        word = Word.UNKNOWN
    else:
        word = Word.OK
    count = Counter(finding.severity for finding in seen)
    return Verdict(
        word,
        p0=count[Severity.P0],
        p1=count[Severity.P1],
        p2=count[Severity.P2],
        notes=count[Severity.NOTE],
        answered=answered,
        sources=sources,
        reading=reading,
        blind=blind,
    )


def order(finding: Finding) -> tuple[object, ...]:
    """Sort key: worst first, then the live before the stale, then the oldest."""
    return (
        finding.severity.rank,
        finding.blind,
        finding.stale_since is not None,
        finding.since,
        finding.id,
    )
