"""Prometheus's alerting rules and their alerts (HTTP API: /api/v1/rules, /api/v1/alerts)."""

from typing import TYPE_CHECKING, Final

from console.clock import Deadline
from console.errors import FailureKind, LinkError
from console.links.http.alerts import annotations_of, bounded, decode, labels_of, moment, number
from console.links.http.answer import skew_by_date
from console.links.http.link import HttpLink
from console.model.signals import Alert, Alerts, AlertState, Rule
from console.text import clean

if TYPE_CHECKING:
    from console.links.http.client import HttpClient
    from console.links.prometheus.shapes import AlertShape, RulesData

_MOST_RULES: Final = 2000


class PrometheusAlerts(HttpLink):
    """What Prometheus's own rules say (an AlertsLink)."""

    NAME = "rules"
    SYSTEM = "prometheus"

    def read(self, deadline: Deadline) -> Alerts:
        """The rules with their alerts; the alerts alone where the rules are not served."""
        with self._source.client(deadline) as http:
            try:
                return self._rules(http)
            except LinkError as error:
                if error.failure.kind is not FailureKind.MISSING:
                    raise
            return self._alerts(http)

    def _rules(self, http: "HttpClient") -> Alerts:
        from console.links.prometheus.shapes import RulesAnswer

        answer = http.get(f"{self._source.url}/api/v1/rules?type=alert")
        data = decode(answer, RulesAnswer, http.subject).data
        self._skew = skew_by_date(answer)
        return rules_read(data, self._clock.wall())

    def _alerts(self, http: "HttpClient") -> Alerts:
        from console.links.prometheus.shapes import AlertsAnswer

        answer = http.get(f"{self._source.url}/api/v1/alerts")
        found = decode(answer, AlertsAnswer, http.subject).data.alerts
        self._skew = skew_by_date(answer)
        kept, dropped = bounded(_alert(shape, self._clock.wall()) for shape in found)
        return Alerts(kept, (), dropped)


def rules_read(data: "RulesData", now: float) -> Alerts:
    """The rules and alerts that one answer holds; recording rules are left out."""
    alerting = [rule for group in data.groups for rule in group.rules if rule.type == "alerting"]
    rules = tuple(
        Rule(
            name=clean(rule.name, 200),
            expression=clean(rule.query, 2000),
            health=clean(rule.health, 20),
            last_error=clean(rule.last_error, 500),
            labels=labels_of(rule.labels),
        )
        for rule in alerting[:_MOST_RULES]
    )
    kept, dropped = bounded(
        _alert(shape, now, rule.name) for rule in alerting for shape in rule.alerts
    )
    return Alerts(kept, rules, dropped)


def _alert(shape: "AlertShape", now: float, rule: str = "") -> Alert:
    labels = labels_of(shape.labels)
    return Alert(
        name=labels.get("alertname") or clean(rule, 200) or "unnamed",
        state=AlertState.FIRING if shape.state == "firing" else AlertState.PENDING,
        since=moment(shape.active_at, now),
        labels=labels,
        annotations=annotations_of(shape.annotations),
        value=number(shape.value),
    )
