"""A full read of one engine: what it lists, inspections of what changed, and Swarm's parts."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from console.clock import Clock, Deadline
from console.errors import FailureKind, LinkError
from console.links.engine.containers import Container, container_of
from console.links.engine.images import LocalImage, local_image
from console.links.engine.inspections import Inspections
from console.links.engine.parallel import side_by_side
from console.links.engine.parts import moment, positive, section, text
from console.links.engine.projects import SWARM_TASK, services_of
from console.links.engine.swarm import Swarm, SwarmParts, references, services_of_worker, swarm_of
from console.model.fleet import Fleet, Service

if TYPE_CHECKING:
    from docker import APIClient

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Picture:
    """One read: the Fleet, and what the link itself needs to know for its other calls."""

    fleet: Fleet
    skew: float | None = None
    memory: int | None = None
    """The host's memory, bytes."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Names of replicas by id."""
    ttys: frozenset[str] = frozenset()
    """Ids of containers and tasks that have a terminal."""
    previous: Mapping[str, str] = field(default_factory=dict)
    """Id of a Swarm replica -> id of the task before it."""


class FleetReader:
    """Reads the fleet; keeps inspections between reads."""

    def __init__(self, subject: str, clock: Clock) -> None:
        self._subject = subject
        self._clock = clock
        self._images: dict[str, LocalImage | None] = {}
        self.inspections = Inspections()

    def read(self, client: "APIClient", deadline: Deadline) -> Picture:
        """The whole fleet. Raises whatever the client does, and LinkError."""
        begun = _together(
            [lambda: self._info(client), lambda: client.containers(all=True)], deadline
        )
        (info, skew), summaries = begun[0], self._list(begun[1], "the list of containers")
        now = self._clock.wall() + (skew or 0.0)
        manager = section(info, "Swarm").get("ControlAvailable") is True
        parts = self._swarm_parts(client, deadline) if manager else None
        containers = self._containers(client, deadline, summaries, text(info.get("Name")), now)
        if parts is not None:
            swarm = swarm_of(parts, containers, self._service_images(client, deadline, parts))
        else:
            swarm = Swarm(tuple(services_of_worker(containers)), (), {}, frozenset())
        return _picture(info, skew, containers, swarm, manager=manager)

    def _info(self, client: "APIClient") -> tuple[Json, float | None]:
        asked = self._clock.wall()
        info = client.info()
        answered = self._clock.wall()
        if not isinstance(info, Mapping) or ("ID" not in info and "Name" not in info):
            raise self._odd("its own description")
        theirs = moment(info.get("SystemTime"))
        if theirs is None:
            return info, self._skew_by_date(client)
        return info, theirs - (asked + answered) / 2

    def _skew_by_date(self, client: "APIClient") -> float | None:
        """By the Date of HTTP, which is cut to whole seconds."""
        asked = self._clock.wall()
        response = client.get(f"{client.base_url}/_ping", timeout=client.timeout)
        answered = self._clock.wall()
        try:
            theirs = parsedate_to_datetime(response.headers["Date"]).timestamp()
        except (KeyError, ValueError):
            return None
        return theirs + 0.5 - (asked + answered) / 2

    def _containers(
        self,
        client: "APIClient",
        deadline: Deadline,
        summaries: Sequence[Json],
        node: str,
        now: float,
    ) -> list[Container]:
        due = self.inspections.due(summaries, now)
        details = side_by_side(lambda summary: _inspected(client, summary), due, deadline)
        found = [
            (summary, detail)
            for summary, detail in zip(due, details, strict=True)
            if detail is not None
        ]
        images = {text(summary.get("ImageID"), 80) for summary, _ in found}
        self._read_images(client, deadline, images)
        for summary, detail in found:
            image = self._images.get(text(summary.get("ImageID"), 80))
            self.inspections.keep(summary, container_of(summary, detail, image, node), now)
        ids = [text(summary.get("Id"), 64) for summary in summaries]
        gone = {
            text(summary.get("Id"), 64)
            for summary, detail in zip(due, details, strict=True)
            if detail is None
        }
        self.inspections.drop_others(set(ids) - gone)
        known = (self.inspections.container(container_id) for container_id in ids)
        return [container for container in known if container is not None]

    def _read_images(
        self, client: "APIClient", deadline: Deadline, wanted: Collection[str]
    ) -> None:
        """Inspect these images, unless they are known. One that is not there is None."""
        unknown = sorted(name for name in wanted if name and not self._images.get(name))
        found = side_by_side(lambda name: inspected_image(client, name), unknown, deadline)
        self._images.update(zip(unknown, found, strict=True))

    def _service_images(
        self, client: "APIClient", deadline: Deadline, parts: SwarmParts
    ) -> Mapping[str, LocalImage | None]:
        self._read_images(client, deadline, references(parts))
        return self._images

    def _swarm_parts(self, client: "APIClient", deadline: Deadline) -> SwarmParts:
        services, tasks, nodes = _together(
            [
                lambda: client.services(status=True),  # type: ignore[no-untyped-call]
                client.tasks,
                client.nodes,
            ],
            deadline,
        )
        return SwarmParts(
            self._list(services, "the list of services"),
            self._list(tasks, "the list of tasks"),
            self._list(nodes, "the list of nodes"),
        )

    def _list(self, answer: object, what: str) -> list[Json]:
        if not isinstance(answer, list) or not all(isinstance(item, Mapping) for item in answer):
            raise self._odd(what)
        return answer

    def _odd(self, what: str) -> LinkError:
        return LinkError(
            FailureKind.INVALID,
            self._subject,
            f"{what} is not what the Docker API says it should be",
            "is engine.address the Docker API's own? see `docker -H ADDRESS version`",
        )


def _together(calls: Sequence[Callable[[], Any]], deadline: Deadline) -> list[Any]:
    return side_by_side(lambda call: call(), calls, deadline)


def _inspected(client: "APIClient", summary: Json) -> Json | None:
    """The inspection; None for a container that is gone by now.

    Empty where the engine fails on this one: one broken container must not hide the rest.
    """
    from docker.errors import APIError, NotFound

    try:
        detail = client.inspect_container(str(summary.get("Id") or "unnamed"))
    except NotFound:
        return None
    except APIError as error:
        if not error.is_server_error():
            raise
        return {}
    return detail if isinstance(detail, Mapping) else {}


def inspected_image(client: "APIClient", name: str) -> LocalImage | None:
    """The image; None where the engine has none of that name."""
    from docker.errors import NotFound

    try:
        answer = client.inspect_image(name)  # type: ignore[no-untyped-call]
    except NotFound:
        return None
    return local_image(answer) if isinstance(answer, Mapping) else None


def _picture(
    info: Json, skew: float | None, containers: Sequence[Container], swarm: Swarm, *, manager: bool
) -> Picture:
    others = services_of(containers, [service.key for service in swarm.services])
    services = tuple(sorted((*swarm.services, *others), key=lambda service: service.key))
    fleet = Fleet(
        engine_name=text(info.get("Name")),
        engine_version=text(info.get("ServerVersion")),
        services=services,
        nodes=swarm.nodes,
        swarm=manager,
        system_time=moment(info.get("SystemTime")),
    )
    return Picture(
        fleet=fleet,
        skew=skew,
        memory=positive(info.get("MemTotal")),
        names=_names(services, containers),
        ttys=swarm.ttys | {container.replica.id for container in containers if container.tty},
        previous=swarm.previous,
    )


def _names(services: Sequence[Service], containers: Sequence[Container]) -> dict[str, str]:
    """Replicas' names by id; a task's container goes by the name of its slot."""
    tasks = {container.replica.id: container.label(SWARM_TASK) for container in containers}
    names = {
        container_id: container.label("com.docker.swarm.task.name").rpartition(".")[0]
        for container_id, container in zip(tasks, containers, strict=True)
        if tasks[container_id]
    }
    return names | {replica.id: replica.name for s in services for replica in s.replicas}
