"""Prometheus and Alertmanager as they are: the stand's, and private ones to maltreat."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.clock import Deadline, SystemClock
from console.config.environment import HttpConfig
from console.config.queries import DIALECTS, QUERIES, SERIES, promql
from console.errors import FailureKind, LinkError
from console.links.alertmanager.link import AlertmanagerLink
from console.links.prometheus.alerts import PrometheusAlerts
from console.links.prometheus.link import PrometheusLink
from console.model.signals import AlertState

pytestmark = pytest.mark.live

RULES = {
    "groups": [
        {
            "name": "hostile",
            "interval": "1s",
            "rules": [
                {
                    "alert": "Hostile",
                    "expr": "vector(1)",
                    "labels": {"severity": "critical", "x": "[red]\x1b[31m"},
                    "annotations": {"summary": "[/nope]\x1b]0;pwn\x07 \u202e" + "A" * 100_000},
                },
                {"alert": "Later", "expr": "vector(1)", "for": "1h"},
                {"alert": "Never", "expr": "vector(0) > 1"},
            ],
        }
    ]
}


def no_secret(_: Any) -> Any:
    raise AssertionError("no secret was configured")


def soon(seconds: float = 10.0) -> Deadline:
    return Deadline.after(SystemClock(), seconds)


def link(kind: Any, url: str, **more: Any) -> Any:
    return kind(HttpConfig(url), None, SystemClock(), no_secret, **more)


class Private:
    """A server of our own, as a plain process, with the stand's own binary."""

    def __init__(self, stand: Any, service: str, path: str, directory: Path) -> None:
        self.binary = directory / Path(path).name
        self.directory = directory
        identity = _docker(
            stand, "ps", "-q", "--filter", f"label=com.docker.compose.service={service}"
        )
        _docker(stand, "cp", "-L", f"{identity.split()[0]}:{path}", str(self.binary))
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = int(server.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self, *arguments: str) -> None:
        with (self.directory / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [str(self.binary), *arguments], cwd=self.directory, stdout=log, stderr=log
            )
        end = time.monotonic() + 30
        while not self._ready():
            assert self.process.poll() is None and time.monotonic() < end, self.log()
            time.sleep(0.05)

    def log(self) -> str:
        return (self.directory / "log").read_text()[-2000:]

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)
        self.process.terminate()
        self.process.wait(20)


def _docker(stand: Any, *arguments: str) -> str:
    argv = [stand.docker.client, "--host", stand.docker.host, *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture(scope="module")
def prometheus(stand: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Private]:
    directory = tmp_path_factory.mktemp("prometheus")
    server = Private(stand, "prometheus", "/usr/bin/prometheus", directory)
    (directory / "rules.yml").write_text(json.dumps(RULES))
    (directory / "prometheus.yml").write_text(
        json.dumps({"global": {"evaluation_interval": "1s"}, "rule_files": ["rules.yml"]})
    )
    server.start(
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        f"--web.listen-address=127.0.0.1:{server.port}",
    )
    yield server
    server.stop()


def settled(reader: PrometheusLink) -> Any:
    """A read of the stand once it has run for a few scrapes."""
    end = time.monotonic() + 60
    while True:
        metrics = reader.read(soon())
        names = {endpoint.name for endpoint in metrics.endpoints if endpoint.rate and endpoint.p95}
        if "GET /api/trips" in names or time.monotonic() > end:
            return metrics
        time.sleep(0.5)


def test_the_stand_in_figures(stand: Any) -> None:
    reader = link(
        PrometheusLink,
        stand.prometheus,
        counters={"trips": "trips_created_total", "gone": "nothing_total"},
    )
    metrics = settled(reader)
    assert metrics.problems == ()
    for name in ("p50", "p95", "p99", "requests"):
        assert metrics.value(name) > 0, name
    assert 0 <= metrics.value("errors") <= 1
    assert 0 < metrics.value("db_connections") <= metrics.value("db_connections_max")
    assert metrics.value("db_size") > 1e6 and metrics.value("redis_memory") > 1e5
    assert metrics.value("db_transactions") > 0
    endpoints = {endpoint.name: endpoint for endpoint in metrics.endpoints}
    assert endpoints["GET /api/trips"].rate > 0 and endpoints["GET /api/trips"].p95 > 0
    assert any((replica.rate or 0) > 0 for replica in metrics.replicas)
    assert all(replica.instance.endswith(":8000") for replica in metrics.replicas)
    host = next(host for host in metrics.hosts if host.host == "prod-1")
    assert 0 <= host.cpu_ratio <= 1 and 0 < host.memory_ratio < 1
    assert host.disks and all(0 < disk.free_ratio <= 1 for disk in host.disks)
    assert host.booted_at < time.time()
    assert {burn.window for burn in metrics.burn} == {"5m", "30m", "1h", "6h", "3d"}
    assert all(burn.requests > 0 and burn.rate >= 0 for burn in metrics.burn)
    assert set(metrics.series) == set(SERIES)
    assert any(value for value in metrics.series["p95"].values)
    assert [counter.name for counter in metrics.counters] == ["trips", "gone"]
    assert metrics.counters[0].value > 0 and metrics.counters[1].value is None
    assert abs(reader.skew()) < 1


def test_through_ssh_the_same_figures(stand: Any, tmp_path: Path) -> None:
    from console.links.ssh.link import SshHost
    from console.paths import Paths

    environ = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    config = Path(stand.ssh.config)
    host = SshHost(
        "prod-1", f"ssh://{stand.ssh.alias}", SystemClock(), Paths.of(environ), environ, config
    )
    try:
        through = HttpConfig(stand.prometheus, through="prod-1")
        reader = PrometheusLink(through, host, SystemClock(), no_secret)
        assert reader.read(soon()).value("db_connections_max") == link(
            PrometheusLink, stand.prometheus
        ).read(soon()).value("db_connections_max")
        nobody = HttpConfig("http://127.0.0.1:1", through="prod-1")
        with pytest.raises(LinkError, match="cannot be reached from the host"):
            PrometheusLink(nobody, host, SystemClock(), no_secret).read(soon())
    finally:
        host.close()


def test_the_query_that_is_shown_gives_the_figure(stand: Any) -> None:
    reader = link(PrometheusLink, stand.prometheus)
    shown = reader.read(soon()).figures["db_connections_max"]
    again = link(PrometheusLink, stand.prometheus, overrides={"db_size": shown.query})
    assert again.read(soon()).value("db_size") == shown.value


def test_a_selector_that_selects_nothing_leaves_no_data(stand: Any) -> None:
    reader = link(PrometheusLink, stand.prometheus, overrides={"selector": 'job="nobody"'})
    metrics = reader.read(soon())
    assert metrics.value("requests") is None and metrics.value("db_size") is not None


def test_rules_and_alerts_of_the_stand(stand: Any) -> None:
    found = link(PrometheusAlerts, stand.prometheus).read(soon())
    watchdog = next(alert for alert in found.alerts if alert.name == "Watchdog")
    assert watchdog.state is AlertState.FIRING and watchdog.since < time.time()
    assert {"APIDown", "HighErrorRate"} <= {rule.name for rule in found.rules}
    assert all(rule.health == "ok" for rule in found.rules)
    reader = link(AlertmanagerLink, stand.alertmanager)
    assert "Watchdog" in {alert.name for alert in reader.read(soon()).alerts}
    assert abs(reader.skew()) < 2


def test_a_prometheus_that_scrapes_nothing_has_no_data(prometheus: Private) -> None:
    reader = link(PrometheusLink, prometheus.url, counters={"trips": "trips_total"})
    metrics = reader.read(soon())
    assert all(figure.value is None for figure in metrics.figures.values())
    assert metrics.problems == () and metrics.hosts == () and metrics.counters[0].value is None


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_prometheus_accepts_every_default_query(prometheus: Private, dialect: Any) -> None:
    selector = {"selector": 'job="b"'}
    for name in QUERIES:
        text = promql(name, selector, dialect, "30m")
        quoted = urllib.parse.urlencode({"query": text})
        try:
            with urllib.request.urlopen(f"{prometheus.url}/api/v1/query?{quoted}") as answer:
                assert answer.status == 200
        except urllib.error.HTTPError as error:
            pytest.fail(f"{name}: {error.read().decode()}: {text}")


def test_wrong_queries_are_named_by_prometheus_itself(prometheus: Private) -> None:
    overrides = {"p95": "rate(x[5m", "db_size": "x ** 2", "selector": 'job="b'}
    metrics = link(PrometheusLink, prometheus.url, overrides=overrides).read(soon())
    told = "\n".join(metrics.problems)
    for name in ("selector", "p95", "db_size"):
        assert f"query {name}: bad_data: " in told
    assert len(metrics.problems) == 3


def test_hostile_annotations_come_out_plain(prometheus: Private) -> None:
    reader = link(PrometheusAlerts, prometheus.url)
    end = time.monotonic() + 15
    while not (found := reader.read(soon())).alerts and time.monotonic() < end:
        time.sleep(0.1)
    hostile, later = found.alerts
    assert (hostile.name, hostile.state) == ("Hostile", AlertState.FIRING)
    assert hostile.labels["x"] == "[red]"
    assert hostile.summary.startswith("[/nope] AAAA") and len(hostile.summary) < 2100
    assert (later.name, later.state) == ("Later", AlertState.PENDING)
    assert [rule.name for rule in found.rules] == ["Hostile", "Later", "Never"]


@pytest.mark.parametrize("kind", [PrometheusLink, PrometheusAlerts])
def test_a_frozen_prometheus_is_a_timeout_and_comes_back(prometheus: Private, kind: Any) -> None:
    reader = link(kind, prometheus.url)
    reader.read(soon())
    os.kill(prometheus.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(LinkError) as caught:
            reader.read(soon(0.5))
    finally:
        os.kill(prometheus.process.pid, signal.SIGCONT)
    assert caught.value.failure.kind is FailureKind.TIMEOUT
    assert "no answer in" in caught.value.failure.why
    reader.read(soon())


def _send(url: str, body: Any, method: str = "POST") -> Any:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.loads(answer.read() or b"null")


def _stamp(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def test_who_silenced_an_alert_and_until_when(stand: Any) -> None:
    name, api = f"Test{os.getpid()}", f"{stand.alertmanager}/api/v2"
    alert = {"labels": {"alertname": name, "severity": "none"}}
    until = time.time() + 600
    silence = {
        "matchers": [{"name": "alertname", "value": name, "isRegex": False}],
        "startsAt": _stamp(time.time()),
        "endsAt": _stamp(until),
        "createdBy": "bo\x1b[31m",
        "comment": "known",
    }
    silenced = _send(f"{api}/silences", silence)["silenceID"]
    _send(f"{api}/alerts", [alert])
    try:
        reader = link(AlertmanagerLink, stand.alertmanager)
        end = time.monotonic() + 15
        found = None
        while (found is None or found.state is AlertState.FIRING) and time.monotonic() < end:
            alerts = reader.read(soon()).alerts
            found = next((one for one in alerts if one.name == name), None)
            time.sleep(0.05)
        assert found is not None and found.state is AlertState.SILENCED
        assert found.silenced_by == "bo" and found.silenced_until == int(until)
    finally:
        _send(f"{api}/alerts", [{**alert, "endsAt": _stamp(time.time() - 1)}])
        _send(f"{api}/silence/{silenced}", None, "DELETE")
