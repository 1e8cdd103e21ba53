"""Containers of one engine as services: Compose's by their labels, others one by one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from console.links.engine.containers import Container
from console.model.fleet import ComposeOrigin, Replica, Service, ServiceKind, State
from console.text import clean

_PREFIX: Final = "com.docker.compose."
PROJECT: Final = _PREFIX + "project"
_SERVICE: Final = _PREFIX + "service"
SWARM_TASK: Final = "com.docker.swarm.task.id"


def services_of(containers: Iterable[Container], taken: Iterable[str] = ()) -> list[Service]:
    """The services that these containers make, but for Swarm's; sorted by key.

    `taken` are keys of other services: a container of the same name gets a longer key.
    """
    own = [container for container in containers if SWARM_TASK not in container.labels]
    compose = [container for container in own if _composed(container)]
    alone = [container for container in own if not _composed(container)]
    services = [_compose_service(key, group) for key, group in _grouped(compose, _compose_key)]
    used = {*taken, *(service.key for service in services)}
    services += [_standalone(container, used) for container in alone]
    return sorted(services, key=lambda service: service.key)


def _composed(container: Container) -> bool:
    return bool(container.label(PROJECT) and container.label(_SERVICE))


def _compose_key(container: Container) -> str:
    return f"{container.label(PROJECT)}/{container.label(_SERVICE)}"


def _grouped(
    containers: Iterable[Container], key: Callable[[Container], str]
) -> list[tuple[str, list[Container]]]:
    ordered = sorted(containers, key=key)
    return [(name, list(group)) for name, group in groupby(ordered, key)]


def _compose_service(key: str, group: Sequence[Container]) -> Service:
    replicas = []
    for container in group:
        number = container.label(_PREFIX + "container-number")
        replicas.append(
            replace(
                container.replica,
                service=key,
                slot=int(number) if number.isdigit() and len(number) < 10 else None,
                wanted=container.label(_PREFIX + "oneoff").lower() != "true",
            )
        )
    wanted = [
        container for container, replica in zip(group, replicas, strict=True) if replica.wanted
    ]
    newest = max(wanted or group, key=lambda container: container.replica.created_at or 0.0)
    return Service(
        key=key,
        name=newest.label(_SERVICE),
        kind=ServiceKind.COMPOSE,
        replicas=tuple(sorted(replicas, key=_order)),
        project=newest.label(PROJECT),
        origin=_origin(newest.labels, newest.label(PROJECT)),
        memory_reservation=newest.memory_reservation,
        healthcheck=newest.checked,
        health_path=newest.check_path,
        one_shot=bool(wanted) and all(map(_ended_by_design, wanted)),
    )


def _order(replica: Replica) -> tuple[bool, int, str]:
    return (not replica.wanted, replica.slot or 0, replica.name)


def _origin(labels: Mapping[str, str], project: str) -> ComposeOrigin:
    """The files as Compose wrote them down; a path that cleaning changes names no file."""

    def files(name: str) -> tuple[str, ...]:
        paths = labels.get(_PREFIX + name, "").split(",")
        return tuple(clean(path) for path in paths if path)

    return ComposeOrigin(
        project=project,
        working_dir=clean(labels.get(_PREFIX + "project.working_dir", "")),
        config_files=files("project.config_files"),
        environment_files=files("project.environment_file"),
    )


def _standalone(container: Container, used: set[str]) -> Service:
    name = container.replica.name
    key = name if name not in used else f"container:{name}"
    return Service(
        key=key,
        name=name,
        kind=ServiceKind.CONTAINER,
        replicas=(replace(container.replica, service=key),),
        memory_reservation=container.memory_reservation,
        healthcheck=container.checked,
        health_path=container.check_path,
        one_shot=_ended_by_design(container),
    )


def _ended_by_design(container: Container) -> bool:
    """A job that ended well. What is checked or publishes ports serves: its end is none."""
    replica = container.replica
    return (
        replica.state is State.EXITED
        and container.restart_policy in ("", "no")
        and not container.checked
        and not container.publishes
        and replica.last_exit is not None
        and replica.last_exit.code == 0
    )
