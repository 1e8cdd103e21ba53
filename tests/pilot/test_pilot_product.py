"""The whole command where what it needs is missing: it says so, goes on, and quits at once."""

import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SOON = 30.0
"""Seconds that a condition may take on a busy machine; nothing here measures time."""


def whole(text: str) -> str:
    """A screen's words in one line."""
    return " ".join(text.split())


@pytest.fixture
def deaf(tmp_path: Path) -> Iterator[Path]:
    """An engine's socket that takes connections and never answers."""
    path = tmp_path / "deaf.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(64)
        yield path


def goes_on_and_quits(terminal: Any) -> None:
    """Other screens and the help are there, and `q` leaves."""
    terminal.press("2")
    terminal.wait_for(lambda text: "/ Fleet" in text, SOON)
    terminal.press("?")
    terminal.wait_for(lambda text: "keys on" in text, SOON)
    terminal.press("q1")
    terminal.wait_for(lambda text: "/ Glance" in text, SOON)
    terminal.press("q")
    assert terminal.wait_end(SOON) == 0


def test_no_docker(product: Any, tmp_path: Path) -> None:
    host = f"unix://{tmp_path}/none.sock"
    code, seen = product.glance(DOCKER_HOST=host)
    assert code == 3 and seen["counts"]["blind"] == 1
    (engine,) = (one for one in seen["sources"] if one["name"] == "engine")
    assert engine["error"]["why"].startswith("there is no such socket")
    assert "systemctl start docker" in engine["error"]["remedy"]
    told = product.run("doctor", DOCKER_HOST=host)
    assert told.code == 1 and "systemctl start docker" in told.out
    with product.terminal(DOCKER_HOST=host) as terminal:
        terminal.wait_for(lambda text: "there is no such socket" in whole(text), SOON)
        assert "UNKNOWN" in terminal.text()
        goes_on_and_quits(terminal)


def test_no_rights_to_the_socket(product: Any, deaf: Path) -> None:
    deaf.chmod(0)
    ordinary: tuple[str, ...] = ()
    if os.getuid() == 0:  # root may write to everything, unless it gives that right up
        if shutil.which("setpriv") is None:
            pytest.skip("root needs setpriv to give a right up")
        os.chown(deaf, 65534, 65534)
        ordinary = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
    host = f"unix://{deaf}"
    told = product.run("doctor", before=ordinary, DOCKER_HOST=host)
    assert told.code == 1
    assert "has no rights to the socket" in whole(told.out) and "usermod -aG docker" in told.out
    told = product.run("glance", before=ordinary, DOCKER_HOST=host)
    assert told.code == 3 and "no rights to the socket" in whole(told.out)
    with product.terminal(before=ordinary, DOCKER_HOST=host) as terminal:
        terminal.wait_for(lambda text: "no rights to the socket" in whole(text), SOON)
        goes_on_and_quits(terminal)


def test_an_engine_that_never_answers(product: Any, deaf: Path) -> None:
    host = f"unix://{deaf}"
    with product.terminal(DOCKER_HOST=host) as terminal:
        terminal.wait_for(lambda text: "reading" in text, SOON)
        goes_on_and_quits(terminal)
    code, seen = product.glance(DOCKER_HOST=host)
    assert code == 3
    (engine,) = (one for one in seen["sources"] if one["name"] == "engine")
    assert engine["state"] == "blind" and engine["error"]["kind"] == "timeout"


def test_a_terminal_too_small(product: Any) -> None:
    with product.terminal("demo", "replica-crash", columns=40, lines=10) as terminal:
        terminal.wait_for(lambda text: "cofa needs 60x20, this is 40x10. q quit" in text, SOON)
        terminal.resize(80, 24)
        os.killpg(os.getpgid(terminal.process.pid), signal.SIGWINCH)
        terminal.wait_for(lambda text: "/ Glance" in text and "vitals" in text, SOON)
        terminal.resize(40, 10)
        terminal.wait_for(lambda text: "this is 40x10" in text, SOON)
        terminal.press("q")
        assert terminal.wait_end(SOON) == 0


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_draw(product: Any, term: str) -> None:
    with product.terminal("demo", TERM=term) as terminal:
        assert terminal.wait_end(SOON) == 64
        assert "cannot draw on this terminal" in whole(terminal.text())
        assert "`cofa glance`" in whole(terminal.text())


def test_no_utf8(product: Any) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with product.terminal("demo", **plain) as terminal:
        assert terminal.wait_end(SOON) == 64
        assert "set LC_ALL=C.UTF-8, or start with --ascii" in whole(terminal.text())
    with product.terminal("demo", "calm", "--ascii", **plain) as terminal:
        terminal.wait_for(lambda text: "3 of 3 ok" in text, SOON)
        assert terminal.text().isascii()
        told = product.run("--env", "rehearsal", "glance", **plain)
        assert told.code == 0 and told.out.isascii() and "3 of 3 ok" in told.out
        terminal.press("q")
        assert terminal.wait_end(SOON) == 0


@pytest.mark.parametrize("where", ["rehearsal", "deaf engine"])
def test_a_terminal_that_vanishes(product: Any, deaf: Path, where: str) -> None:
    argv = ("demo", "calm") if where == "rehearsal" else ()
    with product.terminal(*argv, DOCKER_HOST=f"unix://{deaf}") as terminal:
        terminal.wait_for(lambda text: "vitals" in text, SOON)
        terminal.hang_up()
        assert terminal.wait_end(SOON) in (128 + signal.SIGHUP, -signal.SIGHUP)
