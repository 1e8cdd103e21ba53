"""Alerts of Prometheus and Alertmanager: states, times, hostile text, bounds."""

import json
from typing import Any

import pytest

from console.clock import Deadline, ManualClock, SystemClock
from console.config.environment import HttpConfig
from console.errors import LinkError
from console.links.alertmanager.link import AlertmanagerLink
from console.links.http.alerts import MOST_ALERTS, moment, number
from console.links.prometheus.alerts import PrometheusAlerts
from console.model.signals import AlertState

NOW = 1_700_000_000.0
ACTIVE_AT = "2023-11-14T22:00:00.123456789Z"
ACTIVE = 1_699_999_200.123456
HOSTILE = "[/nope][red]\x1b[31m\x1b]0;pwn\x07\u202e\x9b2J" + "A" * 100_000


def read(kind: Any, url: str) -> Any:
    def no_secret(_: Any) -> Any:
        raise AssertionError("no secret was configured")

    link = kind(HttpConfig(url), None, ManualClock(NOW), no_secret)
    return link.read(Deadline.after(SystemClock(), 5))


def rules(*alerts: dict[str, Any], **more: Any) -> bytes:
    rule = {
        "name": "HighLatency",
        "type": "alerting",
        "query": "p95 > 2",
        "health": "ok",
        "labels": {"severity": "warning"},
        "alerts": list(alerts),
        **more,
    }
    recording = {"name": "job:up", "type": "recording", "query": "sum(up)", "health": "ok"}
    groups = [{"name": "g", "rules": [recording, rule]}]
    return json.dumps({"status": "success", "data": {"groups": groups}}).encode()


def alert(**more: Any) -> dict[str, Any]:
    return {
        "state": "firing",
        "labels": {"alertname": "HighLatency", "severity": "Critical"},
        "annotations": {"summary": "slow"},
        "activeAt": ACTIVE_AT,
        "value": "2.31e+00",
        **more,
    }


def test_prometheus_rules_and_their_alerts(serve: Any, faults: Any) -> None:
    server = serve(faults.always(rules(alert(), alert(state="pending", value="NaN"))))
    found = read(PrometheusAlerts, server.url)
    firing, pending = found.alerts
    assert (firing.name, firing.state, firing.severity) == ("HighLatency", "firing", "critical")
    assert firing.since == pytest.approx(ACTIVE) and firing.value == 2.31
    assert (pending.state, pending.value) == (AlertState.PENDING, None)
    assert [(r.name, r.expression, r.health) for r in found.rules] == [
        ("HighLatency", "p95 > 2", "ok")
    ]
    assert found.dropped == 0 and server.requests == ["/api/v1/rules?type=alert"]


def test_a_rule_that_fails_says_why(serve: Any, faults: Any) -> None:
    body = rules(health="err", lastError="many-to-many \x1b[31mmatching")
    rule = read(PrometheusAlerts, serve(faults.always(body)).url).rules[0]
    assert (rule.health, rule.last_error) == ("err", "many-to-many matching")


def test_where_rules_are_not_served_the_alerts_are_asked(serve: Any, faults: Any) -> None:
    def behave(exchange: Any) -> None:
        if exchange.target.startswith("/api/v1/rules"):
            exchange.send(faults.response(b"404 page not found", "404 Not Found", "text/plain"))
        else:
            exchange.send(faults.response(json.dumps({"data": {"alerts": [alert()]}}).encode()))

    found = read(PrometheusAlerts, serve(behave).url)
    assert [a.name for a in found.alerts] == ["HighLatency"] and found.rules == ()


def status(**more: Any) -> dict[str, Any]:
    return {"state": "suppressed", "silencedBy": [], "inhibitedBy": [], **more}


def alertmanager(faults: Any, alerts: list[Any], silences: Any) -> Any:
    def behave(exchange: Any) -> None:
        silenced = exchange.target.startswith("/api/v2/silences")
        exchange.send(faults.response(json.dumps(silences if silenced else alerts).encode()))

    return behave


def test_alertmanager_tells_what_holds_an_alert_back(serve: Any, faults: Any) -> None:
    alerts = [
        {"labels": {"alertname": name}, "startsAt": ACTIVE_AT, "status": held}
        for name, held in (
            ("Inhibited", status(inhibitedBy=["f00"])),
            ("Silenced", status(silencedBy=["id-1"])),
            ("Muted", status(mutedBy=["nights"])),
            ("Active", status(state="active")),
        )
    ]
    silence = {"id": "id-1", "createdBy": "bo\x1b[31m", "endsAt": "2023-11-15T03:00:00Z"}
    server = serve(alertmanager(faults, alerts, [silence]))
    found = {a.name: a for a in read(AlertmanagerLink, server.url).alerts}
    assert list(found) == ["Active", "Silenced", "Muted", "Inhibited"]
    assert found["Active"].state is AlertState.FIRING
    assert found["Active"].since == pytest.approx(ACTIVE)
    assert (found["Silenced"].state, found["Silenced"].silenced_by) == ("silenced", "bo")
    assert found["Silenced"].silenced_until == 1_700_017_200.0
    assert (found["Muted"].state, found["Muted"].silenced_by) == ("silenced", "nights")
    assert found["Inhibited"].state is AlertState.INHIBITED


def test_without_the_silences_their_ids_stay(serve: Any, faults: Any) -> None:
    alerts = [{"labels": {"alertname": "A"}, "status": status(silencedBy=["id-1"])}]
    server = serve(alertmanager(faults, alerts, {"not": "a list"}))
    found = read(AlertmanagerLink, server.url).alerts[0]
    assert (found.silenced_by, found.silenced_until, found.since) == ("id-1", None, NOW)


def test_hostile_text_is_plain_and_cut(serve: Any, faults: Any) -> None:
    hostile = alert(labels={"alertname": HOSTILE, HOSTILE: "x"}, annotations={"summary": HOSTILE})
    bodies = {
        PrometheusAlerts: rules(hostile, name=HOSTILE, query=HOSTILE),
        AlertmanagerLink: json.dumps([hostile]).encode(),
    }
    for kind, body in bodies.items():
        found = read(kind, serve(faults.always(body)).url)
        kept = found.alerts[0]
        names = [name for name in kept.labels if name != "alertname"]
        texts = [kept.name, kept.summary, *names, *(r.expression for r in found.rules)]
        for text in texts:
            assert text.startswith("[/nope][red]AAA") and text.isprintable()
            assert len(text) < 2100 and "more characters" in text


def test_more_alerts_than_can_be_looked_at_are_counted(serve: Any, faults: Any) -> None:
    pending = [alert(state="pending", annotations={}) for _ in range(MOST_ALERTS)]
    found = read(PrometheusAlerts, serve(faults.always(rules(*pending, alert(), alert()))).url)
    assert len(found.alerts) == MOST_ALERTS and found.dropped == 2
    assert [a.state for a in found.alerts[:3]] == ["firing", "firing", "pending"]


@pytest.mark.parametrize(
    "body",
    [b'{"data":{}}', b'{"data":{"groups":[{"rules":[{"name":7}]}]}}', b"[]", b'{"data":\xff}'],
)
def test_another_shape_is_a_clear_error(body: bytes, serve: Any, faults: Any) -> None:
    with pytest.raises(LinkError, match="JSON that cannot be used"):
        read(PrometheusAlerts, serve(faults.always(body)).url)


def test_times_and_values_that_say_nothing() -> None:
    for text in ("", "yesterday", "0001-01-01T00:00:00Z", "2023-11-14T22:00:00", "9" * 5000):
        assert moment(text, 7.0) == 7.0
    assert moment("2023-11-14T23:00:00.5+01:00", 0.0) == 1_699_999_200.5
    assert [number(text) for text in ("1e+00", "NaN", "+Inf", "x", "")] == [1.0, *[None] * 4]


def test_skew_by_date_is_only_what_the_second_proves(serve: Any, faults: Any) -> None:
    def skew(more: str) -> Any:
        server = serve(lambda exchange: exchange.send(faults.response(b"[]", more=more)))
        link = AlertmanagerLink(HttpConfig(server.url), None, ManualClock(NOW), lambda _: None)  # type: ignore[arg-type, return-value]
        link.read(Deadline.after(ManualClock(NOW), 5))
        return link.skew()

    assert skew("Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n") == 0.0
    assert skew("Date: Tue, 14 Nov 2023 22:13:19 GMT\r\n") == 0.0
    assert skew("Date: Tue, 14 Nov 2023 22:14:20 GMT\r\n") == 60.0
    assert skew("Date: Tue, 14 Nov 2023 22:12:19 GMT\r\n") == -60.0
    assert skew("Date: Tue, 14 Nov 2023 22:12:19 GMT\r\nAge: 60\r\n") is None
    assert skew("Date: soon\r\n") is None and skew("") is None
