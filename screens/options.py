"""How the console was asked to behave; made once, from the command line and the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from console.clock import Clock, SystemClock
from console.errors import UsageError

THEMES: Final = ("dark", "light", "contrast", "sixteen", "plain")
"""What there is in themes/; plain has no colour at all."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the screens need to know besides the Snapshots."""

    environment: str
    """Name of the environment, for line 1."""
    rehearsal: bool = False
    read_only: bool = False
    ascii: bool = False
    """Only ASCII: no bars, no lines, `?` for what a name holds beyond it."""
    blocks: bool = False
    """The terminal is known to draw bars and lines in one column; otherwise it is asked."""
    slow: bool = False
    """A bad link: nothing ticks, fewer repaints."""
    no_color: bool = False
    theme: str = ""
    """Name of a theme; empty for the one that fits the terminal."""
    over_ssh: bool = False
    """Escape sequences may arrive in pieces."""
    clock: Clock = field(default_factory=SystemClock)

    @classmethod
    def of(
        cls,
        environment: str,
        environ: Mapping[str, str],
        *,
        rehearsal: bool = False,
        read_only: bool = False,
        ascii_only: bool = False,
        slow: bool = False,
        theme: str = "",
    ) -> "Options":
        """The options of this terminal, as its environment variables describe it.

        NO_COLOR counts when it is set and not empty (no-color.org). COFA_THEME names a
        theme, COFA_ASCII and COFA_SLOW are switches.
        Raises UsageError for a theme that is not there.
        """
        theme = theme or environ.get("COFA_THEME", "") or fitting_theme(environ)
        if theme not in THEMES:
            raise UsageError(f"there is no theme {theme}; there are {', '.join(THEMES)}")
        return cls(
            environment,
            rehearsal=rehearsal,
            read_only=read_only,
            ascii=ascii_only or bool(environ.get("COFA_ASCII")),
            slow=slow or bool(environ.get("COFA_SLOW")),
            no_color=bool(environ.get("NO_COLOR")),
            theme=theme,
            over_ssh=bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY")),
        )


def fitting_theme(environ: Mapping[str, str]) -> str:
    """The theme for a terminal that has none configured.

    Sixteen colours where the terminal promises no more; light where COLORFGBG (set by
    rxvt and its likes: ``foreground;background``) says that the background is white.
    """
    term = environ.get("TERM", "")
    rich_colours = "256" in term or environ.get("COLORTERM", "") in ("truecolor", "24bit")
    if not rich_colours and not term.startswith(("xterm-kitty", "alacritty", "foot", "wezterm")):
        return "sixteen"
    background = environ.get("COLORFGBG", "").rpartition(";")[2]
    return "light" if background in ("7", "15") else "dark"
