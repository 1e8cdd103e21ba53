"""Runs the console in this terminal, and gives the terminal back."""

import gc
import os
from collections.abc import Callable
from typing import Final

from textual import constants

from console.watch import Watch
from screens.app import CofaApp
from screens.aside import aside
from screens.driver import watch_terminal
from screens.options import Options

ESCAPE_OVER_SSH: Final = 0.5
"""Seconds to wait for the rest of an escape sequence over SSH."""


def run_console(watch: Watch, options: Options, ready: Callable[[], None] = lambda: None) -> int:
    """Show `watch` until the user leaves; gives the exit code.

    Raises what crashed it, and what `ready` raises, once the terminal is the user's again.
    `ready` is called on a thread of its own after the first paint: the time to begin to read.
    The caller makes sure of the terminal (screens.terminal.terminal_trouble) and ends the
    process afterwards: threads of hung sources are daemons and hold nothing up.
    """
    if options.no_color:
        os.environ["NO_COLOR"] = "1"
    if options.over_ssh:
        constants.ESCAPE_DELAY = ESCAPE_OVER_SSH  # type: ignore[misc]
    # Kitty's protocol sends each key as an escape sequence, which slow links tear apart.
    constants.DISABLE_KITTY_KEY = True  # type: ignore[misc]
    # What is made until the first paint stays for good: looking for garbage in it costs 10 ms.
    gc.disable()

    def painted() -> None:
        gc.freeze()
        gc.enable()
        try:
            ready()
        except Exception as error:
            failed.append(error)
            app.leave_from_thread()

    failed: list[Exception] = []
    app = CofaApp(watch, options, painted)
    stop = watch_terminal(app.leave_from_thread)
    try:
        code = app.run(mouse=False)
    finally:
        aside(watch.close)
    stop()
    for error in (*failed, app.crash):
        if error is not None:
            raise error
    return code if isinstance(code, int) else 0
