"""The console: the Textual app that shows a watch."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Final

from textual import events
from textual.app import App
from textual.message import Message
from textual.screen import Screen

import themes
from console.model.findings import Finding
from console.model.snapshot import Snapshot
from console.watch import Watch
from screens.aside import aside
from screens.base import ConsoleScreen
from screens.driver import GONE_EXIT, MARKS, TerminalDriver
from screens.glance import GlanceScreen
from screens.look import Look, Painter, load_look, textual_theme
from screens.options import THEMES, Options
from screens.splitkeys import SplitKeys

APPLY_EVERY: Final = 0.25
"""Seconds between two Snapshots that are shown; those between are skipped."""
APPLY_SLOWLY: Final = 2.0
AGES_EVERY: Final = 10
"""Ticks of the clock after which ages in the body are written anew."""


class SnapshotArrived(Message):
    """The watch has something new. One is under way at a time; the newest is taken."""


class Done(Message):
    """Something done aside has a notice to show."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class CofaApp(App[int], inherit_bindings=False):
    """Shows the newest Snapshot on the screen in front, and nothing else."""

    CSS = themes.data("console.tcss")
    TITLE = "cofa"
    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None
    DEFAULT_MODE = "glance"
    SHUT: ClassVar[tuple[str, ...]] = ("quit", "suspend_process")
    """Actions of the app that work while a text is being typed."""

    def __init__(
        self, watch: Watch, options: Options, ready: Callable[[], None] = lambda: None
    ) -> None:
        """`ready` is called aside after the first paint."""
        self._begin_reading = ready
        name = "plain" if options.no_color else options.theme or "dark"
        look = load_look(name)
        super().__init__(driver_class=TerminalDriver, ansi_color=True if options.no_color else None)
        self.the_watch = watch
        self.options = options
        self.snapshot = watch.snapshot
        self.painter = Painter(look, ascii=options.ascii or not options.blocks)
        self.asks_for_blocks = not (options.ascii or options.blocks)
        self.previous_place = "fleet"
        self.mouse_on = False
        self._keys = SplitKeys()
        self._arriving = threading.Event()
        self._applied = float("-inf")
        self._ticks = 0
        self._unsubscribe: Callable[[], None] = lambda: None
        self.add_mode("glance", lambda: GlanceScreen(self.painter))
        self.add_mode("fleet", self._fleet_screen)
        self._wear(look, first=True)

    def now(self) -> float:
        """The moment, by the injected clock."""
        return self.options.clock.wall()

    @property
    def crash(self) -> Exception | None:
        """What ended the app, if it was no wish of the user's."""
        return self._exception

    @property
    def front(self) -> ConsoleScreen | None:
        """The screen that is seen."""
        screen = self.screen if self.screen_stack else None
        return screen if isinstance(screen, ConsoleScreen) else None

    # The watch ------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Follow the watch; tick."""
        self._unsubscribe = self.the_watch.subscribe(self._arrive)
        self.snapshot = self.the_watch.snapshot
        self.call_after_refresh(aside, self._begin_reading)
        if not self.options.slow:
            self.set_interval(1.0, self._tick)
        self.app_resume_signal.subscribe(self, lambda _: self._restyle())
        if not self.is_headless:
            self._follow_signals()

    def _arrive(self, _snapshot: Snapshot) -> None:
        """Called from the watch's threads: wake the screen, once."""
        if not self._arriving.is_set():
            self._arriving.set()
            with contextlib.suppress(RuntimeError):  # the loop may have closed meanwhile
                self.post_message(SnapshotArrived())

    def on_snapshot_arrived(self) -> None:
        """Show the newest Snapshot, not more often than is worth painting."""
        pause = APPLY_SLOWLY if self.options.slow else APPLY_EVERY
        wait = self._applied + pause - self.options.clock.monotonic()
        if 0 < wait <= pause:
            self.set_timer(wait, self._apply)
        else:
            self._apply()

    def _apply(self) -> None:
        self._arriving.clear()
        self._applied = self.options.clock.monotonic()
        self.snapshot = self.the_watch.snapshot
        self.redraw()

    def redraw(self) -> None:
        """Show what is known on the screen in front."""
        if (front := self.front) is not None:
            with self.batch_update():
                front.draw()

    def _tick(self) -> None:
        self._ticks += 1
        if (front := self.front) is None:
            return
        if self._ticks % AGES_EVERY == 0:
            self.redraw()
        else:
            front.draw_place()

    # Keys -----------------------------------------------------------------------------

    async def on_event(self, event: events.Event) -> None:
        """Drop what is no key but the tail of a torn escape sequence, and stray pastes."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            if await self._take_key(event):
                return
        elif isinstance(event, events.Paste):
            if self.front is not None and self.front.typing:
                await self.front.paste(event.text)
            return
        elif isinstance(event, events.CursorPosition):
            self._blocks_answered(event.x)
            return
        await super().on_event(event)

    async def _take_key(self, event: events.Key) -> bool:
        """Whether a key is dealt with, or must be dropped; else a binding answers it."""
        front = self.front
        typing = front is not None and front.typing
        now = self.options.clock.monotonic()
        if self._keys.swallow(event.key, event.character, now, typing=typing):
            return True
        if front is None:
            return False
        front.quiet()
        return typing and await front.type_key(event.key, event.character)

    def _blocks_answered(self, column: int) -> None:
        """The terminal said where the cursor stood after the marks were drawn."""
        if self.asks_for_blocks:
            self.asks_for_blocks = False
            if column == MARKS:
                self.painter.ascii = False
                self._restyle()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a text is being typed, keys are text."""
        front = self.front
        return action in self.SHUT or front is None or not front.typing

    async def action_place(self, mode: str) -> None:
        """Digits: another screen. Help and logs on top of the present one are closed."""
        while len(self.screen_stack) > 1:
            await self.pop_screen()
        if mode != self.current_mode:
            self.previous_place = self.current_mode
            await self.switch_mode(mode)

    async def action_last_place(self) -> None:
        """-: the screen before this one."""
        await self.action_place(self.previous_place)

    async def action_help(self) -> None:
        """?: every key."""
        from screens.help import HelpScreen

        front = self.front
        if front is not None and not isinstance(front, HelpScreen):
            await self.push_screen(HelpScreen(self.painter, front.WHERE))

    async def action_palette(self) -> None:
        """: or Ctrl+P."""
        from screens.palette import PaletteScreen

        if not isinstance(self.front, PaletteScreen):
            await self.push_screen(PaletteScreen(self.painter))

    def action_refresh_sources(self) -> None:
        """R: read every source now."""
        self.the_watch.refresh()
        self.say("reading every source")

    async def open_finding(self, finding: Finding) -> None:
        """Go to the Glance and open this finding there."""
        await self.action_place("glance")
        if isinstance(self.front, GlanceScreen):
            self.front.show_finding(finding.id)

    async def open_fleet(self, key: str, *, opened: bool) -> bool:
        """Go to the Fleet, to the row of this replica or service; False if it is gone."""
        from screens.fleet import FleetScreen

        before = self.current_mode
        await self.action_place("fleet")
        front = self.front
        if isinstance(front, FleetScreen) and front.go_to(key, opened=opened, back=before):
            return True
        await self.action_place(before)
        return False

    async def open_logs(self, key: str, *, previous: bool) -> None:
        """Follow the log of this replica, or of this service's replicas."""
        from screens.logs import LogsScreen

        fleet = self.snapshot.fleet
        if fleet is None or not (fleet.replica(key) or fleet.service(key)):
            self.say(f"{key} is gone, and its log with it")
            return
        await self.push_screen(LogsScreen(self.painter, key, previous=previous))

    async def command(self, text: str) -> None:
        """A command of the palette."""
        name, _, rest = text.partition(" ")
        if name == "q":
            self.exit(0)
        elif name == "theme":
            self.choose_look(rest)
        elif name == "mouse":
            self.report_mouse(not self.mouse_on)
        elif name == "read":
            self.action_refresh_sources()
        elif name == "write" and (front := self.front) is not None:
            front.action_write()

    # Looks and notices ------------------------------------------------------------------

    def choose_look(self, name: str) -> None:
        """`:theme NAME`."""
        if self.options.no_color and name != "plain":
            self.say("NO_COLOR is set, so there is only the plain theme")
        elif name not in THEMES:
            self.say(f"there is no theme {name}; there are {', '.join(THEMES)}")
        else:
            self.painter.look = load_look(name)
            self._wear(self.painter.look)
            self._restyle()

    def _wear(self, look: Look, *, first: bool = False) -> None:
        theme = textual_theme(look)
        self.register_theme(theme)
        if first and not look.ansi:
            # Before there is a screen, there is no stylesheet to make anew: 6 ms less.
            self.set_reactive(App.theme, theme.name)
        else:
            self.theme = theme.name

    def _restyle(self) -> None:
        self.redraw()
        for stack in self._screen_stacks.values():
            for screen in stack:
                if isinstance(screen, ConsoleScreen):
                    screen.restyle()

    def say(self, text: str) -> None:
        """A notice on the last line."""
        if (front := self.front) is not None:
            front.say(text)

    def on_done(self, event: Done) -> None:
        """Show the notice of something that was done aside."""
        self.say(event.text)

    def write(self, name: str, lines: list[str]) -> None:
        """Write lines into a file of the working directory, aside: a disk may hang."""
        from screens.save import save

        at = self.now()

        def job() -> None:
            try:
                text = f"written to {save(name, lines, at, Path.cwd())}"
            except OSError as error:
                text = f"could not write: {error.strerror}; start cofa where you may write"
            with contextlib.suppress(RuntimeError):
                self.post_message(Done(text))

        aside(job)

    def report_mouse(self, on: bool) -> None:
        """`:mouse`."""
        self.mouse_on = on
        if isinstance(self._driver, TerminalDriver):
            self._driver.report_mouse(on)
        self.say("the mouse selects rows" if on else "the mouse is the terminal's own")

    # The end ----------------------------------------------------------------------------

    async def action_quit(self) -> None:
        """Ctrl+Q, Ctrl+C."""
        self.exit(0)

    def on_unmount(self) -> None:
        """Let go of the watch; never wait for it."""
        self._unsubscribe()

    def _follow_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self.exit, 128 + number)

    def leave_from_thread(self) -> None:
        """The terminal has gone: end, from whichever thread noticed."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self.exit, GONE_EXIT)

    def _fatal_error(self) -> None:
        """A crash: end without Textual's traceback, whose locals may hold secrets.

        run_console raises it again, for the crash file.
        """
        self._close_messages_no_wait()

    def _fleet_screen(self) -> ConsoleScreen:
        """Made when it is first opened: 25 ms that the first paint need not wait for."""
        from screens.fleet import FleetScreen

        return FleetScreen(self.painter)

    def get_default_screen(self) -> Screen[Any]:
        """Never seen: the modes bring their own."""
        return GlanceScreen(self.painter)
