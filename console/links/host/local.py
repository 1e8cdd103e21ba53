"""This machine, as a host."""

import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import IOBase
from typing import Final

from console.clock import Clock, Deadline
from console.errors import FailureKind, LinkError
from console.links.host.facts import (
    OUTPUT_LIMIT,
    SCRIPT,
    CpuSample,
    host_report,
    parse_facts,
)
from console.links.host.output import CHUNK, LINGER, Output, command_of
from console.links.protocols import Completed, TcpAddress, UnixAddress
from console.model.hosts import HostReport
from console.text import clean

_SLICE: Final = 0.05
"""Seconds between two looks at a process that has closed its output but not ended."""


class LocalHost:
    """This machine: commands are its processes, addresses are themselves."""

    def __init__(self, name: str, clock: Clock, environ: Mapping[str, str] | None = None) -> None:
        self._name = name
        self._clock = clock
        self._environ = environ
        self._lock = threading.Lock()
        self._running: set[_Process] = set()
        self._sample: CpuSample | None = None
        self._closed = False

    @property
    def name(self) -> str:
        return f"host:{self._name}"

    @property
    def local(self) -> bool:
        return True

    def skew(self) -> float | None:
        """Nothing: its clock is ours."""
        return 0.0

    def reach(
        self, address: TcpAddress | UnixAddress, deadline: Deadline
    ) -> TcpAddress | UnixAddress:
        """The address itself."""
        return address

    def read(self, deadline: Deadline) -> HostReport:
        """Ask the kernel. Raises LinkError (INVALID) where there is no Linux /proc."""
        before = self._sample
        argv = ("sh", "-s", "once" if before else "twice")
        done = self.run(argv, deadline, stdin=SCRIPT, limit=OUTPUT_LIMIT)
        try:
            facts = parse_facts(done.stdout)
        except ValueError as error:
            raise LinkError(
                FailureKind.INVALID,
                self.name,
                f"this machine's state cannot be read: {error}",
                "leave this machine out of the hosts, or run cofa on Linux",
            ) from None
        self._sample = facts.cpu
        return host_report(self._name, facts, before, None)

    def run(
        self, argv: Sequence[str], deadline: Deadline, *, stdin: bytes = b"", limit: int = 4 << 20
    ) -> Completed:
        """Run a command in a process group of its own, killed as a whole at the deadline.

        Raises LinkError: MISSING (no such program), DENIED, INVALID, TIMEOUT.
        """
        process = self._start(command_of(argv, self.name))
        try:
            return process.finish(deadline, stdin, limit)
        finally:
            process.kill()
            with self._lock:
                self._running.discard(process)

    def _start(self, argv: tuple[str, ...]) -> "_Process":
        with self._lock:
            if self._closed:
                raise LinkError(
                    FailureKind.UNREACHABLE, self.name, "this link is closed", "open it again"
                )
            process = _Process(argv, self.name, self._environ)
            self._running.add(process)
            return process

    def cancel(self) -> None:
        """Kill the commands under way."""
        with self._lock:
            for process in self._running:
                process.cancel()

    def close(self) -> None:
        """Kill the commands under way, and run no more."""
        with self._lock:
            self._closed = True
        self.cancel()


class _Process:
    """One command under way."""

    def __init__(
        self, argv: tuple[str, ...], subject: str, environ: Mapping[str, str] | None
    ) -> None:
        self.argv = argv
        self._subject = subject
        self._cancelled = False
        self._lingers = False
        try:
            self._popen = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environ,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise _not_started(argv, subject, error) from None

    def finish(self, deadline: Deadline, stdin: bytes, limit: int) -> Completed:
        """Feed it and read it until it ends."""
        output, errors = Output(limit), Output(limit)
        rest = memoryview(stdin)
        with selectors.DefaultSelector() as selector:
            self._register(selector, stdin, output, errors)
            over: Deadline | None = None
            while selector.get_map():
                self._check(deadline)
                for key, _ in selector.select(min(deadline.timeout(), _SLICE)):
                    if key.data is None:
                        rest = _send(selector, key, rest)
                    else:
                        _receive(selector, key)
                if over is None and self._popen.poll() is not None:
                    over = Deadline.after(deadline.clock, LINGER)
                if over is not None and over.passed:
                    self._lingers = True
                    break
        code = self._wait(deadline)
        truncated = output.truncated or errors.truncated
        return Completed(self.argv, code, output.value, errors.value, truncated)

    def _register(
        self, selector: selectors.BaseSelector, stdin: bytes, output: Output, errors: Output
    ) -> None:
        ends = self._popen.stdin, self._popen.stdout, self._popen.stderr
        assert ends[0] and ends[1] and ends[2]  # noqa: S101 - all three are PIPE
        for end in (ends[0], ends[1], ends[2]):
            os.set_blocking(end.fileno(), False)
        selector.register(ends[1], selectors.EVENT_READ, output)
        selector.register(ends[2], selectors.EVENT_READ, errors)
        if stdin:
            selector.register(ends[0], selectors.EVENT_WRITE, None)
        else:
            ends[0].close()

    def _wait(self, deadline: Deadline) -> int:
        while True:
            self._check(deadline)
            with suppress(subprocess.TimeoutExpired):
                code = self._popen.wait(min(deadline.timeout(), _SLICE))
                if not self._cancelled:
                    # A signal's number counts as the shell has it: 128 + number.
                    return 128 - code if code < 0 else code

    def _check(self, deadline: Deadline) -> None:
        if self._cancelled or deadline.passed:
            why = "was cancelled" if self._cancelled else "had not ended at its deadline"
            raise LinkError(
                FailureKind.TIMEOUT,
                self._subject,
                f"{clean(self.argv[0], 80)} {why} and was killed",
                "try it by hand; this machine may be overloaded",
            )

    def cancel(self) -> None:
        """Kill it; the thread that waits for it fails."""
        self._cancelled = True
        self._kill_group()

    def kill(self) -> None:
        """Kill what is left of it, and give everything back."""
        self._kill_group()
        for end in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            if end is not None:
                end.close()
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(LINGER)

    def _kill_group(self) -> None:
        # Once the command was reaped and nothing lingers, its number may be another's.
        if self._popen.returncode is None or self._lingers:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._popen.pid, signal.SIGKILL)


def _receive(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    data = os.read(key.fd, CHUNK)
    if data:
        key.data.add(data)
    else:
        selector.unregister(key.fileobj)


def _send(
    selector: selectors.BaseSelector, key: selectors.SelectorKey, rest: memoryview
) -> memoryview:
    try:
        rest = rest[os.write(key.fd, rest[:CHUNK]) :]
    except BrokenPipeError:
        rest = rest[:0]
    if not rest:
        selector.unregister(key.fileobj)
        if isinstance(key.fileobj, IOBase):
            key.fileobj.close()
    return rest


def _not_started(argv: tuple[str, ...], subject: str, error: OSError) -> LinkError:
    program = clean(argv[0], 80)
    if isinstance(error, FileNotFoundError):
        return LinkError(
            FailureKind.MISSING,
            subject,
            f"{program} is not installed on this machine",
            f"install {program}, or put it on PATH",
        )
    if isinstance(error, PermissionError):
        return LinkError(
            FailureKind.DENIED,
            subject,
            f"{program} may not be run by this user",
            f"check its permissions: ls -l $(command -v {program})",
        )
    return LinkError(
        FailureKind.UNREACHABLE,
        subject,
        f"{program} could not be started: {clean(error, 200)}",
        "this machine may be out of processes or memory",
    )
