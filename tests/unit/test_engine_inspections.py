"""Which containers are inspected again."""

from typing import Any

from console.links.engine.containers import Container
from console.links.engine.inspections import CHECK_REFRESH, REFRESH, REFRESHES, Inspections
from console.model.fleet import Exit, Health, Image, Replica, State

NOW = 1_000_000.0


def summary(
    container_id: str = "a", status: str = "Up 2 hours", state: str = "running"
) -> dict[str, Any]:
    return {"Id": container_id, "State": state, "Status": status}


def container(
    container_id: str = "a",
    *,
    health: Health = Health.UNCHECKED,
    checked: bool = False,
    last_exit: Exit | None = None,
    ended_at: float | None = None,
    state: State = State.RUNNING,
) -> Container:
    replica = Replica(
        container_id,
        container_id,
        "s",
        Image("i"),
        state,
        health,
        started_at=NOW - 7300,
        last_exit=last_exit,
        ended_at=ended_at,
    )
    return Container(replica, {}, checked=checked)


def kept(one: Container, status: str = "Up 2 hours") -> Inspections:
    inspections = Inspections()
    inspections.keep(summary(one.replica.id, status), one, NOW)
    return inspections


def test_what_is_new_is_inspected_and_what_is_known_is_not() -> None:
    inspections = Inspections()
    assert inspections.due([summary()], NOW) == [summary()]
    inspections.keep(summary(), container(), NOW)
    assert inspections.due([summary()], NOW + 10) == []
    assert inspections.due([summary(state="exited")], NOW + 10)
    assert inspections.due([summary(status="Up 3 seconds")], NOW + 10)


def test_an_event_makes_it_due_once() -> None:
    inspections = kept(container())
    inspections.changed("a")
    assert inspections.due([summary()], NOW + 1)
    assert not inspections.due([summary()], NOW + 1)


def test_an_event_during_the_inspection_is_not_lost() -> None:
    inspections = kept(container())
    inspections.changed("a")
    assert inspections.due([summary()], NOW + 1)
    inspections.changed("a")
    inspections.keep(summary(), container(), NOW + 1)
    assert inspections.due([summary()], NOW + 2)


def test_the_unwell_are_inspected_each_time() -> None:
    for health in (Health.UNHEALTHY, Health.STARTING):
        inspections = kept(container(health=health, checked=True))
        assert inspections.due([summary()], NOW + 1)


def test_health_logs_are_read_again_after_a_while() -> None:
    inspections = kept(container(health=Health.HEALTHY, checked=True))
    assert not inspections.due([summary()], NOW + CHECK_REFRESH - 1)
    assert inspections.due([summary()], NOW + CHECK_REFRESH + 1)
    assert not kept(container()).due([summary()], NOW + CHECK_REFRESH + 1)
    assert kept(container()).due([summary()], NOW + REFRESH + 1)


def test_not_all_at_once() -> None:
    inspections = Inspections()
    names = [f"c{number}" for number in range(300)]
    for name in names:
        inspections.keep(summary(name), container(name), NOW)
    assert len(inspections.due([summary(name) for name in names], NOW + REFRESH + 1)) == REFRESHES


def test_an_end_is_remembered_through_the_restart() -> None:
    inspections = kept(container(ended_at=NOW - 7301))
    inspections.changed("a", Exit(NOW - 7301.2, 137, oom_killed=True))
    found = inspections.container("a")
    assert found is not None and found.replica.last_exit == Exit(NOW - 7301.2, 137, oom_killed=True)


def test_an_older_end_is_not_taken_for_the_last_one() -> None:
    inspections = kept(container(ended_at=NOW - 7301))
    inspections.changed("a", Exit(NOW - 9000, 1))
    found = inspections.container("a")
    assert found is not None and found.replica.last_exit is None


def test_what_is_gone_is_forgotten() -> None:
    inspections = kept(container())
    inspections.drop_others([])
    assert inspections.container("a") is None
    assert inspections.due([summary()], NOW)
