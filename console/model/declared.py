"""How many replicas there should be, where the engine itself does not say."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from console.model.fleet import Fleet, Intended, Intention, Service, ServiceKind
from console.model.policy import Policy


def declare(fleet: Fleet, intended: Iterable[Intended], policy: Policy) -> Fleet:
    """`fleet` with `Service.declared` filled in.

    Swarm says it itself. For the rest the policy's count comes first (by name or key), then
    that of Compose's files, then the number of replicas as found: with nobody to say what
    should be, only a replica that stopped can be missed, not one that was removed.
    A service that is in Compose's files alone is added without replicas: all are missing.
    """
    known = {item.service: item for project in intended for item in project.services}
    services = tuple(
        _declared(service, known.get(service.key), policy) for service in fleet.services
    )
    return replace(fleet, services=services + _absent(fleet, known))


def _declared(service: Service, intention: Intention | None, policy: Policy) -> Service:
    count = policy.replicas.get(service.key, policy.replicas.get(service.name))
    if count is None and service.declared is not None:
        return service
    if count is None and intention is not None:
        count = intention.replicas
    if count is None and service.kind is not ServiceKind.SWARM:
        count = len(service.current)
    return replace(service, declared=count)


def _absent(fleet: Fleet, known: Mapping[str, Intention]) -> tuple[Service, ...]:
    """Services of Compose's files with no container at all, in projects that do run."""
    running = {service.project for service in fleet.services if service.replicas}
    present = {service.key for service in fleet.services}
    return tuple(
        Service(
            key=key,
            name=key.rpartition("/")[2],
            kind=ServiceKind.COMPOSE,
            project=key.rpartition("/")[0],
            declared=intention.replicas,
        )
        for key, intention in known.items()
        if key not in present
        and key.rpartition("/")[0] in running
        and (intention.replicas or 0) > 0
    )
