"""5xx over the policy's ratio, and the error budget burning too fast.

Multi-window, multi-burn-rate alerting as in Google's SRE Workbook, chapter 5: an alarm
needs both its windows, the long one for weight and the short one to end soon after the
trouble does. Both also need enough requests to prove anything.
"""

from collections.abc import Iterator
from typing import Final

from console.model.findings import Place, PlaceKind, Severity
from console.model.policy import BurnAlarm
from console.model.signals import Burn, Metrics
from console.present import units
from console.rules.view import Candidate, Kind, View

RATIO_WINDOW: Final = 300.0
"""Seconds over which the figures `errors` and `requests` are taken."""
PLACE: Final = Place(PlaceKind.METRIC, "errors")


def candidates(view: View) -> Iterator[Candidate]:
    """Errors are one trouble, by whichever of the alarms they show."""
    source = view.readings.metrics
    metrics = view.seen(source)
    if source is None or metrics is None:
        return
    ratio = _ratio(view, metrics)
    burns = burning(view, metrics)
    if ratio is None and not burns:
        return
    figure = metrics.figures.get("errors")
    severities = [Severity(alarm.severity) for alarm, _, _ in burns]
    severities += [Severity.P1] if ratio is not None else []
    words = []
    if ratio is not None:
        words.append(f"5xx {units.percent(ratio)}, limit {units.share(view.policy.error_ratio)}")
    if burns:
        alarm, long, _ = burns[0]
        words.append(
            f"error budget burns {long.rate:.1f}x in {alarm.long} and {alarm.short}, "
            f"limit {alarm.factor:g}x"
        )
    finding = view.finding(
        "errors",
        "5xx",
        min(severities, key=lambda severity: severity.rank),
        "; ".join(words),
        (PLACE.kind, PLACE.key),
        source.name,
        evidence=(
            *(
                f"{alarm.long} {long.rate:.1f}x and {alarm.short} {short.rate:.1f}x of the budget "
                f"for {units.share(view.policy.availability)}, limit {alarm.factor:g}x, "
                f"{units.number(long.requests)} requests"
                for alarm, long, short in burns
            ),
            *_endpoints(metrics),
            f"query: {figure.query}" if figure and figure.query else "",
        ),
        runbook="slow-responses",
    )
    yield Candidate(finding, kind=Kind.ERRORS)


def _ratio(view: View, metrics: Metrics) -> float | None:
    """The ratio of 5xx, if it is over the limit and there were enough requests."""
    ratio, rate = metrics.value("errors"), metrics.value("requests")
    if not units.known(ratio) or not units.known(rate) or ratio <= view.policy.error_ratio:
        return None
    return ratio if rate * RATIO_WINDOW >= view.policy.request_floor else None


def burning(view: View, metrics: Metrics) -> list[tuple[BurnAlarm, Burn, Burn]]:
    """The alarms both whose windows burn too fast, with their windows; worst first."""
    windows = {burn.window: burn for burn in metrics.burn}
    fired = []
    for alarm in view.policy.burn:
        long, short = windows.get(alarm.long), windows.get(alarm.short)
        if (
            long is not None
            and short is not None
            and all(
                units.known(burn.rate)
                and burn.rate > alarm.factor
                and units.known(burn.requests)
                and burn.requests >= view.policy.request_floor
                for burn in (long, short)
            )
        ):
            fired.append((alarm, long, short))
    return sorted(fired, key=lambda item: (Severity(item[0].severity).rank, -item[0].factor))


def _endpoints(metrics: Metrics) -> Iterator[str]:
    erring = [e for e in metrics.endpoints if e.error_ratio]
    erring.sort(key=lambda e: -((e.error_ratio or 0.0) * (e.rate or 0.0)))
    for endpoint in erring[:5]:
        ratio = units.percent(endpoint.error_ratio)
        yield f"{endpoint.name}: {ratio} of {units.rate(endpoint.rate)}"
