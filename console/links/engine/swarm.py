"""Swarm's services, tasks and nodes as services with replicas.

Source: the Docker Engine API, ``GET /services?status=true``, ``/tasks``, ``/nodes``, asked
of a manager. A task is one attempt to fill a slot (or, for a global service, a node). Tasks
that ended are history: they count as restarts of the slot and say how it ended last.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

from console.links.engine.containers import Container
from console.links.engine.healthchecks import asked_path
from console.links.engine.images import LocalImage, image_of
from console.links.engine.parts import moment, positive, records, section, text, texts, whole
from console.links.engine.projects import SWARM_TASK
from console.links.engine.swarm_tasks import Task, replica_of, task_of
from console.model.fleet import Node, Port, Replica, Service, ServiceKind, State, Update

STACK: Final = "com.docker.stack.namespace"


@dataclass(frozen=True, slots=True)
class SwarmParts:
    """A manager's three lists, as they came."""

    services: Sequence[Mapping[str, Any]]
    tasks: Sequence[Mapping[str, Any]]
    nodes: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Swarm:
    """What they come to."""

    services: tuple[Service, ...]
    nodes: tuple[Node, ...]
    previous: Mapping[str, str]
    """Id of a replica -> id of the task that filled its slot before it."""
    ttys: frozenset[str]
    """Ids of the tasks, as far as they are kept, whose container has a terminal."""


def swarm_of(
    parts: SwarmParts, local: Iterable[Container], images: Mapping[str, LocalImage | None]
) -> Swarm:
    """Services with their replicas, joined with the containers of this node.

    `images` are those that this engine has, by reference; None where it has not.
    """
    nodes = {node.id: node for node in map(node_of, parts.nodes)}
    containers = {container.replica.id: container for container in local}
    tasks = sorted((task_of(task) for task in parts.tasks), key=lambda task: task.service)
    by_service = {key: list(group) for key, group in groupby(tasks, lambda task: task.service)}
    services: list[Service] = []
    previous: dict[str, str] = {}
    for record in sorted(parts.services, key=lambda r: text(section(r, "Spec").get("Name"))):
        own = by_service.get(text(record.get("ID")), [])
        maker = _Maker(record, nodes, containers, images)
        service, before = maker.service(own)
        services.append(service)
        previous.update(before)
    return Swarm(
        services=tuple(services),
        nodes=tuple(sorted(nodes.values(), key=lambda node: node.name)),
        previous=previous,
        ttys=frozenset(task.id for task in tasks if task.tty),
    )


def references(parts: SwarmParts) -> set[str]:
    """The images whose own health check matters: those of services that define none."""
    specs = (section(record, "Spec", "TaskTemplate", "ContainerSpec") for record in parts.services)
    return {text(spec.get("Image")) for spec in specs if not section(spec, "Healthcheck")} - {""}


def node_of(record: Mapping[str, Any]) -> Node:
    """One node."""
    manager = section(record, "ManagerStatus")
    address = text(section(record, "Status").get("Addr"))
    if address in ("", "0.0.0.0"):  # noqa: S104 - what a manager says of itself
        address = text(manager.get("Addr")).rpartition(":")[0]
    return Node(
        id=text(record.get("ID"), 64),
        name=text(section(record, "Description").get("Hostname")),
        role=text(section(record, "Spec").get("Role")),
        state=text(section(record, "Status").get("State")),
        availability=text(section(record, "Spec").get("Availability")),
        address=address,
        engine_version=text(section(record, "Description", "Engine").get("EngineVersion")),
        leader=manager.get("Leader") is True,
    )


class _Maker:
    """Makes one service."""

    def __init__(
        self,
        record: Mapping[str, Any],
        nodes: Mapping[str, Node],
        containers: Mapping[str, Container],
        images: Mapping[str, LocalImage | None],
    ) -> None:
        self._record = record
        self._nodes = nodes
        self._containers = containers
        self._spec = section(record, "Spec")
        self._container_spec = section(self._spec, "TaskTemplate", "ContainerSpec")
        self._reference = text(self._container_spec.get("Image"))
        self._name = text(self._spec.get("Name"))
        self._mode = next(iter(section(self._spec, "Mode")), "Replicated")
        self._checked = self._has_check(images)
        self._check_path = self._asked_path(images)

    def _has_check(self, images: Mapping[str, LocalImage | None]) -> bool | None:
        """Whether the service or its image defines a check; None where nobody here knows."""
        test = texts(section(self._container_spec, "Healthcheck").get("Test"))
        if test:
            return test[0] != "NONE"
        image = images.get(self._reference)
        return image.checked if image else None

    def _asked_path(self, images: Mapping[str, LocalImage | None]) -> str:
        test = texts(section(self._container_spec, "Healthcheck").get("Test"))
        if test:
            return asked_path(test)
        image = images.get(self._reference)
        return image.check_path if image else ""

    def service(self, tasks: Sequence[Task]) -> tuple[Service, dict[str, str]]:
        """The service, and which task each of its replicas followed."""
        replicas: list[Replica] = []
        previous: dict[str, str] = {}
        spent: list[Replica] = []
        for _, group in groupby(sorted(tasks, key=_place), _place):
            newest_first = sorted(group, key=lambda task: task.created_at or 0.0, reverse=True)
            live = [task for task in newest_first if not task.ended]
            ended = [task for task in newest_first if task.ended]
            made = [self._replica(task, ended, several=len(live) > 1) for task in live]
            replicas += made
            if not live and not newest_first[0].removed:
                spent.append(self._replica(ended[0], ended[1:], several=False))
            if made and ended:
                previous[made[0].id] = ended[0].id
        declared = self._declared()
        missing = len(spent) if declared is None else max(0, declared - _count(replicas))
        replicas += sorted(spent, key=lambda replica: -(replica.created_at or 0.0))[:missing]
        return self._service(tuple(sorted(replicas, key=_order)), declared), previous

    def _declared(self) -> int | None:
        if self._mode == "Replicated":
            return whole(section(self._spec, "Mode", "Replicated").get("Replicas"))
        if self._mode == "Global":
            return whole(section(self._record, "ServiceStatus").get("DesiredTasks"))
        return None

    def _replica(self, task: Task, history: Sequence[Task], *, several: bool) -> Replica:
        node = self._nodes.get(task.node)
        place = str(task.slot) if task.slot is not None else (node.name if node else task.node)
        name = f"{self._name}.{place or task.id[:8]}"
        replica = replica_of(
            task, history, self._containers.get(task.container), checked=self._checked
        )
        ports = (*replica.ports, *(port for port in self._ingress() if task.running))
        return replace(
            replica,
            name=f"{name}.{task.id[:8]}" if several else name,
            service=self._name,
            node=node.name if node else "",
            ports=tuple(dict.fromkeys(ports)),
        )

    def _ingress(self) -> Iterable[Port]:
        for port in records(self._record, "Endpoint", "Ports"):
            published, target = (
                positive(port.get("PublishedPort")),
                positive(port.get("TargetPort")),
            )
            if port.get("PublishMode") == "ingress" and published and target:
                yield Port(target, text(port.get("Protocol")), "0.0.0.0", published)  # noqa: S104

    def _service(self, replicas: tuple[Replica, ...], declared: int | None) -> Service:
        stack = text(section(self._spec, "Labels").get(STACK))
        prefix = f"{stack}_"
        job = self._mode in ("ReplicatedJob", "GlobalJob")
        failed = any(r.last_exit and r.last_exit.code for r in replicas if not r.running)
        resources = section(self._spec, "TaskTemplate", "Resources", "Reservations")
        return Service(
            key=self._name,
            name=self._name.removeprefix(prefix) if stack else self._name,
            kind=ServiceKind.SWARM,
            replicas=replicas,
            project=stack,
            declared=declared,
            image=image_of(self._reference, None),
            update=_update(section(self._record, "UpdateStatus")),
            memory_reservation=positive(resources.get("MemoryBytes")),
            health_path=self._check_path,
            healthcheck=self._checked is True,
            one_shot=job and not failed,
            per_node=self._mode == "Global",
        )


def _place(task: Task) -> tuple[int, str]:
    return (task.slot, "") if task.slot is not None else (0, task.node)


def _order(replica: Replica) -> tuple[int, bool, str]:
    return (replica.slot or 0, not replica.wanted, replica.name)


def _count(replicas: Iterable[Replica]) -> int:
    return sum(replica.wanted for replica in replicas)


def _update(status: Mapping[str, Any]) -> Update | None:
    state = text(status.get("State"))
    if not state:
        return None
    return Update(state, moment(status.get("StartedAt")), text(status.get("Message")))


def services_of_worker(containers: Iterable[Container]) -> list[Service]:
    """Swarm's services as a worker knows them: by the labels of its own containers.

    What other nodes run and how much is declared only a manager knows.
    """
    key = "com.docker.swarm.service.name"
    own = sorted((c for c in containers if c.label(key)), key=lambda c: c.label(key))
    services = []
    for name, group in groupby(own, lambda container: container.label(key)):
        members = list(group)
        stack = members[0].label(STACK)
        services.append(
            Service(
                key=name,
                name=name.removeprefix(f"{stack}_") if stack else name,
                kind=ServiceKind.SWARM,
                replicas=tuple(_worker_replicas(name, members)),
                project=stack,
                health_path=next((c.check_path for c in members if c.check_path), ""),
                healthcheck=any(container.checked for container in members),
            )
        )
    return services


def _worker_replicas(service: str, members: Sequence[Container]) -> Iterable[Replica]:
    """The newest container of each slot, and those that still run beside it."""

    def slot(container: Container) -> str:
        return container.label("com.docker.swarm.task.name").rpartition(".")[0]

    for place, group in groupby(sorted(members, key=slot), slot):
        newest_first = sorted(group, key=lambda c: c.replica.created_at or 0.0, reverse=True)
        shown = [c for c in newest_first if c.replica.running] or newest_first[:1]
        number = place.rpartition(".")[2]
        for container in shown:
            task = container.label(SWARM_TASK)[:8]
            yield replace(
                container.replica,
                service=service,
                name=f"{place}.{task}" if len(shown) > 1 else place,
                slot=int(number) if number.isdigit() and len(number) < 10 else None,
                wanted=container.replica.state is not State.EXITED,
            )
