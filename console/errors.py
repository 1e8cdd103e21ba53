"""Errors that a user can meet: what failed, on what, why, and what to do next."""

from dataclasses import dataclass
from enum import StrEnum


class FailureKind(StrEnum):
    """Why a source gave no value; each is also a word in the JSON output."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    DENIED = "denied"
    INVALID = "invalid"  # it answered, but not what it should
    MISSING = "missing"  # it answered that the thing is not there
    UNSUPPORTED = "unsupported"  # cofa cannot do this; the remedy names the way round


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure as a value: kept in Readings, shown on screens, written as JSON."""

    kind: FailureKind
    subject: str
    """On what: ``prometheus http://prod-1:9090``."""
    why: str
    """The cause in plain words, cleaned: ``answered HTML, not JSON``."""
    remedy: str
    """What to do next; may name a command."""

    def __str__(self) -> str:
        return f"{self.subject}: {self.why}; {self.remedy}"


class CofaError(Exception):
    """Any foreseeable error; its text is fit for a user."""

    exit_code = 70


class LinkError(CofaError):
    """An outside system did not give what was asked. Links raise nothing else."""

    exit_code = 3

    def __init__(self, kind: FailureKind, subject: str, why: str, remedy: str) -> None:
        self.failure = Failure(kind, subject, why, remedy)
        super().__init__(str(self.failure))


class UsageError(CofaError):
    """The command line cannot be understood (exit code 64, EX_USAGE of sysexits)."""

    exit_code = 64
