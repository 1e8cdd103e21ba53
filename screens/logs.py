"""Logs: of one replica, or of a whole service's replicas merged; live, or before the crash."""

import contextlib
from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import Final

from textual.message import Message
from textual.widget import Widget

from console.model.fleet import LogLine, Replica
from console.present.labels import replica_label
from console.present.lines import Line, Segment, line, plain
from console.present.units import plural
from console.watch import LogTail
from screens.aside import aside
from screens.base import ConsoleScreen, bindings
from screens.keymap import Where
from screens.logbook import KEPT, Entry, Logbook
from screens.look import Painter
from screens.widgets.pane import Pane
from screens.widgets.rows import LazyLines

TAIL: Final = 200
"""Lines of the past that are read first, per replica."""
FLUSH_EVERY: Final = 0.25
"""Seconds between two repaints: a log may bring thousands of lines a second."""


class LinesArrived(Message):
    """There is something in the inbox."""


class LogsScreen(ConsoleScreen, inherit_bindings=False):
    """Follows one key: a replica's name, or a service's."""

    WHERE = Where.LOGS
    BINDINGS = bindings(Where.LOGS)

    def __init__(self, painter: Painter, key: str, *, previous: bool) -> None:
        super().__init__(painter)
        self._key = key
        self._previous = previous
        self._pane = Pane(painter, id="log")
        self._book = Logbook()
        self._inbox: deque[Entry] = deque(maxlen=KEPT)
        self._waiting = False
        self._flushing = False
        self._tails: list[LogTail] = []
        self._followed: set[tuple[str, float | None]] = set()
        self._paused = False
        self._following = True
        self._at_hit = -1

    # The log ------------------------------------------------------------------------

    def _replicas(self) -> tuple[Replica, ...]:
        fleet = self.snapshot.fleet
        if fleet is None:
            return ()
        service = fleet.service(self._key)
        if service is not None:
            return service.replicas
        replica = fleet.replica(self._key)
        return (replica,) if replica is not None else ()

    def _follow(self) -> None:
        """Follow what is not followed yet: at first, and when a replica starts again."""
        new = [
            replica
            for replica in self._replicas()
            if (replica.id, replica.started_at) not in self._followed
        ]
        if not new or (self._previous and self._followed):
            return
        known = {identity for identity, _ in self._followed}
        self._book.twice |= {replica.name for replica in new if replica.id in known}
        self._followed |= {(replica.id, replica.started_at) for replica in new}
        self._shorten(new)
        self._tails.append(
            self.cofa.the_watch.follow_logs(new, self._take, previous=self._previous, tail=TAIL)
        )

    def _shorten(self, new: Iterable[Replica]) -> None:
        fleet = self.snapshot.fleet
        for replica in new:
            service = fleet.service(replica.service) if fleet else None
            self._book.names.setdefault(replica.name, replica_label(replica, service))

    def _take(self, lines: tuple[LogLine, ...], message: str) -> None:
        """Called from the watch's threads."""
        self._inbox.extend(Entry(each.text, each.replica, each.at) for each in lines)
        if message:
            self._inbox.append(Entry(message))
        if not self._waiting:
            self._waiting = True
            with contextlib.suppress(RuntimeError):  # the loop may have closed meanwhile
                self.post_message(LinesArrived())

    def on_lines_arrived(self) -> None:
        """Show at once what came, then not more often than is worth painting."""
        self._waiting = False
        if self._paused:
            self.draw_frame()
        elif not self._flushing:
            self._flushing = True
            self._flush()
            self.set_timer(FLUSH_EVERY, self._flushed)

    def _flushed(self) -> None:
        self._flushing = False
        if self._inbox:
            self.on_lines_arrived()

    def _flush(self) -> None:
        came = [self._inbox.popleft() for _ in range(len(self._inbox))]
        gone = self._book.add(came)
        self._pane.first = max(0, self._pane.first - gone)
        self._show()

    # Drawing --------------------------------------------------------------------------

    def body(self) -> Iterable[Widget]:
        """The log."""
        return (self._pane,)

    def path(self) -> tuple[str, ...]:
        """``Fleet / backend-9 / before the crash``."""
        label = next(iter(self._book.names.values()), self._key)
        if len(self._book.names) > 1:
            label = self._key.rpartition("/")[2]
        return ("Fleet", label, "before the crash" if self._previous else "logs")

    def pane(self) -> Pane:
        """The log scrolls."""
        return self._pane

    def draw_body(self) -> None:
        """Follow replicas that started since; fit the width."""
        self._follow()
        if self._book.columns != self.size.width:
            self._book.fit(self.size.width, wrap=self._book.wrap)
        self._show()

    def _show(self) -> None:
        pane = self._pane
        if self._following and not self._paused:
            pane.first = max(0, len(self._book.rows) - max(1, pane.rows))
        if self._book.rows:
            pane.show(LazyLines(len(self._book.rows), self._book.row))
        else:
            pane.show((line(Segment("  no lines yet", "dim")),))
        self.draw_frame()

    def rule(self, columns: int) -> Line:
        """Whether it follows, what is searched, how much there is."""
        book = self._book
        if self._paused:
            state = f"paused, {len(self._inbox)} new"
        elif self._previous:
            state = "ended"
        else:
            state = "follows" if self._following else "scrolled back, G follows again"
        if book.wanted:
            found = f"{self._at_hit + 1} of " if self._at_hit >= 0 else ""
            state += f'  "{book.wanted}" {found}{len(book.hits)}'
        return self.painter.rule(columns, state, plural(len(book.entries), "line"))

    def idle_actions(self) -> frozenset[str]:
        """n and N need something that was found; q says that it leads back."""
        return super().idle_actions() | (set() if self._book.hits else {"hit(1)", "hit(-1)"})

    def copied(self) -> str:
        """What is on the screen."""
        return "\n".join(plain(self._book.rows[i]) for i in self._pane.in_sight if self._book.rows)

    def written(self) -> list[str]:
        """The whole log, not only what is on the screen."""
        return [entry.whole for entry in self._book.entries]

    # Actions --------------------------------------------------------------------------

    def moved(self) -> None:
        """Scrolling back stops following; the last line follows again."""
        self._following = self._pane.first + max(1, self._pane.rows) >= len(self._book.rows)
        self.draw_frame()

    def action_pause(self) -> None:
        """P: hold what is on the screen; what comes meanwhile is kept."""
        self._paused = not self._paused
        if not self._paused:
            self._flush()
        self.draw_frame()

    def action_filter(self) -> None:
        """/: search."""
        self.prompt.open("/", self._book.wanted)
        self.draw_keys()

    async def filtered(self, text: str, *, done: bool) -> None:
        """Mark what is found; Enter goes to the newest place above."""
        self._book.search(text)
        self._at_hit = -1
        if done and self._book.hits:
            self._go_to(len(self._book.hits) - 1)
        self._show()
        self.draw_keys()

    def action_hit(self, by: int) -> None:
        """n, N: to the next place found, round and round."""
        hits = self._book.hits
        if hits:
            self._go_to((self._at_hit + by) % len(hits))

    def _go_to(self, hit: int) -> None:
        self._at_hit = hit
        self._following = False
        self._pane.first = max(0, self._book.hits[hit] - self._pane.rows // 2)
        self._show()

    async def action_back(self) -> None:
        """Esc: clears the search, then leaves."""
        if self.prompt.is_open or self._book.wanted:
            self.prompt.shut()
            self._book.search("")
            self._show()
            self.draw_keys()
        else:
            self.app.pop_screen()

    def action_wrap(self) -> None:
        """W: wrap or cut long lines."""
        self._book.fit(self.size.width, wrap=not self._book.wrap)
        self._show()

    def action_crash_logs(self) -> None:
        """L: between the present instance and the one before."""
        self._let_go()
        self._previous = not self._previous
        self._book = Logbook(columns=self.size.width, wrap=self._book.wrap)
        self._inbox.clear()
        self._followed.clear()
        self._following, self._paused, self._at_hit = True, False, -1
        self.draw()

    def on_unmount(self) -> None:
        """Stop following."""
        self._let_go()

    def _let_go(self) -> None:
        """A tail that hangs while it is closed must not hold anything up."""
        for tail in self._tails:
            aside(partial(_close, tail))
        self._tails = []


def _close(tail: LogTail) -> None:
    tail.close()
