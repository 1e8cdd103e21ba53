"""The lines of a followed log: bounded, wrapped to the width, searched. No Textual in here."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from console.present.columns import cut, left, width, wrapped
from console.present.lines import Line, Segment, line
from console.present.units import clock

KEPT: Final = 5_000
"""Lines kept of one log; the oldest go."""
RECENT: Final = 2_000
"""Lines among which a repeated one is looked for."""
NAME_MOST: Final = 16
COLOURS: Final = 6
WRAPPED_MOST: Final = 40
"""Rows that one line may take."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log, or (without a replica) a remark of cofa's own."""

    text: str
    replica: str = ""
    at: float | None = None

    @property
    def whole(self) -> str:
        """As it is written to a file."""
        if not self.replica:
            return f"-- {self.text}"
        moment = clock(self.at) if self.at is not None else "no time  "
        return f"{moment} {self.replica}  {self.text}"


@dataclass(slots=True)
class Logbook:
    """Entries in the order they came, and the rows that they make."""

    names: dict[str, str] = field(default_factory=dict)
    """Short names of the replicas, by name; each also has a look of its own."""
    columns: int = 80
    wrap: bool = True
    entries: deque[Entry] = field(default_factory=deque)
    rows: list[Line] = field(default_factory=list)
    hits: list[int] = field(default_factory=list)
    """Indices of the rows that hold what is searched."""
    wanted: str = ""
    _heights: deque[int] = field(default_factory=deque)
    twice: set[str] = field(default_factory=set)
    """Replicas whose log is read again, since they started again: what is known is skipped."""
    _recent: dict[Entry, None] = field(default_factory=dict)

    def add(self, entries: Iterable[Entry]) -> int:
        """Take new entries; gives how many rows went at the top, past what is kept."""
        for entry in entries:
            if self._told(entry):
                continue
            made = self._rows_of(entry)
            self.entries.append(entry)
            self._heights.append(len(made))
            self.rows += made
        gone = 0
        while len(self.entries) > KEPT:
            self.entries.popleft()
            gone += self._heights.popleft()
        if gone:
            del self.rows[:gone]
        self._search()
        return gone

    def _told(self, entry: Entry) -> bool:
        """Whether a second reading of the same log repeats this line."""
        if entry.at is None:
            return False
        if entry in self._recent:
            return entry.replica in self.twice
        self._recent[entry] = None
        if len(self._recent) > RECENT:
            del self._recent[next(iter(self._recent))]
        return False

    def fit(self, columns: int, *, wrap: bool) -> None:
        """Make the rows for another width."""
        self.columns, self.wrap = columns, wrap
        entries = list(self.entries)
        self.entries.clear()
        self._recent.clear()
        self._heights.clear()
        self.rows = []
        self.add(entries)

    def search(self, wanted: str) -> None:
        """Look for a text; case does not matter."""
        self.wanted = wanted.casefold()
        self._search()

    def row(self, index: int) -> Line:
        """One row, with what is searched marked in it."""
        row = self.rows[index]
        if not self.wanted:
            return row
        marked: list[Segment] = []
        for segment in row:
            marked += _marked(segment, self.wanted)
        return tuple(marked)

    def _search(self) -> None:
        wanted = self.wanted
        self.hits = (
            [i for i, row in enumerate(self.rows) if any(wanted in s.text.casefold() for s in row)]
            if wanted
            else []
        )

    def _rows_of(self, entry: Entry) -> Sequence[Line]:
        if not entry.replica:
            remarks = wrapped(entry.text, max(20, self.columns - 4))
            return [line(Segment(f" -- {text}", "dim")) for text in remarks]
        name = self.names.get(entry.replica, entry.replica)
        longest = max((width(short) for short in self.names.values()), default=0)
        shown = left(name, min(NAME_MOST, max(longest, 4)))
        moment = clock(entry.at)[:-1] if entry.at is not None else "        "
        room = max(20, self.columns - 11 - width(shown) - 1)
        texts = wrapped(entry.text, room, WRAPPED_MOST) if self.wrap else (cut(entry.text, room),)
        head = line(Segment(f" {moment} ", "dim"), Segment(shown, self._look(entry.replica)), " ")
        indent = " " * (11 + width(shown))
        return [
            (*head, Segment(texts[0])),
            *(line(Segment(indent), Segment(text)) for text in texts[1:]),
        ]

    def _look(self, replica: str) -> str:
        """Which of the subdued looks: by its place among the names, so it never changes."""
        names = list(self.names)
        return f"replica-{names.index(replica) % COLOURS}" if replica in self.names else ""


def _marked(segment: Segment, wanted: str) -> list[Segment]:
    folded = segment.text.casefold()
    if len(folded) != len(segment.text) or wanted not in folded:
        return [segment]
    pieces: list[Segment] = []
    start = 0
    while (at := folded.find(wanted, start)) >= 0:
        pieces.append(Segment(segment.text[start:at], segment.style))
        pieces.append(Segment(segment.text[at : at + len(wanted)], "hit"))
        start = at + len(wanted)
    pieces.append(Segment(segment.text[start:], segment.style))
    return [piece for piece in pieces if piece.text]
