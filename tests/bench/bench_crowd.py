"""300 containers: the full read beside `docker ps`, and the keys while it goes on."""

import subprocess
import sys
import time
from typing import Any

from measure import figure
from terminal import Terminal

from console.clock import Deadline, SystemClock
from console.config.environment import EngineConfig
from console.links.engine.link import EngineLink

COUNT = 300
LABEL = "cofa.bench=crowd"


def run(bench: Any) -> None:
    """Containers that sleep, made for this and removed after it."""
    stand, tools = bench.stand, sys.modules["cofa_stand"]
    missing = COUNT - len(tools.docker(stand, "ps", "--quiet").split())
    image = stand.variants["good"].name
    try:
        for number in range(missing):
            tools.docker(
                stand,
                "run",
                "--detach",
                "--label",
                LABEL,
                "--name",
                f"crowd-{number}",
                "--network",
                "none",
                "--entrypoint",
                "sleep",
                image,
                "infinity",
            )
        _read(bench)
        _keys(bench)
    finally:
        ids = tools.docker(stand, "ps", "--all", "--quiet", "--filter", f"label={LABEL}").split()
        for start in range(0, len(ids), 50):
            tools.docker(stand, "rm", "--force", *ids[start : start + 50], timeout=300)


def _read(bench: Any) -> None:
    docker = ["docker", "--host", bench.stand.docker.host, "ps", "--all"]
    begun = time.monotonic()
    subprocess.run(docker, check=True, capture_output=True)
    listing = time.monotonic() - begun
    clock = SystemClock()
    link = EngineLink(EngineConfig(bench.stand.docker.host), clock=clock)
    begun = time.monotonic()
    fleet = link.read(Deadline.after(clock, 30.0))
    first = time.monotonic() - begun
    begun = time.monotonic()
    link.read(Deadline.after(clock, 30.0))
    again = time.monotonic() - begun
    link.close()
    count = sum(len(service.replicas) for service in fleet.services)
    print(figure(f"first full read of {count}, beyond docker ps", first - listing, "s", 1.0))
    print(figure("next full read, beyond docker ps", again - listing, "s", 1.0))


def _keys(bench: Any) -> None:
    config = bench.home / "cofa.toml"
    text = config.read_text()
    config.write_text(text.replace(f'projects = ["{bench.stand.compose.project}"]\n', ""))
    try:
        with Terminal([bench.cofa], bench.environ) as terminal:
            terminal.wait_for(lambda text: "of 3 ok" in text, 30.0)
            terminal.press("2")
            terminal.wait_for(lambda text: "crowd-" in text, 30.0)
            worst = 0.0
            for number in range(40):
                before = terminal.text()
                terminal.press("j" if number % 2 == 0 else "k")
                took = terminal.wait_for(lambda text, before=before: text != before, 5.0)
                worst = max(worst, took)
                terminal.settle(0.15)
        print(figure("worst answer to a key while 300 are read", worst * 1000, "ms", 100))
    finally:
        config.write_text(text)
