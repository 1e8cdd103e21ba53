"""Edges: not answering, answering wrongly or slowly, not redirecting, using dead addresses."""

from collections.abc import Iterator, Sequence
from typing import Final

from console.errors import FailureKind
from console.model.edges import EdgeReport, Probe
from console.model.findings import PlaceKind, Severity
from console.model.fleet import Role
from console.present import units
from console.rules.view import Candidate, Kind, View

DOWN: Final = "edge-down"
ERROR: Final = "edge-error"
SLOW_HOLD: Final = 20.0
"""One probe may be unlucky."""
UPSTREAM_RECENT: Final = 120.0
"""Failures older than this many seconds belong to a reload that has happened since."""
_KEYS: Final = ("edge", "nginx", "proxy", "traefik", "haproxy", "caddy", "ingress", "api", "site")

Seen = tuple[str, EdgeReport]
"""Name of the source, and what it says."""


def candidates(view: View) -> Iterator[Candidate]:
    """The troubles of all edges."""
    seen = [
        (source.name, report)
        for source in view.readings.edges
        if (report := view.seen(source)) is not None
    ]
    down = [(name, report) for name, report in seen if _is_down(report, view.now)]
    if len(down) > 1 and len(down) == len(seen):
        yield _all_down(view, down)
    else:
        for name, report in down:
            yield _one_down(view, name, report)
    for name, report in seen:
        yield from _answers_badly(view, name, report)
        yield from _no_redirect(view, name, report)
    yield from _stale_upstreams(view)


def _is_down(report: EdgeReport, now: float) -> bool:
    """Whether users get nothing from it.

    An edge whose certificate is refused does answer: that is the certificate's trouble. One
    that stays silent behind such a certificate does not.
    """
    health = report.health
    if health.status is not None:
        return health.status >= 500
    if health.failure is not None and health.failure.kind is FailureKind.TIMEOUT:
        return True
    certificate = report.certificate
    return certificate is None or not (certificate.problem or certificate.not_after <= now)


def _rule(reports: Sequence[EdgeReport]) -> str:
    """Of an edge that answers, or greets and then falls silent, the trouble is behind it."""
    return ERROR if all(r.health.status is not None or _fell_silent(r) for r in reports) else DOWN


def _fell_silent(report: EdgeReport) -> bool:
    failure = report.health.failure
    late = failure is not None and failure.kind is FailureKind.TIMEOUT
    return late and report.certificate is not None


def _said(health: Probe) -> str:
    if health.failure is not None:
        return health.failure.why
    return f"answers {health.status}"


def _all_down(view: View, down: Sequence[Seen]) -> Candidate:
    """No edge that can be seen answers; with an edge unseen that is not yet an outage."""
    count, all_edges = len(down), len(view.readings.edges)
    finding = view.finding(
        _rule([report for _, report in down]),
        "all",
        Severity.P0 if count == all_edges else Severity.P1,
        f"no edge answers: {count} of {all_edges} down, {_said(down[0][1].health)}",
        (PlaceKind.EDGE, down[0][1].name),
        down[0][0],
        evidence=(
            f"{r.name}: GET {r.health.url} from {r.vantage}: {_said(r.health)}" for _, r in down
        ),
        runbook="restart",
    )
    return Candidate(
        finding,
        kind=Kind.DOWN,
        keys=_keys(view, *(report.name for _, report in down)),
        absorbs=tuple(f"{rule}/{r.name}" for rule in (DOWN, ERROR) for _, r in down),
        needs=tuple(name for name, _ in down),
    )


def _one_down(view: View, name: str, report: EdgeReport) -> Candidate:
    alone = len(view.readings.edges) == 1
    finding = view.finding(
        _rule([report]),
        report.name,
        Severity.P0 if alone else Severity.P1,
        f"edge {report.name} {'does not answer: ' if report.health.status is None else ''}"
        f"{_said(report.health)}",
        (PlaceKind.EDGE, report.name),
        name,
        evidence=(f"GET {report.health.url} from {report.vantage}: {_said(report.health)}",),
        runbook="restart",
    )
    return Candidate(finding, kind=Kind.DOWN, keys=_keys(view, report.name))


def _keys(view: View, *names: str) -> tuple[str, ...]:
    services = view.fleet.services if view.fleet else ()
    edges = [service.name for service in services if service.role is Role.EDGE]
    return tuple(sorted({name.lower() for name in (*names, *edges, *_KEYS)}))


def _answers_badly(view: View, name: str, report: EdgeReport) -> Iterator[Candidate]:
    health = report.health
    if health.status is None or health.status >= 500:
        return
    call = f"GET {health.url} from {report.vantage}"
    if not health.ok:
        to = f" to {health.location}" if health.location else ""
        # Where the path itself was a guess, an answer is an answer.
        guessed = ("the path is a guess: set `health` of this edge in cofa.toml",)
        finding = view.finding(
            "edge-wrong-status",
            report.name,
            Severity.NOTE if report.assumed else Severity.P1,
            f"edge {report.name} answers {health.status}{to} for {health.url}, not 2xx",
            (PlaceKind.EDGE, report.name),
            name,
            evidence=(f"{call}: {health.status}{to}", *(guessed if report.assumed else ())),
            runbook="post-deployment-checks",
        )
        yield Candidate(finding)
    if health.took is not None and health.took > view.policy.edge_latency:
        limit = units.limit(view.policy.edge_latency)
        finding = view.finding(
            "edge-slow",
            report.name,
            Severity.P2,
            f"edge {report.name} answers in {units.duration(health.took)}, limit {limit}",
            (PlaceKind.EDGE, report.name),
            name,
            evidence=(f"{call}: {units.duration(health.took)}",),
            runbook="slow-responses",
        )
        yield Candidate(finding, hold=SLOW_HOLD, kind=Kind.LATENCY)


def _no_redirect(view: View, name: str, report: EdgeReport) -> Iterator[Candidate]:
    """Plain HTTP must be sent on to HTTPS; an edge without plain HTTP is as safe."""
    probe = report.redirect
    if probe is None or probe.status is None or not report.url.startswith("https://"):
        return
    if probe.status in (301, 302, 307, 308) and probe.location.lower().startswith("https://"):
        return
    to = f" to {probe.location}" if probe.location else ""
    finding = view.finding(
        "edge-no-redirect",
        report.name,
        Severity.P2,
        f"edge {report.name} answers plain HTTP with {probe.status}{to}, not a redirect to HTTPS",
        (PlaceKind.EDGE, report.name),
        name,
        evidence=(f"GET {probe.url} from {report.vantage}: {probe.status}{to}",),
        runbook="post-deployment-checks",
    )
    yield Candidate(finding)


def _stale_upstreams(view: View) -> Iterator[Candidate]:
    """Addresses that an edge still sends to although no replica has them any more."""
    if view.fleet is None:
        return
    present = {
        address
        for service in view.fleet.services
        for replica in service.replicas
        if replica.running
        for address in replica.addresses.values()
    }
    # A replica that is down had an address: failing to reach that is its trouble.
    down = sum(
        max(0, (service.declared or 0) - service.healthy)
        for service in view.fleet.services
        if service.role is Role.BACKEND
    )
    for source in view.readings.upstreams:
        upstreams = view.seen(source)
        if upstreams is None:
            continue
        gone = [
            (address, count, at)
            for address, count, at in upstreams.failed
            if _host(address) not in present and view.now - at < UPSTREAM_RECENT
        ]
        if len(gone) <= down:
            continue
        gone.sort(key=lambda item: -item[1])
        address, count, _ = gone[0]
        more = f", +{len(gone) - 1} more" if len(gone) > 1 else ""
        finding = view.finding(
            "edge-stale-upstream",
            upstreams.edge,
            Severity.P1,
            f"edge {upstreams.edge} sends to {address}, which is gone: "
            f"{units.plural(count, 'failure')}{more}",
            (PlaceKind.EDGE, upstreams.edge),
            source.name,
            evidence=(
                *(
                    f"log of {upstreams.edge}: {a}, {units.plural(n, 'failure')}"
                    for a, n, _ in gone[:8]
                ),
                "an edge that resolved its upstreams at its start must be reloaded",
            ),
            runbook="restart",
        )
        yield Candidate(finding, needs=(view.engine,))


def _host(address: str) -> str:
    head, colon, port = address.rpartition(":")
    return (head if colon and port.isdigit() else address).strip("[]")
