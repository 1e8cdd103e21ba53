"""Whether a terminal can show the console, in plain words if it cannot."""

from collections.abc import Mapping
from typing import Final, TextIO

LEAST_COLUMNS: Final = 60
LEAST_ROWS: Final = 20


def terminal_trouble(
    environ: Mapping[str, str], stdin: TextIO | None, stdout: TextIO | None, *, ascii_only: bool
) -> str | None:
    """Why the console cannot run here, and what to do instead; None where it can."""
    for name, stream in (("input", stdin), ("output", stdout)):
        if stream is None or stream.closed or not stream.isatty():
            return (
                f"the console needs a terminal, but its {name} is none; "
                "for pipes, cron and scripts use `cofa glance`"
            )
    term = environ.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        named = f"TERM={term}" if term else "TERM is not set"
        return (
            f"the console cannot draw on this terminal ({named}); "
            "set TERM to what it is (often xterm-256color), or use `cofa glance`"
        )
    encoding = (getattr(stdout, "encoding", "") or "").lower().replace("-", "").replace("_", "")
    if encoding != "utf8" and not ascii_only:
        return (
            f"the console writes UTF-8, but this terminal's locale says {stdout_encoding(stdout)}; "
            "set LC_ALL=C.UTF-8, or start with --ascii"
        )
    return None


def stdout_encoding(stream: TextIO | None) -> str:
    """The encoding's name as a person may know it."""
    return (getattr(stream, "encoding", "") or "no encoding").upper()


def too_small(columns: int, rows: int) -> str | None:
    """What to say instead of the screen where it does not fit."""
    if columns >= LEAST_COLUMNS and rows >= LEAST_ROWS:
        return None
    return f"cofa needs {LEAST_COLUMNS}x{LEAST_ROWS}, this is {columns}x{rows}. q quit"
