"""Which rows the Fleet shows, in which order."""

from dataclasses import replace

import pytest

from console.model.findings import Finding, Place, PlaceKind, Severity
from console.model.fleet import (
    Fleet,
    Health,
    Image,
    Replica,
    Role,
    Service,
    ServiceKind,
    State,
    Usage,
)
from console.model.snapshot import Snapshot
from screens.tree import Order, Troubles, View, rows

IMAGE = Image("shop:1")


def service(name: str, count: int, role: Role = Role.OTHER, **changes: object) -> Service:
    """A service of `count` healthy replicas."""
    key = f"shop/{name}"
    replicas = tuple(
        Replica(
            f"{name}-{n}", f"shop-{name}-{n}", key, IMAGE, State.RUNNING, Health.HEALTHY, slot=n
        )
        for n in range(1, count + 1)
    )
    made = Service(key, name, ServiceKind.COMPOSE, replicas, "shop", count, role=role)
    return replace(made, **changes)  # type: ignore[arg-type]


def shown(
    services: tuple[Service, ...],
    view: View = View(),  # noqa: B008 (frozen)
    findings: tuple[Finding, ...] = (),
    usage: dict[str, Usage] | None = None,
) -> list[str]:
    """The rows as words: ``+web`` folded, ``-web`` open, ``web-1`` a replica."""
    snapshot = Snapshot("p", 0.0, fleet=Fleet("e", "1", services), findings=findings)
    return [
        row.replica.id if row.replica else f"{'+' if row.folded else '-'}{row.service.name}"
        for row in rows(snapshot, view, usage or {}, Troubles.of(snapshot))
    ]


def about(kind: PlaceKind, key: str, severity: Severity = Severity.P1) -> Finding:
    """A finding about a replica or a service."""
    return Finding("rule", key, severity, "trouble", Place(kind, key), "engine", 0.0)


FLEET = (service("web", 2), service("api", 2, Role.BACKEND), service("db", 1))


def test_the_backend_is_open_and_first():
    assert shown(FLEET) == ["-api", "api-1", "api-2", "+db", "+web"]


def test_trouble_comes_first_and_open():
    found = (about(PlaceKind.REPLICA, "shop-web-2"),)
    assert shown(FLEET, findings=found)[:3] == ["-web", "web-1", "web-2"]


def test_what_does_not_serve_is_trouble_without_a_finding():
    web = service("web", 2)
    ill = replace(web, replicas=(replace(web.replicas[0], health=Health.UNHEALTHY),))
    assert shown((service("api", 1, Role.BACKEND), ill), View(faults=True)) == ["-web", "web-1"]


def test_notes_and_blindness_are_no_faults():
    note = about(PlaceKind.SERVICE, "shop/web", Severity.NOTE)
    blind = replace(about(PlaceKind.SERVICE, "shop/db"), blind=True)
    assert shown(FLEET, View(faults=True), (note, blind)) == []


def test_a_filter_opens_what_it_finds():
    assert shown(FLEET, View(filter="web-2")) == ["-web", "web-2"]
    assert shown(FLEET, View(filter="DB")) == ["+db"]


def test_folds_are_the_users():
    view = View(folds={"shop/api": True, "shop/db": False})
    assert shown(FLEET, view) == ["+api", "-db", "db-1", "+web"]


@pytest.mark.parametrize(
    ("order", "first"), [(Order.CPU, "-web"), (Order.MEMORY, "+db"), (Order.NAME, "-api")]
)
def test_orders(order, first):
    usage = {"web-2": Usage(0.0, 0.9, 10, None), "db-1": Usage(0.0, 0.1, 99, None)}
    view = View(order=order, folds={"shop/web": False})
    assert shown(FLEET, view, usage=usage)[0] == first


def test_replicas_are_sorted_inside_their_service():
    usage = {"api-2": Usage(0.0, 0.9, 10, None)}
    assert shown(FLEET, View(order=Order.CPU), usage=usage)[:3] == ["-api", "api-2", "api-1"]


def test_ten_comes_after_nine():
    assert shown((service("api", 11, Role.BACKEND),))[-2:] == ["api-10", "api-11"]


def test_a_figure_over_its_limit_is_a_trouble_of_the_service_it_was_measured_on() -> None:
    slow = replace(about(PlaceKind.METRIC, "p95"), rule="latency")
    view = View(faults=True)
    assert shown(FLEET, view) == []
    assert [row for row in shown(FLEET, view, (slow,)) if "api" in row][:1] == ["-api"]
    assert not any("web" in row or "db" in row for row in shown(FLEET, view, (slow,)))
