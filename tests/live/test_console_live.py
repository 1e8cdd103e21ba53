"""The console as a whole, in a terminal, on the stand: what happens there is on the screen."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.live

SOON = 60.0
"""Seconds that a condition may take on a busy machine; nothing here measures time."""
EVIL = "\x1b]0;owned\x07[/nope][bold]\u202e\x1b[31m"
ENGINE = """\
version = 1
default = "production"

[environments.production]
engine = "{engine}"
projects = ["{project}"]
"""


@pytest.fixture
def console(product: Any, stand: Any, toml: Any) -> Callable[..., Any]:
    """Opens consoles on the stand's cofa.toml."""
    product.configure(toml.stand_toml(stand), **toml.stand_secrets(stand))
    return lambda **size: product.terminal(**size)


@pytest.fixture
def restored(stand: Any, stands: Any) -> Iterator[None]:
    """The stand is calm before and after the test."""
    stands.wait_for("the stand is calm", lambda: stands.is_calm(stand), timeout=90)
    yield
    stands.reset(stand)


def quits(terminal: Any) -> None:
    terminal.press("q")
    assert terminal.wait_end(SOON) == 0


def test_a_killed_replica_comes_and_goes(
    console: Any, stand: Any, stands: Any, restored: None
) -> None:
    with console(columns=120, lines=40) as terminal:
        terminal.wait_for(lambda text: "3 of 3 ok" in text, SOON)
        victim = stands.replicas(stand)[-1]
        stands.docker(stand, "kill", victim.name)
        terminal.wait_for(lambda text: "2 of 3" in text and "DEGRADED" in text, SOON)
        terminal.press("2")
        terminal.wait_for(lambda text: "/ Fleet" in text and "exited 137" in text, SOON)
        stands.docker(stand, "start", victim.name)
        terminal.wait_for(lambda text: "3 of 3 ok" in text, SOON)
        quits(terminal)


def test_a_frozen_prometheus_blinds_itself_alone(
    console: Any, stand: Any, stands: Any, restored: None
) -> None:
    with console() as terminal:
        terminal.wait_for(lambda text: "3 of 3 ok" in text and " /s" in text, SOON)
        with stands.frozen(stand, "prometheus"):
            terminal.wait_for(lambda text: "blind prometheus" in text, SOON)
            assert "3 of 3 ok" in terminal.text() and "2 of 2 ok" in terminal.text()
            assert "stale" in terminal.text(), "the last good figures stay, and say so"
            terminal.press("2")
            terminal.wait_for(lambda text: "/ Fleet" in text, SOON)
            quits(terminal)


def test_hostile_labels_and_a_line_of_a_megabyte(product: Any, stand: Any, stands: Any) -> None:
    project = f"hostile-{os.getpid()}"
    product.configure(ENGINE.format(engine=stand.docker.host, project=project))
    program = "print('x' * (1 << 20)); print(chr(27) + '[31mthe end'); import time; time.sleep(300)"
    labels = (f"com.docker.compose.project={project}", f"com.docker.compose.service={EVIL}svc")
    words = ["run", "--detach", "--name", f"{project}-1", "--env", f"E={EVIL}"]
    words += [word for label in labels for word in ("--label", label)]
    image = stand.variants["good"].name
    stands.docker(stand, *words, image, "python3", "-uc", program)
    try:
        with product.terminal() as terminal:
            terminal.press("2")
            terminal.wait_for(lambda text: "[/nope][bold]svc" in text, SOON)
            terminal.press(f":{project}-1\r")
            terminal.wait_for(lambda text: "limits: CPU" in text, SOON)
            terminal.press("l")
            terminal.wait_for(lambda text: "the end" in text and "x" * 50 in text, SOON)
            assert terminal.screen.title != "owned"
            terminal.press("q")
            terminal.wait_for(lambda text: "/ Fleet" in text, SOON)
            quits(terminal)
    finally:
        stands.docker(stand, "rm", "--force", f"{project}-1")


@pytest.mark.parametrize("over_ssh", [False, True], ids=["socket", "ssh"])
def test_a_terminal_that_vanishes_leaves_nothing_behind(
    product: Any, stand: Any, stands: Any, toml: Any, over_ssh: bool
) -> None:
    engine = f"ssh://{stand.ssh.alias}{stand.docker.socket}" if over_ssh else ""
    secrets = toml.stand_secrets(stand)
    product.configure(toml.stand_toml(stand, engine), COFA_SSH_CONFIG=stand.ssh.config, **secrets)
    with product.terminal() as terminal:
        terminal.wait_for(lambda text: "3 of 3 ok" in text, SOON)
        assert ours(product.home)
        terminal.hang_up()
        assert terminal.wait_end(SOON) in (128 + signal.SIGHUP, -signal.SIGHUP)
    stands.wait_for("its processes have ended", lambda: not ours(product.home))


def ours(home: Path) -> list[int]:
    """Processes that were started with this home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"HOME={home}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:
            continue
    return found
