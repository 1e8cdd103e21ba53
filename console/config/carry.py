"""What a discovered environment keeps of itself while parts of it are down.

A stopped edge publishes nothing and so is not found again; it must not vanish from the
watch for that.
"""

from dataclasses import replace

from console.config.environment import EdgeConfig, Environment
from console.model.fleet import Fleet


def carry_over(
    before: Environment, now: Environment, fleet: Fleet, *, files_read: bool
) -> Environment:
    """`now`, with the parts of `before` that are only down. A removed container is gone.

    `files_read`: every env file could be read, so a bucket that is missing is gone too.
    """
    names = {service.name for service in fleet.services}
    stays_backend = not now.backend and fleet.service(before.backend) is not None
    return replace(
        now,
        backend=before.backend if stays_backend else now.backend,
        edges=_edges(before, now, fleet),
        prometheus=now.prometheus or (before.prometheus if "prometheus" in names else None),
        alertmanager=now.alertmanager or (before.alertmanager if "alertmanager" in names else None),
        backups=now.backups or (None if files_read else before.backups),
    )


def _edges(before: Environment, now: Environment, fleet: Fleet) -> tuple[EdgeConfig, ...]:
    found = {edge.replica for edge in now.edges if edge.replica}
    taken = {edge.name for edge in now.edges}

    def down(edge: EdgeConfig) -> bool:
        if edge.replica:
            replica = fleet.replica(edge.replica)
            return edge.replica not in found and replica is not None and replica.wanted
        # The Swarm's ingress, or the backend's own port: a service is behind it.
        services = {service.name for service in fleet.services if service.replicas}
        return not now.edges and bool(services & {edge.name, before.backend.rpartition("/")[2]})

    asleep = tuple(edge for edge in before.edges if edge.name not in taken and down(edge))
    return tuple(sorted((*now.edges, *asleep), key=lambda edge: edge.name)) if asleep else now.edges
