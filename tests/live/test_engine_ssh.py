"""The stand's engine through an SSH host: tunnels, streams, Compose's files there."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.clock import Deadline, SystemClock
from console.config.environment import EngineConfig, HostConfig
from console.links.compose import ComposeFiles, origins_of
from console.links.engine.link import EngineLink, resolve_engine
from console.links.host.opening import open_host
from console.links.protocols import HostLink
from console.paths import Paths

pytestmark = pytest.mark.live

CLOCK = SystemClock()


def soon(seconds: float = 20.0) -> Deadline:
    return Deadline.after(CLOCK, seconds)


@pytest.fixture
def reached(stand: Any, tmp_path: Path) -> Iterator[tuple[EngineLink, HostLink]]:
    environ = {
        **os.environ,
        "COFA_SSH_CONFIG": stand.ssh.config,
        "XDG_RUNTIME_DIR": str(tmp_path),
        "DOCKER_HOST": f"ssh://{stand.ssh.alias}{stand.docker.socket}",
    }
    config = resolve_engine(EngineConfig(), environ)
    assert (config.address, config.socket) == (f"ssh://{stand.ssh.alias}", stand.docker.socket)
    host = open_host(HostConfig("prod", config.address), CLOCK, Paths.of(environ), environ)
    link = EngineLink(config, host=host, environ=environ)
    yield link, host
    link.close()
    host.close()


def test_the_fleet_over_ssh(stand: Any, reached: tuple[EngineLink, HostLink]) -> None:
    link, host = reached
    fleet = link.read(soon())
    backend = fleet.service(f"{stand.compose.project}/{stand.compose.backend}")
    assert backend is not None and backend.replicas
    (line,) = [next(iter(link.logs(backend.replicas[0].id, follow=False, tail=1)))]
    assert line.replica == backend.replicas[0].name
    (origin,) = [one for one in origins_of(fleet) if one.project == stand.compose.project]
    intended = ComposeFiles(origin, host, link.image_ids).read(soon())
    assert {f"{origin.project}/{name}" for name in stand.compose.services} <= {
        intention.service for intention in intended.services
    }


def test_events_over_ssh_end_when_cancelled(reached: tuple[EngineLink, HostLink]) -> None:
    link, _ = reached
    link.read(soon())
    stream = link.events()
    thread = threading.Thread(target=lambda: list(stream))
    thread.start()
    link.cancel()
    thread.join(10)
    assert not thread.is_alive()
    assert link.read(soon()).services
