"""PromQL through prometheus-api-client, over our own HTTP exchange.

Imported late: it loads requests. The client alone would retry for ten seconds, follow
redirects to login pages, leak JSON errors and drop warnings; here it builds the calls and
reads the results, while :class:`HttpClient` carries them.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from requests.adapters import BaseAdapter
from urllib3.util.retry import Retry

from console.clock import Deadline
from console.errors import FailureKind, LinkError
from console.links.http.answer import Answer, no_json, refuse_no_json, refuse_status
from console.links.http.client import HttpClient
from console.text import clean

# Prometheus's own errors come as JSON with these (web/api/v1, func respondError).
_REFUSALS: Final = (400, 422, 503)


class QueryError(LinkError):
    """Prometheus answered, and says why it does not evaluate this query."""

    too_slow = False
    """It gave up; asking the same in parts would only cost it more."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One series of an instant query."""

    labels: Mapping[str, str]
    value: float | None


@dataclass(frozen=True, slots=True)
class Track:
    """One series of a range query: (moment, value)."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float | None], ...]


class _Carrier(BaseAdapter):
    """Carries what requests prepared by an HttpClient."""

    def __init__(self, http: HttpClient, warnings: list[str]) -> None:
        super().__init__()
        self._http = http
        self._warnings = warnings

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        answer = self._http.get(request.url or "", headers={"Accept": "application/json"})
        _refuse_query(answer, self._http.subject)
        refuse_status(answer, self._http.subject)
        refuse_no_json(answer, self._http.subject)
        if b'"warnings"' in answer.body:
            self._warnings.extend(_warnings(answer))
        response = requests.Response()
        response.status_code = answer.status
        response.encoding = "utf-8"
        response.raw = io.BytesIO(answer.body)
        response.request = request
        response.url = request.url or ""
        return response

    def close(self) -> None:
        """Nothing of its own to close."""


class PromClient:
    """Evaluates queries during one read. Raises LinkError, of it QueryError."""

    def __init__(self, http: HttpClient, url: str, deadline: Deadline) -> None:
        self._subject = http.subject
        self._deadline = deadline
        self.warnings: list[str] = []
        self._session = requests.Session()
        self._session.trust_env = False
        self._connect = PrometheusConnect(url=url, session=self._session, retry=Retry(0))
        # The constructor mounts an adapter of its own at this very prefix.
        self._session.mount(url, _Carrier(http, self.warnings))

    def instant(self, query: str) -> list[Sample]:
        """The query's series now."""
        try:
            result = self._connect.custom_query(query, params=self._params())
            if len(result) == 2 and not isinstance(result[0], dict):
                return [Sample({}, _number(result[1]))]  # a scalar
            return [
                Sample(_labels(item), _number(item["value"][1]))
                for item in result
                if "value" in item
            ]
        except _UNUSABLE as error:
            raise self._unusable(error) from None

    def over(self, query: str, start: float, end: float, step: float) -> list[Track]:
        """The query's series from `start` to `end`, whole seconds, by `step`."""
        try:
            result = self._connect.custom_query_range(
                query,
                datetime.fromtimestamp(start, UTC),
                datetime.fromtimestamp(end, UTC),
                f"{step:g}",
                params=self._params(),
            )
            return [
                Track(
                    _labels(item),
                    tuple((float(at), _number(value)) for at, value in item.get("values", ())),
                )
                for item in result
            ]
        except _UNUSABLE as error:
            raise self._unusable(error) from None

    def close(self) -> None:
        """Close the session."""
        self._session.close()

    def _params(self) -> dict[str, str]:
        """Prometheus gives up a little before we do, so that it can still say so."""
        return {"timeout": f"{self._deadline.timeout() * 0.9:.3f}"}

    def _unusable(self, error: Exception) -> LinkError:
        why = "it breaks off" if isinstance(error, ValueError) else "not a query's result"
        return no_json(self._subject, why)


_UNUSABLE: Final = (
    PrometheusApiClientException,
    requests.RequestException,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)


def _labels(item: Mapping[str, Any]) -> dict[str, str]:
    return {clean(name, 200): clean(value, 1000) for name, value in item["metric"].items()}


def _number(text: object) -> float | None:
    """A sample's value; None for NaN and the infinities, which say nothing."""
    value = float(text)  # type: ignore[arg-type]
    return value if value - value == 0.0 else None


def _refuse_query(answer: Answer, subject: str) -> None:
    if answer.status not in _REFUSALS or not answer.body.lstrip().startswith(b"{"):
        return
    try:
        body = _json(answer.body)
        kind, text = clean(body["errorType"], 40), clean(body["error"], 300)
        text = text.removeprefix('invalid parameter "query": ')
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    refused = QueryError(FailureKind.INVALID, subject, f"{kind}: {text}", "correct the query")
    refused.too_slow = kind in ("timeout", "canceled", "unavailable")
    raise refused


def _warnings(answer: Answer) -> Sequence[str]:
    try:
        return [clean(text, 300) for text in _json(answer.body).get("warnings", ())[:5]]
    except (ValueError, AttributeError, TypeError, RecursionError):
        return []


def _json(body: bytes) -> Any:
    import json

    return json.loads(body)
