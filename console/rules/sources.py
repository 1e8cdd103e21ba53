"""Sources that cannot be read: blindness is a finding of its own."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from console.errors import Failure
from console.model.findings import PlaceKind, Severity
from console.model.fleet import Role
from console.model.readings import Sight, Source
from console.present import units
from console.rules.view import Candidate, View

PROBLEMS_MOST: Final = 10
WARNING: Final = "it warns"
"""How Metrics.problems begin that took no figure away."""
STALE_HOLD: Final = 10.0
"""After a suspended laptop wakes, every source is old for a moment."""


def candidates(view: View) -> Iterator[Candidate]:
    """One finding per thing that fails: sources behind one dead host fail by that host."""
    groups: dict[str, list[Source[Any]]] = {}
    for source in view.readings:
        sight = source.sight(view.now)
        if sight is Sight.BLIND and source.failure is not None:
            groups.setdefault(_subject(view, source, source.failure), []).append(source)
        elif sight is Sight.STALE and source is not view.readings.usage:
            yield _silent(view, source)
    for sources in groups.values():
        yield _blind(view, sources)
    yield from _queries(view)
    yield from _several(view)


def _several(view: View) -> Iterator[Candidate]:
    """Beside one production stands another, whose servers nobody asks: not seen, so said."""
    services = view.fleet.services if view.fleet else ()
    projects = sorted({service.project for service in services if service.role is Role.BACKEND})
    if len(projects) < 2:
        return
    finding = view.finding(
        "several-productions",
        view.engine,
        Severity.NOTE,
        f"{' and '.join(projects)} run here: figures, alerts and backups are of one only",
        (PlaceKind.SOURCE, view.engine),
        view.engine,
        evidence=tuple(f"cofa init --project {name} --file {name}.toml" for name in projects),
    )
    yield Candidate(finding)


def _subject(view: View, source: Source[Any], failure: Failure) -> str:
    """What fails: Prometheus is one server, however each of its two sources says it."""
    metrics = view.readings.metrics
    if source is view.readings.rules and metrics is not None and metrics.failure is not None:
        return metrics.failure.subject
    return failure.subject


def _queries(view: View) -> Iterator[Candidate]:
    """Prometheus is there, but part of what is asked of it is not answered.

    What it merely warns of is a note.
    """
    source = view.readings.metrics
    metrics = view.seen(source)
    if source is None or metrics is None or not metrics.problems:
        return
    failed = [problem for problem in metrics.problems if not problem.startswith(WARNING)]
    told = failed or list(metrics.problems)
    more = f", +{len(told) - 1} more" if len(told) > 1 else ""
    finding = view.finding(
        "queries-failed" if failed else "queries-warn",
        source.name,
        Severity.P2 if failed else Severity.NOTE,
        f"{source.name}: {told[0]}{more}",
        (PlaceKind.SOURCE, source.name),
        source.name,
        evidence=told[:PROBLEMS_MOST],
    )
    yield Candidate(replace(finding, blind=bool(failed)))


def _first(sources: list[Source[Any]]) -> Source[Any]:
    """The host, where it is one of them: all others are behind it."""
    return min(sources, key=lambda source: (not source.name.startswith("host:"), source.name))


def _blind(view: View, sources: list[Source[Any]]) -> Candidate:
    first = _first(sources)
    failure = first.failure
    assert failure is not None  # noqa: S101 - only failed sources are grouped
    others = sorted(source.name for source in sources if source is not first)
    also = f" and {len(others)} more" if others else ""
    told = [
        f"{source.name}: last seen {units.full_moment(source.good.at)}"
        if source.good is not None
        else f"{source.name}: never seen"
        for source in sources
    ]
    finding = view.finding(
        "blind",
        first.name,
        Severity.P2,
        f"{first.name}{also}: {failure.why}",
        (PlaceKind.SOURCE, first.name),
        first.name,
        evidence=(failure.why, f"on {failure.subject}", f"next: {failure.remedy}", *told),
    )
    since = min((s.failing_since for s in sources if s.failing_since is not None), default=view.now)
    return Candidate(
        replace(finding, since=since, blind=True),
        absorbs=tuple(f"blind/{name}" for name in others),
    )


def _silent(view: View, source: Source[Any]) -> Candidate:
    """The newest Reading is good but too old: the read under way has not come back."""
    finding = view.finding(
        "blind",
        source.name,
        Severity.P2,
        f"{source.name} does not answer, is read every {units.span(source.pace)}",
        (PlaceKind.SOURCE, source.name),
        source.name,
        evidence=("no answer",),
    )
    return Candidate(replace(finding, blind=True), hold=STALE_HOLD)
