"""The command `cofa`: hands over to one module of console.commands, by its name.

Nothing else is imported here, so that a command pays only for what it uses.
"""

import gc
import io
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NoReturn

COMMANDS: Final[Mapping[str, str]] = {
    "console": "the console: Glance, Fleet, logs (what `cofa` alone opens)",
    "glance": "one screenful of what is wrong, for people, scripts and cron",
    "demo": "the console on a rehearsed production, without Docker or network",
    "init": "write down in cofa.toml what was found here",
    "doctor": "try every link for real, and say how to mend what fails",
}
HELP: Final = """\
cofa shows what is wrong with a replicated production, and what answers it.

usage: cofa [COMMAND] [OPTIONS]      `cofa COMMAND --help` for the options of one

{commands}

  --version  --help
"""
USAGE, CRASH, NOT_WRITTEN, INTERRUPTED, NOBODY_READS = 64, 70, 74, 130, 141


def main() -> NoReturn:
    """Run one command, and end the process with its exit code."""
    # Looking for garbage in what is only being loaded costs 10 ms; the console turns it on
    # again after its first paint, and everything else ends soon.
    gc.disable()
    # Threads that wait for an answer get their turn sooner beside those that load modules.
    sys.setswitchinterval(0.001)
    _open_streams()
    trouble = _strangers()
    if trouble:
        print(trouble, file=sys.stderr)
    code = CRASH if trouble else run(sys.argv[1:], os.environ)
    code = code or _flushed(0)
    with suppress(OSError):
        sys.stderr.flush()
    # Taking every loaded client apart would cost 40 ms, and wait for threads that hang.
    os._exit(code)


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command that `arguments` name; every foreseeable error is a message."""
    from console.errors import CofaError

    name, rest = _command(arguments)
    try:
        if arguments and arguments[0] in ("--help", "-h", "help"):
            lines = (f"  {known:<9}{text}" for known, text in COMMANDS.items())
            print(HELP.format(commands="\n".join(lines)), end="")
            return _flushed(0)
        if arguments and arguments[0] in ("--version", "-V"):
            from console import __version__

            print(f"cofa {__version__}")
            return _flushed(0)
        if name not in COMMANDS:
            print(f"cofa: {name!r} is no command; `cofa --help` lists them", file=sys.stderr)
            return USAGE
        return _flushed(import_module(f"console.commands.{name}").main(rest, environ))
    except CofaError as error:
        print(f"cofa {name}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _flushed(NOBODY_READS)
    except Exception as error:
        return _flushed(0) or _crashed(name, error, environ)


def _flushed(code: int) -> int:
    """`code`, if everything that was said has gone out; what could not is dropped."""
    try:
        sys.stdout.flush()
        return code
    except OSError as error:
        # Keep the interpreter from trying again, and complaining, at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return NOBODY_READS
        print(f"cofa: the output cannot be written: {error.strerror}", file=sys.stderr)
        return NOT_WRITTEN


def _open_streams() -> None:
    """Stand in for the standard streams that the caller closed: what is said goes nowhere.

    What the locale cannot write becomes a question mark, and no crash.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 (it stays open)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _command(arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    """`cofa --env staging glance` and `cofa glance --env staging` are the same."""
    options: list[str] = []
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        options.append(rest.pop(0))
        if options[-1] in ("--env", "--config") and rest:
            options.append(rest.pop(0))
    return (rest[0], [*options, *rest[1:]]) if rest else ("console", options)


def _crashed(name: str, error: Exception, environ: Mapping[str, str]) -> int:
    from console.diagnostics import write_crash
    from console.paths import Paths

    path = write_crash(Paths.of(environ), error)
    where = f"the details are in {path}" if path else "the details could not be written"
    print(
        f"cofa {name}: a defect of cofa ({type(error).__name__}); {where}; "
        "please send them to its developers",
        file=sys.stderr,
    )
    return CRASH


def _strangers() -> str:
    """Why cofa must not start, if its packages come from different places.

    A directory with a `console` in it, or PYTHONPATH, could otherwise slip foreign code
    into a tool that steers production.
    """
    root = Path(__file__).resolve().parent.parent
    for package in ("screens", "actions", "themes"):
        spec = find_spec(package)
        found = Path(spec.origin).resolve().parent.parent if spec and spec.origin else None
        if found != root:
            return (
                f"cofa: package {package!r} comes from {found or 'nowhere'}, the rest of cofa "
                f"from {root}; unset PYTHONPATH, or install cofa again in an environment of its own"
            )
    return ""


if __name__ == "__main__":
    main()
