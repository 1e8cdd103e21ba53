"""Discovery, init and doctor against the stand: locally, over SSH, and over a Swarm."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console.__main__ import run
from console.clock import SystemClock
from console.commands.discovering import discover_now, rediscover
from console.commands.wiring import Opener
from console.config.discovery import Discovery
from console.config.environment import EngineConfig, Environment
from console.config.load import load_config
from console.config.secrets import resolve_secret
from console.paths import Paths

pytestmark = pytest.mark.live
PATIENCE = 90.0


@pytest.fixture
def environ(stand: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A user of their own, whose ssh reads the stand's configuration."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {stand.ssh.config} "$@"\n')
    (tools / "ssh").chmod(0o755)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return {
        "HOME": str(tmp_path),
        "PATH": f"{tools}:{os.environ['PATH']}",
        "XDG_RUNTIME_DIR": "",
    }


def discovered(
    environ: dict[str, str], address: str, settled: Callable[[Environment], bool]
) -> Discovery:
    """What is found once the stand has come up, which other tests may have disturbed."""
    clock = SystemClock()
    end = time.monotonic() + PATIENCE
    opener = Opener(clock, Paths.of(environ), environ)
    try:
        while True:
            found = discover_now(opener, environ, clock, "production", address)
            if settled(found.environment) or time.monotonic() > end:
                return found
            time.sleep(0.5)
    finally:
        opener.close()


def whole(environment: Environment) -> bool:
    return bool(len(environment.edges) >= 2 and environment.prometheus and environment.alertmanager)


def test_the_stand_is_found_locally(stand: Any, environ: dict[str, str]) -> None:
    environment = discovered(environ, stand.docker.host, whole).environment
    assert environment.backend == f"{stand.compose.project}/{stand.compose.backend}"
    project = f"{stand.compose.project}-"  # another stack on the engine is none of ours
    edges = [edge for edge in environment.edges if edge.replica.startswith(project)]
    assert {edge.connect for edge in edges} == {
        f"127.0.0.1:{edge.https_port}" for edge in stand.edges
    }
    assert {edge.http_connect for edge in edges} == {
        f"127.0.0.1:{edge.http_port}" for edge in stand.edges
    }
    assert {edge.url for edge in edges} == {f"https://{edge.domain}" for edge in stand.edges}
    assert environment.prometheus is not None and environment.alertmanager is not None
    assert environment.prometheus.url == stand.prometheus
    assert environment.alertmanager.url == stand.alertmanager


def test_the_buckets_keys_are_pointed_to_and_not_copied(
    stand: Any, environ: dict[str, str]
) -> None:
    found = discovered(environ, stand.docker.host, lambda e: e.backups is not None)
    backups = found.environment.backups
    assert backups is not None
    assert (backups.bucket, backups.endpoint) == (stand.s3.bucket, stand.s3.endpoint)
    assert backups.access_key is not None and backups.secret_key is not None
    assert resolve_secret(backups.access_key, environ).reveal() == stand.s3.access_key
    assert resolve_secret(backups.secret_key, environ).reveal() == stand.s3.secret_key
    assert stand.s3.secret_key not in repr(found)


def test_the_same_over_ssh(stand: Any, environ: dict[str, str]) -> None:
    address = f"ssh://{stand.ssh.alias}{stand.docker.socket}"
    environment = discovered(environ, address, whole).environment
    assert environment.engine == EngineConfig(f"ssh://{stand.ssh.alias}", stand.docker.socket)
    assert {edge.through for edge in environment.edges} == {stand.ssh.alias}
    assert environment.prometheus is not None
    assert environment.prometheus.through == stand.ssh.alias
    assert environment.backups is not None and environment.backups.secret_key is not None
    assert environment.backups.secret_key.host == stand.ssh.alias


def test_init_writes_what_is_read_back(stand: Any, environ: dict[str, str]) -> None:
    assert run(["init", "--engine", stand.docker.host, "--file", "cofa.toml"], environ) == 0
    config = load_config(Path("cofa.toml").absolute())
    assert config.environments["production"].engine.address == stand.docker.host
    assert run(["init", "--engine", stand.docker.host, "--file", "cofa.toml"], environ) == 73


def test_doctor_reaches_the_engine_and_the_bucket(
    stand: Any, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    discovered(environ, stand.docker.host, lambda e: e.backups is not None)
    run(["doctor", "--json"], {**environ, "DOCKER_HOST": stand.docker.host})
    said = json.loads(capsys.readouterr().out)
    states = {check["name"]: check["state"] for check in said["checks"]}
    assert states["engine"] == "ok"
    assert states["backups"] == "ok"
    assert states[f"compose:{stand.compose.project}"] in ("ok", "note")
    assert stand.s3.secret_key not in json.dumps(said)


def test_discovering_again_keeps_the_engine_as_it_was_written(
    stand: Any, environ: dict[str, str]
) -> None:
    environ["DOCKER_HOST"] = stand.docker.host
    clock = SystemClock()
    opener = Opener(clock, Paths.of(environ), environ)
    try:
        first = Environment("production", discovered=True)
        fleet = opener.open(first).fleet.read(_soon(clock))
        again, whole = rediscover(first, fleet, opener, clock, environ)
        assert whole
        assert again.engine == EngineConfig()
        assert again.backend == f"{stand.compose.project}/{stand.compose.backend}"
        assert rediscover(again, fleet, opener, clock, environ) == (replace(again), True)
    finally:
        opener.close()


def test_a_swarm_of_three_nodes(stand: Any, environ: dict[str, str]) -> None:
    swarm = stand.swarm
    manager = swarm.nodes[0]
    found = discovered(environ, manager.docker_host, lambda e: len(e.edges) == len(swarm.edges))
    environment = found.environment
    assert environment.backend == swarm.backend
    assert {edge.connect for edge in environment.edges} == {
        f"{edge.host}:{edge.https_port}" for edge in swarm.edges
    }
    # No variable names the domain there: the edges' certificate does.
    assert {edge.url for edge in environment.edges} == {
        f"https://{edge.domain}" for edge in swarm.edges
    }


def _soon(clock: SystemClock) -> Any:
    from console.clock import Deadline

    return Deadline.after(clock, 15)
