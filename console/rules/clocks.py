"""Clocks that differ: a source's, or this machine's own."""

from collections.abc import Iterator
from typing import Final

from console.model.findings import PlaceKind, Severity
from console.model.readings import Sight
from console.present import units
from console.rules.view import Candidate, Kind, View

AGREE: Final = 2.0
"""Sources whose clocks differ by less (seconds) are taken to share one."""


def candidates(view: View) -> Iterator[Candidate]:
    """One finding per clock. Where all sources agree against us, it is ours that is wrong."""
    skews = {
        source.name: source.newest.skew
        for source in view.readings
        if source.newest is not None
        and units.known(source.newest.skew)
        and source.sight(view.now) is Sight.SEEN
    }
    groups: list[list[tuple[str, float]]] = []
    for name, skew in sorted(skews.items(), key=lambda item: (item[1] or 0.0, item[0])):
        if skew is None or abs(skew) <= view.policy.skew:
            continue
        if groups and skew - groups[-1][-1][1] < AGREE:
            groups[-1].append((name, skew))
        else:
            groups.append([(name, skew)])
    ours = len(groups) == 1 and len(groups[0]) == len(skews) > 1
    for group in groups:
        yield _candidate(view, group, ours=ours)


def _candidate(view: View, group: list[tuple[str, float]], *, ours: bool) -> Candidate:
    names = sorted(name for name, _ in group)
    skew = max((skew for _, skew in group), key=abs)
    limit = units.limit(view.policy.skew)
    if ours:
        subject, behind = "here", skew > 0
        words = (
            f"this machine's clock is {units.span(abs(skew))} {'behind' if behind else 'ahead of'}"
        )
        summary = f"{words} all {len(group)} sources, limit {limit}"
    else:
        subject = names[0]
        told = names[0] + (f", +{len(names) - 1}" if len(names) > 1 else "")
        side = "ahead" if skew > 0 else "behind"
        summary = f"clock of {told} is {units.span(abs(skew))} {side}, limit {limit}"
    finding = view.finding(
        "clock-skew",
        subject,
        Severity.P2,
        summary,
        (PlaceKind.SOURCE, names[0]),
        names[0],
        evidence=tuple(f"{name}: {skew:+.1f} s" for name, skew in sorted(group)),
    )
    return Candidate(finding, kind=Kind.CLOCK, keys=tuple(names))
