"""What discovery only guessed about an edge makes notes, not troubles."""

from dataclasses import replace

import pytest

from console.model.edges import Certificate, EdgeReport, Probe
from console.model.findings import Finding, Severity
from console.model.policy import Policy
from console.model.readings import Reading, Source
from console.model.snapshot import Readings
from console.rules import Memory, judge

NOW = 1_795_000_000.0
DAY = 86_400.0
SELF_SIGNED = Certificate("shop", "shop", ("shop",), NOW - DAY, NOW + 90 * DAY, "self-signed")
REPORT = EdgeReport("nginx-1", "https://shop", "here", Probe("https://shop/health", NOW, 0.01, 200))


def findings(report: EdgeReport) -> list[Finding]:
    source: Source[EdgeReport] = Source("edge:nginx-1", 15.0)
    source = source.heard(Reading(NOW, 0.01, report))
    found, _ = judge(Readings(edges=(source,)), None, Policy(), Memory(), NOW)
    return [finding for finding in found if finding.source == "edge:nginx-1"]


@pytest.mark.parametrize(("assumed", "severity"), [(True, Severity.NOTE), (False, Severity.P1)])
def test_an_authority_that_is_not_known(assumed: bool, severity: Severity) -> None:
    report = replace(REPORT, certificate=SELF_SIGNED, assumed=assumed)
    (finding,) = findings(report)
    assert (finding.rule, finding.severity) == ("certificate", severity)
    assert any("cofa.toml" in line for line in finding.evidence) is assumed


@pytest.mark.parametrize("assumed", [True, False])
def test_an_expired_certificate_is_one_for_everybody(assumed: bool) -> None:
    expired = replace(SELF_SIGNED, not_after=NOW - DAY, problem="expired")
    (finding,) = findings(replace(REPORT, certificate=expired, assumed=assumed))
    assert finding.severity is Severity.P0


@pytest.mark.parametrize(("assumed", "severity"), [(True, Severity.NOTE), (False, Severity.P1)])
def test_a_health_path_that_is_not_there(assumed: bool, severity: Severity) -> None:
    report = replace(REPORT, health=replace(REPORT.health, status=404), assumed=assumed)
    (finding,) = findings(report)
    assert (finding.rule, finding.severity) == ("edge-wrong-status", severity)


def test_an_edge_that_fails_is_down_however_it_was_found() -> None:
    (finding,) = findings(replace(REPORT, health=replace(REPORT.health, status=502), assumed=True))
    assert finding.severity is Severity.P0
