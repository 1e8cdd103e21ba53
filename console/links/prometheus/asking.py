"""Asking many named queries in few round trips: which go together, and what came back."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from console.clock import Deadline
from console.config import queries
from console.config.queries import DIALECTS, Dialect
from console.errors import LinkError
from console.links.http.deadline import side_by_side

if TYPE_CHECKING:
    from console.links.prometheus.client import PromClient, Sample, Track

_WORKERS: Final = 4
_JOINED: Final = "cofa"
"""The label that tells joined queries apart."""
_LONGEST: Final = 5000
"""Characters of one joined query: proxies refuse URLs over 8 KiB."""

Asked = tuple[str, str]
"""(key, PromQL)."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Queries that are asked as one; a single one is asked as it is."""

    asked: tuple[Asked, ...]

    @property
    def query(self) -> str:
        """One query for all: each one's series get its key as a label."""
        if len(self.asked) == 1:
            return self.asked[0][1]
        # The query stands on lines of its own, so that a comment in it ends.
        return " or ".join(
            f'label_replace(\n{query}\n,"{_JOINED}","{key}","","")' for key, query in self.asked
        )

    @property
    def names(self) -> str:
        """Its keys, for messages."""
        return ", ".join(key for key, _ in self.asked)

    def key_of(self, labels: Mapping[str, str]) -> str:
        """Which of its queries a series with these labels answers."""
        return self.asked[0][0] if len(self.asked) == 1 else labels.get(_JOINED, "")


def batches(groups: Iterable[Sequence[Asked]]) -> list[Batch]:
    """Each group as few batches as the length of a query allows."""
    found: list[Batch] = []
    for group in groups:
        part: tuple[Asked, ...] = ()
        for item in group:
            if part and len(Batch((*part, item)).query) > _LONGEST:
                found.append(Batch(part))
                part = ()
            part = (*part, item)
        if part:
            found.append(Batch(part))
    return found


def opening(overrides: Mapping[str, str]) -> Batch:
    """The first question: Prometheus's own time, and which dialects it has series of."""
    return Batch(
        (
            ("now", "vector(time())"),
            *((dialect.name, queries.presence(dialect, overrides)) for dialect in DIALECTS),
        )
    )


def groups(
    dialect: Dialect | None,
    overrides: Mapping[str, str],
    counters: Mapping[str, str],
    windows: Sequence[str],
) -> list[list[Asked]]:
    """What is asked at one moment, in groups that may be joined.

    What the user wrote stands alone, so that its mistakes spoil nothing else.
    """
    together: dict[str, list[Asked]] = {}
    alone: list[list[Asked]] = []
    for name in queries.QUERIES:
        if dialect is None and queries.needs_dialect(name, overrides):
            continue
        for key, window in _keys(name, windows):
            item = (key, queries.promql(name, overrides, dialect or DIALECTS[1], window))
            if name in overrides:
                alone.append([item])
            else:
                together.setdefault(_group(name, window), []).append(item)
    for name, text in counters.items():
        alone.append([(f"counter:{name}", queries.counter(text))])
    return [*together.values(), *alone]


def series_groups(dialect: Dialect | None, overrides: Mapping[str, str]) -> list[list[Asked]]:
    """What is asked over time, in groups that may be joined."""
    together: list[Asked] = []
    alone: list[list[Asked]] = []
    for name in queries.SERIES:
        if dialect is None and queries.needs_dialect(name, overrides):
            continue
        item = (name, queries.promql(name, overrides, dialect or DIALECTS[1]))
        if name in overrides:
            alone.append([item])
        else:
            together.append(item)
    return [together, *alone]


def _keys(name: str, windows: Sequence[str]) -> list[tuple[str, str]]:
    """The keys and windows under which one named query is asked."""
    if name.startswith("burn_"):
        return [(f"{name}:{window}", window) for window in windows]
    return [(name, "5m")]


def _group(name: str, window: str) -> str:
    """Queries of like weight go together; each window of days goes alone."""
    if name.startswith("burn_"):
        return f"burn {window}" if window[-1:] in "dwy" else "burn"
    head = name.partition("_")[0]
    if head in ("endpoint", "replica", "host", "disk"):
        return head
    return "stores" if head in ("db", "redis") else "traffic"


@dataclass(slots=True)
class Asking:
    """One read's questions and what came back; its threads add to it."""

    client: "PromClient"
    answers: dict[str, list["Sample"]] = field(default_factory=dict)
    tracks: dict[str, list["Track"]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    failures: list[LinkError] = field(default_factory=list)

    def ask(
        self,
        instant: Sequence[Batch],
        over: Sequence[Batch],
        span: tuple[float, float, float],
        deadline: Deadline,
    ) -> None:
        """Ask everything side by side; `span` is start, end and step of what is `over` time."""
        tasks: list[Callable[[], None]] = [partial(self._over, batch, span) for batch in over]
        tasks += [partial(self._instant, batch) for batch in instant]
        side_by_side(tasks, _WORKERS, deadline)

    def _instant(self, batch: Batch) -> None:
        def answer(one: Batch) -> None:
            found: dict[str, list[Sample]] = {key: [] for key, _ in one.asked}
            for sample in self.client.instant(one.query):
                found.setdefault(one.key_of(sample.labels), []).append(sample)
            self.answers.update(found)

        self._each(batch, answer)

    def _over(self, batch: Batch, span: tuple[float, float, float]) -> None:
        def answer(one: Batch) -> None:
            found: dict[str, list[Track]] = {key: [] for key, _ in one.asked}
            for track in self.client.over(one.query, *span):
                found.setdefault(one.key_of(track.labels), []).append(track)
            self.tracks.update(found)

        self._each(batch, answer)

    def _each(self, batch: Batch, answer: Callable[[Batch], None]) -> None:
        """Answer a batch; of one that is refused, each query alone, to name the culprit."""
        from console.links.prometheus.client import QueryError

        try:
            answer(batch)
        except QueryError as error:
            if len(batch.asked) == 1 or error.too_slow:
                self.problems.append(f"query {batch.names}: {error.failure.why}")
                return
            for item in batch.asked:
                self._each(replace(batch, asked=(item,)), answer)
        except LinkError as error:
            self.failures.append(error)
            self.problems.append(f"query {batch.names}: {error.failure.why}")
