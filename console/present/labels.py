"""Short names of replicas, where their service stands beside them."""

from console.model.fleet import Replica, Service


def replica_label(replica: Replica, service: Service | None) -> str:
    """Its name without the Compose project or Swarm stack, which all of a fleet may share.

    ``shop-backend-7`` is ``backend-7``, ``shop_backend.2`` is ``backend.2``; another name
    stays as it is.
    """
    project = service.project if service else ""
    for separator in "-_":
        short = replica.name.removeprefix(f"{project}{separator}")
        if project and short and short != replica.name:
            return short
    return replica.name
