"""The engine's events in words, and what they say of an end."""

from typing import Any

import pytest

from console.links.engine.events import Happening, Reader, exit_words
from console.model.fleet import EventKind, Exit

ID = "5403c7a88b6dcbfc02cdbf6690e17a618b209729a6ab66207710173df238c6c2"
COMPOSE = {
    "com.docker.compose.project": "shop",
    "com.docker.compose.service": "backend",
    "image": "registry.example:5000/shop/backend:v1.2.3",
    "name": "shop-backend-1",
}


def event(action: str, kind: str = "container", **attributes: str) -> dict[str, Any]:
    return {
        "Type": kind,
        "Action": action,
        "Actor": {"ID": ID, "Attributes": {**COMPOSE, **attributes}},
        "time": 1795367500,
        "timeNano": 1795367500250000000,
    }


def happened(*records: dict[str, Any]) -> list[Happening]:
    reader = Reader()
    return [found for record in records if (found := reader.read(record, {}))]


def test_a_crash() -> None:
    (found,) = happened(event("die", exitCode="137"))
    assert found.event.at == 1795367500.25
    assert found.event.kind is EventKind.DIED
    assert (found.event.subject, found.event.service) == ("shop-backend-1", "shop/backend")
    assert found.event.text == "exited 137 (SIGKILL)"
    assert found.exit == Exit(1795367500.25, 137)
    assert found.container == ID


def test_killed_for_memory() -> None:
    oom, died = happened(event("oom"), event("die", exitCode="137"))
    assert oom.event.kind is EventKind.OOM
    assert died.event.text == "exited 137 (SIGKILL), killed for memory"
    assert died.exit is not None and died.exit.oom_killed


@pytest.mark.parametrize(
    ("signals", "code", "kind", "text"),
    [
        (["15"], "143", EventKind.STOPPED, "exited 143 (SIGTERM), on request"),
        (["15"], "0", EventKind.STOPPED, "exited 0, on request"),
        (
            ["15", "9"],
            "137",
            EventKind.STOPPED,
            "exited 137 (SIGKILL), on request, after its grace period",
        ),
        (["9"], "137", EventKind.DIED, "exited 137 (SIGKILL), through the engine"),
        (["1"], "1", EventKind.DIED, "exited 1"),
        ([], "0", EventKind.STOPPED, "exited 0"),
        ([], "127", EventKind.DIED, "exited 127 (its command was not found)"),
    ],
)
def test_how_a_container_ended(signals: list[str], code: str, kind: EventKind, text: str) -> None:
    records = [*(event("kill", signal=signal) for signal in signals), event("die", exitCode=code)]
    (found,) = happened(*records)
    assert (found.event.kind, found.event.text) == (kind, text)


def test_a_request_counts_for_one_end_only() -> None:
    found = happened(
        event("kill", signal="15"), event("die", exitCode="0"), event("die", exitCode="1")
    )
    assert [one.event.kind for one in found] == [EventKind.STOPPED, EventKind.DIED]


def test_health_and_names_of_replicas() -> None:
    found = Reader().read(event("health_status: unhealthy"), {ID: "backend.2"})
    assert found is not None
    assert (found.event.kind, found.event.text) == (EventKind.HEALTH, "unhealthy")
    assert found.event.subject == "backend.2"


def test_a_task_goes_by_its_slot() -> None:
    labels = {
        "com.docker.swarm.task.name": "plaza_backend.2.dk4s8fs9aaaa",
        "com.docker.swarm.service.name": "plaza_backend",
    }
    (found,) = happened(event("start", **labels))
    assert (found.event.subject, found.event.service) == ("plaza_backend.2", "plaza_backend")


def test_a_service_update() -> None:
    attributes = {"updatestate.old": "updating", "updatestate.new": "paused", "name": "api"}
    (found,) = happened(event("update", "service", **attributes))
    assert (found.event.kind, found.event.text) == (EventKind.UPDATED, "update updating -> paused")
    assert found.container == ""
    (found,) = happened(event("update", "service", name="api"))
    assert found.event.text == "specification changed"


def test_a_node_that_goes_down() -> None:
    attributes = {"state.old": "ready", "state.new": "down", "name": "prod-3"}
    (found,) = happened(event("update", "node", **attributes))
    assert (found.event.kind, found.event.subject) == (EventKind.NODE, "prod-3")
    assert found.event.text == "state ready -> down"


def test_what_is_no_event_is_nothing() -> None:
    odd: list[dict[str, Any]] = [{}, {"Type": "container"}, {"Type": 3, "time": 5}]
    odd += [event("create", "image"), {**event("die"), "timeNano": "x", "time": None}]
    odd += [{**event("die"), "Actor": None, "Action": None}]
    assert len(happened(*odd)) == 1  # the last has a time, so that it is shown


def test_hostile_attributes_are_cleaned() -> None:
    (found,) = happened(event("create", name="\x1b[31mx\u202e", image="\x1b]0;t\x07i"))
    assert (found.event.subject, found.event.text) == ("x", "created from i")


def test_words_for_codes() -> None:
    assert exit_words(139) == "exited 139 (SIGSEGV)"
    assert exit_words(3) == "exited 3"
    assert exit_words(255) == "exited 255"
