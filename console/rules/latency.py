"""p95 over its limit, over all endpoints or on single ones."""

from collections.abc import Iterator
from typing import Final

from console.model.findings import PlaceKind, Severity
from console.model.signals import EndpointFigures, Metrics, Series
from console.present import units
from console.rules.view import Candidate, Kind, View

RATE_LEAST: Final = 0.05
"""An endpoint asked less often (requests/s) has no p95 worth the name."""
SHARE_LEAST: Final = 0.05
"""Slow endpoints with less than this share of the requests are a minor trouble."""
_EVIDENCE_MOST: Final = 10


def candidates(view: View) -> Iterator[Candidate]:
    """Being slow is one trouble; the endpoint that is furthest over its limit names it."""
    source = view.readings.metrics
    metrics = view.seen(source)
    if source is None or metrics is None:
        return
    figure = metrics.figures.get("p95")
    overall = figure.value if figure and units.known(figure.value) else None
    over = overall is not None and overall > view.policy.p95
    slow = sorted(
        ((e, limit) for e in metrics.endpoints if _over(e, limit := endpoint_limit(view, e))),
        key=lambda pair: -((pair[0].p95 or 0.0) / pair[1]),
    )
    if not over and not slow:
        return
    finding = view.finding(
        "latency",
        "p95",
        Severity.P1 if over or _share(metrics, slow) >= SHARE_LEAST else Severity.P2,
        _summary(view, overall, slow),
        (PlaceKind.METRIC, "p95"),
        source.name,
        since=_since(metrics.series.get("p95"), view.policy.p95) if over else None,
        evidence=(
            *(
                f"{e.name}: p95 {units.duration(e.p95)}, limit {units.limit(limit)}, "
                f"{units.rate(e.rate)}"
                for e, limit in slow[:_EVIDENCE_MOST]
            ),
            f"p95 over all {units.duration(overall)}, limit {units.limit(view.policy.p95)}",
            f"query: {figure.query}" if figure and figure.query else "",
        ),
        runbook="slow-responses",
    )
    yield Candidate(finding, kind=Kind.LATENCY)


def endpoint_limit(view: View, endpoint: EndpointFigures) -> float:
    """The limit of one endpoint: by ``METHOD handler``, by handler, or the general one."""
    limits = view.policy.p95_endpoints
    return limits.get(endpoint.name, limits.get(endpoint.handler, view.policy.p95))


def _over(endpoint: EndpointFigures, limit: float) -> bool:
    return (
        units.known(endpoint.p95)
        and endpoint.p95 > limit
        and (endpoint.rate is None or endpoint.rate >= RATE_LEAST)
    )


def _summary(view: View, overall: float | None, slow: list[tuple[EndpointFigures, float]]) -> str:
    if not slow:
        return f"p95 {units.duration(overall)}, limit {units.limit(view.policy.p95)}"
    worst, limit = slow[0]
    more = f", +{len(slow) - 1} more" if len(slow) > 1 else ""
    return (
        f"p95 {units.duration(worst.p95)}, limit {units.limit(limit)}, "
        f"on {worst.handler or worst.name}{more}"
    )


def _share(metrics: Metrics, slow: list[tuple[EndpointFigures, float]]) -> float:
    """The part of all requests that goes to the slow endpoints; 1 where nobody knows."""
    total = sum(e.rate for e in metrics.endpoints if e.rate is not None)
    part = sum(e.rate for e, _ in slow if e.rate is not None)
    return part / total if total else 1.0


def _since(series: Series | None, limit: float) -> float | None:
    """The first sample of the unbroken run over the limit at the end of the series.

    A run that fills the whole series began at some time before it: not known.
    """
    if series is None:
        return None
    run = 0
    for value in reversed(series.values):
        if not units.known(value) or value <= limit:
            break
        run += 1
    if run in (0, len(series.values)):
        return None
    return series.start + series.step * (len(series.values) - run)
