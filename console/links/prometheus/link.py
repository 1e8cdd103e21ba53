"""Prometheus's answers to the named queries.

Two rounds: one query first, which says whether Prometheus answers, what its clock says and
which dialect the backend speaks; then all the others, some joined into one, side by side.
HTTP API of Prometheus 2 and 3: /api/v1/query, /api/v1/query_range.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from console.clock import Clock, Deadline
from console.config import queries
from console.config.environment import HttpConfig
from console.config.queries import DIALECTS, Dialect
from console.errors import FailureKind, LinkError
from console.links.http.answer import skew_of
from console.links.http.link import HttpLink
from console.links.http.source import ResolveSecret
from console.links.prometheus import figures as figures
from console.links.prometheus.asking import Asking, Batch, batches, groups, opening, series_groups
from console.links.protocols import HostLink
from console.model.policy import Policy
from console.model.signals import Metrics, Unit

if TYPE_CHECKING:
    from console.links.prometheus.client import PromClient

_STEP: Final = 60.0
_STEPS: Final = 60


class PrometheusLink(HttpLink):
    """Figures, series, endpoints, replicas, hosts and burn rates (a MetricsLink)."""

    NAME = "prometheus"
    SYSTEM = "prometheus"

    def __init__(
        self,
        config: HttpConfig,
        host: HostLink | None,
        clock: Clock,
        resolve_secret: ResolveSecret,
        *,
        overrides: Mapping[str, str] | None = None,
        counters: Mapping[str, str] | None = None,
        policy: Policy | None = None,
    ) -> None:
        policy = policy or Policy()
        super().__init__(config, host, clock, resolve_secret)
        self._overrides = dict(overrides or {})
        self._counters = dict(counters or {})
        self._availability = policy.availability
        self._windows = tuple(
            dict.fromkeys(w for alarm in policy.burn for w in (alarm.short, alarm.long))
        )

    def load(self) -> None:
        """Load prometheus-api-client and what it needs (20 ms beside docker-py and httpx)."""
        import console.links.prometheus.client  # noqa: F401

    def read(self, deadline: Deadline) -> Metrics:
        """All named queries; what only some of them lack is in `problems`."""
        with self._source.client(deadline) as http:
            from console.links.prometheus.client import PromClient

            client = PromClient(http, self._source.url, deadline)
            try:
                asking = Asking(client)
                now, dialect = self._open(asking)
                start = now // _STEP * _STEP - _STEPS * _STEP
                asking.ask(
                    batches(groups(dialect, self._overrides, self._counters, self._windows)),
                    batches(series_groups(dialect, self._overrides)),
                    (start, start + _STEPS * _STEP, _STEP),
                    deadline,
                )
            finally:
                client.close()
        if asking.failures and not asking.answers and not asking.tracks:
            raise asking.failures[0]
        asking.problems.extend(f"it warns: {text}" for text in client.warnings)
        return self._metrics(asking, dialect or DIALECTS[1], start)

    def _open(self, asking: Asking) -> tuple[float, Dialect | None]:
        """Prometheus's own time, and the first dialect that it has series of."""
        from console.links.prometheus.client import QueryError

        first = opening(self._overrides)
        try:
            present = self._ask_first(asking.client, first)
        except QueryError as error:
            asking.problems.append(f"query {queries.SELECTOR}: {error.failure.why}")
            present = self._ask_first(asking.client, Batch(first.asked[:1]))
        now = present.get("now")
        if now is None:
            raise LinkError(
                FailureKind.INVALID,
                self._source.subject,
                "does not say its own time when asked vector(time())",
                "check that the URL is that of Prometheus's own API",
            )
        return now, next((dialect for dialect in DIALECTS if present.get(dialect.name)), None)

    def _ask_first(self, client: "PromClient", first: Batch) -> dict[str, float | None]:
        before = self._clock.wall()
        samples = client.instant(first.query)
        present = {first.key_of(sample.labels): sample.value for sample in samples}
        now = present.get("now")
        self._skew = None if now is None else skew_of(now, before, self._clock.wall(), 0.001)
        return present

    def _metrics(self, asking: Asking, dialect: Dialect, start: float) -> Metrics:
        answers, problems, skew = asking.answers, asking.problems, self._skew or 0.0
        shown = {
            name: figures.figure(
                name, name, queries.promql(name, self._overrides, dialect), unit, answers, problems
            )
            for name, unit in queries.FIGURES.items()
        }
        counters = tuple(
            figures.figure(
                name, f"counter:{name}", queries.counter(text), Unit.COUNT, answers, problems
            )
            for name, text in self._counters.items()
        )
        series = {
            name: figures.series(name, tracks, start, _STEP, _STEPS + 1, skew)
            for name, tracks in asking.tracks.items()
        }
        return Metrics(
            figures=shown,
            series=series,
            endpoints=figures.endpoints(answers, dialect),
            replicas=figures.replicas(answers),
            hosts=figures.hosts(answers, self._clock.wall()),
            burn=figures.burn(answers, self._windows, self._availability),
            counters=counters,
            problems=tuple(dict.fromkeys(problems)),
        )
