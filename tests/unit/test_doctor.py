"""`cofa doctor`: what it says of each link, and that nothing can hold it up."""

import io
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from console.__main__ import run
from console.clock import ManualClock, SystemClock
from console.commands import doctor, doctor_local
from console.commands.doctor import Doctor, asked, keyed
from console.commands.doctor_probes import Probe
from console.commands.wiring import Links
from console.config.environment import (
    BackupsConfig,
    Config,
    EdgeConfig,
    EngineConfig,
    Environment,
    HostConfig,
    HttpConfig,
    SecretRef,
)
from console.errors import Failure, FailureKind, LinkError
from console.model.backups import Backup, Catalogue
from console.model.edges import Certificate, EdgeReport
from console.model.edges import Probe as EdgeAnswer
from console.model.fleet import Fleet, Intended, Service, ServiceKind
from console.model.hosts import HostReport
from console.model.policy import Policy
from console.model.signals import (
    Alert,
    Alerts,
    AlertState,
    Figure,
    HostFigures,
    Metrics,
    Rule,
    Unit,
)
from console.present import doctor as present
from console.present.doctor import Check, Mark, Missing

NOW = 1_700_000_000.0
SCHEMA = Path(__file__).parents[2] / "docs" / "json" / "doctor.schema.json"
REFUSED = LinkError(FailureKind.UNREACHABLE, "prometheus http://x", "refused", "start it")


class FakeLink:
    """A link that gives a value, raises, or hangs until it is cancelled."""

    def __init__(self, name: str, value: Any, skew: float | None = 0.1) -> None:
        self.name = name
        self.value = value
        self._skew = skew
        self.cancelled = threading.Event()

    def read(self, deadline: Any) -> Any:
        if self.value == "hang":
            self.cancelled.wait(30)
            raise LinkError(FailureKind.TIMEOUT, self.name, "cancelled", "try again")
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def skew(self) -> float | None:
        return self._skew

    def cancel(self) -> None:
        self.cancelled.set()

    def close(self) -> None:
        self.cancel()


FLEET = Fleet("prod-1", "26.1.5", (Service("shop/api", "api", ServiceKind.COMPOSE),))
HOST = HostReport("prod-1", "deploy", "Linux 6.1", "boot", NOW, HostFigures("prod-1", 0.1, 0.2))
EDGE = EdgeReport(
    "nginx-1",
    "https://api.example.com",
    "prod-1",
    EdgeAnswer("https://api.example.com/health", NOW, 0.017, 200),
    EdgeAnswer("http://api.example.com/", NOW, 0.01, 301, "https://api.example.com/"),
    Certificate("api", "CA", ("api.example.com",), NOW, NOW + 61 * 86400),
)
ENVIRONMENT = Environment(
    "production",
    EngineConfig("ssh://deploy@prod-1"),
    hosts=(HostConfig("prod-1", "ssh://deploy@prod-1"),),
    edges=(EdgeConfig("nginx-1", "https://api.example.com"),),
    prometheus=HttpConfig("http://127.0.0.1:9090", "prod-1", "cofa", SecretRef(env="P")),
)


class FakeOpener:
    """Opens prepared links; Compose's only when the fleet is known."""

    def __init__(self, links: Links, intended: tuple[Any, ...] = ()) -> None:
        self.links = links
        self.intended = intended

    def open(self, environment: Environment, fleet: Fleet | None = None) -> Links:
        return replace(self.links, intended=self.intended) if fleet else self.links


def checks(
    links: Links, environment: Environment = ENVIRONMENT, intended: tuple[Any, ...] = ()
) -> dict[str, Check]:
    opener: Any = FakeOpener(links, intended)
    clock = ManualClock(NOW)
    return {check.name: check for check in Doctor(environment, opener, clock).checks()}


def links(**parts: Any) -> Links:
    usual: dict[str, Any] = {
        "fleet": FakeLink("engine", FLEET),
        "hosts": (FakeLink("host:prod-1", HOST),),
        "edges": (FakeLink("edge:nginx-1", EDGE),),
        "metrics": FakeLink("prometheus", Metrics()),
        "rules": FakeLink("rules", Alerts(rules=(Rule("a", "up", "ok"),))),
    }
    return Links(**(usual | parts))


def test_each_link_is_told_as_whom_how_fast_and_its_clock() -> None:
    compose = FakeLink("compose:shop", Intended("shop", ()))
    found = checks(links(), intended=(compose,))
    assert {check.mark for check in found.values()} == {Mark.OK, Mark.ABSENT}
    assert "as deploy" in found["host:prod-1"].said
    assert found["engine"].said.startswith("ssh://deploy@prod-1: engine 26.1.5, 1 service")
    assert "from prod-1 as cofa" in found["prometheus"].said
    assert "certificate 61 d left" in found["edge:nginx-1"].said
    assert "redirects to https" in found["edge:nginx-1"].said
    assert "project shop" in found["compose:shop"].said
    assert found["engine"].skew == 0.1 and found["engine"].took is not None
    assert found["backups"].mark is Mark.ABSENT


def test_one_that_fails_says_why_and_how_to_mend_it() -> None:
    found = checks(links(metrics=FakeLink("prometheus", REFUSED)))
    check = found["prometheus"]
    assert check.mark is Mark.FAIL
    text = "\n".join(present.lines(check))
    assert "refused" in text and "-> start it" in text
    assert found["engine"].mark is Mark.OK


def test_without_the_engine_compose_is_not_asked() -> None:
    compose = FakeLink("compose:shop", Intended("shop", ()))
    found = checks(links(fleet=FakeLink("engine", REFUSED)), intended=(compose,))
    assert found["engine"].mark is Mark.FAIL
    assert "compose:shop" not in found


def test_a_defect_in_a_link_is_named_as_one() -> None:
    found = checks(links(metrics=FakeLink("prometheus", KeyError("x\x1b[31m"))))
    assert found["prometheus"].mark is Mark.FAIL
    assert "defect" in found["prometheus"].said and "\x1b" not in found["prometheus"].said


def test_a_link_that_hangs_is_given_up_and_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.commands.doctor_probes.GRACE", 0.05)
    link = FakeLink("prometheus", "hang")
    probe = Probe(link, link.read, 0.05, SystemClock()).start()
    answer = probe.answer()
    assert answer.failure is not None and answer.failure.kind is FailureKind.TIMEOUT
    assert link.cancelled.is_set()


@pytest.fixture
def hanging() -> Iterator[FakeLink]:
    link = FakeLink("prometheus", "hang")
    yield link
    link.cancel()


def test_links_are_read_side_by_side(hanging: FakeLink) -> None:
    engine = FakeLink("engine", FLEET)

    def read_when_the_other_is_read(deadline: Any) -> Fleet:
        assert started.wait(10)
        return FLEET

    def read(deadline: Any) -> Any:
        started.set()
        return Metrics()

    started = threading.Event()
    engine.read = read_when_the_other_is_read  # type: ignore[method-assign]
    hanging.read = read  # type: ignore[method-assign]
    found = checks(links(fleet=engine, metrics=hanging))
    assert found["engine"].mark is Mark.OK and found["prometheus"].mark is not Mark.FAIL


@pytest.mark.parametrize(("skew", "mark"), [(4.0, Mark.OK), (6.0, Mark.NOTE), (-60.0, Mark.NOTE)])
def test_a_clock_that_differs_is_noted(skew: float, mark: Mark) -> None:
    check = present.with_clock(present.check_of("engine", "", "x", (), 0.1, skew), 5.0)
    assert check.mark is mark
    text = "\n".join(present.lines(check))
    assert f"clock {skew:+.1f} s" in text
    if mark is Mark.NOTE:
        assert ("behind" if skew < 0 else "ahead") in text and "NTP" in text


def test_figures_without_data_are_named() -> None:
    metrics = Metrics(
        figures={
            "p95": Figure("p95", 0.2, Unit.SECONDS, "q"),
            "redis_hit": Figure("redis_hit", None, Unit.RATIO, "q"),
        },
        problems=("my query: parse error",),
    )
    said, missing = present.metrics_said(metrics)
    assert said == "1 of 2 figures have data"
    assert [item.what for item in missing] == ["no data: redis_hit", "my query: parse error"]


def test_rules_that_fail_or_are_none() -> None:
    alerts = Alerts(
        alerts=(Alert("A", AlertState.FIRING, NOW),),
        rules=(Rule("Bad", "x", "err", "many-to-many"),),
    )
    said, missing = present.rules_said(alerts)
    assert said == "1 rule, 1 alert, 1 firing"
    assert "many-to-many" in missing[0].what
    assert present.rules_said(Alerts())[1][0].what == "it has no alerting rules"
    assert present.alerts_said(Alerts())[1] == ()


def test_backups() -> None:
    newest = Backup("database/x_20231114.backup", NOW - 7200, 1, NOW)
    said, missing = present.catalogue_said(Catalogue("dumps", "database/", (newest,)), NOW)
    assert "newest 2 h old" in said and not missing
    said, missing = present.catalogue_said(Catalogue("dumps", "database/", others=7), NOW)
    assert "no backup, but 7 other keys" in missing[0].what
    assert "backups.pattern" in missing[0].remedy


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (replace(EDGE, health=replace(EDGE.health, status=503)), "not 2xx"),
        (
            replace(EDGE, redirect=EdgeAnswer("http://x", NOW, 0.1, 200)),
            "plain HTTP answers 200",
        ),
        (
            replace(EDGE, redirect=EdgeAnswer("http://x", NOW, failure=REFUSED.failure)),
            "plain HTTP: refused",
        ),
        (
            replace(
                EDGE,
                certificate=Certificate("a", "b", (), NOW, NOW + 3 * 86400, "self-signed"),
            ),
            "self-signed",
        ),
        (
            replace(EDGE, certificate=Certificate("a", "b", (), NOW, NOW + 3 * 86400)),
            "ends soon",
        ),
    ],
)
def test_what_an_edge_lacks(report: EdgeReport, words: str) -> None:
    _, missing, failure = present.edge_said(report, NOW, Policy())
    assert failure is None
    assert any(words in item.what for item in missing)


def test_an_edge_that_does_not_answer_has_failed() -> None:
    probe = EdgeAnswer("https://x/health", NOW, failure=REFUSED.failure)
    dead = replace(EDGE, health=probe, redirect=None, certificate=None)
    found = checks(links(edges=(FakeLink("edge:nginx-1", dead),)))
    assert found["edge:nginx-1"].mark is Mark.FAIL


def test_compose_files_that_cannot_be_rendered() -> None:
    said, missing = present.intended_said(Intended("shop", (), "variable X is not set"))
    assert "shop" in said and missing[0].what == "variable X is not set"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (HttpConfig("http://x"), "http://x without credentials"),
        (HttpConfig("http://x", "prod-1", "cofa"), "http://x from prod-1 as cofa"),
        (HttpConfig("http://x", bearer=SecretRef(env="T")), "http://x by the token in T"),
        (HttpConfig("http://x", bearer=SecretRef(command=("pass", "x"))), "that pass gives"),
    ],
)
def test_as_whom(config: HttpConfig, words: str) -> None:
    assert words in asked(config)


def test_with_which_key() -> None:
    base = BackupsConfig("b", "p")
    assert keyed(base) == "by boto3's usual key"
    assert keyed(replace(base, profile="ops")) == "by profile ops"
    ref = SecretRef(env_file=Path("/srv/.env"), key="AWS_ACCESS_KEY_ID")
    assert keyed(replace(base, access_key=ref)) == "by the key AWS_ACCESS_KEY_ID in /srv/.env"


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 120])
def test_lines_keep_to_their_columns(columns: int) -> None:
    check = Check(
        "edge:a-rather-long-name-1",
        Mark.NOTE,
        "https://api.example.com/health from prod-1 answers 200 in 17 ms " * 3,
        0.017,
        0.2,
        (Missing("something " * 9, "do this " * 12),),
    )
    for line in present.lines(check, columns):
        assert len(line) <= max(columns, 40)


class Terminal(io.StringIO):
    """A stream that says it is a terminal of some encoding."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._named = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._named

    def isatty(self) -> bool:
        return True


def test_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "shutil.get_terminal_size", lambda *a: __import__("os").terminal_size((120, 40))
    )
    good = doctor_local.terminal({"TERM": "xterm"}, Terminal("utf-8"))
    assert good.mark is Mark.OK and "120x40" in good.said
    dumb = doctor_local.terminal({"TERM": "dumb"}, Terminal("utf-8"))
    assert dumb.mark is Mark.NOTE and "cofa glance" in dumb.missing[0].remedy
    ascii_only = doctor_local.terminal({"TERM": "xterm"}, Terminal("ascii"))
    assert "UTF-8" in ascii_only.missing[0].what
    assert doctor_local.terminal({}, io.StringIO()).mark is Mark.ABSENT


def test_the_configuration_file(tmp_path: Path) -> None:
    assert doctor_local.configuration(None).mark is Mark.ABSENT
    path = tmp_path / "cofa.toml"
    path.write_text("version = 1")
    path.chmod(0o600)
    config = Config({"production": ENVIRONMENT}, "production", path)
    assert doctor_local.configuration(config).mark is Mark.OK
    path.chmod(0o660)
    check = doctor_local.configuration(replace(config, warnings=("old key",)))
    old, group = check.missing
    assert old.what == "old key"
    assert "chmod g-w" in group.remedy


def test_the_agent(tmp_path: Path) -> None:
    local = Environment("production", EngineConfig("unix:///x"))
    assert doctor_local.agent(local, {}) is None
    none = doctor_local.agent(ENVIRONMENT, {"PATH": "/usr/bin:/bin"})
    assert none is not None and "SSH_AUTH_SOCK is not set" in none.said
    for code, words in ((0, "holds 2 keys"), (1, "holds no key"), (2, "cannot be reached")):
        tool = tmp_path / "ssh-add"
        tool.write_text(f"#!/bin/sh\necho one; echo two\nexit {code}\n")
        tool.chmod(0o755)
        environ = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SSH_AUTH_SOCK": "/x"}
        check = doctor_local.agent(ENVIRONMENT, environ)
        assert check is not None and words in check.said
        assert check.mark is (Mark.OK if code == 0 else Mark.NOTE)


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    check = doctor_local.directory(tmp_path / "file" / "cofa")
    assert check.mark is Mark.FAIL and "XDG_STATE_HOME" in check.missing[0].remedy


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cofa.toml").write_text(
        'version = 1\n[environments.production]\nengine = "unix:///nowhere/docker.sock"\n'
    )
    return {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}


def with_links(monkeypatch: pytest.MonkeyPatch, prepared: Links) -> None:
    class Prepared(FakeOpener):
        def __init__(self, *_: Any) -> None:
            super().__init__(prepared)

        def close(self) -> None:
            pass

    monkeypatch.setattr(doctor, "Opener", Prepared)


def test_exit_codes_and_the_last_line(
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with_links(monkeypatch, Links(fleet=FakeLink("engine", FLEET)))  # type: ignore[arg-type]
    assert run(["doctor"], environ) == 0
    said = capsys.readouterr().out
    assert said.endswith("1 of 1 link reached\n")
    with_links(monkeypatch, Links(fleet=FakeLink("engine", REFUSED)))  # type: ignore[arg-type]
    assert run(["doctor"], environ) == 1
    assert capsys.readouterr().out.endswith("0 of 1 link reached\n")


def test_json(
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with_links(monkeypatch, Links(fleet=FakeLink("engine", REFUSED)))  # type: ignore[arg-type]
    assert run(["doctor", "--json"], environ) == 1
    whole = json.loads(capsys.readouterr().out)
    assert (whole["schema"], whole["ok"], whole["environment"]) == (1, False, "production")
    engine = next(check for check in whole["checks"] if check["name"] == "engine")
    assert engine["state"] == "fail"
    assert engine["missing"] == [{"what": None, "remedy": "start it"}]
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(whole)


def test_a_wrong_file_is_told_in_full(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("cofa.toml").write_text("version = 1\n[environments.production]\na = 1\nb = 2\n")
    assert run(["doctor"], environ) == 78
    said = capsys.readouterr()
    assert "python" in said.out
    assert "line 3" in said.err and "line 4" in said.err


def test_a_failure_as_a_check() -> None:
    failure = Failure(FailureKind.DENIED, "bucket x", "denied", "grant s3:ListBucket")
    check = present.failed("backups", failure, 0.5)
    assert present.to_json(check)["said"] == "bucket x: denied"
