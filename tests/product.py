"""The whole command as its users start it: a process of its own, with or without a terminal.

Loaded by conftest's fixtures.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

COFA = (sys.executable, "-P", "-m", "console")
SCHEMA = Path(__file__).parent.parent / "docs" / "json" / "glance.schema.json"
PATIENCE = 60.0


@dataclass(frozen=True)
class Told:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str


class Product:
    """cofa in a home of its own."""

    def __init__(self, home: Path, terminals: Any) -> None:
        self.home = home
        self._terminals = terminals
        self.environ = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
        }

    def configure(self, text: str, **environ: str) -> None:
        """Write cofa.toml where cofa looks for it, and set variables."""
        (self.home / "cofa.toml").write_text(text)
        (self.home / "cofa.toml").chmod(0o600)
        self.environ.update(environ)

    def run(self, *argv: str, before: tuple[str, ...] = (), **environ: str) -> Told:
        """One command without a terminal, to its end."""
        ended = subprocess.run(
            [*before, *COFA, *argv],
            cwd=self.home,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        return Told(ended.returncode, ended.stdout, ended.stderr)

    def glance(self, **environ: str) -> tuple[int, dict[str, Any]]:
        """The exit code and the JSON of a glance that reads everything; the JSON is valid."""
        told = self.run("glance", "--json", "--fresh", **environ)
        assert told.out, told.err
        seen: dict[str, Any] = json.loads(told.out)
        jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(seen)
        assert told.code == ("ok", "degraded", "critical", "unknown").index(seen["status"])
        return told.code, seen

    def terminal(
        self,
        *argv: str,
        columns: int = 80,
        lines: int = 24,
        before: tuple[str, ...] = (),
        **environ: str,
    ) -> Any:
        """A terminal with cofa in it; enter it to start."""
        words = [*before, *COFA, *argv]
        where = str(self.home)
        return self._terminals.Terminal(words, self.environ | environ, columns, lines, where)


def source(seen: dict[str, Any], name: str) -> dict[str, Any]:
    """One source of a glance."""
    found: dict[str, Any] = next(one for one in seen["sources"] if one["name"] == name)
    return found
