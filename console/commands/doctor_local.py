"""What `cofa doctor` looks at on this machine."""

import getpass
import os
import platform
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TextIO

from console import __version__
from console.config.environment import Config, Environment
from console.paths import Paths, private_directory
from console.present.ansi import speaks_unicode
from console.present.doctor import Check, Mark, Missing
from console.text import clean

LEAST: Final = (60, 20)
"""Columns and lines that the console needs."""
AGENT_SECONDS: Final = 5.0


def local_checks(environ: Mapping[str, str], paths: Paths, out: TextIO) -> Iterator[Check]:
    """Python, the terminal, cofa's own directories."""
    yield Check("python", Mark.OK, f"{platform.python_version()}, cofa {__version__}")
    yield terminal(environ, out)
    yield directory(paths.state)


def terminal(environ: Mapping[str, str], out: TextIO) -> Check:
    """Whether the console can be shown where `out` goes."""
    if not out.isatty():
        return Check("terminal", Mark.ABSENT, "the output is no terminal")
    kind = clean(environ.get("TERM", ""), 40)
    columns, rows = shutil.get_terminal_size()
    unicode = speaks_unicode(out)
    missing: list[Missing] = []
    if kind in ("", "dumb", "unknown"):
        missing.append(
            Missing(
                "this terminal cannot show the console",
                "set TERM to what it is, or use cofa glance",
            )
        )
    if not unicode:
        missing.append(Missing("no UTF-8: bars are drawn in ASCII", "export LANG=C.UTF-8"))
    if columns < LEAST[0] or rows < LEAST[1]:
        missing.append(Missing(f"the console needs {LEAST[0]}x{LEAST[1]}", "make it larger"))
    said = f"{kind or 'TERM is not set'}, {'UTF-8' if unicode else 'no UTF-8'}, {columns}x{rows}"
    return Check("terminal", Mark.NOTE if missing else Mark.OK, said, missing=tuple(missing))


def directory(path: Path) -> Check:
    """Whether cofa can keep its memory, its log and its crash files."""
    try:
        private_directory(path)
    except OSError as error:
        why = clean(error.strerror or error)
        remedy = Missing("", f"let {_user()} write there, or set XDG_STATE_HOME")
        return Check("own directory", Mark.FAIL, f"{path}: {why}", missing=(remedy,))
    if not os.access(path, os.W_OK):
        remedy = Missing("", f"chmod u+w {path}")
        return Check("own directory", Mark.FAIL, f"{path} cannot be written", missing=(remedy,))
    return Check("own directory", Mark.OK, str(path))


def configuration(config: Config | None) -> Check:
    """The file, what it warns of, and who else can read it."""
    if config is None or config.path is None:
        found = Missing("", "write down what discovery finds: cofa init")
        return Check("cofa.toml", Mark.ABSENT, "there is none", missing=(found,))
    missing = [Missing(warning, "see docs/configuration.md") for warning in config.warnings]
    mode = config.path.stat().st_mode
    if mode & stat.S_IWGRP:
        what = "its group can change it, and it names what cofa runs"
        missing.append(Missing(what, f"chmod g-w {config.path}, unless they operate with you"))
    names = ", ".join(sorted(config.environments))
    mark = Mark.NOTE if missing else Mark.OK
    return Check("cofa.toml", mark, f"{clean(config.path)}: {names}", missing=tuple(missing))


def agent(environment: Environment, environ: Mapping[str, str]) -> Check | None:
    """The SSH agent and its keys; None where nothing is reached over SSH."""
    addresses = [environment.engine.address, *(host.address for host in environment.hosts)]
    if not any(address.startswith("ssh://") for address in addresses):
        return None
    name = "ssh agent"
    if not environ.get("SSH_AUTH_SOCK"):
        what = "keys with a passphrase cannot be used"
        return Check(
            name,
            Mark.NOTE,
            "SSH_AUTH_SOCK is not set",
            missing=(Missing(what, 'start one: eval "$(ssh-agent)"; ssh-add'),),
        )
    try:
        ended = subprocess.run(
            ("ssh-add", "-l"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=AGENT_SECONDS,
            check=False,
            env=dict(environ),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = "does not answer" if isinstance(error, subprocess.TimeoutExpired) else "is not there"
        remedy = Missing("", "install OpenSSH's client, or see `ssh-add -l`")
        return Check(name, Mark.NOTE, f"ssh-add {why}", missing=(remedy,))
    if ended.returncode == 0:
        keys = len(ended.stdout.splitlines())
        return Check(name, Mark.OK, f"holds {keys} key{'s' if keys != 1 else ''}")
    if ended.returncode == 1:
        none = Missing(
            "keys with a passphrase cannot be used", "ssh-add, or ssh -A on the way here"
        )
        return Check(name, Mark.NOTE, "holds no key", missing=(none,))
    dead = Missing("", "its socket is gone: log in again, or correct SSH_AUTH_SOCK")
    return Check(name, Mark.NOTE, "cannot be reached", missing=(dead,))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
