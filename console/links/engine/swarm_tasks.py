"""One Swarm task as a Replica.

Task states in order (Docker documentation, "Swarm task states"): new, pending, assigned,
accepted, preparing, ready, starting, running; then complete, shutdown, failed, rejected,
remove, orphaned. With a health check a task is `starting` until it is healthy, and it fails
once it is unhealthy: so a running one is healthy, whichever node it is on.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from console.links.engine.containers import Container, environment_of
from console.links.engine.images import image_of
from console.links.engine.parts import moment, positive, records, section, text, texts, whole
from console.model.fleet import Exit, Health, Image, Mount, Port, Replica, State

_ENDED: Final = frozenset(("complete", "shutdown", "failed", "rejected", "remove", "orphaned"))
_FAILED: Final = frozenset(("failed", "rejected"))
_ASKED: Final = frozenset(("shutdown", "remove"))
_POLITE: Final = (None, 0, 143)
"""Exit codes of a process that ends when it is asked to: by itself, or by SIGTERM."""
_RAN: Final = re.compile(r"task: non-zero exit \(\d+\)")
"""Swarm's words for a process that did run, whatever ended it."""
_UNHEALTHY: Final = "unhealthy container"
_NOT_RUN: Final = 125
"""Docker's exit status for what the engine itself could not run."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task, as far as the fleet is made of it."""

    id: str
    service: str
    """Id of its service."""
    node: str
    """Id of its node; empty before it has one."""
    slot: int | None
    """None for a global service's."""
    state: str
    desired: str
    created_at: float | None
    changed_at: float | None
    container: str
    """Id of its container; empty before it has one."""
    exit_code: int | None
    message: str
    image: Image
    tty: bool
    replica: Replica
    """What its specification says: limits, mounts, environment, addresses."""

    @property
    def ended(self) -> bool:
        """Whether it will never run again."""
        return self.state in _ENDED

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self.state == "running"

    @property
    def removed(self) -> bool:
        """Whether nobody wants it any more: its service was scaled down."""
        return self.desired == "remove" or self.state == "remove"

    @property
    def end(self) -> Exit | None:
        """How it ended; None for one that was asked to, or whose end nobody saw (orphaned)."""
        failed = self.state in _FAILED
        if self.state in _ASKED and self.exit_code in _POLITE:
            return None
        if not self.ended or (self.exit_code is None and not failed):
            return None
        code = _NOT_RUN if self.exit_code is None else self.exit_code
        said = self.message.lower()
        oom = "oom" in said.split() or "out of memory" in said
        ran = _RAN.match(said) is not None
        error = self.message if failed and not ran else ""
        return Exit(self.changed_at, code, oom, error, unhealthy=ran and _UNHEALTHY in said)


def task_of(record: Mapping[str, Any]) -> Task:
    """One task of the list."""
    status = section(record, "Status")
    container = section(status, "ContainerStatus")
    spec = section(record, "Spec", "ContainerSpec")
    task_id, slot = text(record.get("ID"), 64), positive(record.get("Slot"))
    state = text(status.get("State"))
    message, error = text(status.get("Message")), text(status.get("Err"))
    image = image_of(text(spec.get("Image")), None)
    return Task(
        id=task_id,
        service=text(record.get("ServiceID")),
        node=text(record.get("NodeID")),
        slot=slot,
        state=state,
        desired=text(record.get("DesiredState")),
        created_at=moment(record.get("CreatedAt")),
        changed_at=moment(status.get("Timestamp")),
        container=text(container.get("ContainerID"), 64),
        exit_code=whole(container.get("ExitCode")) if container else None,
        message=error or ("" if state == "running" else message),
        image=image,
        tty=spec.get("TTY") is True,
        replica=_specified(record, spec, task_id, image),
    )


def _specified(
    record: Mapping[str, Any], spec: Mapping[str, Any], task_id: str, image: Image
) -> Replica:
    limits = section(record, "Spec", "Resources", "Limits")
    cpus = positive(limits.get("NanoCPUs"))
    return Replica(
        id=f"task:{task_id}",
        name="",
        service="",
        image=image,
        state=State.PENDING,
        memory_limit=positive(limits.get("MemoryBytes")),
        cpu_limit=cpus / 1e9 if cpus else None,
        addresses=_addresses(record),
        ports=tuple(_host_ports(record)),
        mounts=tuple(_mount(mount) for mount in records(spec, "Mounts")),
        environment=environment_of(spec.get("Env")),
    )


def _addresses(record: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for attachment in records(record, "NetworksAttachments"):
        name = text(section(attachment, "Network", "Spec").get("Name"))
        addresses = texts(attachment.get("Addresses"))
        if name and addresses:
            found[name] = text(addresses[0]).partition("/")[0]
    return found


def _host_ports(record: Mapping[str, Any]) -> list[Port]:
    """Ports published in host mode, on the task's own node."""
    ports = []
    for port in records(record, "Status", "PortStatus", "Ports"):
        published, target = positive(port.get("PublishedPort")), positive(port.get("TargetPort"))
        if published and target:
            ports.append(Port(target, text(port.get("Protocol")), "0.0.0.0", published))  # noqa: S104
    return ports


def _mount(mount: Mapping[str, Any]) -> Mount:
    return Mount(
        text(mount.get("Type")),
        text(mount.get("Source")),
        text(mount.get("Target")),
        mount.get("ReadOnly") is True,
    )


def replica_of(
    task: Task, history: Sequence[Task], local: Container | None, *, checked: bool | None
) -> Replica:
    """The task as a replica, without its name.

    `history`: the earlier tasks of its place, newest first. `local`: its container, where
    it runs on the node that is asked. `checked`: whether a health check is defined, None
    where nobody knows.
    """
    failures = sum(earlier.state in _FAILED for earlier in history)
    last = next((earlier.end for earlier in history if earlier.end), None)
    state, health = _condition(task, checked)
    base = task.replica
    if local is not None:
        base = replace(
            local.replica,
            ports=tuple(dict.fromkeys((*local.replica.ports, *base.ports))),
            addresses={**base.addresses, **local.replica.addresses},
            # Only a digest tells images apart on every node: the others' ids are not known.
            image=image_of(
                task.image.reference, local.replica.image.id if task.image.digest else None
            ),
        )
        if not task.ended:
            state, health = local.replica.state, local.replica.health
    end = task.end or (local.replica.last_exit if local else None)
    return replace(
        base,
        slot=task.slot,
        state=state,
        health=health,
        created_at=task.created_at,
        started_at=base.started_at or (task.changed_at if task.running else None),
        restarts=failures + (local.replica.restarts if local else 0),
        last_exit=end or last,
        wanted=task.ended or task.desired in ("running", "ready", "complete"),
        message=task.message,
    )


def _condition(task: Task, checked: bool | None) -> tuple[State, Health]:
    unknown = {True: Health.STARTING, False: Health.UNCHECKED, None: Health.UNKNOWN}[checked]
    if task.ended:
        return State.EXITED, Health.UNCHECKED
    if task.running:
        return State.RUNNING, Health.HEALTHY if checked else unknown
    if task.state == "starting" and checked:
        return State.RUNNING, Health.STARTING
    return (State.CREATED if task.state in ("ready", "starting") else State.PENDING), unknown
