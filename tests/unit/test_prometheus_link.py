"""Prometheus's figures from a Prometheus that is made up answer by answer."""

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from console.clock import Deadline, ManualClock, SystemClock
from console.config.environment import HttpConfig
from console.config.queries import DIALECTS, QUERIES, promql
from console.errors import FailureKind, LinkError
from console.links.prometheus.asking import Batch, batches, groups
from console.links.prometheus.link import PrometheusLink
from console.model.policy import Policy
from console.model.signals import Unit

NOW = 1_700_000_000.0
INSTRUMENTATOR, PLAIN = DIALECTS[:2]
NAME_OF = {promql(name, {}, PLAIN): name for name in QUERIES} | {"vector(time())": "now"}


class FakePrometheus:
    """Knows what each key of a joined query, or a whole query, gives; refuses what is said."""

    def __init__(self, faults: Any, given: dict[str, Any]) -> None:
        self.faults = faults
        self.given = {"now": NOW, PLAIN.name: 3, **given}
        self.refused: dict[str, tuple[int, str, str]] = {}
        self.queries: list[str] = []
        self.more: dict[str, Any] = {}

    def __call__(self, exchange: Any) -> None:
        parts = urlsplit(exchange.target)
        query = parse_qs(parts.query)["query"][0]
        self.queries.append(query)
        for part, (status, kind, text) in self.refused.items():
            if part in query:
                body = {"status": "error", "errorType": kind, "error": text}
                exchange.send(self.faults.response(json.dumps(body).encode(), f"{status} No"))
                return
        over = parts.path.endswith("query_range")
        keys = re.findall(r'"cofa","([^"]+)"', query)
        result = [
            {"metric": {**labels, **({"cofa": key} if keys else {})}, **_value(value, over)}
            for key in keys or [NAME_OF.get(query, query)]
            for labels, value in _samples(self.given.get(key, []))
        ]
        body = {"status": "success", "data": {"result": result}, **self.more}
        exchange.send(self.faults.response(json.dumps(body).encode()))


def _samples(given: Any) -> list[tuple[dict[str, str], Any]]:
    return given if isinstance(given, list) else [({}, given)]


def _value(value: Any, over: bool) -> dict[str, Any]:
    if over:
        return {"values": value if isinstance(value, list) else []}
    return {"value": [NOW, str(value)]}


@pytest.fixture
def prometheus(serve: Any, faults: Any) -> Any:
    """Starts a made-up Prometheus and gives a read of it."""

    def read(given: dict[str, Any], **more: Any) -> Any:
        fake = FakePrometheus(faults, given)
        fake.refused = more.pop("refused", {})
        fake.more = more.pop("answer", {})
        clock = ManualClock(NOW)
        reader = PrometheusLink(HttpConfig(serve(fake).url), None, clock, _none, **more)
        metrics = reader.read(Deadline.after(SystemClock(), 10))
        return metrics, reader, fake

    return read


def _none(_: Any) -> Any:
    raise AssertionError("no secret was configured")


def test_figures_carry_value_unit_and_the_query_to_repeat(prometheus: Any) -> None:
    metrics, reader, _ = prometheus({"p95": 2.31, "errors": 0, "db_size": 31e6})
    assert metrics.value("p95") == 2.31 and metrics.value("errors") == 0.0
    assert metrics.figures["p95"].query == promql("p95", {}, PLAIN)
    assert metrics.figures["db_size"].unit is Unit.BYTES
    assert metrics.value("redis_hit") is None
    assert metrics.problems == ()
    assert reader.skew() == 0.0 and reader.name == "prometheus"


def test_the_dialect_that_has_series_is_spoken(prometheus: Any) -> None:
    metrics, _, _ = prometheus({INSTRUMENTATOR.name: 3, "p95": 1})
    assert "http_request_duration_highr_seconds_bucket" in metrics.figures["p95"].query
    starlette = next(d for d in DIALECTS if d.name == "starlette_exporter")
    rows = [({"method": "GET", "path": "/a"}, 4.0)]
    metrics, _, _ = prometheus({PLAIN.name: [], starlette.name: 1, "endpoint_requests": rows})
    assert "starlette_requests_total" in metrics.figures["requests"].query
    assert [endpoint.name for endpoint in metrics.endpoints] == ["GET /a"]


def test_without_targets_there_is_no_data_and_nothing_is_asked_in_vain(prometheus: Any) -> None:
    metrics, _, fake = prometheus({PLAIN.name: []})
    assert all(figure.value is None for figure in metrics.figures.values())
    assert metrics.endpoints == metrics.replicas == metrics.hosts == ()
    assert metrics.problems == () and metrics.series == {}
    assert all(burn.rate is None and burn.requests is None for burn in metrics.burn)
    assert not any("rate(http_requests_total" in query for query in fake.queries)


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
def test_what_is_no_number_is_no_data(prometheus: Any, value: str) -> None:
    metrics, _, _ = prometheus({"p95": value, "host_cpu": [({"instance": "a:1"}, value)]})
    assert metrics.value("p95") is None
    assert metrics.hosts[0].cpu_ratio is None


def test_endpoints_replicas_and_duplicates(prometheus: Any) -> None:
    trips = {"method": "GET", "handler": "/api/trips"}
    hostile = {"method": "GET", "handler": "[/x]\x1b]0;pwn\x07\u202eevil" + "y" * 100_000}
    metrics, _, _ = prometheus(
        {
            "endpoint_requests": [(trips, 48), (hostile, 1), (trips, 99)],
            "endpoint_p95": [(trips, 2.31)],
            "endpoint_errors": [(trips, 0.5)],
            "replica_requests": [({"instance": "b:1"}, 2), ({"instance": "a:1"}, 1)],
            "replica_p95": [({"instance": "a:1"}, "NaN")],
        }
    )
    first, second = metrics.endpoints
    assert (first.name, first.rate, first.p95, first.error_ratio) == (
        "GET /api/trips",
        48,
        2.31,
        0.5,
    )
    assert second.handler.startswith("[/x]evil") and len(second.handler) < 1100
    assert second.handler.isprintable() and second.p95 is None
    assert [(r.instance, r.rate, r.p95) for r in metrics.replicas] == [
        ("a:1", 1, None),
        ("b:1", 2, None),
    ]


def test_a_figure_of_several_series_is_a_problem_not_a_guess(prometheus: Any) -> None:
    override = {"requests": "http_requests_total"}
    several = [({"a": "1"}, 1), ({"a": "2"}, 2)]
    metrics, _, _ = prometheus({override["requests"]: several}, overrides=override)
    assert metrics.value("requests") is None
    assert "query requests: gave 2 series" in metrics.problems[0]


def test_a_scalar_is_a_value_too(serve: Any, faults: Any) -> None:
    def behave(exchange: Any) -> None:
        query = parse_qs(urlsplit(exchange.target).query)["query"][0]
        result = [NOW, "42"] if query == "scalar(x)" else fake_now
        body = {"status": "success", "data": {"result": result}}
        exchange.send(faults.response(json.dumps(body).encode()))

    fake_now = [{"metric": {"cofa": "now"}, "value": [NOW, str(NOW)]}]
    config = HttpConfig(serve(behave).url)
    reader = PrometheusLink(
        config, None, ManualClock(NOW), _none, overrides={"db_size": "scalar(x)"}
    )
    assert reader.read(Deadline.after(SystemClock(), 10)).value("db_size") == 42.0


def test_a_refused_query_is_named_and_the_others_are_answered(prometheus: Any) -> None:
    metrics, _, _ = prometheus(
        {"p50": 1, "p95": 2}, refused={"histogram_quantile(0.99": (422, "execution", "too big")}
    )
    assert metrics.value("p50") == 1 and metrics.value("p95") == 2
    assert metrics.problems == ("query p99: execution: too big",)


def test_a_query_that_takes_too_long_is_not_asked_again_in_parts(prometheus: Any) -> None:
    metrics, _, fake = prometheus({"p95": 2}, refused={"[3d]": (503, "timeout", "gave up")})
    assert sum("[3d]" in query for query in fake.queries) == 1
    assert metrics.problems == ("query burn_errors:3d, burn_requests:3d: timeout: gave up",)


def test_a_wrong_override_spoils_nothing_else(prometheus: Any) -> None:
    refused = {"rate(x[": (400, "bad_data", 'invalid parameter "query": 1:8: parse error')}
    metrics, _, _ = prometheus({"p50": 1}, overrides={"p95": "rate(x["}, refused=refused)
    assert metrics.value("p50") == 1 and metrics.value("p95") is None
    assert metrics.problems == ("query p95: bad_data: 1:8: parse error",)


def test_a_wrong_selector_leaves_what_needs_none(prometheus: Any) -> None:
    refused = {"job=": (400, "bad_data", "parse error")}
    overrides = {"selector": 'job="'}
    metrics, _, _ = prometheus({"db_size": 7}, overrides=overrides, refused=refused)
    assert metrics.value("db_size") == 7 and metrics.value("p95") is None
    assert metrics.problems == ("query selector: bad_data: parse error",)


def test_warnings_are_told(prometheus: Any) -> None:
    metrics, _, _ = prometheus({"p95": 1}, answer={"warnings": ["remote read: \x1b[31mlate"]})
    assert metrics.problems == ("it warns: remote read: late",)


def test_counters_by_name_and_by_query(prometheus: Any) -> None:
    metrics, _, _ = prometheus(
        {"sum(increase(trips_total[1h]))": 12.0, 'x{a="b"}': 3.0},
        counters={"trips": "trips_total", "x": 'x{a="b"}', "none": "none_total"},
    )
    assert [(c.name, c.value) for c in metrics.counters] == [
        ("trips", 12.0),
        ("x", 3.0),
        ("none", None),
    ]


def test_burn_rates_come_with_the_requests_of_their_window(prometheus: Any) -> None:
    metrics, _, _ = prometheus(
        {"burn_errors:1h": 0.0144, "burn_requests:1h": 5000, "burn_requests:5m": 0},
        policy=Policy(availability=0.999),
    )
    burn = {item.window: item for item in metrics.burn}
    assert list(burn) == ["5m", "1h", "30m", "6h", "3d"]
    assert burn["1h"].rate == pytest.approx(14.4) and burn["1h"].requests == 5000
    assert burn["5m"].rate is None and burn["5m"].requests == 0


def test_series_stand_at_even_steps_with_gaps(prometheus: Any) -> None:
    end = NOW // 60 * 60
    points = [[end - 3600, "0.2"], [end - 120, "NaN"], [end - 60, "0.4"], [end, "0.5"]]
    metrics, _, _ = prometheus({"p95": [({}, points)]})
    series = metrics.series["p95"]
    assert (series.start, series.step, len(series.values)) == (end - 3600, 60.0, 61)
    assert series.values[0] == 0.2 and series.values[1] is None
    assert series.values[-3:] == (None, 0.4, 0.5)
    assert metrics.series["errors"].values == (None,) * 61


def test_a_clock_that_is_off_is_measured_and_corrected(prometheus: Any) -> None:
    metrics, reader, _ = prometheus({"now": NOW + 90, "p95": [({}, [])]})
    assert reader.skew() == pytest.approx(90, abs=0.01)
    start = metrics.series["p95"].start
    assert start == pytest.approx((NOW + 90) // 60 * 60 - 3600 - 90, abs=0.01)


def test_hosts_have_their_own_names_and_disks_count_once(prometheus: Any) -> None:
    a, b, c = {"instance": "a:9100"}, {"instance": "b:9100"}, {"instance": "c:9100"}

    def disk(mount: str, device: str = "/dev/vda1") -> dict[str, str]:
        return {**a, "device": device, "mountpoint": mount}

    metrics, _, _ = prometheus(
        {
            "host_cpu": [(a, 0.5), (b, 0.25), (c, 0.1)],
            "host_memory": [(a, 0.9)],
            "host_boot": [(a, NOW - 60)],
            "host_name": [
                ({**a, "nodename": "prod-1"}, 1),
                ({**b, "nodename": "62a860af73e6"}, 1),
                ({**c, "nodename": "62a860af73e6", "host": "prod-3"}, 1),
            ],
            "disk_size": [
                (disk("/var/lib/x"), 100),
                (disk("/"), 100),
                (disk("/b", "/dev/vdb"), 50),
            ],
            "disk_free": [(disk("/"), 40), (disk("/b", "/dev/vdb"), 10)],
            "disk_inodes_free": [(disk("/"), 0.9)],
            "disk_trend": [(disk("/"), -0.001), (disk("/b", "/dev/vdb"), 5)],
        }
    )
    assert [host.host for host in metrics.hosts] == ["prod-1", "b", "prod-3"]
    host = metrics.hosts[0]
    assert (host.cpu_ratio, host.memory_ratio, host.booted_at) == (0.5, 0.9, NOW - 60)
    root, other = host.disks
    assert (root.mount, root.free_ratio, root.free_inodes_ratio) == ("/", 0.4, 0.9)
    assert root.full_at == pytest.approx(NOW + 40_000)
    assert (other.mount, other.full_at) == ("/b", None)


def test_when_everything_fails_after_the_first_answer_the_read_fails(
    serve: Any, faults: Any
) -> None:
    def behave(exchange: Any) -> None:
        if "vector" in exchange.target:
            body = {"data": {"result": [{"metric": {"cofa": "now"}, "value": [NOW, str(NOW)]}]}}
            exchange.send(faults.response(json.dumps(body).encode()))
        else:
            faults.silent(exchange)

    reader = PrometheusLink(HttpConfig(serve(behave).url), None, ManualClock(NOW), _none)
    with pytest.raises(LinkError) as caught:
        reader.read(Deadline.after(SystemClock(), 0.5))
    assert caught.value.failure.kind is FailureKind.TIMEOUT


def test_when_one_query_hangs_the_others_are_shown(serve: Any, faults: Any) -> None:
    fake = FakePrometheus(faults, {"p95": 2.0})

    def behave(exchange: Any) -> None:
        if "pg_settings" in exchange.target:
            faults.silent(exchange)
        else:
            fake(exchange)

    reader = PrometheusLink(HttpConfig(serve(behave).url), None, ManualClock(NOW), _none)
    metrics = reader.read(Deadline.after(SystemClock(), 0.8))
    assert metrics.value("p95") == 2.0 and metrics.value("db_size") is None
    assert "db_size" in metrics.problems[0] and "no answer" in metrics.problems[0]


def test_something_else_that_speaks_json_is_no_prometheus(serve: Any, faults: Any) -> None:
    for body in (b"{}", b'{"data":{"result":[]}}', b'{"data":{"result":7}}', b"[1,2]"):
        reader = PrometheusLink(
            HttpConfig(serve(faults.always(body)).url), None, ManualClock(NOW), _none
        )
        with pytest.raises(LinkError) as caught:
            reader.read(Deadline.after(SystemClock(), 5))
        assert caught.value.failure.kind is FailureKind.INVALID


def test_batches_stay_within_what_proxies_take() -> None:
    plan = batches(groups(PLAIN, {}, {}, ("5m", "1h", "3d")))
    assert all(len(batch.query) <= 5000 for batch in plan)
    assert len(plan) <= 10
    asked = [key for batch in plan for key, _ in batch.asked]
    assert len(asked) == len(set(asked))
    assert {name for name in QUERIES if not name.startswith("burn_")} < set(asked)
    assert Batch((("a", "x # why"),)).query == "x # why"
    assert "x # why\n" in Batch((("a", "x # why"), ("b", "y"))).query
