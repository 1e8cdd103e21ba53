"""A program in a pseudo-terminal: what it writes, when, and what its screen then shows."""

import fcntl
import os
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyte


@dataclass
class Terminal:
    """One program in one terminal. Everything it is asked to wait for is bounded."""

    argv: Sequence[str]
    environ: Mapping[str, str]
    columns: int = 80
    lines: int = 24
    cwd: str | None = None
    master: int = -1
    started: float = 0.0
    received: int = 0
    process: "subprocess.Popen[bytes]" = field(init=False)
    screen: pyte.Screen = field(init=False)
    stream: pyte.ByteStream = field(init=False)

    def __enter__(self) -> "Terminal":
        self.screen = pyte.Screen(self.columns, self.lines)
        self.stream = pyte.ByteStream(self.screen)
        self.master, slave = os.openpty()
        self.resize(self.columns, self.lines)
        self.started = time.monotonic()
        # setsid makes the terminal the controlling one, as a login does.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *self.argv],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=dict(self.environ),
            cwd=self.cwd,
        )
        os.close(slave)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.hang_up()

    def hang_up(self) -> None:
        """The terminal goes away."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size."""
        self.screen.resize(lines, columns)
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def read(self, timeout: float) -> int:
        """Take in what is there within `timeout` seconds; gives the number of bytes."""
        if self.master < 0:
            time.sleep(timeout)
            return 0
        ready, _, _ = select.select([self.master], [], [], timeout)
        if not ready:
            return 0
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other end is closed, and so it will stay
            time.sleep(0.01)
            return 0
        self.received += len(data)
        self.stream.feed(data.replace(b"\x1b[?2026$p", b""))
        return len(data)

    def text(self) -> str:
        """What the screen shows."""
        return "\n".join(self.screen.display)

    def wait_for(self, wanted: Callable[[str], bool], timeout: float) -> float:
        """Seconds from now until the screen is as wanted. Raises TimeoutError."""
        begun = time.monotonic()
        while not wanted(self.text()):
            left = timeout - (time.monotonic() - begun)
            if left <= 0:
                raise TimeoutError(f"not on the screen after {timeout} s:\n{self.text()}")
            self.read(min(left, 0.05))
        return time.monotonic() - begun

    def settle(self, seconds: float) -> int:
        """Take in output for that long; gives the number of bytes."""
        end, before = time.monotonic() + seconds, self.received
        while (left := end - time.monotonic()) > 0:
            self.read(left)
        return self.received - before

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self.master, keys.encode())

    def cpu(self) -> float:
        """Seconds of processor that the program, its threads and ended children have used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Bytes resident, of the program and its children."""
        total = 0
        for pid in (self.process.pid, *_children(self.process.pid)):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1]) * 1024
        return total

    def wait_end(self, timeout: float) -> int:
        """The exit code, once the program has ended. Raises TimeoutError."""
        end = time.monotonic() + timeout
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise TimeoutError(f"still running after {timeout} s:\n{self.text()}")
            self.read(0.01)
        while self.read(0.01):
            pass
        return self.process.returncode


def _children(pid: int) -> tuple[int, ...]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return ()
    return tuple(map(int, text.split()))
