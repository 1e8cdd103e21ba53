"""The command line: options that all commands share, and errors as cofa says them."""

import argparse
from pathlib import Path
from typing import NoReturn

from console.errors import UsageError


class Parser(argparse.ArgumentParser):
    """argparse ends with 2 on a wrong option, which is a verdict of cofa's."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message}; `{self.prog} --help` lists the options")


def parser(command: str, description: str) -> Parser:
    """A parser for `cofa COMMAND`, with --env, --config and --debug."""
    made = Parser(prog=f"cofa {command}", description=description, allow_abbrev=False)
    made.add_argument("--env", metavar="NAME", help="environment of cofa.toml, or `rehearsal`")
    made.add_argument("--config", metavar="FILE", type=Path, help="read this file as cofa.toml")
    made.add_argument("--debug", action="store_true", help="say more in cofa's own log")
    return made
