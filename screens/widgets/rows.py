"""Rows: a pane whose lines have identities, and one of them is selected."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import overload

from textual import events
from textual.message import Message

from console.present.lines import Line
from screens.look import Painter
from screens.widgets.pane import Pane


class LazyLines(Sequence[Line]):
    """Lines that are made when they are looked at: only what is on the screen costs."""

    def __init__(self, count: int, make: Callable[[int], Line]) -> None:
        self._count = count
        self._make = make
        self._made: dict[int, Line] = {}

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Line: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Line]: ...
    def __getitem__(self, index: int | slice) -> Line | Sequence[Line]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(self._count))]
        if not 0 <= index < self._count:
            raise IndexError(index)
        if index not in self._made:
            self._made[index] = self._make(index)
        return self._made[index]


class Rows(Pane):
    """A list with a cursor that stays on the same thing when the list changes."""

    class Selected(Message):
        """The cursor stands on another row."""

        def __init__(self, rows: "Rows") -> None:
            super().__init__()
            self.rows = rows

    def __init__(self, painter: Painter, *, id: str | None = None) -> None:
        super().__init__(painter, id=id)
        self._keys: Sequence[str] = ()
        self._index = 0
        self.selected: str | None = None
        """Identity of the selected row; None in an empty list."""
        self.active = True
        """Whether its cursor is shown: another pane may have the keys."""

    @property
    def cursor(self) -> int | None:
        return self._index if self.active and self.selected is not None else None

    @property
    def keys(self) -> Sequence[str]:
        """Identities of all rows."""
        return self._keys

    @property
    def visible_keys(self) -> Sequence[str]:
        """Identities of the rows that can be seen."""
        return [self._keys[index] for index in self.in_sight]

    def show_rows(self, keys: Sequence[str], make: Callable[[int], Line]) -> None:
        """Show these rows; `make` gives the line of one. The selection stays where it was.

        A row whose key is empty cannot be selected: it belongs to the one above.

        If the selected row is gone, the row that has its place now is selected.
        """
        before = self.selected
        self._keys = keys
        if self.selected in keys:
            self._index = keys.index(self.selected)
        self._select(self._index, notify=False)
        self.show(LazyLines(len(keys), make))
        self._follow()
        if self.selected != before:
            self.post_message(self.Selected(self))

    def select(self, key: str) -> bool:
        """Select the row with this identity; False if there is none."""
        if key not in self._keys:
            return False
        self._select(self._keys.index(key))
        self._follow()
        return True

    def move(self, by: int) -> None:
        """Move the cursor."""
        self._select(self._index + by, towards=by)
        self._follow()

    def set_active(self, active: bool) -> None:
        """Show or hide the cursor."""
        self.active = active
        self.repaint_changes()

    def _select(self, index: int, *, towards: int = 1, notify: bool = True) -> None:
        before = self.selected
        found = self._selectable(max(0, min(index, len(self._keys) - 1)), towards)
        if found is None:
            self.selected = None
        else:
            self._index, self.selected = found, self._keys[found]
        if notify and self.selected != before:
            self.post_message(self.Selected(self))

    def _selectable(self, index: int, towards: int) -> int | None:
        """The nearest row that can be selected, first in the direction of the move."""
        if not self._keys:
            return None
        onwards = range(index, len(self._keys)) if towards >= 0 else range(index, -1, -1)
        back = range(index, -1, -1) if towards >= 0 else range(index, len(self._keys))
        return next((at for at in chain(onwards, back) if self._keys[at]), None)

    def _follow(self) -> None:
        """Bring the selected row into sight, with the rows that belong to it."""
        rows = max(1, self.rows)
        last = self._index
        while last + 1 < len(self._keys) and not self._keys[last + 1]:
            last += 1
        if self._index < self.first:
            self.scroll_lines(self._index - self.first)
        elif last >= self.first + rows:
            self.scroll_lines(min(last - rows + 1, self._index) - self.first)
        else:
            self.repaint_changes()

    def on_resize(self, event: events.Resize) -> None:
        """Keep the cursor in sight."""
        self._follow()
        self.post_message(self.Fitted(self))
