"""Line 1, place and mode, and line 2, the verdict: the same on every screen."""

from collections import Counter
from typing import Final

from console.model.findings import Finding, Severity, Verdict, Word
from console.model.readings import Sight
from console.model.snapshot import Snapshot
from console.present import units
from console.present.columns import cut, width
from console.present.lines import Line, Segment, line, spread

STYLES: Final = {
    Word.OK: "ok",
    Word.DEGRADED: "degraded",
    Word.CRITICAL: "critical",
    Word.UNKNOWN: "unknown",
}

CAUSE_LEAST: Final = 12
"""Columns below which the beginning of a cause says nothing."""


def place_line(snapshot: Snapshot, columns: int, *path: str, mode: str = "", now: float) -> Line:
    """`` cofa production / Fleet / backend``, and at the right the clock and the oldest data.

    `mode` is the word after the name (``READ-ONLY``); the rehearsal says so by itself.
    """
    words = " ".join(word for word in ("REHEARSAL" if snapshot.rehearsal else "", mode) if word)
    # A rehearsal that has no name of its own says so once.
    names = path if snapshot.environment.upper() == words else (snapshot.environment, *path)
    pieces = [Segment(" cofa "), Segment(" / ".join(names), "bold")]
    if words:
        joint = " " if names != path else " / " if path else ""
        pieces[1:1] = [Segment(words, "mode"), Segment(joint)]
    clock = units.clock(now)
    right = line(f"{clock}  {oldest_data(snapshot, now)}")
    return _both(line(*pieces), right, line(clock), columns)


def _both(left: Line, right: Line, shorter: Line, columns: int) -> Line:
    whole = spread(left, right, columns)
    return whole if whole[-1:] == right[-1:] else spread(left, shorter, columns)


def oldest_data(snapshot: Snapshot, now: float) -> str:
    """``oldest data 2 s``: the age of the oldest good Reading that is shown."""
    readings = snapshot.readings
    ages = [
        age
        for source in readings
        if source is not readings.usage and (age := source.age(now)) is not None
    ]
    return f"oldest data {units.age(max(ages))}" if ages else "no data yet"


def verdict_line(snapshot: Snapshot, columns: int, *, now: float, right: str = "") -> Line:
    """The verdict in one line of at most `columns`; `right` (the lock) gives way first."""
    verdict = snapshot.verdict
    word = Segment(verdict.word.value, STYLES[verdict.word])
    room = columns - len(verdict.word.value) - 1
    if verdict.word is Word.UNKNOWN:
        rest = _unknown(snapshot, now, room)
    elif verdict.word is Word.OK:
        rest = [_calm(verdict), _seen(verdict)]
    else:
        rest = [*_counts(verdict, snapshot.findings), *_unseen(snapshot, now, room)]
    text = "".join(f"  {piece}" for piece in rest)
    return spread(line(" ", word, text), line(right) if right else (), columns)


def blind_words(finding: Finding, now: float, *, cause: bool = True) -> str:
    """``prometheus 3 min (ssh timeout)``: what cannot be seen, how long, why."""
    words = f"{finding.subject} {units.age(now - finding.since)}"
    return f"{words} ({finding.evidence[0]})" if cause and finding.evidence else words


def _calm(verdict: Verdict) -> str:
    return f"no findings, {units.plural(verdict.notes, 'note')}" if verdict.notes else "no findings"


def _seen(verdict: Verdict) -> str:
    return f"{verdict.answered} of {units.plural(verdict.sources, 'source')} seen"


def _counts(verdict: Verdict, findings: tuple[Finding, ...]) -> list[str]:
    stale = sum(1 for f in findings if f.stale_since is not None and not f.blind)
    pairs = ((verdict.p0, "P0"), (verdict.p1, "P1"), (verdict.p2, "P2"))
    words = [f"{count} {name}" for count, name in pairs if count]
    return [*words, f"({stale} stale)"] if stale else words


def _unseen(snapshot: Snapshot, now: float, room: int) -> list[str]:
    """What a verdict that stands by itself still has to own up to."""
    verdict = snapshot.verdict
    if verdict.blind:
        return [f"+blind: {_blind(verdict.blind, now, room // 2)}"]
    if verdict.reading:
        return [_reading(verdict)]
    if verdict.answered < verdict.sources:
        return [_seen(verdict)]
    return []


def _unknown(snapshot: Snapshot, now: float, room: int) -> list[str]:
    verdict = snapshot.verdict
    if verdict.unbegun:
        return ["reading: no source has answered yet"]
    if verdict.sources == 0:
        return ["nothing is watched: run cofa init"]
    last = _last(snapshot.findings, now)
    if verdict.blind:
        taken = width(last) + 12 if last else 10
        return [f"blind: {_blind(verdict.blind, now, room - taken)}", *([last] if last else [])]
    if verdict.reading:
        return [_reading(verdict), *([last] if last else [])]
    names = [s.name for s in snapshot.readings if s.sight(now) is Sight.STALE]
    return [f"stale: {', '.join(names)}" if names else _seen(verdict), *([last] if last else [])]


def _reading(verdict: Verdict) -> str:
    return f"reading: {verdict.answered} of {units.plural(verdict.sources, 'source')} answered"


def _blind(blind: tuple[Finding, ...], now: float, room: int) -> str:
    """The oldest blindness, with its cause if there is room, and how many more there are."""
    more = f", +{len(blind) - 1}" if len(blind) > 1 else ""
    bare = blind_words(blind[0], now, cause=False)
    cause = blind[0].evidence[0] if blind[0].evidence else ""
    left = room - width(bare + more) - len(" ()")
    if not cause or left < min(width(cause), CAUSE_LEAST):
        return cut(bare, max(8, room - len(more))) + more
    return f"{bare} ({cut(cause, left)}){more}"


def _last(findings: tuple[Finding, ...], now: float) -> str:
    """``last 1 P1 2 P2, 4 min ago``: what was wrong when it could still be seen."""
    stale = [f for f in findings if f.stale_since is not None and not f.blind]
    severities = (f.severity for f in stale)
    count: Counter[Severity] = Counter(s for s in severities if s is not Severity.NOTE)
    if not count:
        return ""
    words = " ".join(f"{count[s]} {s}" for s in Severity if count[s])
    newest = max(f.stale_since for f in stale if f.stale_since is not None)
    return f"last {words}, {units.age(now - newest)} ago"
