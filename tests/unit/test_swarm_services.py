"""Swarm's lists as services with replicas, from answers of a real three-node Swarm (26.1)."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from console.links.engine.containers import container_of
from console.links.engine.images import LocalImage
from console.links.engine.swarm import Swarm, SwarmParts, references, services_of_worker, swarm_of
from console.model.changes import History
from console.model.findings import Severity
from console.model.fleet import Fleet, Health, Replica, Service, ServiceKind, State
from console.present.replica import exit_words
from console.rules.changes import changes

ANSWERS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "engine_answers/swarm.json").read_text()
)
Json = dict[str, Any]


def local() -> list[Any]:
    inspections = ANSWERS["inspections"]
    return [
        container_of(summary, inspections[summary["Id"]], None, "plaza-1")
        for summary in ANSWERS["containers"]
    ]


def swarm(
    *,
    tasks: list[Json] | None = None,
    services: list[Json] | None = None,
    here: bool = True,
    images: dict[str, LocalImage | None] | None = None,
) -> Swarm:
    parts = SwarmParts(
        services if services is not None else ANSWERS["services"],
        tasks if tasks is not None else ANSWERS["tasks"],
        ANSWERS["nodes"],
    )
    return swarm_of(parts, local() if here else [], images or {})


def backend(found: Swarm) -> Service:
    return next(service for service in found.services if service.key == "plaza_backend")


def task(slot: int, state: str = "running", desired: str = "running", **changes: Any) -> Json:
    """A task of the backend made from a real one."""
    made: Json = copy.deepcopy(next(t for t in ANSWERS["tasks"] if t.get("Slot") == 3))
    made |= {
        "ID": f"task{slot}{state}{len(changes)}" + "x" * 12,
        "Slot": slot,
        "DesiredState": desired,
    }
    made["Status"] |= {"State": state, "Err": changes.pop("error", "")}
    made["Status"]["ContainerStatus"] = {"ContainerID": "", "ExitCode": changes.pop("code", 0)}
    return made | changes


def spec(**changes: Any) -> Json:
    made: Json = copy.deepcopy(
        next(s for s in ANSWERS["services"] if "backend" in s["Spec"]["Name"])
    )
    made["Spec"] |= changes
    return made


def one(found: Swarm) -> Replica:
    (replica,) = backend(found).replicas
    return replica


def test_the_backend() -> None:
    service = backend(swarm())
    assert (service.kind, service.name, service.project) == (ServiceKind.SWARM, "backend", "plaza")
    assert (service.declared, service.healthy, service.healthcheck) == (3, 3, True)
    assert [replica.name for replica in service.replicas] == [
        "plaza_backend.1",
        "plaza_backend.2",
        "plaza_backend.3",
    ]
    assert service.image is not None and service.image.tag == "v1.2.3"
    identities = {replica.image.identity for replica in service.replicas}
    assert identities == {service.image.identity}


def test_replicas_here_and_elsewhere() -> None:
    replicas = backend(swarm()).replicas
    here, there = replicas[0], replicas[2]
    assert (here.node, there.node) == ("plaza-1", "plaza-2")
    assert here.health_log and not here.id.startswith("task:")
    assert there.id.startswith("task:") and not there.health_log
    assert (there.state, there.health) == (State.RUNNING, Health.HEALTHY)
    assert there.memory_limit == here.memory_limit == 192 << 20
    assert there.addresses["plaza_fleet"].startswith("10.")
    assert there.started_at is not None


def test_a_global_service_goes_by_its_nodes() -> None:
    edge = next(service for service in swarm().services if service.key == "plaza_edge")
    assert [replica.name for replica in edge.replicas] == [
        "plaza_edge.plaza-1",
        "plaza_edge.plaza-2",
        "plaza_edge.plaza-3",
    ]
    assert edge.declared == 3
    published = {(port.host_port, port.outside) for port in edge.replicas[1].ports}
    assert published == {(80, True), (443, True)}


def test_a_global_service_that_follows_its_nodes_was_not_scaled() -> None:
    edge = next(service for service in swarm().services if service.key == "plaza_edge")
    fewer = replace(edge, replicas=edge.replicas[:2], declared=2)
    history = History()
    for service in (fewer, edge):
        seen = Fleet("plaza-1", "26.1.5", (service,))
        history = changes(history, seen, (), (), (edge.replicas[0].created_at or 0.0) + 60)
    assert not [c.text for c in history.changes if "scaled" in c.text]


def test_nodes() -> None:
    nodes = swarm().nodes
    assert [node.name for node in nodes] == ["plaza-1", "plaza-2", "plaza-3"]
    assert [node.leader for node in nodes] == [True, False, False]
    assert {(node.state, node.availability) for node in nodes} == {("ready", "active")}
    assert all(node.address and node.engine_version for node in nodes)


def test_history_is_no_replica_but_counts() -> None:
    failed = [
        task(1, "failed", "shutdown", code=137, CreatedAt=f"2026-11-22T16:0{n}:00Z", error="OOM")
        for n in range(3)
    ]
    for number, record in enumerate(failed):
        record["ID"] = f"failed{number}"
    replica = one(swarm(tasks=[task(1), *failed], here=False))
    assert replica.restarts == 3
    assert replica.last_exit is not None
    assert (replica.last_exit.code, replica.last_exit.oom_killed) == (137, True)


def test_the_task_before_is_known_for_its_log() -> None:
    before = task(1, "failed", "shutdown", CreatedAt="2026-11-22T16:00:00Z")
    found = swarm(tasks=[task(1), before], here=False)
    assert found.previous == {one(found).id: before["ID"]}


def test_orphans_did_not_fail() -> None:
    orphan = task(1, "orphaned", "shutdown", CreatedAt="2026-11-22T16:00:00Z")
    orphan["Status"]["ContainerStatus"] = None
    replica = one(swarm(tasks=[task(1), orphan], here=False))
    assert (replica.restarts, replica.last_exit) == (0, None)


def test_a_pending_task_says_why() -> None:
    words = "no suitable node (insufficient resources on 3 nodes)"
    replica = one(swarm(tasks=[task(2, "pending", error=words, NodeID="")], here=False))
    assert (replica.state, replica.message, replica.node) == (State.PENDING, words, "")
    assert not replica.serving and replica.wanted


def test_one_on_its_way_out_beside_its_successor() -> None:
    old = task(1, "running", "shutdown", CreatedAt="2026-11-22T16:00:00Z")
    old["ID"] = "oldtask12345"
    service = backend(swarm(tasks=[task(1, "starting"), old], here=False))
    names = {replica.name: replica.wanted for replica in service.replicas}
    assert names == {"plaza_backend.1.task1sta": True, "plaza_backend.1.oldtask1": False}
    assert service.healthy == 0


def test_a_slot_that_was_given_up_still_shows() -> None:
    dead = task(2, "failed", "shutdown", code=1, error="task: non-zero exit (1)")
    service = backend(swarm(tasks=[task(1), dead], here=False))
    alive, gone = service.replicas
    assert alive.serving
    assert (gone.state, gone.wanted, gone.message) == (
        State.EXITED,
        True,
        "task: non-zero exit (1)",
    )
    assert (service.declared, len(service.current), service.healthy) == (3, 2, 1)


def test_a_slot_that_was_scaled_away_does_not_show() -> None:
    gone = task(4, "shutdown", "remove")
    assert len(backend(swarm(tasks=[task(1), gone], here=False)).replicas) == 1
    mode = {"Replicated": {"Replicas": 1}}
    stopped = task(5, "shutdown", "shutdown")
    found = swarm(tasks=[task(1), stopped], services=[spec(Mode=mode)], here=False)
    assert len(backend(found).replicas) == 1


def test_rejected_is_the_engines_failure() -> None:
    record = task(1, "rejected", "shutdown", error="invalid mount config")
    record["Status"]["ContainerStatus"] = None
    replica = one(swarm(tasks=[record], here=False))
    assert replica.last_exit is not None
    assert (replica.last_exit.code, replica.last_exit.error) == (125, "invalid mount config")


@pytest.mark.parametrize(("code", "told"), [(0, False), (143, False), (137, True)])
def test_one_that_was_asked_to_end_did_not_end_by_itself(code: int, told: bool) -> None:
    before = task(1, "shutdown", "shutdown", code=code, CreatedAt="2026-11-22T16:00:00Z")
    end = one(swarm(tasks=[task(1), before], here=False)).last_exit
    assert (end is not None) == told


def test_a_process_that_ran_and_failed_did_start() -> None:
    killed = task(1, "failed", "shutdown", code=137, error="task: non-zero exit (137)")
    end = one(swarm(tasks=[killed], here=False)).last_exit
    assert end is not None and exit_words(end) == "exited 137 (killed)"
    words = "task: non-zero exit (143): dockerexec: unhealthy container"
    sick = task(1, "failed", "shutdown", code=143, error=words)
    end = one(swarm(tasks=[sick], here=False)).last_exit
    assert end is not None and exit_words(end) == "stopped by the engine as unhealthy (143)"


@pytest.mark.parametrize(
    ("check", "image", "health", "state"),
    [
        ({"Test": ["CMD", "true"]}, None, Health.HEALTHY, "running"),
        ({"Test": ["NONE"]}, None, Health.UNCHECKED, "running"),
        (None, LocalImage("i", checked=True), Health.HEALTHY, "running"),
        (None, LocalImage("i", checked=False), Health.UNCHECKED, "running"),
        (None, None, Health.UNKNOWN, "running"),
        ({"Test": ["CMD", "true"]}, None, Health.STARTING, "starting"),
    ],
)
def test_health_of_a_task_on_another_node(
    check: Json | None, image: LocalImage | None, health: Health, state: str
) -> None:
    service = spec()
    container = service["Spec"]["TaskTemplate"]["ContainerSpec"]
    container["Healthcheck"] = check
    images = {container["Image"]: image}
    found = swarm(tasks=[task(1, state)], services=[service], here=False, images=images)
    assert one(found).health is health
    parts = SwarmParts([service], [], [])
    assert references(parts) == (set() if check else {container["Image"]})


def test_an_update_that_stopped() -> None:
    record = spec()
    record["UpdateStatus"] = {
        "State": "paused",
        "StartedAt": "2026-11-22T17:00:00Z",
        "Message": "update paused due to failure or early termination of task \x1b[31mx",
    }
    update = backend(swarm(services=[record])).update
    assert update is not None
    assert (update.state, update.started_at) == ("paused", 1795366800.0)
    assert "\x1b" not in update.message


def test_a_job_ends_by_design() -> None:
    record = spec(Mode={"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 1}})
    done = swarm(tasks=[task(1, "complete", "complete")], services=[record], here=False)
    assert backend(done).one_shot
    failed = swarm(tasks=[task(1, "failed", "shutdown", code=3)], services=[record], here=False)
    assert not backend(failed).one_shot
    assert one(failed).last_exit is not None and one(failed).state is State.EXITED


def test_ports_in_ingress_mode_are_on_every_node() -> None:
    record = spec()
    record["Endpoint"] = {
        "Ports": [
            {"Protocol": "tcp", "TargetPort": 8000, "PublishedPort": 80, "PublishMode": "ingress"}
        ]
    }
    (port,) = one(swarm(tasks=[task(1)], services=[record], here=False)).ports
    assert (port.container_port, port.host_port, port.outside) == (8000, 80, True)


def test_the_environment_of_a_remote_task_is_masked() -> None:
    record = task(1)
    record["Spec"]["ContainerSpec"]["Env"] = ["DB_PASSWORD=hunter22", "URL=amqp://u:hunter22@mq"]
    replica = one(swarm(tasks=[record], here=False))
    assert dict(replica.environment) == {"DB_PASSWORD": "***", "URL": "amqp://u:***@mq"}


def test_a_worker_shows_what_it_runs() -> None:
    services = {service.key: service for service in services_of_worker(local())}
    assert set(services) == {"plaza_backend", "plaza_edge"}
    service = services["plaza_backend"]
    assert (service.kind, service.name, service.declared) == (ServiceKind.SWARM, "backend", None)
    assert sum(replica.serving for replica in service.replicas) == 2
    assert len({replica.name for replica in service.replicas}) == len(service.replicas)


def test_damaged_lists_are_only_gaps() -> None:
    junk: list[Any] = [None, 5, "x", [], {}, [1]]
    for key in (
        "Spec",
        "Status",
        "Slot",
        "NodeID",
        "ServiceID",
        "CreatedAt",
        "NetworksAttachments",
    ):
        for other in junk:
            swarm(tasks=[task(1) | {key: other}], here=False)
    for key in ("Spec", "Endpoint", "UpdateStatus", "ServiceStatus", "ID"):
        for other in junk:
            swarm(services=[spec() | {key: other}])


def test_an_update_for_which_no_node_is_found_is_told(scenes: ModuleType) -> None:
    words = "no suitable node (insufficient resources on 3 nodes)"
    waiting = task(1, "pending", error=words, NodeID="", CreatedAt="2026-11-22T15:00:00Z")
    waiting["ID"] = "waiting12345"
    service = backend(swarm(tasks=[task(1), task(2), task(3), waiting], here=False))
    found = scenes.only(scenes.readings(fleet=scenes.source("engine", Fleet("a", "1", (service,)))))
    assert (found.rule, found.severity) == ("replica-unplaced", Severity.P2)
    assert found.summary == f"backend.1.waiting1 pending: {words}"
