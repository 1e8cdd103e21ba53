"""A program in a pseudo-terminal: what it writes, when, and what its screen then shows."""

import fcntl
import os
import pty
import select
import signal
import struct
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
    pid: int = 0
    master: int = -1
    started: float = 0.0
    received: int = 0
    status: int | None = None
    screen: pyte.Screen = field(init=False)
    stream: pyte.ByteStream = field(init=False)

    def __enter__(self) -> "Terminal":
        self.screen = pyte.Screen(self.columns, self.lines)
        self.stream = pyte.ByteStream(self.screen)
        self.started = time.monotonic()
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                os.execvpe(self.argv[0], list(self.argv), dict(self.environ))  # noqa: S606
            finally:
                os._exit(127)
        self.resize(self.columns, self.lines)
        return self

    def __exit__(self, *_: object) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.status = os.waitpid(self.pid, 0)[1]
        os.close(self.master)

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size."""
        self.screen.resize(lines, columns)
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def read(self, timeout: float) -> int:
        """Take in what is there within `timeout` seconds; gives the number of bytes."""
        ready, _, _ = select.select([self.master], [], [], timeout)
        if not ready:
            return 0
        try:
            data = os.read(self.master, 65536)
        except OSError:
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
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Bytes resident, of the program and its children."""
        total = 0
        for pid in (self.pid, *_children(self.pid)):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1]) * 1024
        return total

    def wait_end(self, timeout: float) -> float:
        """Seconds until the program has ended. Raises TimeoutError."""
        begun = time.monotonic()
        while time.monotonic() - begun < timeout:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
                return time.monotonic() - begun
            self.read(0.01)
        raise TimeoutError(f"still running after {timeout} s:\n{self.text()}")


def _children(pid: int) -> tuple[int, ...]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return ()
    return tuple(map(int, text.split()))
