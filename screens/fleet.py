"""Fleet: services and replicas in one table, and everything about the selected one."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from textual.widget import Widget

from console.model.fleet import Usage
from console.present.fleet import FleetTable
from console.present.fleet_detail import replica_detail, service_detail
from console.present.labels import replica_label
from console.present.lines import Line, Segment, line
from console.present.replica import service_label
from screens.base import ConsoleScreen, bindings
from screens.keymap import Where
from screens.look import Painter
from screens.tree import Row, Troubles, View, replica_key, rows, service_key
from screens.widgets.pane import Pane
from screens.widgets.rows import Rows

SUMMARY_ROWS: Final = 8
"""Rows of the pane below the table, with its title."""
LOOKED_AT_MOST: Final = 60
"""Replicas whose usage is read at once: each is a call to the engine."""


class FleetScreen(ConsoleScreen, inherit_bindings=False):
    """The second screen."""

    WHERE = Where.FLEET
    BINDINGS = bindings(Where.FLEET)

    def __init__(self, painter: Painter) -> None:
        super().__init__(painter)
        self._heading = Pane(painter, id="heading")
        self._table = Rows(painter, id="table")
        self._summary = Pane(painter, id="summary")
        self._list = Widget(self._heading, self._table, self._summary, id="list")
        self._detail = Pane(painter, id="detail")
        self._view = View()
        self._rows: Mapping[str, Row] = {}
        self._troubles = Troubles({}, {})
        self._opened = False
        self._came_from: tuple[str, str] | None = None
        """The screen that led here, and the row it led to: Esc goes back there."""
        self._looked_at: tuple[str, ...] = ()
        self._room = 0
        """Columns of the detail."""

    def body(self) -> Iterable[Widget]:
        """The table, and the pane beside or instead of it."""
        return (self._list, self._detail)

    @property
    def selected(self) -> Row | None:
        """The row under the cursor."""
        return self._rows.get(self._table.selected or "")

    def path(self) -> tuple[str, ...]:
        """``Fleet``, or ``Fleet / backend-9`` while it is open."""
        row = self.selected
        if not self._opened or row is None:
            return ("Fleet",)
        return ("Fleet", self._label(row))

    def pane(self) -> Pane:
        """The detail while it is open."""
        return self._detail if self._opened else self._table

    def idle_actions(self) -> frozenset[str]:
        """Without a row there is nothing to open or follow; Esc needs something to leave."""
        idle = set() if self._opened or self._view.filter or self._came_from else {"back"}
        if self.selected is None:
            idle |= {"logs", "crash_logs"}
        if self.selected is None or self._opened:
            idle.add("open")
        return frozenset(idle)

    def copied(self) -> str:
        """The name as people type it."""
        row = self.selected
        if row is None:
            return ""
        return row.replica.name if row.replica else row.service.key

    # Drawing ------------------------------------------------------------------------

    @property
    def _usage(self) -> Mapping[str, Usage]:
        source = self.snapshot.readings.usage
        return (source.value if source else None) or {}

    def draw_body(self) -> None:
        """The table, then what belongs to the selected row."""
        columns, self._room = self.place_panes(self._list, self._detail, opened=self._opened)
        self._summary.display = not self.wide
        self._troubles = Troubles.of(self.snapshot)
        shown = rows(self.snapshot, self._view, self._usage, self._troubles)
        self._rows = {row.key: row for row in shown}
        metrics = self.snapshot.readings.metrics
        table = FleetTable(
            columns, self.cofa.now(), self._usage, metrics.value if metrics else None
        )
        self._heading.show((table.header(),))
        if shown:
            self._table.show_rows(list(self._rows), lambda at: self._row(table, shown[at]))
        else:
            self._table.show_rows(("",), lambda _: line(Segment(self._none(), "dim")))
        self.draw_selected()
        self._look()
        self.draw_frame()

    def _row(self, table: FleetTable, row: Row) -> Line:
        if row.replica is None:
            worst = self._troubles.worst(row.service)
            label = service_label(self.snapshot.fleet, row.service)
            return table.service(row.service, worst, folded=row.folded, label=label)
        finding = self._troubles.replicas.get(row.replica.name)
        label = replica_label(row.replica, row.service)
        return table.replica(row.replica, finding, role=row.service.role, label=label)

    def _label(self, row: Row | None) -> str:
        if row is None:
            return ""
        if row.replica is not None:
            return replica_label(row.replica, row.service)
        return service_label(self.snapshot.fleet, row.service)

    def _about(self, row: Row | None, columns: int) -> tuple[Line, ...]:
        """Everything that is known of a row; the first lines are the summary."""
        now, known = self.cofa.now(), self.snapshot
        if row is None:
            return (line(Segment(" nothing is selected", "dim")),)
        if row.replica is not None:
            return replica_detail(row.replica, row.service, known, now=now, columns=columns)
        return service_detail(row.service, known, now=now, columns=columns)

    def _none(self) -> str:
        fleet = self.snapshot.fleet
        if fleet is None:
            source = self.snapshot.readings.fleet
            failure = source.failure if source else None
            return f"  {failure}" if failure else "  the engine has not answered yet"
        if self._view.filter:
            return f'  nothing contains "{self._view.filter}"; Esc clears the filter'
        if self._view.faults:
            return "  no service or replica is in trouble; F shows everything"
        return "  nothing runs here: services and their replicas would stand here"

    def draw_selected(self) -> None:
        """The selected row in short below the table, or in full beside or instead of it."""
        row = self.selected
        columns = self.size.width
        if self._summary.display:
            title = self.painter.rule(columns, self._label(row))
            self._summary.show((title, *self._about(row, columns)[: SUMMARY_ROWS - 1]))
        if self._detail.display:
            self._detail.show(self._about(row, self._room))

    def _look(self) -> None:
        """Have the usage read of what can be seen, and of nothing else."""
        ids: dict[str, None] = {}
        for key in self._table.visible_keys:
            row = self._rows.get(key)
            if row is None:
                continue
            seen = (row.replica,) if row.replica else row.service.current if row.folded else ()
            for replica in seen if len(seen) <= 5 else ():
                ids[replica.id] = None
        wanted = tuple(ids)[:LOOKED_AT_MOST]
        if wanted != self._looked_at:
            self._looked_at = wanted
            self.cofa.the_watch.look_at(wanted)

    def rule(self, columns: int) -> Line:
        """What the table leaves out, how it is sorted, where in it one is."""
        view = self._view
        words = [f"by {view.order}"] if view.order != "trouble" else []
        words += ["faults only"] if view.faults else []
        words += [f'filter "{view.filter}"'] if view.filter else []
        return self.painter.rule(columns, "  ".join(words), self.pane().position)

    # Moving about -------------------------------------------------------------------

    def go_to(self, key: str, *, opened: bool, back: str) -> bool:
        """Select this replica (by name) or service (by key); False if it is gone.

        What hides it gives way: the filter, faults only, the fold. `back` is the screen to
        which Esc returns.
        """
        fleet = self.snapshot.fleet
        replica = fleet.replica(key) if fleet else None
        service = fleet.service(replica.service if replica else key) if fleet else None
        if service is None:
            return False
        folds = {**self._view.folds, service.key: False} if replica else self._view.folds
        self._view = replace(self._view, filter="", faults=False, folds=folds)
        self._set_opened(opened)
        self.draw()
        row = replica_key(replica.name) if replica else service_key(service.key)
        self._came_from = (back, row) if back != "fleet" else None
        return self._table.select(row)

    def _set_opened(self, opened: bool) -> None:
        self._opened = opened
        self._detail.first = 0
        self._table.set_active(not opened or not self.wide)

    def on_rows_selected(self, event: Rows.Selected) -> None:
        """Another row: its detail."""
        event.stop()
        self._detail.first = 0
        self.draw_selected()
        self.draw_frame()
        self.draw_keys()

    def on_pane_clicked(self, event: Pane.Clicked) -> None:
        """A click selects."""
        event.stop()
        if event.pane is self._table and (key := self._table.keys[event.index]):
            self._table.select(key)

    def moved(self) -> None:
        """Moving may bring other replicas into sight."""
        self._look()
        self.draw_frame()

    def action_open(self) -> None:
        """Enter: a folded service unfolds, anything else opens."""
        row = self.selected
        if row is None or self._opened:
            return
        if row.replica is None and row.folded and row.service.replicas:
            self.action_fold(False)
            return
        self._set_opened(True)
        self.draw()

    def action_fold(self, folded: bool) -> None:
        """Left and Right; on a replica Left goes to its service and folds that."""
        row = self.selected
        if row is None or self._opened:
            return
        folds = {**self._view.folds, row.service.key: folded}
        self._view = replace(self._view, folds=folds)
        if folded:
            self._table.select(service_key(row.service.key))
        self.draw()

    async def action_back(self) -> None:
        """Esc: clears the filter, then closes the pane, then leaves."""
        back = self._came_from
        if self.prompt.is_open or self._view.filter:
            self.prompt.shut()
            self._view = replace(self._view, filter="")
        elif back is not None and back[1] == self._table.selected:
            self._came_from = None
            self._set_opened(False)
            await self.cofa.action_place(back[0])
            return
        elif self._opened:
            self._set_opened(False)
        elif back is not None:
            self._came_from = None
            await self.cofa.action_place(back[0])
            return
        self.draw()

    def action_next_pane(self) -> None:
        """Tab: between the table and the detail."""
        if self.selected is not None:
            self._set_opened(not self._opened)
            self.draw()

    def action_faults(self) -> None:
        """F: only what is in trouble."""
        self._view = replace(self._view, faults=not self._view.faults)
        self.draw()

    def action_sort(self) -> None:
        """s: by the next column."""
        self._view = replace(self._view, order=self._view.order.next())
        self.draw()

    def action_filter(self) -> None:
        """/: what a service or replica must contain."""
        self._set_opened(False)
        self.prompt.open("/", self._view.filter)
        self.draw()

    async def filtered(self, text: str, *, done: bool) -> None:
        """Show what contains the text, key by key."""
        self._view = replace(self._view, filter=text)
        self.draw()

    async def action_logs(self) -> None:
        """l: its log, or its replicas' logs merged."""
        if (key := self.copied()) != "" or self.selected is not None:
            await self.cofa.open_logs(key, previous=False)

    async def action_crash_logs(self) -> None:
        """L: the log of the instance before."""
        if (key := self.copied()) != "" or self.selected is not None:
            await self.cofa.open_logs(key, previous=True)

    def on_screen_suspend(self) -> None:
        """Out of sight: no usage needs to be read."""
        self._looked_at = ()
        self.cofa.the_watch.look_at(())
