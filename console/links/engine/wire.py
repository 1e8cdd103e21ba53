"""Ways to the engine: one client each, with a deadline, and cut off from any thread."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, Timer
from typing import TYPE_CHECKING, Any, Final

from console.clock import Deadline
from console.errors import FailureKind, LinkError
from console.links.engine.address import Target
from console.links.engine.errors import explain
from console.links.engine.sockets import Sockets

if TYPE_CHECKING:
    from docker import APIClient

OLDEST_API: Final = (1, 41)
"""Engine 20.10 (December 2020): the first with one-shot stats and service status."""
NEWEST_API: Final = (1, 47)
"""The newest that cofa is written for; a newer engine still speaks it."""


class Wire:
    """One client of the engine. One thread at a time asks; any may :meth:`cut`."""

    def __init__(self, subject: str, target: Callable[[Deadline], Target]) -> None:
        self._subject = subject
        self._target = target
        self._sockets = Sockets()
        self._busy = Lock()
        self._client: APIClient | None = None
        self._connected_to: tuple[Target, str] | None = None

    @contextmanager
    def asking(self, deadline: Deadline, version: str) -> Iterator["APIClient"]:
        """The client for one read, which is cut off at the deadline.

        Whatever goes wrong inside comes out as LinkError.
        """
        if not self._busy.acquire(timeout=deadline.timeout()):
            raise self._late("an earlier read has not ended yet")
        self._sockets.allow()
        alarm = Timer(deadline.timeout(), self._sockets.shut)
        alarm.daemon = True
        alarm.start()
        try:
            client = self._client_for(self._target(deadline), version)
            client.timeout = deadline.timeout()  # type: ignore[assignment]  # seconds, a float
            yield client
        except Exception as error:
            if deadline.passed and not isinstance(error, LinkError):
                raise self._late("no complete answer in time") from None
            raise explain(error, self._subject) from None
        finally:
            alarm.cancel()
            self._busy.release()

    @contextmanager
    def streaming(self, deadline: Deadline, version: str) -> Iterator["APIClient"]:
        """The client for a stream, which has no end by time. `deadline` is for the tunnel."""
        try:
            client = self._client_for(self._target(deadline), version)
            yield client
        except Exception as error:
            raise explain(error, self._subject) from None

    def _client_for(self, target: Target, version: str) -> "APIClient":
        if self._client is None or self._connected_to != (target, version):
            from console.links.engine.transport import client_for

            self._release()
            self._client = client_for(target, version, self._sockets)
            self._connected_to = (target, version)
        return self._client

    def _late(self, why: str) -> LinkError:
        remedy = "see `docker info` there; a hung engine needs a restart"
        return LinkError(FailureKind.TIMEOUT, self._subject, why, remedy)

    @property
    def is_cut(self) -> bool:
        """Whether :meth:`cut` ended what went on."""
        return self._sockets.is_shut

    def cut(self) -> None:
        """End what goes on; the next read connects anew."""
        self._sockets.shut()

    def close(self) -> None:
        """End what goes on, and give the connections back."""
        self._sockets.shut()
        self._release()

    def _release(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
            self._connected_to = None


def negotiated(answer: Any, subject: str) -> str:
    """The API version to speak, from ``GET /version``: the newest that both know.

    Raises LinkError where the engine is too old, or is no engine.
    """
    said = answer if isinstance(answer, dict) else {}
    newest, oldest = _version(said.get("ApiVersion")), _version(said.get("MinAPIVersion"))
    if newest is None:
        remedy = "is engine.address the Docker API's own? see `docker -H ADDRESS version`"
        raise LinkError(FailureKind.INVALID, subject, "the answer names no API version", remedy)
    if newest < OLDEST_API:
        raise LinkError(
            FailureKind.UNSUPPORTED,
            subject,
            f"its API is {_dotted(newest)}, cofa needs {_dotted(OLDEST_API)}",
            "upgrade it to Docker Engine 20.10 or newer",
        )
    return _dotted(max(min(newest, NEWEST_API), oldest or OLDEST_API))


def _version(value: object) -> tuple[int, int] | None:
    parts = value.split(".") if isinstance(value, str) else []
    if len(parts) != 2 or not all(part.isdigit() and len(part) < 5 for part in parts):
        return None
    return int(parts[0]), int(parts[1])


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
