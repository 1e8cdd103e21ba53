"""Help: every key, from the registry of keys."""

from collections.abc import Iterable

from textual.widget import Widget

from console.present.columns import cut, left
from console.present.lines import Line, Segment, line
from screens import keymap
from screens.base import ConsoleScreen, bindings
from screens.keymap import Where
from screens.look import Painter
from screens.options import THEMES
from screens.widgets.pane import Pane

_KEY_COLUMNS = 16
WORDS = (
    ("P0 P1 P2 note", "severity: P0 at once, P1 within the hour, P2 next working day"),
    ("ok", "seen, and within its policy"),
    ("blind", "cannot be seen: neither healthy nor proven ill"),
    ("stale", "the last good value; its source has not answered since"),
    ("no data", "the source answered, but has no such figure; never a 0"),
    ("UNKNOWN", "no trouble is seen, but not everything is seen"),
)


class HelpScreen(ConsoleScreen, inherit_bindings=False):
    """What each key does, the screen's own first."""

    WHERE = Where.HELP
    BINDINGS = bindings(Where.HELP)

    def __init__(self, painter: Painter, about: Where) -> None:
        super().__init__(painter)
        self._about = about
        self._list = Pane(painter, id="help")

    def body(self) -> Iterable[Widget]:
        """One list."""
        return (self._list,)

    def path(self) -> tuple[str, ...]:
        """``Fleet / help``."""
        return (str(self._about), "help")

    def pane(self) -> Pane:
        """The list scrolls."""
        return self._list

    def draw_body(self) -> None:
        """The keys by screen, the words of state, the commands."""
        columns = self.size.width
        others = [
            where for where in (Where.GLANCE, Where.FLEET, Where.LOGS) if where != self._about
        ]
        lines: list[Line] = []
        for where in (self._about, *others):
            if where in (Where.HELP, Where.PALETTE):
                continue
            lines += [_heading(f"keys on {where}"), *_keys(where, columns), ()]
        lines += [_heading("words"), *(_entry(word, text, columns) for word, text in WORDS), ()]
        lines += [_heading("commands, after :"), *(
            _entry(f":{name}", text, columns) for name, text in COMMANDS
        )]  # fmt: skip
        self._list.show(lines)

    def copied(self) -> str:
        """All of it."""
        return "\n".join("".join(segment.text for segment in each) for each in self._list.lines)


COMMANDS = (
    ("q", "quits"),
    ("theme NAME", f"changes the look: {', '.join(THEMES)}"),
    ("mouse", "mouse reporting on or off; off, the terminal itself selects"),
    ("read", "reads every source now"),
    ("write", "writes the screen into a file"),
)
"""What the palette takes besides names of things."""


def _keys(where: Where, columns: int) -> list[Line]:
    return [_entry(key.shown, key.help, columns) for key in keymap.keys_of(where)]


def _entry(name: str, text: str, columns: int) -> Line:
    return line(
        Segment(f"  {left(name, _KEY_COLUMNS)} ", "bold"),
        cut(text, columns - _KEY_COLUMNS - 4),
    )


def _heading(text: str) -> Line:
    return line(Segment(f" {text}", "dim"))
