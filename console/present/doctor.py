"""What `cofa doctor` says of each check: pure functions from what was read to words."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from console.errors import Failure
from console.model.backups import Catalogue
from console.model.edges import EdgeReport
from console.model.fleet import Fleet, Intended
from console.model.hosts import HostReport
from console.model.policy import Policy
from console.model.signals import Alerts, Metrics
from console.present import units

NAME: Final = 18
"""Columns of a check's name."""
REDIRECTS: Final = (301, 302, 307, 308)


class Mark(StrEnum):
    """How a check ended."""

    OK = "ok"
    NOTE = "note"  # reached, but something is missing
    FAIL = "fail"
    ABSENT = "--"  # not configured, or of no use here


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that is missing, and how to mend it."""

    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's."""

    name: str
    mark: Mark
    said: str
    """Where, as whom and what answered; or why not."""
    took: float | None = None
    """Seconds."""
    skew: float | None = None
    """How far its clock is ahead, in seconds."""
    missing: tuple[Missing, ...] = ()


def check_of(
    name: str, where: str, said: str, missing: tuple[Missing, ...], took: float, skew: float | None
) -> Check:
    """The check of a link that answered."""
    mark = Mark.NOTE if missing else Mark.OK
    return Check(name, mark, f"{where}: {said}" if where else said, took, skew, missing)


def failed(name: str, failure: Failure, took: float | None = None) -> Check:
    """The check of a link that did not."""
    remedy = (Missing("", failure.remedy),)
    return Check(name, Mark.FAIL, f"{failure.subject}: {failure.why}", took, None, remedy)


def with_clock(check: Check, limit: float) -> Check:
    """The same, noting a clock that differs by more than `limit` seconds."""
    if check.skew is None or abs(check.skew) <= limit or check.mark is Mark.FAIL:
        return check
    ahead = "ahead of" if check.skew > 0 else "behind"
    what = f"its clock is {units.duration(abs(check.skew))} {ahead} ours"
    more = Missing(what, "compare `timedatectl` here and there; let both follow NTP")
    return Check(check.name, Mark.NOTE, check.said, check.took, check.skew, (*check.missing, more))


def lines(check: Check, columns: int = 80) -> list[str]:
    """The check for people: one line, wrapped, and one for each thing to mend."""
    columns = max(columns, 40)
    took = units.duration(check.took) if check.took is not None else ""
    clock = f", clock {check.skew:+.1f} s" if check.skew is not None else ""
    head = f" {check.mark.value:<5}{check.name:<{NAME}} {took:>7}  "
    indent = " " * 6
    beside = columns - len(head) >= 20
    result = [] if beside else _wrapped(head.strip(), " ", indent, columns)
    result += _wrapped(check.said + clock, head if beside else indent, indent, columns)
    for item in check.missing:
        if item.what:
            result += _wrapped(item.what, indent, indent, columns)
        if item.remedy:
            result += _wrapped(f"-> {item.remedy}", indent, f"{indent}   ", columns)
    return result


def to_json(check: Check) -> dict[str, Any]:
    """The check for machines."""
    return {
        "name": check.name,
        "state": {Mark.ABSENT: "absent"}.get(check.mark, check.mark.value),
        "said": check.said,
        "took_s": check.took,
        "clock_s": check.skew,
        "missing": [
            {"what": item.what or None, "remedy": item.remedy or None} for item in check.missing
        ],
    }


def summary(links: Sequence[Check]) -> str:
    """The last line, from the checks of links."""
    tried = [check for check in links if check.mark is not Mark.ABSENT]
    reached = [check for check in tried if check.mark is not Mark.FAIL]
    notes = sum(check.mark is Mark.NOTE for check in reached)
    more = f", {units.plural(notes, 'of them lacks', 'of them lack')} something" if notes else ""
    return f"{len(reached)} of {units.plural(len(tried), 'link')} reached{more}"


def fleet_said(fleet: Fleet) -> tuple[str, tuple[Missing, ...]]:
    """What the engine's answer comes to."""
    replicas = sum(len(service.current) for service in fleet.services)
    healthy = sum(service.healthy for service in fleet.services)
    kind = f"Swarm of {units.plural(len(fleet.nodes), 'node')}, " if fleet.swarm else ""
    services = units.plural(len(fleet.services), "service")
    said = f"{kind}engine {fleet.engine_version}, {services}, {healthy} of {replicas} healthy"
    if fleet.services:
        return said, ()
    nothing = Missing("it runs nothing", "name another engine: `engine` in cofa.toml, DOCKER_HOST")
    return said, (nothing,)


def intended_said(intended: Intended) -> tuple[str, tuple[Missing, ...]]:
    """What Compose's files come to."""
    said = f"project {intended.project}, {units.plural(len(intended.services), 'service')}"
    if not intended.problem:
        return said, ()
    remedy = "run there: docker compose config --quiet; drift stays unseen until it works"
    return said, (Missing(intended.problem, remedy),)


def metrics_said(metrics: Metrics) -> tuple[str, tuple[Missing, ...]]:
    """Which of the figures have data."""
    empty = sorted(name for name, figure in metrics.figures.items() if figure.value is None)
    full = len(metrics.figures) - len(empty)
    missing = []
    if empty:
        remedy = (
            "run the exporter, or name your own queries under [prometheus.queries]; "
            "docs/configuration.md"
        )
        missing.append(Missing(f"no data: {', '.join(empty)}", remedy))
    missing += [Missing(problem, "correct that query") for problem in metrics.problems]
    return f"{full} of {len(metrics.figures)} figures have data", tuple(missing)


def alerts_said(alerts: Alerts) -> tuple[str, tuple[Missing, ...]]:
    """Rules and alerts."""
    firing = sum(alert.state.value == "firing" for alert in alerts.alerts)
    rules = f"{units.plural(len(alerts.rules), 'rule')}, " if alerts.rules else ""
    broken = [rule for rule in alerts.rules if rule.health == "err"]
    missing = tuple(
        Missing(f"rule {rule.name} cannot be evaluated: {rule.last_error}", "correct its expr")
        for rule in broken[:5]
    )
    return f"{rules}{units.plural(len(alerts.alerts), 'alert')}, {firing} firing", missing


def rules_said(alerts: Alerts) -> tuple[str, tuple[Missing, ...]]:
    """The same for Prometheus, which should have rules."""
    said, missing = alerts_said(alerts)
    if alerts.rules:
        return said, missing
    none = Missing("it has no alerting rules", "load some: `rule_files` in prometheus.yml")
    return said, (*missing, none)


def catalogue_said(catalogue: Catalogue, now: float) -> tuple[str, tuple[Missing, ...]]:
    """The newest backup."""
    newest = catalogue.newest
    where = f"{catalogue.bucket}/{catalogue.prefix}"
    if newest is not None:
        more = "" if catalogue.complete else " of the newest"
        count = units.plural(len(catalogue.backups), "backup")
        age = units.age(now - newest.started_at)
        return f"{count}{more} in {where}, newest {age} old: {newest.key}", ()
    others = f", but {units.plural(catalogue.others, 'other key')}" if catalogue.others else ""
    missing = Missing(f"no backup{others}", "compare `backups.pattern` with a key in the bucket")
    return f"{where} can be listed", (missing,)


def edge_said(
    report: EdgeReport, now: float, policy: Policy
) -> tuple[str, tuple[Missing, ...], Failure | None]:
    """Health, redirect and certificate; and the failure, if it did not answer."""
    health = report.health
    if health.failure is not None:
        return "", (), health.failure
    missing: list[Missing] = []
    said = (
        f"{health.url} from {report.vantage} answers {health.status} "
        f"in {units.duration(health.took)}"
    )
    if not health.ok:
        remedy = "correct `health` of this edge, or see its log and the backend's"
        missing.append(Missing("its health is not 2xx", remedy))
    redirect = report.redirect
    if redirect is not None:
        https = redirect.status in REDIRECTS and redirect.location.startswith("https:")
        said += ", redirects to https" if https else ""
        if redirect.failure is not None:
            remedy = 'correct `http_connect`, or set it to "none"'
            missing.append(Missing(f"plain HTTP: {redirect.failure.why}", remedy))
        elif not https:
            what = f"plain HTTP answers {redirect.status}, no redirect to https"
            missing.append(Missing(what, "let the edge answer 301 to https"))
    certificate = report.certificate
    if certificate is not None:
        left = certificate.not_after - now
        said += f", certificate {units.age(left)} left" if left > 0 else ", certificate ran out"
        if certificate.problem:
            remedy = "correct `url`, name its authority as `ca`, or mend the certificate"
            missing.append(Missing(f"its certificate: {certificate.problem}", remedy))
        if left < policy.certificate:
            missing.append(Missing("its certificate ends soon", "renew it and reload the edge"))
    return said, tuple(missing), None


def host_said(report: HostReport) -> tuple[str, tuple[Missing, ...]]:
    """As whom, and what machine."""
    cpus = f", {units.plural(report.cpus, 'CPU')}" if report.cpus else ""
    return f"as {report.user or 'nobody known'}, {report.kernel}{cpus}", ()


def _wrapped(text: str, first: str, later: str, columns: int) -> list[str]:
    return textwrap.wrap(
        text,
        columns,
        initial_indent=first,
        subsequent_indent=later,
        break_on_hyphens=False,
    ) or [first.rstrip()]
