"""Alerts of Prometheus and Alertmanager: one list, and what of it stands by itself."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from console.model.findings import Finding, PlaceKind, Severity
from console.model.signals import Alert, Alerts, AlertState, Rule
from console.present import units
from console.rules.view import Candidate, View

DELIVERY: Final = 300.0
"""Seconds in which an alert of Prometheus must have reached Alertmanager."""
_SEVERITIES: Final = {
    Severity.P0: ("p0", "sev0", "disaster", "emergency"),
    Severity.P1: ("critical", "crit", "page", "high", "major", "error", "p1", "sev1"),
    Severity.NOTE: ("info", "information", "informational", "notice", "low", "p3", "p4", "debug"),
}
_NEVER: Final = ("InfoInhibitor",)
_EVIDENCE_MOST: Final = 10


@dataclass(frozen=True, slots=True)
class SeenAlert:
    """One alert, whoever told of it."""

    alert: Alert
    source: str
    expression: str = ""
    """Of its rule in Prometheus, where that is known."""


def severity_of(alert: Alert) -> Severity:
    """From its ``severity`` label; without a known one it is minor."""
    found = (s for s, labels in _SEVERITIES.items() if alert.severity in labels)
    return next(found, Severity.P2)


def alerts_seen(view: View) -> tuple[SeenAlert, ...]:
    """Every alert that is firing, silenced or inhibited; Alertmanager knows which.

    Prometheus's copy lacks the external labels that Alertmanager's has: the two are one
    where the former's labels are among the latter's.
    """
    rules = view.seen(view.readings.rules)
    manager = view.seen(view.readings.alertmanager)
    expressions = {rule.name: rule.expression for rule in rules.rules} if rules else {}
    routed: dict[tuple[str, ...], list[Alert]] = {}
    for alert in manager.alerts if manager else ():
        routed.setdefault(_bucket(alert), []).append(alert)
    seen: list[SeenAlert] = []
    source = view.readings.rules.name if view.readings.rules else ""
    for alert in rules.alerts if rules else ():
        copy = _take_copy(alert, routed.get(_bucket(alert), []))
        merged = alert if copy is None else _merged(alert, copy)
        seen.append(SeenAlert(merged, source, expressions.get(alert.name, "")))
    name = view.readings.alertmanager.name if view.readings.alertmanager else ""
    for left in routed.values():
        seen += [SeenAlert(alert, name, expressions.get(alert.name, "")) for alert in left]
    return tuple(
        item
        for item in seen
        if item.alert.state is not AlertState.PENDING
        and item.alert.name not in (view.policy.watchdog, *_NEVER)
        and item.alert.severity != "none"
    )


def _bucket(alert: Alert) -> tuple[str, ...]:
    labels = alert.labels
    return (alert.name, labels.get("instance", ""), labels.get("job", ""))


def _take_copy(alert: Alert, routed: list[Alert]) -> Alert | None:
    own = alert.labels.items()
    for index, other in enumerate(routed):
        if own <= other.labels.items():
            return routed.pop(index)
    return None


def _merged(alert: Alert, copy: Alert) -> Alert:
    """Prometheus's words and value, Alertmanager's state, the earlier since."""
    state = copy.state if alert.state is AlertState.FIRING else alert.state
    since = min(alert.since, copy.since) if alert.state is AlertState.FIRING else alert.since
    return replace(alert, state=state, since=since, silenced_by=copy.silenced_by)


def evidence_of(alert: Alert, now: float) -> str:
    """``alert HighLatency (critical) since 15:31: p95 is high``."""
    label = f" ({alert.severity})" if alert.severity else ""
    state = f", silenced by {alert.silenced_by or 'somebody'}" if _silenced(alert) else ""
    if state and alert.silenced_until is not None:
        state += f" until {units.full_moment(alert.silenced_until)}"
    told = f": {alert.summary}" if alert.summary != alert.name else ""
    return f"alert {alert.name}{label} since {units.moment(alert.since, now)}{state}{told}"


def _silenced(alert: Alert) -> bool:
    return alert.state is AlertState.SILENCED


def finding_of(view: View, group: list[SeenAlert], runbook: str | None) -> Finding | None:
    """The finding for all alerts of one name; None where all of them are inhibited.

    An inhibited alert is said by the one that inhibits it. A silenced one is a note.
    """
    told = [item for item in group if item.alert.state is not AlertState.INHIBITED]
    firing = [item for item in told if not _silenced(item.alert)]
    counted = sorted(
        firing or told, key=lambda item: (severity_of(item.alert).rank, item.alert.since)
    )
    if not counted:
        return None
    worst = counted[0].alert
    summary = worst.summary if worst.name in worst.summary else f"{worst.name}: {worst.summary}"
    if worst.summary == worst.name:
        summary = f"{worst.name} fires"
    if not firing:
        summary = f"silenced by {worst.silenced_by or 'somebody'}: {summary}"
    more = f", +{len(counted) - 1} more" if len(counted) > 1 else ""
    return view.finding(
        "alert",
        worst.name,
        severity_of(worst) if firing else Severity.NOTE,
        summary + more,
        (PlaceKind.ALERT, worst.name),
        counted[0].source,
        since=min(item.alert.since for item in counted),
        evidence=_evidence(view, counted, told, worst),
        runbook=runbook,
    )


def _evidence(
    view: View, counted: list[SeenAlert], told: list[SeenAlert], worst: Alert
) -> Iterator[str]:
    shown = counted[:_EVIDENCE_MOST]
    for item in shown:
        yield evidence_of(item.alert, view.now)
        labels = ", ".join(
            f"{k}={v}" for k, v in item.alert.fingerprint if k not in ("alertname", "severity")
        )
        yield f"  {labels}" if labels else ""
    if len(told) > len(shown):
        yield f"and {len(told) - len(shown)} more"
    if worst.value is not None:
        yield f"value {worst.value:g}"
    if counted[0].expression:
        yield f"rule: {counted[0].expression}"
    if url := worst.annotations.get("runbook_url"):
        yield f"its author's runbook: {url}"


def candidates(view: View) -> Iterator[Candidate]:
    """What is wrong with alerting itself: the Watchdog, and rules that cannot be evaluated."""
    yield from _watchdog(view)
    source = view.readings.rules
    for alerts_source in (source, view.readings.alertmanager):
        alerts = view.seen(alerts_source)
        if alerts_source is not None and alerts is not None and alerts.dropped:
            yield _dropped(view, alerts_source.name, alerts)
    alerts = view.seen(source)
    broken = [rule for rule in alerts.rules if rule.health == "err"] if alerts else []
    if source is not None and broken:
        yield _broken(view, source.name, broken)


def _broken(view: View, source: str, broken: list[Rule]) -> Candidate:
    names = sorted({rule.name for rule in broken})
    more = f", +{len(names) - 3} more" if len(names) > 3 else ""
    count = units.plural(len(names), "alert rule")
    finding = view.finding(
        "rule-broken",
        source,
        Severity.P2,
        f"{count} cannot be evaluated: {', '.join(names[:3])}{more}",
        (PlaceKind.SOURCE, source),
        source,
        evidence=tuple(f"{rule.name}: {rule.last_error}" for rule in broken[:_EVIDENCE_MOST]),
    )
    return Candidate(finding)


def _dropped(view: View, source: str, alerts: Alerts) -> Candidate:
    finding = view.finding(
        "alerts-dropped",
        source,
        Severity.NOTE,
        f"{source} has {alerts.dropped} more alerts than are shown ({len(alerts.alerts)})",
        (PlaceKind.SOURCE, source),
        source,
    )
    return Candidate(finding)


def watchdog_fires(view: View) -> bool:
    """Whether the Watchdog is seen firing anywhere."""
    return any(
        _find(view.seen(source), view.policy.watchdog) is not None
        for source in (view.readings.rules, view.readings.alertmanager)
    )


def _find(alerts: Alerts | None, name: str) -> Alert | None:
    found: Iterable[Alert] = alerts.alerts if alerts else ()
    return next((a for a in found if a.name == name and a.state is not AlertState.PENDING), None)


def _watchdog(view: View) -> Iterator[Candidate]:
    """An alert that always fires proves that alerting works; its absence proves nothing else.

    Without such a rule, and unless one ever fired or the policy names another than the
    usual one, that is a note.
    """
    name, source = view.policy.watchdog, view.readings.rules or view.readings.alertmanager
    alerts = view.seen(source)
    if not name or source is None or alerts is None:
        return
    has_rule = any(rule.name == name for rule in alerts.rules)
    expected = has_rule or view.watchdog_fired is not None or name != "Watchdog"
    firing = _find(alerts, name)
    manager_source = view.readings.alertmanager
    manager = view.seen(manager_source)
    if firing is None and expected:
        summary = f"{name} does not fire: " + (
            "Prometheus has the rule but evaluates it to nothing"
            if has_rule
            else "its rule is gone, nothing would tell if alerting stopped"
        )
    elif firing is None:
        yield _note_absent(view, name, source.name)
        return
    elif (
        manager is not None
        and manager_source is not source
        and _find(manager, name) is None
        and view.now - firing.since > DELIVERY
    ):
        summary = f"{name} fires in Prometheus but does not reach Alertmanager: nobody is told"
    else:
        return
    finding = view.finding(
        "watchdog-silent",
        name,
        Severity.P2,
        summary,
        (PlaceKind.ALERT, name),
        source.name,
        evidence=(
            f"last seen firing {units.full_moment(view.watchdog_fired)}"
            if view.watchdog_fired is not None
            else "",
        ),
    )
    needs = (manager_source.name,) if manager_source is not None else ()
    yield Candidate(finding, needs=needs)


def _note_absent(view: View, name: str, source: str) -> Candidate:
    finding = view.finding(
        "watchdog-absent",
        name,
        Severity.NOTE,
        f"no alert named {name} fires always: nothing would tell if alerting stopped",
        (PlaceKind.ALERT, name),
        source,
    )
    return Candidate(finding)
