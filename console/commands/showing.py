"""The console on the screen first, and only then all that it shows.

Before the first paint nothing is loaded but the screens and what an earlier console kept.
"""

import argparse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from console.commands.places import place_of
from console.errors import UsageError
from console.model.snapshot import Snapshot
from console.paths import Paths
from console.watch.late import LateWatch
from console.watch.remembered import last_snapshot

if TYPE_CHECKING:
    from console.commands.seeing import Session
    from screens.options import Options

CLOSING: Final = 2.0
"""Seconds that a session has for keeping what it knows when the console is left."""


def show(
    args: argparse.Namespace,
    environ: Mapping[str, str],
    opening: Callable[[], "Session"],
    *,
    rehearsal: bool = False,
) -> int:
    """Show the session that `opening` opens until the user leaves; gives the exit code.

    Raises UsageError where the terminal cannot show it, and what `opening` raises.
    """
    import sys

    from screens.terminal import terminal_trouble

    first = Snapshot(args.env or "rehearsal", 0.0, rehearsal=True) if rehearsal else None
    first = first or _remembered(args, environ)
    options = _options(first.environment, args, environ, rehearsal)
    trouble = terminal_trouble(environ, sys.stdin, sys.stdout, ascii_only=options.ascii)
    if trouble:
        raise UsageError(trouble)
    from screens.running import run_console

    late = LateWatch(first)
    sessions: list[Session] = []

    def begin() -> None:
        from console.diagnostics import log_thread_crashes, start_log

        start_log(Paths.of(environ), debug=args.debug)
        log_thread_crashes()
        session = opening()
        sessions.append(session)
        late.begin(session.watch)
        session.start(events=True)

    try:
        return run_console(late, options, ready=begin)
    finally:
        _close(sessions)


def _options(
    name: str, args: argparse.Namespace, environ: Mapping[str, str], rehearsal: bool
) -> "Options":
    from screens.options import Options

    return Options.of(
        name,
        environ,
        rehearsal=rehearsal,
        read_only=args.read_only,
        ascii_only=args.ascii,
        slow=args.slow,
        theme=args.theme or "",
    )


def _remembered(args: argparse.Namespace, environ: Mapping[str, str]) -> Snapshot:
    """What an earlier console or glance kept of this environment; else an empty Snapshot."""
    place, _ = place_of(args, environ)
    return last_snapshot(place) or Snapshot(args.env or "production", 0.0)


def _close(sessions: list["Session"]) -> None:
    """Keep what is known, but let no full disk or hung file system hold the user up."""
    import threading

    for session in sessions:
        closing = threading.Thread(target=session.close, name="closing", daemon=True)
        closing.start()
        closing.join(CLOSING)
