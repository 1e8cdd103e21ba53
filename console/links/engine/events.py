"""The engine's events in words: ``GET /events``.

Health checks run as execs, so that most of an engine's events are exec_create, exec_start
and exec_die: only the actions below are asked for.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from signal import Signals
from typing import Any, Final

from console.links.engine.parts import section, text, whole
from console.model.fleet import Event, EventKind, Exit

FILTERS: Final[dict[str, list[str]]] = {
    "type": ["container", "service", "node"],
    "event": [
        *("create", "start", "restart", "die", "kill", "oom", "health_status", "destroy"),
        *("pause", "unpause", "rename", "update", "remove"),
    ],
}
_KINDS: Final = {
    "create": EventKind.CREATED,
    "start": EventKind.STARTED,
    "oom": EventKind.OOM,
    "destroy": EventKind.REMOVED,
    "remove": EventKind.REMOVED,
}
_CODES: Final = {
    125: "the engine could not run it",
    126: "its command cannot be executed",
    127: "its command was not found",
}
_REMEMBERED: Final = 1_000


def exit_words(code: int) -> str:
    """``exited 137 (SIGKILL)``; codes by the shell's convention, 125 to 127 by Docker's."""
    if code in _CODES:
        return f"exited {code} ({_CODES[code]})"
    try:
        return f"exited {code} ({Signals(code - 128).name})"
    except ValueError:
        return f"exited {code}"


@dataclass(frozen=True, slots=True)
class Happening:
    """One event, and what it means for what is known of its container."""

    event: Event
    container: str = ""
    """Id of the container; empty for events of services and nodes."""
    exit: Exit | None = None


class Reader:
    """Reads events in their order: a `die` is judged by the `kill` and `oom` before it."""

    def __init__(self) -> None:
        self._signals: OrderedDict[str, tuple[int, ...]] = OrderedDict()
        self._ooms: OrderedDict[str, bool] = OrderedDict()

    def read(self, record: Mapping[str, Any], names: Mapping[str, str]) -> Happening | None:
        """One event; None for those that nobody needs. `names`: replicas' names by id."""
        kind = record.get("Type")
        action, _, detail = text(record.get("Action")).partition(":")
        actor = section(record, "Actor")
        attributes = section(actor, "Attributes")
        at = _moment(record)
        if at is None:
            return None
        if kind == "container":
            return self._container(at, action, detail.strip(), actor, names)
        if kind == "service":
            return Happening(_service(at, action, attributes))
        if kind == "node":
            return Happening(_node(at, action, actor))
        return None

    def _container(
        self,
        at: float,
        action: str,
        detail: str,
        actor: Mapping[str, Any],
        names: Mapping[str, str],
    ) -> Happening | None:
        container = text(actor.get("ID"), 64)
        attributes = section(actor, "Attributes")
        subject = names.get(container) or _name(attributes, container)
        service = service_key(attributes)
        kind, words, end = _KINDS.get(action, EventKind.OTHER), "", None
        if action == "kill":
            signal = whole(attributes.get("signal")) or 0
            _remember(self._signals, container, (*self._signals.get(container, ()), signal))
            return None
        if action == "oom":
            _remember(self._ooms, container, True)
            words = "a process was killed for memory"
        elif action == "die":
            kind, words, end = self._death(container, at, whole(attributes.get("exitCode")) or 0)
        elif action == "health_status":
            kind, words = EventKind.HEALTH, detail
        else:
            words = _container_words(action, attributes)
        return Happening(Event(at, kind, subject, service, words), container, end)

    def _death(self, container: str, at: float, code: int) -> tuple[EventKind, str, Exit]:
        signals = self._signals.pop(container, ())
        oom = self._ooms.pop(container, False)
        end = Exit(at, code, oom_killed=oom)
        words = exit_words(code)
        asked = any(
            signal in (Signals.SIGTERM, Signals.SIGINT, Signals.SIGQUIT) for signal in signals
        )
        if oom:
            return EventKind.DIED, f"{words}, killed for memory", end
        if asked and Signals.SIGKILL in signals:
            return EventKind.STOPPED, f"{words}, on request, after its grace period", end
        if asked:
            return EventKind.STOPPED, f"{words}, on request", end
        if Signals.SIGKILL in signals:
            return EventKind.DIED, f"{words}, through the engine", end
        return EventKind.STOPPED if code == 0 else EventKind.DIED, words, end


def _remember(store: OrderedDict[str, Any], key: str, value: object) -> None:
    store[key] = value
    while len(store) > _REMEMBERED:
        store.popitem(last=False)


def _moment(record: Mapping[str, Any]) -> float | None:
    nanoseconds, seconds = whole(record.get("timeNano")), whole(record.get("time"))
    if nanoseconds:
        return nanoseconds // 10**9 + nanoseconds % 10**9 / 1e9
    return float(seconds) if seconds else None


def _name(attributes: Mapping[str, Any], container: str) -> str:
    task = text(attributes.get("com.docker.swarm.task.name"))
    return task.rpartition(".")[0] or text(attributes.get("name")) or container[:12]


def service_key(attributes: Mapping[str, Any]) -> str:
    """Key of the service that a container with these labels belongs to."""
    swarm = text(attributes.get("com.docker.swarm.service.name"))
    project = text(attributes.get("com.docker.compose.project"))
    service = text(attributes.get("com.docker.compose.service"))
    return swarm or (
        f"{project}/{service}" if project and service else text(attributes.get("name"))
    )


def _container_words(action: str, attributes: Mapping[str, Any]) -> str:
    if action == "create":
        return f"created from {text(attributes.get('image'))}"
    if action == "rename":
        return f"renamed from {text(attributes.get('oldName')).lstrip('/')}"
    words = {
        "start": "started",
        "restart": "restarted",
        "destroy": "removed",
        "pause": "paused",
        "unpause": "unpaused",
        "update": "limits changed",
    }
    return words.get(action, action)


def _changes(attributes: Mapping[str, Any], wanted: Mapping[str, str]) -> str:
    parts = []
    for name, words in wanted.items():
        new, old = text(attributes.get(f"{name}.new")), text(attributes.get(f"{name}.old"))
        if new or old:
            parts.append(f"{words} {old or 'none'} -> {new or 'none'}")
    return ", ".join(parts)


def _service(at: float, action: str, attributes: Mapping[str, Any]) -> Event:
    name = text(attributes.get("name"))
    if action == "update":
        changed = _changes(
            attributes, {"updatestate": "update", "replicas": "replicas", "image": "image"}
        )
        return Event(at, EventKind.UPDATED, name, name, changed or "specification changed")
    words = {"create": "service created", "remove": "service removed"}
    return Event(at, _KINDS.get(action, EventKind.OTHER), name, name, words.get(action, action))


def _node(at: float, action: str, actor: Mapping[str, Any]) -> Event:
    attributes = section(actor, "Attributes")
    name = text(attributes.get("name")) or text(actor.get("ID"))[:12]
    changed = _changes(
        attributes,
        {"state": "state", "availability": "availability", "leader": "leader", "role": "role"},
    )
    words = {"create": "joined", "remove": "removed", "update": changed or "changed"}
    return Event(at, EventKind.NODE, name, text=words.get(action, action))
