"""`cofa glance`: one screenful of what is wrong; the verdict is the exit code."""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TextIO

from console.commands.arguments import parser
from console.commands.places import place_of
from console.errors import UsageError
from console.links.s3.starting import Spare

if TYPE_CHECKING:
    from console.model.snapshot import Snapshot

REHEARSAL: Final = "rehearsal"
"""The environment that another hand may change at any moment, and that is read at once."""
COLUMNS: Final = 80
COLUMNS_LEAST: Final = 40
COLUMNS_MOST: Final = 400


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Look once and say it. 0 ok, 1 degraded, 2 critical, 3 unknown."""
    args = _arguments(argv)
    snapshot = look(args, environ)
    if sys.stdout is not None:  # a caller may have closed it: the exit code still tells
        say(snapshot, args, environ, sys.stdout)
    from console.model.findings import EXIT_CODES

    return EXIT_CODES[snapshot.verdict.word]


def look(args: argparse.Namespace, environ: Mapping[str, str]) -> "Snapshot":
    """What is known: kept a moment ago, or read now."""
    spare = Spare()
    try:
        if args.env != REHEARSAL:
            place, config = place_of(args, environ)
            nothing = args.fresh or not place.cache.exists()
            if nothing:
                spare.prepare()  # boto3 loads there while everything else loads here
            else:
                from console.commands.keeping import recent

                known = recent(place, config, time.time())
                if known.snapshot is not None:
                    return known.snapshot
                if known.backups_due:
                    spare.prepare()
        from console.commands.seeing import see_once

        return see_once(args, environ, fresh=args.fresh, spare=spare)
    finally:
        spare.close()


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    made = parser("glance", "What is wrong, since when, what changed: one screenful.")
    made.add_argument("--json", action="store_true", help="for machines, see docs/json")
    made.add_argument("--fresh", action="store_true", help="read every source, use nothing kept")
    made.add_argument("--width", type=int, metavar="N", help="columns; else the terminal's, or 80")
    made.add_argument("--ascii", action="store_true", help="no characters beyond ASCII")
    args = made.parse_args(list(argv))
    if args.width is not None and not COLUMNS_LEAST <= args.width <= COLUMNS_MOST:
        raise UsageError(f"--width {args.width}: give {COLUMNS_LEAST} to {COLUMNS_MOST} columns")
    return args


def say(
    snapshot: "Snapshot", args: argparse.Namespace, environ: Mapping[str, str], out: TextIO
) -> None:
    """Write the snapshot to `out`. A reader that has gone is no error: the exit code stands."""
    text = _json(snapshot) if args.json else _screenful(snapshot, args, environ, out)
    try:
        out.write(text)
        out.flush()
    except BrokenPipeError:
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, out.fileno())
            os.close(null)


def _json(snapshot: "Snapshot") -> str:
    from console.present.report import glance_json

    # ASCII, so that no reader's locale can spoil it.
    return json.dumps(glance_json(snapshot), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _screenful(
    snapshot: "Snapshot", args: argparse.Namespace, environ: Mapping[str, str], out: TextIO
) -> str:
    from console.present.ansi import coloured, rendered, speaks_unicode
    from console.present.glance import glance_lines

    columns, rows = _size(args.width, environ, out)
    ascii_only = args.ascii or not speaks_unicode(out)
    lines = glance_lines(snapshot, columns, rows, now=snapshot.at, ascii_only=ascii_only)
    return rendered(lines, colour=coloured(out, environ), ascii_only=ascii_only)


def _size(width: int | None, environ: Mapping[str, str], out: TextIO) -> tuple[int, int | None]:
    """Columns, and on a terminal the rows that leave the prompt in sight."""
    if not out.isatty():
        return width or COLUMNS, None
    size = shutil.get_terminal_size((COLUMNS, 24))
    columns = width or max(COLUMNS_LEAST, min(size.columns, COLUMNS_MOST))
    return columns, max(20, size.lines - 1)
