"""Drift: a plain `docker compose up` would change what runs."""

from collections.abc import Iterator
from typing import Final

from console.model.drift import drift, drift_words
from console.model.findings import PlaceKind, Severity
from console.model.fleet import Intended
from console.rules.view import Candidate, View

WARNINGS_MOST: Final = 10


def candidates(view: View) -> Iterator[Candidate]:
    """One finding per Compose project: it is one command that would do it all."""
    for source in view.readings.intended:
        intended = view.seen(source)
        if intended is None:
            continue
        if intended.problem:
            yield _unreadable(view, source.name, intended)
            continue
        found = list(_drift(view, source.name, intended))
        yield from found
        if intended.warnings and not found:
            yield _warned(view, source.name, intended)


def _unreadable(view: View, source: str, intended: Intended) -> Candidate:
    finding = view.finding(
        "compose-unreadable",
        intended.project,
        Severity.NOTE,
        f"Compose's files of {intended.project} cannot be rendered: {intended.problem}",
        (PlaceKind.SOURCE, source),
        source,
        evidence=("what a plain `up` would do cannot be told",),
    )
    return Candidate(finding)


def _warned(view: View, source: str, intended: Intended) -> Candidate:
    """What runs is as the files say, so that this only matters to the next change of them."""
    more = f", +{len(intended.warnings) - 1} more" if len(intended.warnings) > 1 else ""
    finding = view.finding(
        "compose-warns",
        intended.project,
        Severity.NOTE,
        f"Compose warns of {intended.project}: {intended.warnings[0]}{more}",
        (PlaceKind.SOURCE, source),
        source,
        evidence=intended.warnings[:WARNINGS_MOST],
    )
    return Candidate(finding)


def _drift(view: View, source: str, intended: Intended) -> Iterator[Candidate]:
    if view.fleet is None:
        return
    found = []
    for intention in intended.services:
        service = view.fleet.service(intention.service)
        change = drift(service, intention) if service is not None else None
        if change is not None:
            found.append(change)
    if not found:
        return
    finding = view.finding(
        "drift",
        intended.project,
        Severity.P2 if any(change.recreates for change in found) else Severity.NOTE,
        drift_words(found),
        (PlaceKind.SERVICE, found[0].service),
        source,
        evidence=(
            *(f"{change.service}: {change.text}" for change in found),
            *(f"Compose warns: {warning}" for warning in intended.warnings[:WARNINGS_MOST]),
        ),
        runbook="rolling-update",
    )
    yield Candidate(finding, needs=(view.engine,))
