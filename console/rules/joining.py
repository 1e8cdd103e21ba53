"""One trouble is one finding: alerts are joined to the rule that says the same.

What an alert is about is read from its name first, then from its rule's expression. It is
joined to a candidate of that kind which speaks of the same thing, by the names and
addresses in the alert's name and labels. The rule's figures stay, the alert becomes
evidence; the worse severity and the earlier since count. What finds no partner stands as a
finding of its own, all alerts of one name together.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from console.model.findings import Finding, Severity
from console.model.fleet import Role, Service
from console.model.hosts_seen import bare
from console.model.signals import AlertState
from console.rules.alerts import SeenAlert, alerts_seen, evidence_of, finding_of
from console.rules.edges import DOWN, ERROR
from console.rules.services import BELOW
from console.rules.view import Candidate, Kind, View

_BY_NAME: Final[tuple[tuple[re.Pattern[str], tuple[Kind, ...]], ...]] = tuple(
    (re.compile(pattern), kinds)
    for pattern, kinds in (
        (r"\bcert|\bssl\b|\btls\b", (Kind.CERTIFICATE,)),
        (r"\bbackup|\bdump", (Kind.BACKUP,)),
        (r"\bclock|\bntp\b|\bskew", (Kind.CLOCK,)),
        (r"\b(db|database|postgres\w*|pg|sql)\b.*(conn|pool)", (Kind.CONNECTIONS,)),
        (r"\b(slow|long)\b.*quer", (Kind.SLOW_QUERIES,)),
        (r"restart|crash ?loop|flapping", (Kind.RESTARTS,)),
        (r"\boom\b", (Kind.REPLICA_MEMORY, Kind.RESTARTS)),
        (r"\bdisk.*\b(io|latency|read|write)", ()),
        (r"\bdisk|\bfile ?system|\bstorage|\bvolume", (Kind.DISK,)),
        (r"\bmem(ory)?\b", (Kind.HOST_MEMORY, Kind.REPLICA_MEMORY)),
        (
            r"\berrors?\b.*(rate|ratio|high|budget)|(high|http).*\berror|\bburn|\b5 ?xx\b",
            (Kind.ERRORS,),
        ),
        (r"latency|\bslow|\bp ?9[059]\b|response ?time|\bduration", (Kind.LATENCY,)),
        (r"\bnode\b.*(down|not ?ready|lost)", (Kind.NODE, Kind.DOWN)),
        (
            r"\bdown\b|unreachable|\babsent|\bmissing|unhealthy|unavailable|not ?responding",
            (Kind.DOWN,),
        ),
    )
)
_BY_EXPRESSION: Final[tuple[tuple[str, tuple[Kind, ...]], ...]] = (
    ("pg_stat_activity", (Kind.CONNECTIONS,)),
    ("node_filesystem", (Kind.DISK,)),
    ("node_memory", (Kind.HOST_MEMORY,)),
    ("container_memory", (Kind.REPLICA_MEMORY,)),
    ("probe_ssl", (Kind.CERTIFICATE,)),
    ("histogram_quantile", (Kind.LATENCY,)),
)
RUNBOOKS: Final = {
    Kind.DOWN: "restart",
    Kind.ERRORS: "slow-responses",
    Kind.LATENCY: "slow-responses",
    Kind.CONNECTIONS: "connection-pool",
    Kind.SLOW_QUERIES: "database-health",
    Kind.DISK: "disk-full",
    Kind.HOST_MEMORY: "memory-leak",
    Kind.REPLICA_MEMORY: "memory-leak",
    Kind.RESTARTS: "restart",
    Kind.CERTIFICATE: "certificate-expiry",
    Kind.BACKUP: "backup-verify",
}
_SINGULAR: Final = (Kind.ERRORS, Kind.LATENCY, Kind.CONNECTIONS, Kind.SLOW_QUERIES, Kind.BACKUP)
"""There is one such trouble in an environment: names need not agree."""
_LONELY: Final = (Kind.DISK, Kind.HOST_MEMORY, Kind.CERTIFICATE, Kind.CLOCK)
"""Where only one thing is in such trouble, the alert means that, unless it names a mount."""
_NAMING: Final = (
    "instance", "job", "service", "container", "name", "pod", "host", "hostname", "node",
    "nodename", "mountpoint", "domain", "target", "replica",
    "container_label_com_docker_compose_service",
    "container_label_com_docker_swarm_service_name",
)  # fmt: skip
_USERS: Final = frozenset(("api", "backend", "site", "website"))
"""What users meet, in the words of alerts."""
_CAMEL: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def kinds_of(name: str, expression: str) -> tuple[Kind, ...]:
    """What an alert is about; nothing where it cannot be told."""
    words = " ".join(_CAMEL.findall(name)).lower()
    for pattern, kinds in _BY_NAME:
        if pattern.search(words):
            return kinds
    return next((kinds for part, kinds in _BY_EXPRESSION if part in expression), ())


def joined(view: View, candidates: Sequence[Candidate]) -> list[Candidate]:
    """`candidates`, with the alerts joined to them or added.

    An alert whose rule's finding only lingers is still part of it. Where that has gone
    stale, the alert is what is seen, and takes its place.
    """
    found = {candidate.finding.id: candidate for candidate in candidates}
    by_kind: dict[Kind, list[str]] = {}
    for candidate in candidates:
        if candidate.kind is not None:
            by_kind.setdefault(candidate.kind, []).append(candidate.finding.id)
    alone: dict[str, list[SeenAlert]] = {}
    replaced: dict[str, set[str]] = {}
    partners: dict[str, list[SeenAlert]] = {}
    for item in alerts_seen(view):
        kinds = kinds_of(item.alert.name, item.expression)
        partner = None
        if item.alert.state is not AlertState.INHIBITED:
            near = [found[id_] for kind in kinds for id_ in by_kind.get(kind, ())]
            partner = _partner(item, kinds, near)
        if partner is not None and partner.finding.stale_since is None:
            partners.setdefault(partner.finding.id, []).append(item)
            continue
        alone.setdefault(item.alert.name, []).append(item)
        if partner is not None:
            replaced.setdefault(item.alert.name, set()).add(partner.finding.id)
    for id_, items in partners.items():
        found[id_] = _with_alerts(view, found[id_], items, alone)
    return _outage_is_one(view, [*found.values(), *_alone(view, alone, replaced)])


def _words(item: SeenAlert) -> frozenset[str]:
    """Names in the alert's own name and labels, in lower case."""
    alert = item.alert
    words = {word.lower() for word in _CAMEL.findall(alert.name)}
    for label in _NAMING:
        if value := alert.labels.get(label):
            words |= {value.lower(), bare(value)}
    return frozenset(words)


def _partner(
    item: SeenAlert, kinds: tuple[Kind, ...], near: Sequence[Candidate]
) -> Candidate | None:
    """The candidate that says the same: of the kind, and about the same thing."""
    if not near:
        return None
    if kinds[0] in _SINGULAR:
        return min(near, key=lambda candidate: candidate.finding.severity.rank)
    words = _words(item)
    scored = [(len(words.intersection(candidate.keys)), candidate) for candidate in near]
    best = max(scored, key=lambda pair: (pair[0], -pair[1].finding.severity.rank))
    mount = item.alert.labels.get("mountpoint", "").lower()
    if best[0] and (not mount or best[1].kind is not Kind.DISK or mount in best[1].keys):
        return best[1]
    lonely = len(near) == 1 and near[0].kind in _LONELY and (not mount or mount in near[0].keys)
    return near[0] if lonely else None


def _with_alerts(
    view: View, candidate: Candidate, items: Sequence[SeenAlert], alone: Container[str]
) -> Candidate:
    """`candidate` with these alerts as part of it; those of one name may be elsewhere too."""
    absorbed = {f"alert/{item.alert.name}" for item in items if item.alert.name not in alone}
    if not candidate.past:
        for item in items:
            said = finding_of(view, [item], None)
            if said is not None:
                candidate = candidate.joined(said, (evidence_of(item.alert, view.now),))
    others = {id_ for id_ in candidate.absorbs if not id_.startswith("alert/")}
    return replace(candidate, absorbs=tuple(sorted(others | absorbed)))


def _alone(
    view: View, alone: Mapping[str, list[SeenAlert]], replaced: Mapping[str, set[str]]
) -> Iterator[Candidate]:
    for name, group in alone.items():
        kinds = kinds_of(name, group[0].expression)
        finding = finding_of(view, group, RUNBOOKS.get(kinds[0]) if kinds else None)
        if finding is not None and _says_outage(view, finding, kinds, group):
            finding = replace(finding, severity=Severity.P0)
        if finding is not None:
            yield Candidate(finding, absorbs=tuple(sorted(replaced.get(name, ()))))


def _says_outage(
    view: View, finding: Finding, kinds: tuple[Kind, ...], group: Sequence[SeenAlert]
) -> bool:
    """A critical alert that the API is down is an outage, where nothing seen here denies it."""
    services = view.fleet.services if view.fleet else ()
    witnesses = any(service.role is Role.BACKEND for service in services) or any(
        view.seen(source) is not None for source in view.readings.edges
    )
    about_users = any(_USERS.intersection(_words(item)) for item in group)
    return (
        finding.severity is Severity.P1
        and kinds[:1] == (Kind.DOWN,)
        and (about_users and not witnesses)
    )


def _outage_is_one(view: View, candidates: Iterable[Candidate]) -> list[Candidate]:
    """An outage is seen from several sides: by the backend, by the edges, from outside.

    A backend without a healthy replica explains the errors of the edges, and why edges whose
    check asks it are unhealthy. An edge that does not answer is told of once: by the probe,
    with what its service says as evidence.
    """
    found = {candidate.finding.id: candidate for candidate in candidates}
    services = {service.key: service for service in (view.fleet.services if view.fleet else ())}
    below = [c for c in found.values() if c.finding.rule == BELOW and not c.past]
    edges = [c for c in below if _role(services, c) is Role.EDGE]
    out = next(
        (
            c.finding.id
            for c in below
            if _role(services, c) is Role.BACKEND and c.finding.severity is Severity.P0
        ),
        None,
    )
    joins: list[tuple[str, Candidate]] = []
    for probed in [c for c in found.values() if c.finding.rule in (ERROR, DOWN) and not c.past]:
        name = probed.finding.subject.lower()
        joins += [(probed.finding.id, edge) for edge in edges if name == "all" or name in edge.keys]
        if out is not None and probed.finding.rule == ERROR:
            joins.append((out, probed))
    if out is not None:
        taken = {edge.finding.id for _, edge in joins}
        joins += [
            (out, edge)
            for edge in edges
            if edge.finding.id not in taken and _only_unhealthy(services[edge.finding.subject])
        ]
    for id_, part in joins:
        found[id_] = found[id_].joined(found[part.finding.id].finding, part.finding.evidence)
    return list(found.values())


def _role(services: Mapping[str, Service], candidate: Candidate) -> Role | None:
    service = services.get(candidate.finding.subject)
    return service.role if service else None


def _only_unhealthy(service: Service) -> bool:
    """Whether all its replicas run: then it is their check that fails."""
    return all(replica.running for replica in service.current)
