"""`cofa init`: writes what discovery finds as a cofa.toml, and never overwrites one."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from console.clock import SystemClock
from console.commands.arguments import parser
from console.config.discovery import Discovery
from console.config.values import engine_address, environment_name
from console.config.where import find_config
from console.config.write import render
from console.errors import CofaError, UsageError
from console.paths import Paths, make_private
from console.text import clean

STDOUT: Final = Path("-")


class CannotWriteError(CofaError):
    """The file cannot be made (exit code 73, EX_CANTCREAT of sysexits)."""

    exit_code = 73


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Discover, write, and say what to look at. Raises CofaError."""
    options = parser("init", "Write down in cofa.toml what is found here; never overwrites.")
    options.add_argument(
        "--file", metavar="PATH", type=Path, help="the file to write; - for standard output"
    )
    options.add_argument(
        "--engine",
        metavar="ADDRESS",
        default="",
        help="unix:///PATH, ssh://[USER@]HOST, tcp://HOST:PORT or context:NAME; "
        "otherwise DOCKER_HOST or Docker's current context",
    )
    options.add_argument(
        "--project",
        metavar="NAME",
        default="",
        help="only this Compose project or Swarm stack, where several run",
    )
    args = options.parse_args(list(argv))
    name = _name(args.env)
    paths = Paths.of(environ)
    path: Path = args.file or args.config or paths.config / "cofa.toml"
    if path != STDOUT:
        # Before the work, and again by the way the file is opened.
        _refuse_existing(path)
    found = _discover(name, args.engine, environ, paths, args.project)
    text = render(found)
    if path == STDOUT:
        sys.stdout.write(text)
        return 0
    if not args.file and not args.config:
        make_private(path.parent)
    write_new(path, text)
    here = find_config(None, environ, Path.cwd())
    itself = here is not None and here.resolve() == path.resolve()
    print("\n".join(summary(found, path, found_by_itself=itself)))
    return 0


def write_new(path: Path, text: str) -> None:
    """Make `path` (0600) with `text`. Raises CannotWriteError, also where anything is there."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        _refuse_existing(path)
        raise CannotWriteError(f"{clean(path)} appeared meanwhile; nothing was written") from None
    except OSError as error:
        why = (error.strerror or "it cannot be made").lower()
        raise CannotWriteError(f"{clean(path)}: {why}; name another with --file PATH") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        path.unlink(missing_ok=True)
        why = (error.strerror or "it cannot be written").lower()
        raise CannotWriteError(f"{clean(path)}: {why}; nothing is left of it") from None


def summary(found: Discovery, path: Path, *, found_by_itself: bool) -> list[str]:
    """What to tell the user afterwards."""
    environment = found.environment
    lines = [f"wrote {clean(path)}: environment {environment.name}"]
    lines += [f"  look at: {clean(doubt)}" for doubt in found.doubts]
    option = "" if found_by_itself else f" --config {clean(path)}"
    lines.append(f"next: cofa doctor{option}")
    return lines


def _refuse_existing(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise CannotWriteError(
            f"{clean(path)} is there already, and init never overwrites; "
            "see what it would write with: cofa init --file -"
        )


def _name(given: str | None) -> str:
    try:
        return environment_name(given or "production")
    except ValueError as error:
        raise UsageError(
            f"--env {clean(given)} {error}; allowed: letters, digits, . _ -, at most 40"
        ) from None


def _discover(
    name: str, engine: str, environ: Mapping[str, str], paths: Paths, project: str
) -> Discovery:
    from console.commands.discovering import discover_now, edge_doubts
    from console.commands.wiring import Opener

    clock = SystemClock()
    with closing(Opener(clock, paths, environ)) as opener:
        found = discover_now(opener, environ, clock, name, _engine(engine), project)
        doubts = (*found.doubts, *edge_doubts(found, opener, clock))
        return replace(found, doubts=doubts)


def _engine(address: str) -> str:
    try:
        return engine_address(address) if address else ""
    except ValueError as error:
        raise UsageError(
            f"--engine {clean(address)} {error}; allowed: unix:///PATH, "
            "ssh://[USER@]HOST[:PORT][/SOCKET], tcp://HOST:PORT, context:NAME"
        ) from None
