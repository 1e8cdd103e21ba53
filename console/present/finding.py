"""One finding: as a row of the list, and in full."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from console.model.changes import Change, ChangeKind
from console.model.findings import Finding, Severity
from console.present import units
from console.present.columns import cut, left, right, wrapped
from console.present.lines import Line, Segment, line

DOCTOR: Final = "cofa doctor"
CONTEXT_WINDOW: Final = 2 * units.HOUR
"""A release less than this before a trouble is named with it."""
_AGE: Final = 7
_SUMMARY_LEAST: Final = 20
_STYLES: Final = {
    Severity.P0: "p0",
    Severity.P1: "p1",
    Severity.P2: "p2",
    Severity.NOTE: "note",
}


def word(finding: Finding) -> str:
    """What stands in front of it: P0, P1, P2, note or blind."""
    return "blind" if finding.blind else finding.severity.value


def style(finding: Finding) -> str:
    """Name of its style."""
    if finding.blind:
        return "blind"
    return "stale" if finding.stale_since is not None else _STYLES[finding.severity]


def answer(finding: Finding) -> str:
    """What answers it: a runbook, or ``cofa doctor`` where something cannot be seen."""
    return DOCTOR if finding.blind else finding.runbook or ""


def summary(finding: Finding, now: float) -> str:
    """Its line; what was true before, or before its source went blind, says so."""
    if finding.over and finding.stale_since is None:
        return f"just over: {finding.summary}"
    if finding.stale_since is None or finding.blind:
        return finding.summary
    return f"stale {units.age(now - finding.stale_since)}: {finding.summary}"


def context(finding: Finding, changes: Sequence[Change]) -> str:
    """``began 30 min after backend v1.2.3 -> v1.3.0``; empty where nothing came before.

    Without a release, what was created or configured anew is named: at first sight
    nobody knows what ran before.
    """
    if finding.blind or finding.severity in (Severity.NOTE, Severity.P2):
        return ""
    for kind in (ChangeKind.RELEASE, ChangeKind.CONFIG):
        before = [
            change
            for change in changes
            if change.kind is kind and 0 <= finding.since - change.at <= CONTEXT_WINDOW
        ]
        if before:
            newest = max(before, key=lambda change: change.at)
            return f"began {units.age(finding.since - newest.at)} after {newest.text}"
    return ""


@dataclass(frozen=True, slots=True)
class FindingColumns:
    """Widths of the list's columns: marker, word, summary, age, answer."""

    columns: int
    word: int
    answer: int

    @classmethod
    def of(cls, findings: Sequence[Finding], columns: int) -> "FindingColumns":
        """Widths in which these findings fit `columns`."""
        words = max((len(word(f)) for f in findings), default=2)
        answers = max((len(answer(f)) for f in findings), default=0)
        rest = columns - 1 - words - 1 - 1 - _AGE - 2
        if rest - max(11, answers) < _SUMMARY_LEAST:
            return cls(columns, words, 0)
        return cls(columns, words, max(11, answers))

    @property
    def summary(self) -> int:
        """Columns of the summary."""
        used = 1 + self.word + 1 + 1 + _AGE
        return max(8, self.columns - used - (2 + self.answer + 1 if self.answer else 1))

    def header(self) -> Line:
        """The list's heading."""
        text = left(" findings", 1 + self.word + 1 + self.summary) + right("age", 1 + _AGE)
        if self.answer:
            text += "  " + left("answered by", self.answer)
        return line(Segment(text, "dim"))

    def group(
        self, finding: Finding, changes: Sequence[Change], now: float, *, whole: bool
    ) -> list[Line]:
        """One finding and what belongs below it; the rest of a long summary only if `whole`."""
        pieces = wrapped(summary(finding, now), self.summary) if whole else ()
        rest = " ".join(pieces[1:])
        first = self.row(finding, now, pieces[0] if rest else "")
        return [first, *(self.more(text) for text in (rest, context(finding, changes)) if text)]

    def row(self, finding: Finding, now: float, text: str = "") -> Line:
        """One finding in one line; `text` stands for its summary."""
        pieces = [
            Segment(" "),
            Segment(left(word(finding), self.word), style(finding)),
            Segment(" " + left(text or summary(finding, now), self.summary), style(finding)),
            Segment(right(units.age(now - finding.since), 1 + _AGE)),
        ]
        if self.answer:
            pieces.append(Segment("  " + left(answer(finding), self.answer)))
        return tuple(pieces)

    def more(self, text: str) -> Line:
        """A line below a finding, under its summary."""
        indent = 1 + self.word + 1
        return line(Segment(" " * indent + cut(text, self.columns - indent - 1), "dim"))


def detail(
    finding: Finding, changes: Sequence[Change], *, now: float, columns: int
) -> tuple[Line, ...]:
    """Everything that is known of it, for a pane of `columns`."""
    seen = "since" if finding.since_known else "seen since"
    since = f"{seen} {units.full_moment(finding.since)}, {units.age(now - finding.since)}"
    lines: list[Line] = [
        line(Segment(word(finding), style(finding)), Segment(f" {cut(finding.id, columns - 8)}"))
    ]
    lines += [line(Segment(text, "bold")) for text in wrapped(finding.summary, columns)]
    if finding.stale_since is not None:
        stale = f"stale {units.age(now - finding.stale_since)}: {finding.source} cannot be read"
        lines += [line(Segment(text, "stale")) for text in wrapped(stale, columns)]
    lines.append(line(cut(since, columns)))
    if told := context(finding, changes):
        lines += [line(text) for text in wrapped(told, columns)]
    lines += evidence_lines(finding, columns)
    lines.append(line(Segment(cut(f"read from {finding.source}", columns), "dim")))
    if answer(finding):
        lines.append(line(cut(f"answered by {answer(finding)}", columns)))
    return tuple(lines)


def evidence_lines(finding: Finding, columns: int) -> tuple[Line, ...]:
    """What proves it: the figures, the calls that gave them, the last words of what died."""
    return tuple(
        line(Segment(text, "dim"))
        for evidence in finding.evidence
        for text in _indented(evidence, columns)
    )


def _indented(text: str, columns: int) -> tuple[str, ...]:
    return tuple(f"  {piece}" for piece in wrapped(text, max(8, columns - 2)))
