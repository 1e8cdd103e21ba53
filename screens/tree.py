"""The Fleet's rows: which services and replicas are shown, in which order. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from console.model.findings import Finding, PlaceKind, Severity
from console.model.fleet import Replica, Role, Service, Usage
from console.model.snapshot import Snapshot

WELL: Final = 9
"""Rank of what has no trouble."""
_UNWELL: Final = 3


class Order(StrEnum):
    """By what the rows are sorted; `s` goes round."""

    TROUBLE = "trouble"
    NAME = "name"
    CPU = "cpu"
    MEMORY = "memory"
    UP = "youngest"

    def next(self) -> "Order":
        """The one after it."""
        orders = list(Order)
        return orders[(orders.index(self) + 1) % len(orders)]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a service, or (with `replica`) one of its replicas."""

    service: Service
    replica: Replica | None = None
    folded: bool = False

    @property
    def key(self) -> str:
        """Its identity, which outlives a new Snapshot."""
        return replica_key(self.replica.name) if self.replica else service_key(self.service.key)


def service_key(key: str) -> str:
    """Identity of a service's row."""
    return f"service {key}"


def replica_key(name: str) -> str:
    """Identity of a replica's row."""
    return f"replica {name}"


@dataclass(frozen=True, slots=True)
class View:
    """How the user wants to see the Fleet."""

    filter: str = ""
    faults: bool = False
    order: Order = Order.TROUBLE
    folds: Mapping[str, bool] = field(default_factory=dict)
    """Service key -> folded, where the user said so."""


MEASURED_ON: Final[Mapping[str, Role]] = {
    "latency": Role.BACKEND,
    "errors": Role.BACKEND,
    "database-connections": Role.DATABASE,
    "slow-queries": Role.DATABASE,
}
"""Rules about a figure: whose figure it is."""


@dataclass(frozen=True, slots=True)
class Troubles:
    """The worst live finding of each service and replica."""

    services: Mapping[str, Finding]
    replicas: Mapping[str, Finding]

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Troubles":
        """Sort a Snapshot's findings by what they are about. Notes are no trouble."""
        services: dict[str, Finding] = {}
        replicas: dict[str, Finding] = {}
        for finding in snapshot.findings:
            if finding.blind or finding.severity is Severity.NOTE:
                continue
            if finding.place.kind is PlaceKind.SERVICE:
                services.setdefault(finding.place.key, finding)
            elif finding.place.kind is PlaceKind.REPLICA:
                replicas.setdefault(finding.place.key, finding)
            elif finding.rule in MEASURED_ON and snapshot.fleet is not None:
                role = MEASURED_ON[finding.rule]
                for service in snapshot.fleet.services:
                    if service.role is role:
                        services.setdefault(service.key, finding)
        return cls(services, replicas)

    def worst(self, service: Service) -> Severity | None:
        """The worst of the findings about a service or one of its replicas."""
        found = (self.services.get(service.key), *self._of_replicas(service))
        return min((f.severity for f in found if f), key=lambda s: s.rank, default=None)

    def rank(self, service: Service) -> int:
        """0 for the worst; what is not healthy without a finding comes after findings."""
        worst = self.worst(service)
        if worst is not None:
            return worst.rank
        return _UNWELL if short(service) or any(map(ailing, service.current)) else WELL

    def replica_rank(self, replica: Replica) -> int:
        """The same of one replica."""
        finding = self.replicas.get(replica.name)
        if finding is not None:
            return finding.severity.rank
        return _UNWELL if replica.wanted and ailing(replica) else WELL

    def _of_replicas(self, service: Service) -> Iterable[Finding | None]:
        return (self.replicas.get(replica.name) for replica in service.replicas)


def ailing(replica: Replica) -> bool:
    """Whether it does not serve."""
    return not replica.serving


def short(service: Service) -> bool:
    """Whether fewer replicas serve than declared."""
    return service.declared is not None and service.healthy < service.declared


def rows(
    snapshot: Snapshot, view: View, usage: Mapping[str, Usage], troubles: Troubles
) -> Sequence[Row]:
    """The rows of the table, top to bottom.

    A filter or faults-only opens what it finds; a service whose own name matches keeps
    its fold.
    """
    services = snapshot.fleet.services if snapshot.fleet else ()
    wanted = view.filter.casefold()
    shown: list[Row] = []
    for service in _sorted_services(services, view, usage, troubles):
        if view.faults and (service.one_shot or troubles.rank(service) == WELL):
            continue
        replicas = [
            r for r in service.replicas if not view.faults or troubles.replica_rank(r) < WELL
        ]
        by_name = wanted in f"{service.key} {service.name}".casefold()
        hits = replicas if by_name else [r for r in replicas if wanted in _searched(r)]
        if not by_name and not hits:
            continue
        folded = _folded(service, view, troubles) and not (wanted and not by_name)
        shown.append(Row(service, folded=folded))
        if not folded:
            order = _replica_order(view, usage)
            shown += [Row(service, replica) for replica in sorted(hits, key=order)]
    return shown


def _folded(service: Service, view: View, troubles: Troubles) -> bool:
    said = view.folds.get(service.key)
    if said is not None:
        return said
    return not (view.faults or service.role is Role.BACKEND or troubles.rank(service) < WELL)


def _searched(replica: Replica) -> str:
    return f"{replica.name} {replica.node} {replica.image.reference} {replica.state}".casefold()


def _sorted_services(
    services: Sequence[Service], view: View, usage: Mapping[str, Usage], troubles: Troubles
) -> list[Service]:
    def whole(service: Service, value: Callable[[Replica, Mapping[str, Usage]], float]) -> float:
        return sum(value(replica, usage) for replica in service.replicas)

    def order(service: Service) -> tuple[object, ...]:
        names = (service.name, service.key)
        match view.order:
            case Order.TROUBLE:
                return (troubles.rank(service), service.role is not Role.BACKEND, *names)
            case Order.CPU:
                return (-whole(service, _cpu), *names)
            case Order.MEMORY:
                return (-whole(service, _memory), *names)
            case Order.UP:
                youngest = max((r.started_at or 0.0 for r in service.replicas), default=0.0)
                return (-youngest, *names)
            case Order.NAME:
                return names

    return sorted(services, key=order)


def _replica_order(
    view: View, usage: Mapping[str, Usage]
) -> Callable[[Replica], tuple[object, ...]]:
    def figure(replica: Replica) -> float:
        match view.order:
            case Order.CPU:
                return -_cpu(replica, usage)
            case Order.MEMORY:
                return -_memory(replica, usage)
            case Order.UP:
                return -(replica.started_at or 0.0)
            case _:
                return 0.0

    def order(replica: Replica) -> tuple[object, ...]:
        slot = replica.slot if replica.slot is not None else 1 << 30
        return (figure(replica), not replica.wanted, slot, replica.name)

    return order


def _cpu(replica: Replica, usage: Mapping[str, Usage]) -> float:
    known = usage.get(replica.id)
    return known.cpu or 0.0 if known else 0.0


def _memory(replica: Replica, usage: Mapping[str, Usage]) -> float:
    known = usage.get(replica.id)
    return float(known.memory or 0) if known else 0.0
