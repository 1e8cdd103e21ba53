"""Rules about services, replicas, nodes, ports and drift."""

from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from console.model.findings import Severity
from console.model.fleet import (
    Exit,
    Health,
    Mount,
    Node,
    Port,
    Role,
    ServiceKind,
    State,
    Update,
    Usage,
)
from console.model.policy import Policy


def of_fleet(scenes: ModuleType, **services: Any) -> Any:
    return scenes.readings(fleet=scenes.source("engine", scenes.fleet(**services), pace=15.0))


def test_good_health_has_no_findings(scenes: ModuleType) -> None:
    assert scenes.findings(scenes.readings()) == ()


def test_one_killed_replica_is_one_finding_of_its_service(scenes: ModuleType) -> None:
    found = scenes.only(of_fleet(scenes, backend=scenes.three(r2=scenes.exited())))
    assert found.id == "service-below-declared/shop/backend"
    assert found.severity is Severity.P1
    assert found.summary == "backend 2 of 3 healthy: backend-2 exited 137 (killed)"
    assert (found.since, found.since_known) == (scenes.NOW - 12, True)
    assert found.runbook == "restart"


def test_unhealthy_replica_tells_its_last_output_and_since_its_first_failure(
    scenes: ModuleType,
) -> None:
    found = scenes.only(of_fleet(scenes, backend=scenes.three(r2=scenes.unhealthy())))
    assert "backend-2 unhealthy" in found.summary
    assert found.since == scenes.NOW - 180 and found.since_known
    assert any("curl: (7)" in line for line in found.evidence)


def test_unhealthy_beyond_the_declared_count_is_the_replicas_own_finding(
    scenes: ModuleType,
) -> None:
    good = [scenes.replica(f"shop-backend-{i}") for i in (1, 3, 4)]
    seen = of_fleet(scenes, backend=scenes.backend(*good, scenes.unhealthy(), declared=3))
    found = scenes.only(seen)
    assert found.id == "replica-unhealthy/shop-backend-2"
    assert found.severity is Severity.P2


def test_a_missing_replica_has_no_known_since(scenes: ModuleType) -> None:
    two = [scenes.replica(f"shop-backend-{i}") for i in (1, 2)]
    found = scenes.only(of_fleet(scenes, backend=scenes.backend(*two)))
    assert found.summary == "backend 2 of 3 healthy: 1 missing"
    assert not found.since_known and found.runbook == "scale"


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("backend", Severity.P0),
        ("nginx", Severity.P0),
        ("postgres", Severity.P0),
        ("redis", Severity.P1),
        ("prometheus", Severity.P2),
    ],
)
def test_nothing_left_is_as_bad_as_the_services_role(
    scenes: ModuleType, name: str, severity: Severity
) -> None:
    gone = scenes.service(name)
    dead = scenes.exited(f"shop-{name}-1", service=gone.key, image=gone.replicas[0].image)
    service = replace(gone, replicas=(dead,))
    found = scenes.only(of_fleet(scenes, **{name: service}))
    assert found.rule == "service-below-declared"
    assert found.severity is severity


def test_unhealthy_everywhere_but_users_are_answered_is_no_outage(scenes: ModuleType) -> None:
    ill = scenes.backend(*(scenes.unhealthy(f"shop-backend-{i}") for i in (1, 2, 3)))
    assert scenes.only(of_fleet(scenes, backend=ill)).severity is Severity.P1


def test_a_new_replica_may_be_starting_for_a_while(scenes: ModuleType) -> None:
    young = scenes.replica(
        "shop-backend-4",
        health=Health.STARTING,
        created_at=scenes.NOW - 20,
        started_at=scenes.NOW - 19,
    )
    four = scenes.backend(*scenes.three().replicas, young, declared=4)
    assert scenes.only(of_fleet(scenes, backend=four)).severity is Severity.P2
    old = replace(young, started_at=scenes.NOW - 300)
    four = scenes.backend(*scenes.three().replicas, old, declared=4)
    assert scenes.only(of_fleet(scenes, backend=four)).severity is Severity.P1


def test_a_crash_loop_says_more_than_the_missing_replica(scenes: ModuleType) -> None:
    looping = scenes.exited(restarts=5)
    found = scenes.only(of_fleet(scenes, backend=scenes.three(r2=looping)))
    assert found.id == "replica-restarting/shop-backend-2"
    assert found.severity is Severity.P1
    assert found.summary == "backend-2 exited 137 (killed), restarted 5x in 30 min, limit 3"
    assert any("2 of 3 healthy" in line for line in found.evidence)


def test_replicas_that_loop_alike_are_one_trouble(scenes: ModuleType) -> None:
    loops = {f"r{i}": scenes.exited(f"shop-backend-{i}", restarts=5) for i in (1, 2)}
    looks = scenes.Judge()
    one = scenes.three(r1=loops["r1"])
    assert looks.ids(of_fleet(scenes, backend=one)) == ["replica-restarting/shop-backend-1"]
    seen = of_fleet(scenes, backend=scenes.three(**loops))
    assert looks.ids(seen, after=2) == ["replica-restarting/shop/backend"]
    found = scenes.only(seen)
    assert found.summary.endswith("restarted 5x in 30 min, limit 3; 1 more alike")
    assert any(line.startswith("shop-backend-2: ") for line in found.evidence)
    every = {f"r{i}": scenes.exited(f"shop-backend-{i}", restarts=5) for i in (1, 2, 3)}
    dead = of_fleet(scenes, backend=scenes.three(**every))
    assert scenes.only(dead).id == "service-below-declared/shop/backend"


def test_a_loop_takes_the_place_of_its_services_finding_at_once(scenes: ModuleType) -> None:
    looks = scenes.Judge()
    down = scenes.exited(restarts=2)
    assert looks.ids(of_fleet(scenes, backend=scenes.three(r2=down))) == [
        "service-below-declared/shop/backend"
    ]
    again = replace(down, restarts=3)
    assert looks.ids(of_fleet(scenes, backend=scenes.three(r2=again)), after=2) == [
        "replica-restarting/shop-backend-2"
    ]


def test_starting_again_tells_why(scenes: ModuleType) -> None:
    end = Exit(scenes.NOW - 5, 137, oom_killed=True)
    back = scenes.replica(
        "shop-backend-2", health=Health.STARTING, started_at=scenes.NOW - 4, last_exit=end
    )
    found = scenes.only(of_fleet(scenes, backend=scenes.three(r2=back)))
    assert found.summary == "backend 2 of 3 healthy: backend-2 starting again, killed for memory"
    assert (found.severity, found.runbook) == (Severity.P1, "memory-leak")


def test_old_restarts_are_no_loop(scenes: ModuleType) -> None:
    veteran = scenes.replica("shop-backend-2", restarts=9, started_at=scenes.NOW - 5 * 86400)
    assert scenes.findings(of_fleet(scenes, backend=scenes.three(r2=veteran))) == ()


def test_restarts_are_counted_from_one_look_to_the_next(scenes: ModuleType) -> None:
    judge = scenes.Judge()
    for count in range(4):
        started = judge.now - 1 if count else scenes.NOW - 9 * 86400
        restarted = scenes.replica("shop-backend-2", restarts=count, started_at=started)
        found = judge.look(of_fleet(scenes, backend=scenes.three(r2=restarted)), after=300.0)
        assert bool(found) == (count >= 3)
    assert found[0].rule == "replica-restarting"
    assert judge.look(of_fleet(scenes, backend=scenes.three(r2=restarted)), after=3600.0) == ()


def test_restarts_of_a_new_container_begin_at_none(scenes: ModuleType) -> None:
    judge = scenes.Judge()
    old = scenes.replica("shop-backend-2", restarts=40, started_at=scenes.NOW - 86400)
    new = replace(old, id="f" * 64, restarts=0, created_at=scenes.NOW, started_at=scenes.NOW)
    judge.look(of_fleet(scenes, backend=scenes.three(r2=old)))
    assert judge.look(of_fleet(scenes, backend=scenes.three(r2=new)), after=60) == ()


def test_killed_for_memory_while_serving_again(scenes: ModuleType) -> None:
    end = Exit(scenes.NOW - 60, 137, oom_killed=True)
    back = scenes.replica("shop-backend-2", restarts=1, last_exit=end, started_at=scenes.NOW - 59)
    found = scenes.only(of_fleet(scenes, backend=scenes.three(r2=back)))
    assert found.id == "replica-oom-killed/shop-backend-2"
    assert "killed for memory at its limit of 2.0 GiB" in found.summary
    assert (found.severity, found.runbook) == (Severity.P2, "memory-leak")
    assert found.since == scenes.NOW - 60


def test_killed_for_memory_and_down_is_one_trouble(scenes: ModuleType) -> None:
    end = Exit(scenes.NOW - 12, 137, oom_killed=True)
    found = scenes.only(of_fleet(scenes, backend=scenes.three(r2=scenes.exited(last_exit=end))))
    assert found.id == "service-below-declared/shop/backend"
    assert "killed for memory" in found.summary and found.runbook == "memory-leak"


def test_total_loss_takes_in_all_about_its_replicas(scenes: ModuleType) -> None:
    end = Exit(scenes.NOW - 12, 137, oom_killed=True)
    dead = [scenes.exited(f"shop-backend-{i}", restarts=5, last_exit=end) for i in (1, 2, 3)]
    found = scenes.only(of_fleet(scenes, backend=scenes.backend(*dead)))
    assert found.severity is Severity.P0
    assert found.summary.startswith("backend 0 of 3 healthy: 3 killed for memory")


def test_a_replica_on_another_image(scenes: ModuleType) -> None:
    odd = scenes.replica(
        "shop-backend-2", image=scenes.image("v1.3.0"), created_at=scenes.NOW - 600
    )
    found = scenes.only(of_fleet(scenes, backend=scenes.three(r2=odd)))
    assert found.id == "image-mixed/shop/backend"
    assert found.summary == "backend runs 2 images: 2 on v1.2.3, 1 on v1.3.0"
    fresh = replace(odd, created_at=scenes.NOW - 3)
    assert scenes.findings(of_fleet(scenes, backend=scenes.three(r2=fresh))) == ()


def test_the_same_tag_with_two_digests_is_told_apart(scenes: ModuleType) -> None:
    moved = replace(scenes.image("v1.2.3"), digest="sha256:" + "f" * 64)
    odd = scenes.replica("shop-backend-2", image=moved)
    found = scenes.only(of_fleet(scenes, backend=scenes.three(r2=odd)))
    assert "v1.2.3 (ffffffffffff)" in found.summary


def test_near_the_memory_limit(scenes: ModuleType) -> None:
    name = scenes.replica("shop-backend-1").id
    used = {name: Usage(scenes.NOW, 0.2, int(1.9 * scenes.GIB), 2 * scenes.GIB)}
    seen = scenes.readings(usage=scenes.source("usage", used))
    judge = scenes.Judge()
    assert judge.look(seen) == ()  # on hold: one figure may jump
    found = judge.look(seen, after=31)[0]
    assert found.summary == "shop-backend-1 memory 95 % (1.9 of 2.0 GiB), limit 90 %"


def test_a_leftover_container_is_not_missed(scenes: ModuleType) -> None:
    left = scenes.exited("try-1", service="try-1")
    service = scenes.service("try", kind=ServiceKind.CONTAINER, replicas=(left,), declared=1)
    assert scenes.findings(of_fleet(scenes, extra=service)) == ()


def test_a_job_that_ended_is_no_trouble(scenes: ModuleType) -> None:
    done = scenes.exited("shop-migrate-1", service="shop/migrate", last_exit=Exit(scenes.NOW, 0))
    job = scenes.service("migrate", replicas=(done,), one_shot=True)
    assert scenes.findings(of_fleet(scenes, migrate=job)) == ()


def test_a_service_scaled_to_none_is_no_trouble(scenes: ModuleType) -> None:
    assert scenes.findings(of_fleet(scenes, extra=scenes.service("extra", 0))) == ()


def test_a_backend_scaled_to_none_serves_nobody(scenes: ModuleType) -> None:
    found = scenes.only(of_fleet(scenes, backend=scenes.service("backend", 0)))
    assert (found.severity, found.runbook) == (Severity.P0, "scale")
    assert found.summary == "backend is scaled to 0: no replica is there to serve"


@pytest.mark.parametrize(
    ("state", "severity", "word"),
    [
        ("paused", Severity.P1, "update paused"),
        ("rollback_paused", Severity.P1, "rollback paused"),
        ("rollback_completed", Severity.P2, "was rolled back"),
    ],
)
def test_updates_that_failed(scenes: ModuleType, state: str, severity: Severity, word: str) -> None:
    service = scenes.service("backend", 3, update=Update(state, scenes.NOW - 60, "task failed"))
    found = scenes.only(of_fleet(scenes, backend=service))
    assert (found.severity, found.since) == (severity, scenes.NOW - 60)
    assert word in found.summary and "task failed" in found.summary


def test_completed_updates_are_well(scenes: ModuleType) -> None:
    service = scenes.service("backend", 3, update=Update("completed", scenes.NOW - 60))
    assert scenes.findings(of_fleet(scenes, backend=service)) == ()


def test_a_node_that_is_down_tells_of_the_quorum(scenes: ModuleType) -> None:
    nodes = tuple(
        Node(f"n{i}", f"prod-{i}", "manager", "down" if i == 3 else "ready", "active")
        for i in (1, 2, 3)
    )
    fleet = replace(scenes.fleet(), nodes=nodes, swarm=True)
    found = scenes.only(scenes.readings(fleet=scenes.source("engine", fleet, pace=15.0)))
    assert (found.id, found.severity) == ("node-down/prod-3", Severity.P1)
    assert "2 of 3 managers left, the next one lost stops the Swarm" in found.evidence


def test_ports_that_may_not_be_outside(scenes: ModuleType) -> None:
    open_port = Port(5432, "tcp", "0.0.0.0", 15432)
    postgres = scenes.service("postgres")
    postgres = replace(
        postgres,
        replicas=(
            replace(postgres.replicas[0], ports=(open_port, Port(5432, "tcp", "::", 15432))),
        ),
    )
    found = scenes.only(of_fleet(scenes, postgres=postgres))
    assert found.id == "port-outside/shop/postgres"
    assert "0.0.0.0:15432 -> 5432/tcp" in found.evidence
    inside = replace(postgres.replicas[0], ports=(Port(5432, "tcp", "127.0.0.1", 5432),))
    assert scenes.findings(of_fleet(scenes, postgres=replace(postgres, replicas=(inside,)))) == ()


def test_drift_is_one_finding_per_project(scenes: ModuleType) -> None:
    plan = scenes.intended(image=scenes.image("v1.1.0").reference)
    found = scenes.only(scenes.readings(intended=(scenes.source("compose:shop", plan),)))
    assert found.id == "drift/shop"
    assert found.summary == "a plain `up` would revert backend from v1.2.3 to v1.1.0"


def test_compose_files_that_cannot_be_rendered_are_a_note(scenes: ModuleType) -> None:
    plan = replace(scenes.intended(), services=(), problem="env file .env not found")
    found = scenes.only(scenes.readings(intended=(scenes.source("compose:shop", plan),)))
    assert found.severity is Severity.NOTE and ".env not found" in found.summary


def test_the_policy_may_allow_more_restarts(scenes: ModuleType) -> None:
    looping = scenes.replica("shop-backend-2", restarts=5, started_at=scenes.NOW - 30)
    seen = of_fleet(scenes, backend=scenes.three(r2=looping))
    assert scenes.findings(seen, Policy(restarts=6)) == ()
    assert len(scenes.findings(seen)) == 1


def test_two_services_of_one_name_are_told_apart(scenes: ModuleType) -> None:
    other = scenes.service("backend", key="blog/backend", project="blog", role=Role.OTHER)
    dead = scenes.exited("blog-backend-1", service="blog/backend")
    found = scenes.only(of_fleet(scenes, other=replace(other, replicas=(dead,))))
    assert found.summary.startswith("blog/backend 0 of 1 healthy")


def test_a_paused_replica_does_not_serve(scenes: ModuleType) -> None:
    paused = scenes.replica(
        "shop-backend-2", state=State.PAUSED, mounts=(Mount("bind", "/", "/", True),)
    )
    found = scenes.only(of_fleet(scenes, backend=scenes.three(r2=paused)))
    assert found.summary == "backend 2 of 3 healthy: backend-2 paused"
    assert not found.since_known, "the engine does not say when it was paused"
