"""Certificates, as the edges serve them."""

from collections.abc import Iterator

from console.model.edges import Certificate, EdgeReport
from console.model.findings import PlaceKind, Severity
from console.present import units
from console.rules.view import Candidate, Kind, View

Served = tuple[str, EdgeReport, Certificate]
"""Name of the source, its report, and the certificate in it."""


def candidates(view: View) -> Iterator[Candidate]:
    """One finding per name: the same certificate on two edges is one trouble."""
    by_name: dict[str, list[Served]] = {}
    for source in view.readings.edges:
        report = view.seen(source)
        if report is not None and report.certificate is not None:
            certificate = report.certificate
            name = certificate.names[0] if certificate.names else certificate.subject
            by_name.setdefault(name or report.name, []).append((source.name, report, certificate))
    for name, served in by_name.items():
        troubled = [item for item in served if _severity(view, item[2], served) is not None]
        if troubled:
            yield _candidate(view, name, served, troubled)


def _severity(view: View, certificate: Certificate, served: list[Served]) -> Severity | None:
    left = certificate.not_after - view.now
    if left <= 0:
        valid = any(other.not_after > view.now for _, _, other in served)
        return Severity.P1 if valid else Severity.P0
    guessed = all(report.assumed for _, report, _ in served)
    if (
        (certificate.problem and not guessed)
        or certificate.not_before > view.now
        or left < view.policy.certificate_critical
    ):
        return Severity.P1
    if left < view.policy.certificate:
        return Severity.P2
    # Discovery knows neither a private CA nor for sure the name that users ask.
    return Severity.NOTE if certificate.problem else None


def _summary(view: View, name: str, certificate: Certificate) -> str:
    left = certificate.not_after - view.now
    if left <= 0:
        return f"certificate of {name} expired {units.age(-left)} ago"
    if certificate.not_before > view.now:
        wait = units.age(certificate.not_before - view.now)
        return f"certificate of {name} is not valid for another {wait}"
    if certificate.problem and left >= view.policy.certificate:
        return f"certificate of {name} is refused: {certificate.problem}"
    critical = left < view.policy.certificate_critical
    limit = view.policy.certificate_critical if critical else view.policy.certificate
    also = f"; refused: {certificate.problem}" if certificate.problem else ""
    return f"certificate of {name} ends in {units.age(left)}, limit {units.age(limit)}{also}"


def _candidate(view: View, name: str, served: list[Served], troubled: list[Served]) -> Candidate:
    worst = min(troubled, key=lambda item: (_rank(view, item[2], served), item[2].not_after))
    source, report, certificate = worst
    left = certificate.not_after - view.now
    since = None
    if left < view.policy.certificate and not certificate.problem:
        critical = left < view.policy.certificate_critical
        limit = view.policy.certificate_critical if critical else view.policy.certificate
        since = certificate.not_after - (0.0 if left <= 0 else limit)
    finding = view.finding(
        "certificate",
        name,
        _severity(view, certificate, served) or Severity.P2,
        _summary(view, name, certificate),
        (PlaceKind.EDGE, report.name),
        source,
        since=since,
        evidence=(
            *(
                f"{r.name} serves one until {units.full_moment(c.not_after)} by {c.issuer}"
                + (f", refused: {c.problem}" if c.problem else "")
                for _, r, c in served
            ),
            *(
                ("name and CA are guesses: set `url` and `ca` of this edge in cofa.toml",)
                if certificate.problem and report.assumed
                else ()
            ),
        ),
        runbook="certificate-expiry",
    )
    return Candidate(
        finding,
        kind=Kind.CERTIFICATE,
        keys=tuple(sorted({n.lower() for n in (name, *certificate.names)})),
        needs=tuple(item[0] for item in troubled),
    )


def _rank(view: View, certificate: Certificate, served: list[Served]) -> int:
    severity = _severity(view, certificate, served)
    return severity.rank if severity else len(Severity)
