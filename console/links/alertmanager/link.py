"""Alertmanager's alerts (API v2: /api/v2/alerts, and who silenced: /api/v2/silences)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from console.clock import Deadline
from console.errors import LinkError
from console.links.http.alerts import annotations_of, bounded, decode, labels_of, moment
from console.links.http.answer import skew_by_date
from console.links.http.link import HttpLink
from console.model.signals import Alert, Alerts, AlertState
from console.text import clean

if TYPE_CHECKING:
    from console.links.alertmanager.shapes import AlertShape, SilenceShape
    from console.links.http.client import HttpClient

_ALL: Final = "active=true&silenced=true&inhibited=true&unprocessed=true"


class AlertmanagerLink(HttpLink):
    """What Alertmanager holds: active, silenced and inhibited alerts (an AlertsLink)."""

    NAME = "alertmanager"
    SYSTEM = "alertmanager"

    def read(self, deadline: Deadline) -> Alerts:
        """The alerts; silences are asked for only where something is silenced."""
        from console.links.alertmanager.shapes import AlertShape

        with self._source.client(deadline) as http:
            answer = http.get(f"{self._source.url}/api/v2/alerts?{_ALL}")
            found = decode(answer, list[AlertShape], http.subject)
            self._skew = skew_by_date(answer)
            silences = self._silences(http) if any(a.status.silenced_by for a in found) else {}
        return alerts_read(found, silences, self._clock.wall())

    def _silences(self, http: "HttpClient") -> Mapping[str, "SilenceShape"]:
        """Silences by id; none where they cannot be read, the ids say enough then."""
        from console.links.alertmanager.shapes import SilenceShape

        try:
            answer = http.get(f"{self._source.url}/api/v2/silences")
            found = decode(answer, list[SilenceShape], http.subject)
        except LinkError:
            return {}
        return {silence.id: silence for silence in found}


def alerts_read(
    found: Sequence["AlertShape"], silences: Mapping[str, "SilenceShape"], now: float
) -> Alerts:
    """What one answer comes to."""
    kept, dropped = bounded(_alert(shape, silences, now) for shape in found)
    return Alerts(kept, (), dropped)


def _alert(shape: "AlertShape", silences: Mapping[str, "SilenceShape"], now: float) -> Alert:
    labels, status = labels_of(shape.labels), shape.status
    by, until = "", None
    if status.silenced_by:
        state, silence = AlertState.SILENCED, silences.get(status.silenced_by[0])
        by = clean((silence and silence.created_by) or status.silenced_by[0], 100)
        until = moment(silence.ends_at, 0.0) or None if silence else None
    elif status.muted_by:
        state, by = AlertState.SILENCED, clean(status.muted_by[0], 100)
    else:
        state = AlertState.INHIBITED if status.inhibited_by else AlertState.FIRING
    return Alert(
        name=labels.get("alertname", "unnamed"),
        state=state,
        since=moment(shape.starts_at, now),
        labels=labels,
        annotations=annotations_of(shape.annotations),
        silenced_by=by,
        silenced_until=until,
    )
