"""The console on a real terminal: colours, the end of the terminal, quitting."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("child.py")
COLOUR = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;[0-9;]*)?m")


class Terminal:
    """A pseudo-terminal of 80x24 with a console in it."""

    def __init__(self, *words: str, **environ: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLORTERM")}
        self.process = subprocess.Popen(
            [sys.executable, str(CHILD), *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**kept, "TERM": "xterm-256color", **environ},
            start_new_session=True,
        )
        os.close(slave)
        self.seen = b""
        self.open = True

    def until(self, true: Callable[[], bool], within: float = 20.0) -> None:
        """Read until a condition holds."""
        end = time.monotonic() + within
        while not true():
            assert time.monotonic() < end, self.seen[-2000:]
            ready, _, _ = select.select([self.master], [], [], 0.1)
            if ready:
                try:
                    self.seen += os.read(self.master, 65536)
                except OSError:
                    assert true(), self.seen[-2000:]

    def show(self, text: bytes) -> None:
        """Wait for a text."""
        self.until(lambda: text in self.seen)

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self.master, keys)

    def ended(self) -> int:
        """Wait for the end; gives the exit code."""
        end = time.monotonic() + 15.0
        while self.process.poll() is None:
            assert time.monotonic() < end, "it did not end"
            if self.open and select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.seen += os.read(self.master, 65536)
                except OSError:
                    self.process.wait(5)
            elif not self.open:
                time.sleep(0.02)
        return self.process.returncode

    def hang_up(self) -> None:
        """The terminal goes away."""
        os.close(self.master)
        self.open = False


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    """Opens terminals, and cleans up after them."""
    opened: list[Terminal] = []

    def make(*words: str, **environ: str) -> Terminal:
        opened.append(Terminal(*words, **environ))
        return opened[-1]

    yield make
    for each in opened:
        if each.process.poll() is None:
            each.process.kill()
        each.process.wait()
        if each.open:
            os.close(each.master)


def test_colour_is_there_to_be_forbidden(terminal):
    t = terminal("trouble")
    t.show(b"Glance")
    t.show(b"q quit")
    assert COLOUR.search(t.seen)


def test_no_color_means_no_colour_at_all(terminal):
    t = terminal("outage", NO_COLOR="1")
    t.show(b"q quit")
    t.type(b"2/back")
    t.show(b"filter")
    t.type(b"\r:theme light\r")
    t.show(b"only the plain theme")
    t.type(b"?")
    t.show(b"keys on")
    t.type(b"q")
    t.type(b"\x03")
    assert t.ended() == 0
    assert not COLOUR.search(t.seen)
    assert b"\x1b[1;7m" in t.seen or b"\x1b[7;1m" in t.seen or b"\x1b[1;2;7m" in t.seen


@pytest.mark.parametrize("theme", ["dark", "light", "contrast", "sixteen"])
def test_themes_colour(terminal, theme):
    t = terminal("outage", COFA_THEME=theme)
    t.show(b"q quit")
    assert COLOUR.search(t.seen)
    assert (b"38;5;" in t.seen) is (theme != "sixteen")


def test_bars_only_where_the_terminal_proves_them(terminal):
    t = terminal("trouble")
    t.show(b"q quit")
    bar = "▇█".encode()
    asked = t.seen.index(b"\x1b[6n")
    assert bar not in t.seen[asked:]
    t.type(b"\x1b[1;4R")
    t.show(bar)


def test_bars_stay_away_where_they_take_two_columns(terminal):
    t = terminal("trouble")
    t.show(b"q quit")
    t.type(b"\x1b[1;7R2")
    t.show(b"service, replica")
    t.type(b"1")
    t.show(b"vitals")
    assert "▇█".encode() not in t.seen[t.seen.index(b"\x1b[6n") :]


def test_q_ends_at_once_although_the_watch_hangs(terminal):
    t = terminal("trouble", "hang")
    t.show(b"q quit")
    t.type(b"2l")
    t.show(b"before the crash")
    t.type(b"qq")
    assert t.ended() == 0
    assert b"\x1b[?1049l" in t.seen


@pytest.mark.parametrize("words", [(), ("nohup",), ("nohup", "hang")])
def test_a_terminal_that_vanishes_ends_it(terminal, words):
    t = terminal("trouble", *words)
    t.show(b"q quit")
    t.hang_up()
    assert t.ended() in (128 + signal.SIGHUP, -signal.SIGHUP)


def test_sigterm_restores_the_terminal(terminal):
    t = terminal("trouble")
    t.show(b"q quit")
    t.process.terminate()
    assert t.ended() == 128 + signal.SIGTERM
    assert b"\x1b[?1049l" in t.seen and b"\x1b[?25h" in t.seen


def test_mouse_is_off_until_it_is_asked_for(terminal):
    t = terminal("trouble")
    t.show(b"q quit")
    assert b"\x1b[?1000h" not in t.seen and b"\x1b[?1003h" not in t.seen
    t.type(b":mouse\r")
    t.show(b"\x1b[?1000h")


def test_torn_arrow_does_not_act(terminal):
    t = terminal("trouble")
    t.show(b"q quit")
    t.type(b"\x1b")
    end = time.monotonic() + 0.4  # longer than the driver waits for the rest
    t.until(lambda: time.monotonic() > end)
    t.type(b"[")
    t.type(b"2")
    t.type(b"~")
    t.type(b"?")
    t.show(b"keys on Glance")


def test_a_crash_shows_no_locals(terminal):
    t = terminal("trouble", "crash")
    t.show(b"q quit")
    t.type(b"2")
    assert t.ended() == 1
    assert b"ZeroDivisionError" in t.seen and b"locals" not in t.seen
    assert b"\x1b[?1049l" in t.seen


def test_coming_back_from_the_shell_paints_everything_again(terminal):
    t = terminal("trouble")
    t.show(b"q quit")
    t.process.send_signal(signal.SIGTSTP)
    t.show(b"\x1b[?1049l")
    t.until(lambda: "stopped" in state(t.process.pid))
    t.seen = b""
    t.process.send_signal(signal.SIGCONT)
    t.show(b"vitals")
    t.show(b"q quit")


def state(pid: int) -> str:
    """The state of a process, as the kernel says it."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(line for line in status.splitlines() if line.startswith("State:"))
