"""What changed, from one look to the next; and declared counts."""

from dataclasses import replace
from types import ModuleType

import msgspec

from console.model.changes import CHANGES_MOST, ChangeKind, History
from console.model.declared import declare
from console.model.fleet import (
    Event,
    EventKind,
    Exit,
    Health,
    HealthCheck,
    Node,
    Service,
    ServiceKind,
)
from console.model.policy import Policy
from console.rules.changes import changes


def texts(history: History) -> list[str]:
    return [change.text for change in history.changes]


def test_at_first_sight_times_of_containers_and_hosts_tell(scenes: ModuleType) -> None:
    made = scenes.NOW - 7200
    young = [scenes.replica(f"shop-backend-{i}", created_at=made, started_at=made) for i in (1, 2)]
    end = Exit(scenes.NOW - 600, 137, oom_killed=True)
    killed = scenes.replica("shop-backend-3", last_exit=end, restarts=4)
    fleet = scenes.fleet(backend=scenes.backend(*young, killed))
    host = scenes.host(booted_at=scenes.NOW - 3600)
    history = scenes.history([(fleet, scenes.NOW)], (host,))
    assert texts(history) == [
        "shop-backend-3 killed for memory at its limit of 2.0 GiB",
        "host prod-1 booted",
        "backend v1.2.3 created, 2 replicas",
    ]
    assert history.changes[0].count == 4


def test_a_roll_under_way_at_first_sight_is_a_release(scenes: ModuleType) -> None:
    made = scenes.NOW - 20
    fresh = scenes.replica("shop-backend-4", image=scenes.image("v1.3.0"), created_at=made)
    fleet = scenes.fleet(backend=scenes.backend(*scenes.three().replicas[1:], fresh))
    history = scenes.history([(fleet, scenes.NOW)])
    assert texts(history) == ["backend v1.2.3 -> v1.3.0"]
    assert history.changes[0].kind is ChangeKind.RELEASE


def test_what_started_with_its_host_is_no_change_of_its_own(scenes: ModuleType) -> None:
    booted = scenes.NOW - 3600
    started = [scenes.replica(f"shop-backend-{i}", started_at=booted + 20) for i in (1, 2, 3)]
    fleet = scenes.fleet(backend=scenes.backend(*started))
    history = scenes.history([(fleet, scenes.NOW)], (scenes.host(booted_at=booted),))
    assert texts(history) == ["host prod-1 booted"]


def test_an_unchanged_fleet_changes_nothing(scenes: ModuleType) -> None:
    looks = [(scenes.fleet(), scenes.NOW + i) for i in range(3)]
    assert scenes.history(looks).changes == ()


def test_a_release_is_one_change(scenes: ModuleType) -> None:
    at = scenes.NOW + 60
    fresh = [
        scenes.replica(
            f"shop-backend-{i}",
            id=f"{i}" * 64,
            image=scenes.image("v1.3.0"),
            created_at=at + i,
            started_at=at + i,
        )
        for i in (4, 5, 6)
    ]
    old = scenes.three().replicas
    steps = [
        scenes.fleet(),
        scenes.fleet(backend=scenes.backend(*old[1:], fresh[0])),
        scenes.fleet(backend=scenes.backend(old[2], *fresh[:2])),
        scenes.fleet(backend=scenes.backend(*fresh)),
    ]
    history = scenes.history([(step, at + 10 * i) for i, step in enumerate(steps)])
    assert texts(history) == ["backend v1.2.3 -> v1.3.0"]
    assert history.changes[0].at == at + 4
    assert (history.changes[0].kind, history.changes[0].by) == (ChangeKind.RELEASE, "outside")


def test_a_crash_loop_is_told_once_with_its_count(scenes: ModuleType) -> None:
    looks = [(scenes.fleet(), scenes.NOW)]
    for i in range(1, 5):
        at = scenes.NOW + 60.0 * i
        ill = scenes.replica("shop-backend-2", restarts=i, started_at=at, last_exit=Exit(at - 1, 1))
        looks.append((scenes.fleet(backend=scenes.three(r2=ill)), at + 5))
    history = scenes.history(looks)
    assert texts(history) == ["shop-backend-2 exited 1"]
    assert (history.changes[0].count, history.changes[0].first_at) == (4, scenes.NOW + 59)


def test_a_loop_that_was_there_at_first_sight_has_no_known_beginning(scenes: ModuleType) -> None:
    looks = []
    for restarts in (5, 6):
        at = scenes.NOW + 10.0 * restarts
        ill = scenes.replica("b", restarts=restarts, started_at=at, last_exit=Exit(at - 1, 1))
        looks.append((scenes.fleet(backend=scenes.three(r2=ill)), at + 5))
    (told,) = scenes.history(looks).changes
    assert (told.text, told.count, told.first_at) == ("b exited 1", 6, None)


def test_what_was_killed_is_not_also_told_as_unhealthy(scenes: ModuleType) -> None:
    dead = replace(scenes.exited(), health=Health.UNHEALTHY)
    looks = [scenes.fleet(), scenes.fleet(backend=scenes.three(r2=dead))]
    history = scenes.history([(look, scenes.NOW + i) for i, look in enumerate(looks)])
    assert [change.kind for change in history.changes] == [ChangeKind.EXIT]


def test_health_flips_are_collapsed(scenes: ModuleType) -> None:
    looks = [(scenes.fleet(), scenes.NOW)]
    for i in range(6):
        at = scenes.NOW + 120.0 * (i + 1)
        check = HealthCheck(at, i % 2 ^ 1, "curl: (7)")
        health = Health.HEALTHY if i % 2 else Health.UNHEALTHY
        flip = scenes.replica("shop-backend-2", health=health, health_log=(check,))
        looks.append((scenes.fleet(backend=scenes.three(r2=flip)), at + 1))
    history = scenes.history(looks)
    assert texts(history) == ["shop-backend-2 healthy again"]
    assert history.changes[0].count == 6


def test_an_event_and_the_read_that_follows_are_one_change(scenes: ModuleType) -> None:
    history = changes(History(), scenes.fleet(), (), (), scenes.NOW)
    at = scenes.NOW + 5
    died = Event(at, EventKind.DIED, "shop-backend-2", scenes.SHOP, "exited 137 (killed)")
    gone = scenes.fleet(backend=scenes.three(r2=scenes.exited(at=at + 0.4)))
    history = changes(history, scenes.fleet(), (died,), (), at + 1)
    history = changes(history, gone, (), (), at + 2)
    assert texts(history) == ["shop-backend-2 exited 137 (killed)"]
    assert history.changes[0].count == 1


def test_events_of_strangers_are_left_out(scenes: ModuleType) -> None:
    died = Event(scenes.NOW, EventKind.DIED, "try-1", "try", "exited 1")
    assert changes(History(), scenes.fleet(), (died,), (), scenes.NOW).changes == ()


def test_scale_configuration_removal_nodes(scenes: ModuleType) -> None:
    four = scenes.service("backend", 4)
    nodes = (Node("n1", "prod-1", "manager", "ready", "active"),)
    before = replace(scenes.fleet(), nodes=nodes)
    after = replace(scenes.fleet(backend=four), nodes=(replace(nodes[0], availability="drain"),))
    after = replace(after, services=tuple(s for s in after.services if s.name != "redis"))
    history = scenes.history([(before, scenes.NOW), (after, scenes.NOW + 10)])
    assert sorted(texts(history)) == [
        "backend scaled 3 -> 4",
        "node prod-1 ready -> ready, drain",
        "redis removed, 1 replica",
    ]


def test_restarts_of_one_moment_are_one_change(scenes: ModuleType) -> None:
    at = scenes.NOW + 60
    services = {
        service.name: replace(
            service,
            replicas=tuple(
                replace(replica, started_at=at + i) for i, replica in enumerate(service.replicas)
            ),
        )
        for service in scenes.fleet().services
    }
    history = scenes.history([(scenes.fleet(), scenes.NOW), (scenes.fleet(**services), at + 9)])
    assert texts(history) == ["8 replicas started again"]
    first = scenes.history([(scenes.fleet(**services), at + 9)])
    assert texts(first) == ["8 replicas started again"]


def test_a_stack_brought_up_before_anybody_looked_is_one_change(scenes: ModuleType) -> None:
    def made(service: Service) -> Service:
        young = (
            replace(r, created_at=scenes.NOW - 600, started_at=scenes.NOW - 600)
            for r in service.replicas
        )
        return replace(service, replicas=tuple(young))

    services = {service.name: made(service) for service in scenes.fleet().services}
    assert texts(scenes.history([(scenes.fleet(**services), scenes.NOW)])) == ["5 services created"]
    (told,) = scenes.history([(scenes.fleet(**services), scenes.NOW)]).changes
    assert told.kind is not ChangeKind.CONFIG, "no cause to name with a trouble"


def test_a_reboot_is_seen_once(scenes: ModuleType) -> None:
    history = scenes.history([(None, scenes.NOW)], (scenes.host(booted_at=scenes.NOW - 9e6),))
    booted = scenes.host(booted_at=scenes.NOW + 100)
    for later in (200, 210):
        history = changes(history, None, (), (booted,), scenes.NOW + later)
    assert texts(history) == ["host prod-1 rebooted"]


def test_a_blind_fleet_forgets_nothing(scenes: ModuleType) -> None:
    gone = scenes.fleet(backend=scenes.three(r2=scenes.exited(at=scenes.NOW + 50)))
    history = scenes.history(
        [(scenes.fleet(), scenes.NOW), (None, scenes.NOW + 30), (gone, scenes.NOW + 60)]
    )
    assert texts(history) == ["shop-backend-2 exited 137 (killed)"]


def test_the_list_is_bounded_and_newest_first(scenes: ModuleType) -> None:
    looks = []
    for i in range(CHANGES_MOST + 50):
        declared = scenes.service("backend", 3, declared=3 + i)
        looks.append((scenes.fleet(backend=declared), scenes.NOW + 10.0 * i))
    history = scenes.history(looks)
    assert len(history.changes) == CHANGES_MOST
    assert history.changes[0].text.endswith(f"-> {3 + CHANGES_MOST + 49}")
    assert list(history.changes) == sorted(history.changes, key=lambda change: -change.at)


def test_history_survives_json(scenes: ModuleType) -> None:
    gone = scenes.fleet(backend=scenes.three(r2=scenes.exited()))
    history = scenes.history([(scenes.fleet(), scenes.NOW - 60), (gone, scenes.NOW)])
    assert msgspec.json.decode(msgspec.json.encode(history), type=History) == history


def test_nothing_in_the_future(scenes: ModuleType) -> None:
    ahead = scenes.exited(at=scenes.NOW + 9000)
    history = scenes.history(
        [
            (scenes.fleet(), scenes.NOW),
            (scenes.fleet(backend=scenes.three(r2=ahead)), scenes.NOW + 5),
        ]
    )
    assert history.changes[0].at == scenes.NOW + 5


# Declared counts.


def test_declared_counts_come_from_policy_then_files_then_what_is_there(
    scenes: ModuleType,
) -> None:
    bare = replace(scenes.service("backend", 2), declared=None)
    fleet = scenes.fleet(backend=bare, worker=replace(scenes.service("worker", 2), declared=None))
    plan = (scenes.intended(replicas=3),)

    def counts(policy: Policy) -> tuple[int | None, int | None]:
        made = declare(fleet, plan, policy)
        return made.service("shop/backend").declared, made.service("shop/worker").declared

    assert counts(Policy()) == (3, 2)
    assert counts(Policy(replicas={"backend": 5, "shop/worker": 1})) == (5, 1)


def test_swarm_says_it_itself(scenes: ModuleType) -> None:
    swarm = scenes.service("backend", 2, kind=ServiceKind.SWARM, declared=4)
    fleet = declare(scenes.fleet(backend=swarm), (), Policy())
    assert fleet.service("shop/backend").declared == 4


def test_a_service_without_any_container_is_missing(scenes: ModuleType) -> None:
    plan = scenes.intended(service="shop/worker", replicas=2)
    fleet = declare(scenes.fleet(), (plan,), Policy())
    seen = scenes.readings(fleet=scenes.source("engine", fleet, pace=15.0))
    assert scenes.only(seen).summary == "worker 0 of 2 healthy: 2 missing"
    stopped = replace(plan.services[0], replicas=0)
    assert (
        declare(scenes.fleet(), (replace(plan, services=(stopped,)),), Policy()).service(
            "shop/worker"
        )
        is None
    )


def test_a_removed_service_keeps_its_whole_name(scenes: ModuleType) -> None:
    odd = replace(scenes.service("extra"), key="shop/[/nope]", name="[/nope]")
    history = scenes.history(
        [(scenes.fleet(extra=odd), scenes.NOW - 20), (scenes.fleet(), scenes.NOW)]
    )
    assert texts(history)[0] == "[/nope] removed, 1 replica"
