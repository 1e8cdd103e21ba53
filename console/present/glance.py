"""The Glance: findings, what changed, vitals, as lines of a given width and height."""

from collections.abc import Sequence
from typing import Final

from console.model.changes import Change
from console.model.findings import Finding, Word
from console.model.snapshot import Snapshot
from console.present import units
from console.present.columns import cut, left, width
from console.present.finding import FindingColumns
from console.present.lines import Line, Segment, fitted, line
from console.present.spark import sparkline
from console.present.verdict import place_line, verdict_line
from console.present.vitals import Vital, counters, vitals

CHANGES_LEAST: Final = 3
"""Changes that stay on the screen however many findings there are."""
CHANGES_MOST: Final = 12
NO_CHANGE: Final = "nothing seen: releases, restarts, exits and reboots would stand here"
ROWS: Final = (
    ("replicas", "requests", "db_connections"),
    ("p95", "", "db_cache_hit"),
    ("errors", "burn", "slow"),
    ("backup", "certificate", "redis"),
    ("edges", "memory", "disk"),
)
"""The vitals; the cell after p95 belongs to its sparkline."""
NARROW: Final = 76
"""Below it two vitals stand in a line, and the least urgent are left out."""
ROWS_NARROW: Final = (
    ("replicas", "requests"),
    ("p95", ""),
    ("errors", "db_connections"),
    ("backup", "certificate"),
    ("edges", "memory"),
    ("slow", "disk"),
)
_LABELS: Final = (11, 10, 10)


def glance_lines(
    snapshot: Snapshot,
    columns: int,
    rows: int | None,
    *,
    now: float,
    ascii_only: bool = False,
) -> tuple[Line, ...]:
    """The whole frame in at most `columns`, and `rows` where that is no less than 20."""
    top: tuple[Line, ...] = (
        place_line(snapshot, columns, now=now),
        verdict_line(snapshot, columns, now=now),
        line(Segment("-" * columns, "dim")),
    )
    low = vital_lines(snapshot, columns, now=now, ascii_only=ascii_only)
    room = None if rows is None else max(6, rows - len(top) - len(low))
    return top + _middle(snapshot, columns, room, now) + low


def finding_lines(
    findings: Sequence[Finding],
    changes: Sequence[Change],
    columns: int,
    *,
    now: float,
    most: int | None = None,
    nothing: str = "none",
) -> tuple[Line, ...]:
    """The findings under their heading, in at most `most` lines (no fewer than 2).

    `nothing` stands where there are none.
    """
    widths = FindingColumns.of(findings, columns)
    if not findings:
        return (line(Segment(" findings", "dim")), line(cut(f"  {nothing}", columns)))
    rows: list[Line] = []
    groups = finding_groups(findings, changes, widths, now=now, most=most and most - 1)
    if most is not None and 1 + sum(len(group) for group in groups) > most:
        groups = [group[:1] for group in groups]
    shown = len(groups)
    if most is not None and 1 + sum(len(group) for group in groups) > most:
        shown = max(0, most - 2)
    for group in groups[:shown]:
        rows += group
    hidden = len(groups) - shown
    if hidden:
        rows.append(widths.more(f"+{units.plural(hidden, 'more finding')}: cofa glance --json"))
    return (widths.header(), *rows)


def finding_groups(
    findings: Sequence[Finding],
    changes: Sequence[Change],
    widths: FindingColumns,
    *,
    now: float,
    most: int | None,
) -> list[list[Line]]:
    """The lines of each finding: with the whole of its summary where all fit into `most`."""
    groups = [widths.group(finding, changes, now, whole=True) for finding in findings]
    if most is None or sum(len(group) for group in groups) <= most:
        return groups
    return [widths.group(finding, changes, now, whole=False) for finding in findings]


def change_lines(
    changes: Sequence[Change], columns: int, *, now: float, most: int
) -> tuple[Line, ...]:
    """What changed, newest first, under its heading."""
    head = line(Segment(" what changed", "dim"))
    if not changes:
        return (head, line(cut(f"  {NO_CHANGE}", columns)))
    return (head, *(change_line(change, columns, now=now) for change in changes[:most]))


def change_line(change: Change, columns: int, *, now: float) -> Line:
    """One change: its time, what, by whom."""
    by = f", {change.by}" if change.by else ""
    when = left(units.moment(change.at, now), 6)
    return line(f" {when} ", cut(f"{change_text(change, now)}{by}", max(8, columns - 9)))


def change_text(change: Change, now: float) -> str:
    """Its words; where it came often, how often and, if that is known, since when."""
    if change.count < 2:
        return change.text
    if change.first_at is None:
        return f"{change.text}, {change.count} times"
    return f"{change.text}, {change.count} times since {units.moment(change.first_at, now)}"


def vital_lines(
    snapshot: Snapshot, columns: int, *, now: float, ascii_only: bool = False
) -> tuple[Line, ...]:
    """The vitals under their heading, and a line for the user's counters."""
    known = {vital.key: vital for vital in vitals(snapshot, now)}
    lines = [line(Segment(" vitals", "dim"))]
    rows = ROWS_NARROW if columns < NARROW else ROWS
    lines += [_vital_row(known, row, columns, ascii_only) for row in rows]
    if own := counters(snapshot):
        text = "   ".join(f"{name} {value}" for name, value in own)
        lines.append(line(" " + left("counters", _LABELS[0]), cut(text, max(8, columns - 13))))
    return tuple(lines)


def _middle(snapshot: Snapshot, columns: int, room: int | None, now: float) -> tuple[Line, ...]:
    """Findings and changes; with little room each keeps its share."""
    findings, changes = snapshot.findings, snapshot.changes
    unseen = snapshot.verdict.word is Word.UNKNOWN
    nothing = "none so far, but not everything is seen" if unseen else "none"
    if room is None:
        return (
            *finding_lines(findings, changes, columns, now=now, nothing=nothing),
            *change_lines(changes, columns, now=now, most=5),
        )
    least = 1 + max(1, min(CHANGES_LEAST, len(changes)))
    above = finding_lines(
        findings, changes, columns, now=now, most=max(2, room - least), nothing=nothing
    )
    below = change_lines(changes, columns, now=now, most=min(CHANGES_MOST, room - len(above) - 1))
    return above + below


def _vital_row(known: dict[str, Vital], row: Sequence[str], columns: int, ascii_only: bool) -> Line:
    """One row of cells; an empty key gives its columns to the cell before."""
    cells = _cell_widths(columns, len(row))
    pieces: list[Segment] = [Segment(" ")]
    for index, key in enumerate(row):
        if not key:
            continue
        room = cells[index]
        if index + 1 < len(row) and not row[index + 1]:
            room += cells[index + 1]
        last = index == len(row) - 1
        pieces += _cell(known[key], _LABELS[index], room - (0 if last else 1), ascii_only)
        if not last:
            pieces.append(Segment(" "))
    return fitted(tuple(pieces), columns)


def _cell_widths(columns: int, count: int) -> tuple[int, ...]:
    """Widths of two or three cells, after the first column."""
    if count == 2:
        half = (columns - 2) // 2
        return half, columns - 2 - half
    third = max(20, (columns - 4) // 3)
    return third + 4, third, max(18, columns - 5 - 2 * third)


def _cell(vital: Vital, label: int, room: int, ascii_only: bool) -> list[Segment]:
    """Label, sparkline, value, policy and word in exactly `room` columns.

    Where not all fits, the policy goes first; a word that says trouble stays.
    """
    text = left(vital.label, label)
    if vital.trend:
        marks = max(8, room - label - 26)
        text += left(sparkline(vital.trend, marks, ascii_only=ascii_only, top=vital.top), marks)
        text += "  "
    word = "" if vital.word in ("", "note") else f" {vital.word}"
    joint = " " if vital.policy.startswith(("of ", "over ")) else ", "
    policy = f"{joint}{vital.policy}" if vital.policy else ""
    space = room - width(text)
    if width(vital.value + policy + word.removesuffix(" ok")) > space:
        policy = ""
    if word.startswith(" stale") and width(vital.value + word) > space:
        word = " stale"
    if word == " ok" and (policy or width(vital.value + word) > space):
        word = ""
    value = cut(vital.value + policy, max(3, space - width(word)))
    rest = space - width(value) - width(word)
    return [
        Segment(text, "dim"),
        Segment(value, vital.style if vital.style == "dim" else ""),
        Segment(word, vital.style),
        Segment(" " * max(0, rest)),
    ]
