"""The terminal: Textual's Linux driver, made to leave when the terminal has gone."""

import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from textual.app import App

GRACE: Final = 1.0
"""Seconds for an orderly end after the terminal has gone."""
GONE_EXIT: Final = 128 + signal.SIGHUP
ASK_COLUMNS: Final = "\x1b[1;1H▁█─\x1b[6n"
"""Three marks at the first column, and the query for where the cursor is then."""
MARKS: Final = 3


class TerminalDriver(LinuxDriver):
    """Writes to standard output, asks how wide the block characters are."""

    def __init__(
        self,
        app: "App[Any]",
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        if sys.__stdout__ is not None:
            self._file = sys.__stdout__

    def start_application_mode(self) -> None:
        """Also ask for the cursor's position, before anything is painted."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if self._writer_thread is not None and getattr(self._app, "asks_for_blocks", False):
            self.write(ASK_COLUMNS)
            self.flush()

    def report_mouse(self, on: bool) -> None:
        """Turn mouse reporting on or off."""
        if on:
            self._mouse = True
            self._enable_mouse_support()
        else:
            self._disable_mouse_support()
            self._mouse = False


def watch_terminal(leave: Callable[[], None]) -> Callable[[], None]:
    """Call `leave` when the terminal hangs up, and end the process if that takes too long.

    A thread of its own polls for the hang-up: Textual's reader spins at end of file, and
    with SIGHUP ignored (nohup) nothing else would tell. What is returned ends the watching.
    """
    awake, waker = os.pipe()

    def poll() -> None:
        poller = select.poll()
        poller.register(0, 0)
        poller.register(awake, select.POLLIN)
        events = dict(poller.poll())
        os.close(awake)
        if awake in events:
            return
        _silence()
        last = threading.Timer(GRACE, os._exit, (GONE_EXIT,))
        last.daemon = True
        last.start()
        leave()

    thread = threading.Thread(target=poll, name="terminal", daemon=True)
    thread.start()

    def stop() -> None:
        os.close(waker)
        thread.join(GRACE)

    return stop


def _silence() -> None:
    """Point the standard streams away from the dead terminal.

    Writing to it fails, reading from it returns at once for ever; the other end of a pipe
    that nobody writes to does neither.
    """
    nothing, _kept = os.pipe()
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 0)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
