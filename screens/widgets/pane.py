"""A pane: lines of text, scrolled by whole lines, repainted line by line."""

from collections.abc import Sequence

from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from console.present.lines import Line
from screens.look import Painter


class Pane(Widget):
    """Shows lines. Cost follows what changed: a line with the same text is not repainted.

    It takes no focus and knows no keys: its screen moves it.
    """

    DEFAULT_CSS = "Pane { width: 1fr; height: 1fr; }"

    class Clicked(Message):
        """A line was clicked (where mouse reporting was turned on)."""

        def __init__(self, pane: "Pane", index: int) -> None:
            super().__init__()
            self.pane = pane
            self.index = index

    class Fitted(Message):
        """It has another size: other lines are in sight."""

        def __init__(self, pane: "Pane") -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, painter: Painter, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._painter = painter
        self._lines: Sequence[Line] = ()
        self._painted: list[tuple[Line, bool]] = []
        self.first = 0
        """Index of the line at the top."""

    @property
    def lines(self) -> Sequence[Line]:
        """All its lines."""
        return self._lines

    @property
    def rows(self) -> int:
        """How many lines fit."""
        return self.size.height

    @property
    def cursor(self) -> int | None:
        """Index of the selected line; a plain pane has none."""
        return None

    @property
    def in_sight(self) -> range:
        """Indices of the lines that can be seen."""
        return range(self.first, min(len(self._lines), self.first + max(1, self.rows)))

    @property
    def position(self) -> str:
        """Which lines are in sight, ``1-20 of 31``; empty where all are."""
        seen, count = self.in_sight, len(self._lines)
        return f"{seen.start + 1}-{seen.stop} of {count}" if len(seen) < count else ""

    def show(self, lines: Sequence[Line]) -> None:
        """Show these lines; repaints where they differ."""
        self._lines = lines
        self.scroll_lines(0)

    def scroll_lines(self, by: int) -> None:
        """Scroll `by` lines, within what there is."""
        last = max(0, len(self._lines) - max(1, self.rows))
        self.first = max(0, min(last, self.first + by))
        self.repaint_changes()

    def move(self, by: int) -> None:
        """What the arrows do: here they scroll."""
        self.scroll_lines(by)

    def page(self, by: int) -> None:
        """Move by whole pages, with one line kept."""
        self.move(by * max(1, self.rows - 1))

    def top(self) -> None:
        """To the first line."""
        self.move(-len(self._lines))

    def bottom(self) -> None:
        """To the last line."""
        self.move(len(self._lines))

    def repaint_changes(self) -> None:
        """Ask for a repaint of the lines that are not on the screen as they are now."""
        height, width = self.size.height, self.size.width
        now = [self._at(y) for y in range(height)]
        before = self._painted
        if len(before) != height:
            self._painted = now
            self.refresh()
            return
        changed = [y for y in range(height) if now[y] != before[y]]
        self._painted = now
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def restyle(self) -> None:
        """Repaint everything: the look has changed."""
        self._painted = []
        self.refresh()

    def _at(self, y: int) -> tuple[Line, bool]:
        index = self.first + y
        if index >= len(self._lines):
            return ((), False)
        return (self._lines[index], index == self.cursor)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The strips of a region, straight from the lines (Textual's cache is not needed)."""
        width = self.size.width
        strips = []
        for y in range(crop.y, crop.bottom):
            line, cursor = self._painted[y] if y < len(self._painted) else self._at(y)
            strip = self._painter.strip(line, width, cursor=cursor)
            strips.append(strip.crop(crop.x, crop.right))
        return strips

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """As wide as it may be."""
        return container.width

    def on_resize(self, event: events.Resize) -> None:
        """Lines may have come into sight."""
        self.scroll_lines(0)
        self.post_message(self.Fitted(self))

    def on_click(self, event: events.Click) -> None:
        """Say which line was clicked."""
        if self.first + event.y < len(self._lines):
            self.post_message(self.Clicked(self, self.first + event.y))

    def on_mouse_scroll_down(self) -> None:
        """Three lines down."""
        self.move(3)

    def on_mouse_scroll_up(self) -> None:
        """Three lines up."""
        self.move(-3)
