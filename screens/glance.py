"""Glance: whether production is well, what is wrong since when, what changed, the vitals."""

from collections.abc import Iterable, Sequence
from typing import Final

from textual.widget import Widget

from console.model.findings import Finding, PlaceKind, Word
from console.present.columns import cut
from console.present.finding import FindingColumns, detail, evidence_lines
from console.present.glance import change_lines, finding_groups, vital_lines
from console.present.lines import Line, Segment, line
from screens import keymap
from screens.base import ConsoleScreen, bindings
from screens.keymap import Where
from screens.look import Painter
from screens.widgets.pane import Pane
from screens.widgets.rows import Rows

CHANGES_LEAST: Final = 3
CHANGES_MOST: Final = 12
EVIDENCE_LEAST: Final = 4
"""Lines: a heading, two of evidence, and a blank one."""
IN_FLEET: Final = (PlaceKind.REPLICA, PlaceKind.SERVICE)


class GlanceScreen(ConsoleScreen, inherit_bindings=False):
    """The first screen."""

    WHERE = Where.GLANCE
    BINDINGS = bindings(Where.GLANCE)

    def __init__(self, painter: Painter) -> None:
        super().__init__(painter)
        self._heading = Pane(painter, id="heading")
        self._findings = Rows(painter, id="findings")
        self._lower = Pane(painter, id="lower")
        self._list = Widget(self._heading, self._findings, self._lower, id="list")
        self._detail = Pane(painter, id="detail")
        self._opened = False
        self._filter = ""
        self._room = 0
        """Columns of the detail."""

    def body(self) -> Iterable[Widget]:
        """The list, and the pane beside or instead of it."""
        return (self._list, self._detail)

    @property
    def selected(self) -> Finding | None:
        """The finding under the cursor."""
        key = self._findings.selected
        return next((f for f in self.snapshot.findings if f.id == key), None)

    def path(self) -> tuple[str, ...]:
        """``Glance / finding`` where one is opened."""
        return ("Glance", "finding") if self._opened else ("Glance",)

    def pane(self) -> Pane:
        """The detail while it is open."""
        return self._detail if self._opened else self._findings

    def idle_actions(self) -> frozenset[str]:
        """Enter and logs need a finding, logs one that is about replicas; Esc what it closes."""
        finding = self.selected
        idle = set() if self._opened or self._filter else {"back"}
        if finding is None or self._opened:
            idle.add("open")
        if finding is None or finding.place.kind not in IN_FLEET:
            idle |= {"logs", "crash_logs"}
        return frozenset(idle)

    def copied(self) -> str:
        """The finding with its evidence."""
        finding = self.selected
        if finding is None:
            return ""
        first = f"{finding.severity} {finding.summary} ({finding.id})"
        return "\n".join((first, *finding.evidence))

    # Drawing ------------------------------------------------------------------------

    def draw_body(self) -> None:
        """Findings, changes, vitals; the selected finding beside them where there is room."""
        columns, self._room = self.place_panes(self._list, self._detail, opened=self._opened)
        vitals = vital_lines(
            self.snapshot, columns, now=self.cofa.now(), ascii_only=self.painter.ascii
        )
        # Line 1, the verdict, the rule, the heading, the other screens and the keys stay.
        room = self.size.height - 6 - len(vitals)
        least = 1 + max(1, min(CHANGES_LEAST, len(self.snapshot.changes)))
        most = max(1, room - least)
        shown = min(self._draw_findings(self._shown_findings(), columns, most), most)
        self._findings.styles.height = shown
        self._draw_lower(vitals, room - shown, columns)
        self.draw_detail()

    def _shown_findings(self) -> list[Finding]:
        wanted = self._filter.casefold()
        return [
            finding
            for finding in self.snapshot.findings
            if wanted in f"{finding.severity} {finding.subject} {finding.summary}".casefold()
        ]

    def _draw_findings(self, findings: Sequence[Finding], columns: int, most: int) -> int:
        """Show the list, long summaries whole where that takes `most` lines; gives its lines."""
        now = self.cofa.now()
        widths = FindingColumns.of(findings, columns)
        self._heading.show((widths.header(),))
        if not findings:
            self._findings.show_rows(("",), lambda _: line(Segment(self._none(), "dim")))
            return 1
        keys: list[str] = []
        made: list[Line] = []
        changes = self.snapshot.changes
        groups = finding_groups(findings, changes, widths, now=now, most=most)
        for finding, group in zip(findings, groups, strict=True):
            keys += [finding.id] + [""] * (len(group) - 1)
            made += group
        self._findings.show_rows(keys, made.__getitem__)
        return len(keys)

    def _none(self) -> str:
        if self._filter:
            return f'  none of {len(self.snapshot.findings)} contains "{self._filter}"; Esc clears'
        verdict = self.snapshot.verdict
        if verdict.reading:
            return "  none so far: not every source has answered yet"
        if verdict.word is Word.UNKNOWN:
            return "  none seen, but not every source is seen: this is no all-clear"
        return "  none: whatever needs attention would stand here"

    def _draw_lower(self, vitals: Sequence[Line], room: int, columns: int) -> None:
        """Changes, vitals, the other screens; what is left of `room` between them is blank."""
        most = max(1, min(CHANGES_MOST, room - 1))
        now = self.cofa.now()
        changes = change_lines(self.snapshot.changes, columns, now=now, most=most)
        evidence = self._evidence(room - len(changes), columns)
        blank: tuple[Line, ...] = ((),) * (room - len(changes) - len(evidence))
        places = line(Segment(f" {keymap.places()}", "dim"))
        self._lower.show((*changes, *vitals, *evidence, *blank, places))

    def _evidence(self, room: int, columns: int) -> tuple[Line, ...]:
        """What proves the selected finding, where nothing else needs the lines."""
        finding = self.selected
        if finding is None or not finding.evidence:
            return ()
        if self.wide or self._opened or room < EVIDENCE_LEAST:
            return ()
        head = line(Segment(cut(f" evidence of {finding.id}", columns), "dim"))
        lines = evidence_lines(finding, columns - 1)
        return (head, *lines[: room - 2])

    def draw_detail(self) -> None:
        """The selected finding in full."""
        if not self._detail.display:
            return
        finding = self.selected
        if finding is None:
            self._detail.show((line(Segment(cut(" nothing is selected", self._room), "dim")),))
            return
        lines = detail(finding, self.snapshot.changes, now=self.cofa.now(), columns=self._room - 2)
        self._detail.show([(Segment(" "), *each) for each in lines])

    def rule(self, columns: int) -> Line:
        """Says what is filtered, and which lines are in sight where not all are."""
        title = f'findings with "{self._filter}"' if self._filter else ""
        return self.painter.rule(columns, title, self.pane().position)

    # Actions ------------------------------------------------------------------------

    def on_rows_selected(self, event: Rows.Selected) -> None:
        """Another finding: its detail, its keys."""
        event.stop()
        self._detail.first = 0
        self.draw()

    def on_pane_clicked(self, event: Pane.Clicked) -> None:
        """A click selects."""
        event.stop()
        if event.pane is self._findings and (key := self._findings.keys[event.index]):
            self._findings.select(key)

    async def action_open(self) -> None:
        """Enter: what the finding is about, or the finding itself."""
        finding = self.selected
        if finding is None or self._opened:
            return
        if finding.place.kind in IN_FLEET and await self.cofa.open_fleet(
            finding.place.key, opened=True
        ):
            return
        self._set_opened(True)

    def show_finding(self, key: str) -> None:
        """Select this finding and open it here."""
        self._filter = ""
        self.draw()
        if self._findings.select(key):
            self._set_opened(True)

    async def action_back(self) -> None:
        """Esc: clears the filter, then closes the pane."""
        if self.prompt.is_open or self._filter:
            self.prompt.shut()
            self._filter = ""
            self.draw()
        elif self._opened:
            self._set_opened(False)

    def action_next_pane(self) -> None:
        """Tab: between list and detail, where both are seen."""
        if self.wide and self.selected is not None:
            self._set_opened(not self._opened)

    def _set_opened(self, opened: bool) -> None:
        self._opened = opened
        self._findings.set_active(not opened or not self.wide)
        self.draw()

    def action_filter(self) -> None:
        """/: what the findings must contain."""
        self._opened = False
        self.prompt.open("/", self._filter)
        self.draw()

    async def filtered(self, text: str, *, done: bool) -> None:
        """Show what contains the text, key by key."""
        self._filter = text
        self.draw()

    async def action_logs(self) -> None:
        """l: the log of what the finding is about."""
        await self._logs(previous=False)

    async def action_crash_logs(self) -> None:
        """L: the log before the crash."""
        await self._logs(previous=True)

    async def _logs(self, *, previous: bool) -> None:
        finding = self.selected
        if finding is not None and finding.place.kind in IN_FLEET:
            await self.cofa.open_logs(finding.place.key, previous=previous)
