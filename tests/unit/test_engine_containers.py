"""Containers and Compose projects, from answers of a real engine (26.1, Compose 2.26)."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.links.engine.containers import (
    Container,
    container_of,
    fingerprint,
    restarted_since,
)
from console.links.engine.images import local_image
from console.links.engine.projects import services_of
from console.model.fleet import Exit, Health, ServiceKind, State

ANSWERS = Path(__file__).parent / "engine_answers"


def answers(name: str) -> Any:
    return json.loads((ANSWERS / f"{name}.json").read_text())


def containers() -> dict[str, Container]:
    compose, images = answers("compose"), answers("images")
    made = [
        container_of(
            summary,
            compose["inspections"][summary["Id"]],
            local_image(images[summary["ImageID"]]),
            "prod-1",
        )
        for summary in compose["containers"]
    ]
    return {container.replica.name: container for container in made}


def raw(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    compose = answers("compose")
    summary = next(c for c in compose["containers"] if c["Names"] == [f"/{name}"])
    return summary, compose["inspections"][summary["Id"]]


def test_a_backend_replica() -> None:
    container = containers()["shop-backend-1"]
    replica = container.replica
    assert (replica.state, replica.health, replica.node) == (
        State.RUNNING,
        Health.HEALTHY,
        "prod-1",
    )
    assert replica.image.tag == "v1.2.3"
    assert replica.image.name == "registry.example:5000/shop/backend"
    assert replica.image.digest is not None and replica.image.digest.startswith("sha256:")
    assert replica.image.id is not None and replica.image.id != replica.image.digest
    assert (replica.memory_limit, replica.cpu_limit) == (192 << 20, 1.0)
    assert set(replica.addresses) == {"shop_back", "shop_front"}
    assert len(replica.config_hash) == 64
    assert replica.started_at is not None and replica.created_at is not None
    assert replica.started_at > replica.created_at
    assert replica.health_log[-1].exit_code == 0
    assert '"healthy"' in replica.health_log[-1].output
    assert container.checked and container.check_interval == 2.0
    assert container.memory_reservation == 48 << 20


def test_its_environment_is_masked() -> None:
    environment = dict(containers()["shop-backend-1"].replica.environment)
    assert environment["SECRET_KEY"] == "***"
    assert environment["DATABASE_URL"] == "postgresql://shop:***@postgres:5432/shop_prod"
    assert environment["REDIS_URL"] == "redis://:***@redis:6379/0"
    assert environment["APP_ENV"] == "production"
    assert "not-a-real" not in repr(containers())


def test_ports_and_mounts() -> None:
    postgres, edge = containers()["shop-postgres-1"], containers()["shop-edge-a-1"]
    (port,) = postgres.replica.ports
    assert (port.container_port, port.protocol, port.outside) == (5432, "tcp", False)
    assert postgres.publishes
    volume = next(mount for mount in postgres.replica.mounts if mount.kind == "volume")
    assert (volume.source, volume.read_only) == ("shop_postgres-data", False)
    assert all(mount.read_only for mount in edge.replica.mounts)


def exited(code: int = 137, *, oom: bool = False, policy: str = "no") -> Container:
    summary, detail = raw("shop-backend-1")
    summary |= {"State": "exited", "Status": f"Exited ({code}) 2 minutes ago"}
    detail["State"] |= {
        "Status": "exited",
        "ExitCode": code,
        "OOMKilled": oom,
        "FinishedAt": "2026-11-22T17:30:00.5Z",
    }
    detail["State"].pop("Health")
    detail["Config"].pop("Healthcheck")
    detail["HostConfig"]["RestartPolicy"] = {"Name": policy}
    return container_of(summary, detail, None, "prod-1")


def test_an_end_is_told() -> None:
    end = exited(137, oom=True).replica.last_exit
    assert end == Exit(at=1795368600.5, code=137, oom_killed=True)
    assert end.signal == 9
    assert not exited().replica.running


def test_without_an_inspection_the_list_still_counts() -> None:
    summary, _ = raw("shop-backend-1")
    replica = container_of(summary, {}, None, "prod-1").replica
    assert (replica.state, replica.health) == (State.RUNNING, Health.HEALTHY)
    assert replica.image.tag == "v1.2.3"
    assert replica.created_at == summary["Created"]


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("Up 3 seconds (health: starting)", Health.STARTING),
        ("Up 3 hours (unhealthy)", Health.UNHEALTHY),
        ("Up 3 hours (healthy)", Health.HEALTHY),
    ],
)
def test_the_list_says_the_health(status: str, health: Health) -> None:
    summary, _ = raw("shop-backend-1")
    assert container_of(summary | {"Status": status}, {}, None, "").replica.health is health


def test_the_inspection_is_newer_than_the_list() -> None:
    """Restarted in between: an exit code of the one must not be read with the other's state."""
    summary, detail = raw("shop-backend-1")
    summary |= {"State": "restarting", "Status": "Restarting (137) 1 second ago"}
    detail["State"]["FinishedAt"] = "2026-11-22T17:30:00.5Z"
    replica = container_of(summary, detail, None, "").replica
    assert (replica.state, replica.last_exit) == (State.RUNNING, None)
    assert replica.ended_at == 1795368600.5


def test_no_check_is_unchecked() -> None:
    summary, detail = raw("shop-backend-1")
    detail["State"].pop("Health")
    made = container_of(summary | {"Status": "Up 2 hours"}, detail, None, "")
    assert made.replica.health is Health.UNCHECKED


@pytest.mark.parametrize(
    ("status", "age", "restarted"),
    [
        ("Up 35 seconds", 70.0, True),
        ("Up 35 seconds", 38.0, False),
        ("Up Less than a second", 4.0, False),
        ("Up Less than a second (health: starting)", 3000.0, True),
        ("Up About a minute", 110.0, False),
        ("Up About a minute", 900.0, True),
        ("Up 5 minutes (healthy)", 359.0, False),
        ("Up About an hour", 5000.0, False),
        ("Up 2 hours", 90_000.0, True),
        ("Up 3 days", 3.9 * 86400, False),
        ("Up 2 weeks", 20 * 86400.0, False),
        ("Exited (0) 3 days ago", 10.0, False),
    ],
)
def test_a_restart_shows_in_the_uptime(status: str, age: float, restarted: bool) -> None:
    assert restarted_since({"Status": status}, 1_000.0, 1_000.0 + age) is restarted


def test_the_fingerprint_follows_the_state_and_not_the_clock() -> None:
    summary, _ = raw("shop-backend-1")
    before = fingerprint(summary | {"Status": "Up 3 minutes (healthy)"})
    assert before == fingerprint(summary | {"Status": "Up 4 minutes (healthy)"})
    assert before != fingerprint(summary | {"Status": "Up 4 minutes (unhealthy)"})
    assert before != fingerprint(summary | {"State": "paused"})
    assert before != fingerprint(summary | {"NetworkSettings": {}})


HOSTILE = "\x1b]0;owned\x07[red]\u202egnp.exe\x1b[31m[/nope]"


def test_hostile_text_is_cleaned() -> None:
    summary, detail = raw("shop-backend-1")
    summary["Names"] = [f"/{HOSTILE}"]
    summary["Labels"] |= {"com.docker.compose.service": HOSTILE}
    detail["Config"] |= {"Image": HOSTILE, "Env": [f"{HOSTILE}={HOSTILE}", "NO_EQUALS"]}
    detail["State"]["Health"]["Log"][-1]["Output"] = HOSTILE
    summary["NetworkSettings"]["Networks"] = {HOSTILE: {"IPAddress": HOSTILE}}
    container = container_of(summary, detail, None, HOSTILE[:0])
    (service,) = services_of([container])
    shown = [service.key, service.name, *service.replicas[0].addresses]
    shown += [container.replica.name, container.replica.image.reference]
    shown += [part for pair in container.replica.environment for part in pair]
    shown += [container.replica.health_log[-1].output]
    assert all("\x1b" not in text and "\u202e" not in text and "\x07" not in text for text in shown)
    assert container.replica.name == "[red]gnp.exe[/nope]"


def damaged(value: Any) -> Iterator[Any]:
    """`value` with one part of it replaced by something of another type, for each part."""
    junk = (None, 7, "x", [], {}, [None], -1.5, True)
    if isinstance(value, dict):
        for key in value:
            for other in (*junk, *damaged(value[key])):
                yield {**value, key: other}
            yield {name: part for name, part in value.items() if name != key}
    elif isinstance(value, list) and value:
        for other in (*junk, *damaged(value[0])):
            yield [other, *value[1:]]


def test_no_damage_of_an_answer_is_more_than_a_gap() -> None:
    summary, detail = raw("shop-postgres-1")
    count = 0
    for broken in damaged(detail):
        count += 1
        made = container_of(summary, broken, None, "n")
        assert made.replica.name == "shop-postgres-1"
    for broken in damaged(summary):
        count += 1
        services_of([container_of(broken, detail, None, "n")])
        fingerprint(broken)
    assert count > 500


def test_compose_services() -> None:
    services = {service.key: service for service in services_of(containers().values())}
    assert set(services) == {"shop/backend", "shop/edge-a", "shop/postgres"}
    backend = services["shop/backend"]
    assert (backend.kind, backend.project, backend.name) == (ServiceKind.COMPOSE, "shop", "backend")
    assert [(replica.name, replica.slot) for replica in backend.replicas] == [
        ("shop-backend-1", 1),
        ("shop-backend-2", 2),
    ]
    assert backend.healthy == 2 and backend.healthcheck and backend.declared is None
    assert backend.origin is not None
    assert backend.origin.config_files == ("/srv/shop/compose.yaml",)
    assert backend.origin.working_dir == "/srv/shop"


def relabelled(container: Container, **labels: str | None) -> Container:
    prefix = "com.docker.compose."
    changed = {prefix + name.replace("_", "-"): value for name, value in labels.items()}
    merged = {**container.labels, **changed}
    made = copy.copy(container)
    object.__setattr__(made, "labels", {k: v for k, v in merged.items() if v is not None})
    return made


def test_a_one_off_container_does_not_count() -> None:
    known = containers()
    run = relabelled(known["shop-backend-2"], oneoff="True")
    (service,) = services_of([known["shop-backend-1"], run])
    assert [replica.wanted for replica in service.replicas] == [True, False]
    assert len(service.current) == 1


@pytest.mark.parametrize(
    ("container", "one_shot"),
    [
        (exited(0), True),
        (exited(1), False),
        (exited(0, policy="on-failure"), False),
        (exited(0, policy="unless-stopped"), False),
    ],
)
def test_what_ends_by_design(container: Container, one_shot: bool) -> None:
    (service,) = services_of([container])
    assert service.one_shot is one_shot


def test_a_server_that_ended_is_no_job() -> None:
    made = copy.copy(exited(0))
    object.__setattr__(made, "publishes", True)
    assert not services_of([made])[0].one_shot


def test_standalone_containers_are_services_of_their_own() -> None:
    alone = relabelled(containers()["shop-edge-a-1"], project=None, service=None)
    (service,) = services_of([alone])
    assert (service.key, service.kind) == ("shop-edge-a-1", ServiceKind.CONTAINER)
    (service,) = services_of([alone], taken=["shop-edge-a-1"])
    assert service.key == "container:shop-edge-a-1"
    assert service.replicas[0].service == service.key
