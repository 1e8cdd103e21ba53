"""`cofa`: the console."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from console.commands.arguments import parser
from console.commands.showing import show

if TYPE_CHECKING:
    from console.commands.seeing import Session


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Open the console on the environment that the command line names.

    Raises UsageError where the terminal cannot show it.
    """
    arguments = parser("console", "The console: Glance, Fleet, logs.")
    arguments.add_argument("--read-only", action="store_true", help="forbid arming")
    arguments.add_argument("--ascii", action="store_true", help="no block or line characters")
    arguments.add_argument("--slow", action="store_true", help="a bad link: fewer repaints")
    arguments.add_argument("--theme", help="dark, light, contrast, sixteen or plain")
    args = arguments.parse_args(argv)

    def opening() -> "Session":
        from console.commands.seeing import open_session

        return open_session(args, environ)

    return show(args, environ, opening)
