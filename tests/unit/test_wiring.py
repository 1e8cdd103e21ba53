"""What the Opener keeps, and when it closes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from console.clock import Deadline, SystemClock
from console.commands.wiring import Opener
from console.config.environment import EdgeConfig, EngineConfig, Environment
from console.errors import LinkError
from console.model.fleet import ComposeOrigin, Fleet, Service, ServiceKind
from console.paths import Paths

BARE = Environment("test", engine=EngineConfig("tcp://127.0.0.1:1"))
WITH_EDGE = replace(BARE, edges=(EdgeConfig("nginx-1", "http://127.0.0.1:1"),))


@pytest.fixture
def opener(tmp_path: Path) -> Iterator[Opener]:
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    opened = Opener(SystemClock(), Paths.of(environ), environ)
    yield opened
    opened.close()


def test_a_link_in_use_outlives_what_discovery_tries_meanwhile(opener: Opener) -> None:
    edge = opener.open(WITH_EDGE).edges[0]

    opener.open(BARE)

    assert opener.open(WITH_EDGE).edges[0] is edge
    opener.close_unused()
    edge.read(Deadline.after(SystemClock(), 2.0))  # nothing listens there: that is a report


def test_a_link_that_nothing_uses_any_more_is_closed(opener: Opener) -> None:
    edge = opener.open(WITH_EDGE).edges[0]

    opener.open(BARE)
    opener.close_unused()

    assert opener.open(WITH_EDGE).edges[0] is not edge


def test_an_address_that_is_none_closes_nothing(opener: Opener) -> None:
    edge = opener.open(WITH_EDGE).edges[0]

    with pytest.raises(LinkError):
        opener.open(replace(BARE, engine=EngineConfig("context:gone")))

    assert opener.open(WITH_EDGE).edges[0] is edge


def test_a_switched_docker_context_puts_no_other_production_in_its_place(
    opener: Opener, tmp_path: Path
) -> None:
    current = replace(BARE, engine=EngineConfig())
    fleet = opener.open(current).fleet
    folder = tmp_path / ".docker"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"currentContext": "staging"}))

    assert opener.open(current).fleet is fleet


def test_the_files_that_most_services_name_are_the_projects(opener: Opener) -> None:
    origin = ComposeOrigin("shop", "/srv/shop", ("/srv/shop/compose.yaml",))
    stray = replace(origin, config_files=("/tmp/debug.yaml",))
    services = tuple(
        Service(f"shop/{name}", name, ServiceKind.COMPOSE, origin=come_from)
        for name, come_from in (("a", origin), ("b", origin), ("stray", stray))
    )
    local = replace(BARE, engine=EngineConfig("unix:///nonexistent/docker.sock"))
    usual = opener.open(local, Fleet("e", "26", services[:2])).intended
    assert opener.open(local, Fleet("e", "26", services)).intended == usual != ()
    assert (
        opener.open(replace(local, projects=("other",)), Fleet("e", "26", services)).intended == ()
    )
