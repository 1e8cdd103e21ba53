"""Commands, waits and daemons. Every wait ends; every failure shows its log."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from layout import Layout

TAIL_LINES = 25
DEBIAN_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class StandError(Exception):
    """What failed, on what, and the end of its log."""


def say(text: str) -> None:
    print(f"stand: {text}", flush=True)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Debian's own programs first: /usr/local may hold a docker that is only a client."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "COMPOSE_"))}
    path = f"{DEBIAN_PATH}:{os.environ.get('PATH', '')}"
    return {**inherited, "PATH": path, "LC_ALL": "C.UTF-8", **(extra or {})}


def run(
    argv: Sequence[str | Path],
    *,
    timeout: float = 60,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
) -> str:
    """Standard output of a command that must succeed."""
    words = [str(word) for word in argv]
    shown = " ".join(words)
    try:
        done = subprocess.run(
            words,
            env=environment(env),
            cwd=cwd or "/",
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StandError(f"no end after {timeout:.0f} s: {shown}") from error
    except OSError as error:
        raise StandError(f"cannot run: {shown}: {error}") from error
    if done.returncode:
        output = last_lines(done.stdout + done.stderr)
        raise StandError(f"exit code {done.returncode}: {shown}\n{output}")
    return done.stdout


def succeeds(argv: Sequence[str | Path], *, timeout: float = 60) -> bool:
    try:
        run(argv, timeout=timeout)
    except StandError:
        return False
    return True


def last_lines(text: str, count: int = TAIL_LINES) -> str:
    return "\n".join(f"    | {line}" for line in text.splitlines()[-count:])


def tail(path: Path) -> str:
    try:
        return f"  end of {path}:\n{last_lines(path.read_text(errors='replace'))}"
    except OSError as error:
        return f"  no log: {error}"


def wait_until(
    what: str,
    condition: Callable[[], bool],
    *,
    timeout: float,
    explain: Callable[[], str] = lambda: "",
    pause: float = 0.1,
) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise StandError(f"{what}: not so after {timeout:.0f} s\n{explain()}".rstrip())
        time.sleep(pause)


def start_time(pid: int) -> str | None:
    """A process's start time in ticks, None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


@dataclass(frozen=True)
class Daemon:
    """A background process that outlives `up`, known by its pid and start time.

    `reads` are the files it was started with: when one has changed, it starts anew.
    """

    layout: Layout
    name: str
    argv: tuple[str, ...]
    ready: Callable[[], bool] = field(default=lambda: True, compare=False)
    reads: tuple[Path, ...] = ()
    timeout: float = 30
    grace: float = 15

    @property
    def pid_file(self) -> Path:
        return self.layout.pids / f"{self.name}.pid"

    @property
    def log(self) -> Path:
        return self.layout.logs / f"{self.name}.log"

    def pid(self) -> int | None:
        try:
            pid, started, _ = self.pid_file.read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if start_time(int(pid)) == started else None

    def outdated(self) -> bool:
        return self.pid() is not None and self._fingerprint() not in self.pid_file.read_text()

    def _fingerprint(self) -> str:
        digest = hashlib.sha256("\0".join(self.argv).encode())
        for path in self.reads:
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def start(self) -> None:
        """Returns when it answers."""
        if self.outdated():
            self.stop()
        if self.pid() is None:
            self._spawn()
        wait_until(
            f"{self.name} answers",
            self._answers,
            timeout=self.timeout,
            explain=lambda: tail(self.log),
        )

    def _spawn(self) -> None:
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(),
                cwd="/",
                start_new_session=True,
            )
        known = f"{child.pid} {start_time(child.pid)} {self._fingerprint()}\n"
        self.pid_file.write_text(known)

    def _answers(self) -> bool:
        if self.pid() is None:
            raise StandError(f"{self.name} ended while it started\n{tail(self.log)}")
        return self.ready()

    def stop(self) -> None:
        pid = self.pid()
        if pid is not None:
            stop_process(pid, self.grace)
        self.pid_file.unlink(missing_ok=True)


def stop_process(pid: int, grace: float) -> None:
    """TERM, then KILL, to this one process."""
    started = start_time(pid)
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + grace
        if started is None or start_time(pid) != started:
            return
        os.kill(pid, number)
        while start_time(pid) == started and time.monotonic() < deadline:
            reap(pid)
            time.sleep(0.05)


def reap(pid: int) -> None:
    """It is our own child only when the same `up` started it."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
