"""What all screens share: place, verdict, a body, a prompt and the keys that work now."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget

from console.model.snapshot import Snapshot
from console.present.lines import Line, Segment, fitted, line, plain
from console.present.units import clock as utc_clock
from console.present.verdict import place_line, verdict_line
from screens import keymap
from screens.keymap import Where
from screens.look import Painter
from screens.prompt import Prompt, Taken
from screens.terminal import too_small
from screens.widgets.pane import Pane

if TYPE_CHECKING:
    from screens.app import CofaApp

CLOCK_COLUMNS: Final = (0, 9, 29, 80)
"""Widths of line 1's right end: without a clock, with it alone, with the oldest data."""
WIDE: Final = 100
"""Columns from which on a second pane stands beside the first."""
LIST_COLUMNS: Final = 81
"""What the first pane takes of a wide screen, with a gap, where the second can be cramped."""
SECOND_LEAST: Final = 36
SECOND_MOST: Final = 60


def first_pane(columns: int) -> int:
    """Columns of the first of two panes, with the gap; all where there is room for one only."""
    if columns < WIDE:
        return columns
    return max(columns - SECOND_MOST, min(LIST_COLUMNS, columns - SECOND_LEAST))


def bindings(where: Where) -> list[BindingType]:
    """The keys of one screen as Textual's bindings.

    The app runs them in the order of the keys, each to its end, before the next one.
    """
    return [
        Binding(",".join(key.keys), key.action, key.label, show=False, priority=True)
        for key in keymap.keys_of(where)
    ]


class ConsoleScreen(Screen[None], inherit_bindings=False):
    """One screen. It shows the newest Snapshot and keeps no copy of its own."""

    WHERE: ClassVar[Where] = Where.EVERYWHERE
    ALLOW_SELECT = False
    WHILE_TYPING: ClassVar[frozenset[str]] = frozenset({"back", "app.quit"})
    """Actions that work while a text is being typed; all other keys are text."""

    def __init__(self, painter: Painter) -> None:
        super().__init__()
        self.painter = painter
        self._place = Pane(painter, id="place")
        self._clock = Pane(painter, id="clock")
        self._top = Pane(painter, id="top")
        self._keys = Pane(painter, id="keys")
        self._body: Widget
        self.prompt = Prompt()
        self._notice: Line | None = None
        self._drawn: tuple[object, ...] = ()

    @property
    def cofa(self) -> "CofaApp":
        """The app, with its Snapshot."""
        return self.app  # type: ignore[return-value]

    @property
    def snapshot(self) -> Snapshot:
        """The newest Snapshot that is shown."""
        return self.cofa.snapshot

    def compose(self) -> Iterable[Widget]:
        """The frame of SCREENS.md, around the screen's own body."""
        yield Widget(self._place, self._clock, classes="head")
        yield self._top
        self._body = Widget(*self.body(), id="body")
        yield self._body
        yield self._keys

    @property
    def wide(self) -> bool:
        """Whether there is room for two panes."""
        return self.size.width >= WIDE

    def place_panes(self, first: Widget, second: Widget, *, opened: bool) -> tuple[int, int]:
        """Put two panes side by side, or (where it is narrow) the opened one alone.

        Gives the columns of both.
        """
        columns = self.size.width
        share = first_pane(columns)
        self._body.set_class(self.wide, "wide")
        first.display = self.wide or not opened
        second.display = self.wide or opened
        first.styles.width = share if self.wide else "1fr"
        return (share - 1, columns - share) if self.wide else (columns, columns)

    # What a screen adds -------------------------------------------------------------

    def body(self) -> Iterable[Widget]:
        """The screen's own widgets."""
        return ()

    def path(self) -> tuple[str, ...]:
        """Where this is, for line 1: ``Fleet``, ``backend``."""
        return (str(self.WHERE),)

    def draw_body(self) -> None:
        """Show the Snapshot in the body."""

    def pane(self) -> Pane | None:
        """The pane that the arrows move."""
        return None

    def idle_actions(self) -> frozenset[str]:
        """Actions that do nothing at present, or stand there already; not on the last line."""
        return frozenset({"back"})

    def copied(self) -> str:
        """The whole value of what is selected, for `c`."""
        return ""

    def written(self) -> list[str]:
        """What `w` writes: the screen, line by line."""
        return [strip.text.rstrip() for strip in self._compositor.render_strips()]

    async def filtered(self, text: str, *, done: bool) -> None:
        """A text was typed into the prompt."""

    # What they share -------------------------------------------------------------------

    def draw(self) -> None:
        """Show the newest Snapshot; only what differs is painted."""
        if not self.is_attached or not self.size.width:
            return
        self._drawn = self._state()
        self.draw_frame()
        self.draw_body()
        self.draw_keys()

    def draw_frame(self) -> None:
        """Line 1, the verdict and the rule below it; in a small terminal why there is no more."""
        columns = self.size.width
        self.draw_place()
        verdict = verdict_line(self.snapshot, columns, now=self.cofa.now())
        small = too_small(columns, self.size.height)
        self.set_class(small is not None, "tiny")
        if small is not None:
            self._top.show((verdict, fitted(line(small), columns)))
        else:
            self._top.show((verdict, self.rule(columns)))

    def draw_place(self) -> None:
        """Line 1. Its right end, which ticks, is a pane of its own: little to repaint."""
        now, columns = self.cofa.now(), self.size.width
        mode = "READ-ONLY" if self.cofa.options.read_only else ""
        whole = place_line(self.snapshot, columns, *self.path(), mode=mode, now=now)
        clock = whole[-1] if whole[-1].text.startswith(utc_clock(now)) else Segment("")
        room = next(most for most in CLOCK_COLUMNS if len(clock.text) <= most)
        self._clock.styles.width = room
        self._clock.show((line(Segment(clock.text.rjust(room), clock.style)),))
        self._place.show((whole[:-1] if clock.text else whole,))

    def draw_keys(self) -> None:
        """The last line: the prompt, or a notice until the next key, or the keys."""
        columns = self.size.width
        if self.prompt.is_open:
            self._keys.show((self.prompt.line(columns),))
            return
        keys = keymap.footer(self.WHERE, columns, self.idle_actions())
        self._keys.show((self._notice or line(Segment(keys, "keys")),))

    def rule(self, columns: int) -> Line:
        """The third line; a screen may put words into it."""
        return self.painter.rule(columns)

    def say(self, text: str) -> None:
        """A notice in place of the keys, until the next key."""
        self._notice = fitted(line(" ", Segment(text, "bold")), self.size.width)
        self.draw_keys()

    def quiet(self) -> None:
        """Take the notice away."""
        if self._notice is not None:
            self._notice = None
            self.draw_keys()

    @property
    def typing(self) -> bool:
        """Whether keys are text at present."""
        return self.prompt.is_open

    def restyle(self) -> None:
        """Repaint everything in another look."""
        for pane in self.query(Pane):
            pane.restyle()

    def _state(self) -> tuple[object, ...]:
        """What a drawing depends on, besides what the user did."""
        return (self.snapshot, self.size, int(self.cofa.now()))

    def _draw_if_new(self) -> None:
        if self._state() != self._drawn:
            self.draw()

    def on_resize(self) -> None:
        """Fit the new size; the first one is when there is something to draw on."""
        self.call_next(self._draw_if_new)

    def on_screen_resume(self) -> None:
        """Back on this screen: show what is new."""
        self.call_next(self._draw_if_new)

    def on_pane_fitted(self, event: Pane.Fitted) -> None:
        """Other lines are in sight."""
        event.stop()
        if event.pane is self.pane():
            self.call_next(self.moved)

    async def type_key(self, key: str, character: str | None) -> bool:
        """Give a key to the open prompt; False if it is none of the prompt's."""
        taken = self.prompt.take(key, character)
        self.draw_keys()
        if taken is not Taken.NOT:
            await self.filtered(self.prompt.text, done=taken is Taken.DONE)
        return taken is not Taken.NOT

    async def paste(self, text: str) -> None:
        """Give a pasted text to the open prompt."""
        self.prompt.field.insert(text)
        self.draw_keys()
        await self.filtered(self.prompt.text, done=False)

    # Actions ------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a text is being typed, keys are text."""
        return not self.typing or action in self.WHILE_TYPING

    def moved(self) -> None:
        """The pane was moved: other lines may be in sight."""
        self.draw_frame()

    def action_move(self, by: int) -> None:
        """Arrows, j and k."""
        if (pane := self.pane()) is not None:
            pane.move(by)
            self.moved()

    def action_page(self, by: int) -> None:
        """PgUp and PgDn."""
        if (pane := self.pane()) is not None:
            pane.page(by)
            self.moved()

    def action_top(self) -> None:
        """g."""
        if (pane := self.pane()) is not None:
            pane.top()
            self.moved()

    def action_bottom(self) -> None:
        """G."""
        if (pane := self.pane()) is not None:
            pane.bottom()
            self.moved()

    def action_filter(self) -> None:
        """/ opens the prompt."""
        self.prompt.open("/")
        self.draw_keys()

    async def action_back(self) -> None:
        """Esc: leave, where there is somewhere to go."""
        if self.prompt.is_open:
            self.prompt.shut()
            self.draw_keys()
        elif len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    def action_leave(self) -> None:
        """q: out of logs and help, otherwise out of cofa."""
        if self.WHERE in (Where.LOGS, Where.HELP):
            self.app.pop_screen()
        else:
            self.app.exit(0)

    def action_copy(self) -> None:
        """c: the whole value to the terminal's clipboard."""
        text = self.copied()
        if text:
            self.app.copy_to_clipboard(text)
            self.say(f"copied, if the terminal lets it: {plain(line(text))[:200]}")
        else:
            self.say("nothing is selected, so nothing was copied")

    def action_write(self) -> None:
        """w: the screen as text into a file."""
        self.cofa.write(self.WHERE.value.lower(), self.written())
