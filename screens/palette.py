"""The palette: jump to a screen, service, replica or finding, or give a command."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.widget import Widget

from console.model.findings import Finding
from console.model.snapshot import Snapshot
from console.present.columns import cut, left, width
from console.present.lines import Line, Segment, line
from screens import keymap
from screens.base import ConsoleScreen, bindings
from screens.fuzzy import score
from screens.help import COMMANDS
from screens.keymap import Where
from screens.look import Painter
from screens.options import THEMES
from screens.widgets.pane import Pane
from screens.widgets.rows import Rows

if TYPE_CHECKING:
    from screens.app import CofaApp

SHOWN_MOST = 200
_KIND_COLUMNS = 9
_BEHIND = {"replica": 20, "finding": 40}
"""Points by which a kind comes behind others that match as well."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to jump to or to do."""

    kind: str
    name: str
    about: str
    go: Callable[["CofaApp"], Awaitable[object]]
    alias: str = ""
    """Another name that it is found by, as well as by its own."""

    @property
    def key(self) -> str:
        """Its identity."""
        return f"{self.kind} {self.name}"


def entries(snapshot: Snapshot) -> Iterator[Entry]:
    """All that the palette offers: screens, commands, then what the Snapshot holds."""
    for place in keymap.PLACES:
        yield Entry("screen", place.name, place.help, _place(place.mode))
    for name, about in COMMANDS:
        for whole in (f"theme {theme}" for theme in THEMES) if "NAME" in name else (name,):
            yield Entry("command", whole, about, _command(whole))
    for finding in snapshot.findings:
        yield Entry("finding", finding.id, finding.summary, _finding(finding))
    for service in snapshot.fleet.services if snapshot.fleet else ():
        yield Entry("service", service.key, "", _fleet(service.key), service.name)
        for replica in service.replicas:
            yield Entry("replica", replica.name, service.name, _fleet(replica.name))


def matching(query: str, offered: Iterable[Entry]) -> list[Entry]:
    """The entries that match, best first; a command's own name wins."""
    wanted = query.strip().removeprefix(":")
    found = [(points, entry) for entry in offered if (points := _points(wanted, entry)) is not None]
    found.sort(key=lambda pair: -pair[0])
    return [entry for _, entry in found[:SHOWN_MOST]]


def _points(wanted: str, entry: Entry) -> int | None:
    """How well it matches: its names first, then (from three letters on) what it is about."""
    found = [score(wanted, entry.name), score(wanted, entry.alias) if entry.alias else None]
    by_name = max((points for points in found if points is not None), default=None)
    if by_name is not None:
        return by_name - _BEHIND.get(entry.kind, 0)
    by_text = score(wanted, entry.about) if len(wanted) > 2 else None
    return by_text // 4 if by_text is not None and by_text >= 300 else None


class PaletteScreen(ConsoleScreen, inherit_bindings=False):
    """A field, and what matches it."""

    WHERE = Where.PALETTE
    BINDINGS = bindings(Where.PALETTE)
    WHILE_TYPING = frozenset({"back", "choose", "choose_page"})

    def __init__(self, painter: Painter) -> None:
        super().__init__(painter)
        self._list = Rows(painter, id="matches")
        self._found: dict[str, Entry] = {}
        self._typed = ""
        self.prompt.open(":")

    def body(self) -> Iterable[Widget]:
        """What matches."""
        return (self._list,)

    def path(self) -> tuple[str, ...]:
        """``go to``."""
        return ("go to",)

    def pane(self) -> Pane:
        """The list."""
        return self._list

    def draw_body(self) -> None:
        """The list follows the Snapshot: what is gone is no longer offered."""
        self._show(self.prompt.text)

    async def filtered(self, text: str, *, done: bool) -> None:
        """Narrow the list; Enter goes."""
        self._show(text)
        if not done:
            return
        app, chosen = self.cofa, self._found.get(self._list.selected or "")
        self.app.pop_screen()
        if chosen is None:
            app.say(f"there is no {text.strip()} to go to")
        else:
            await chosen.go(app)

    def _show(self, text: str) -> None:
        found = matching(text, entries(self.snapshot))
        self._found = {entry.key: entry for entry in found}
        if text != self._typed:
            self._typed = text
            self._list.selected = None
            self._list.top()
        listed = list(self._found.values())
        if not listed:
            self._list.show_rows(("",), lambda _: line(Segment("  nothing matches", "dim")))
            return
        columns = self.size.width
        names = min(max(width(entry.name) for entry in listed), 40, columns // 2)
        self._list.show_rows([e.key for e in listed], lambda at: _row(listed[at], names, columns))

    def action_choose(self, by: int) -> None:
        """Up and Down, while the text is being typed."""
        self._list.move(by)

    def action_choose_page(self, by: int) -> None:
        """PgUp and PgDn."""
        self._list.page(by)

    async def action_back(self) -> None:
        """Esc: back to where one was."""
        self.app.pop_screen()


def _row(entry: Entry, names: int, columns: int) -> Line:
    """One match; its name in `names` columns."""
    name = left(entry.name, names)
    room = columns - _KIND_COLUMNS - names - 4
    about = Segment(cut(entry.about, max(0, room)), "dim")
    return line(f" {left(entry.kind, _KIND_COLUMNS)} ", Segment(name, "bold"), "  ", about)


def _place(mode: str) -> Callable[["CofaApp"], Awaitable[object]]:
    return lambda app: app.action_place(mode)


def _finding(finding: Finding) -> Callable[["CofaApp"], Awaitable[object]]:
    return lambda app: app.open_finding(finding)


def _fleet(key: str) -> Callable[["CofaApp"], Awaitable[object]]:
    return lambda app: app.open_fleet(key, opened=False)


def _command(text: str) -> Callable[["CofaApp"], Awaitable[object]]:
    return lambda app: app.command(text)
