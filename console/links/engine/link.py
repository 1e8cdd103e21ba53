"""The Docker engine as a Fleet: containers, Compose projects, Swarm services.

Client: docker-py's low-level APIClient, loaded at the first read. Moments are the
engine's own; :meth:`EngineLink.skew` says how far they are ahead.
"""

import json
import os
from collections import deque
from collections.abc import Collection, Generator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, urlsplit
from weakref import WeakSet

from console.clock import Clock, Deadline, SystemClock
from console.config.environment import EngineConfig
from console.errors import FailureKind, LinkError
from console.links.engine.address import Target, resolve_engine, target_of
from console.links.engine.events import FILTERS, Reader
from console.links.engine.logs import framed_lines, plain_lines
from console.links.engine.parallel import side_by_side
from console.links.engine.parts import positive
from console.links.engine.reading import FleetReader, Picture, inspected_image
from console.links.engine.sockets import CONNECT_TIMEOUT
from console.links.engine.stats import Sample, sample_of, usage_of
from console.links.engine.streams import Stream, accepted, chunks, json_records
from console.links.engine.upstreams import LINES, upstreams_of
from console.links.engine.wire import Wire, negotiated
from console.links.protocols import HostLink, TcpAddress, UnixAddress
from console.model.edges import Upstreams
from console.model.fleet import Event, Fleet, LogLine, Usage
from console.text import clean

if TYPE_CHECKING:
    from docker import APIClient

T = TypeVar("T")

_FRAMED: Final = "application/vnd.docker.multiplexed-stream"
_RAW_KNOWN: Final = (1, 42)
"""From this API on the content type tells framed logs from a terminal's."""
_WINDOWS: Final = (60.0, 3600.0)
"""Seconds before an instance's end in which its last lines are looked for first."""
_AFTER_AN_END: Final = 1.0
"""Seconds after an end in which the engine may still write down last words."""

__all__ = ["EngineLink", "resolve_engine"]


class EngineLink:
    """A FleetLink to one engine, or to the Swarm that it manages."""

    def __init__(
        self,
        config: EngineConfig,
        *,
        host: HostLink | None = None,
        clock: Clock | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`host` is the machine of an ``ssh://`` address; `environ` defaults to the process's."""
        self._config = config
        self._host = host
        self._clock = clock or SystemClock()
        self._environ = os.environ if environ is None else environ
        self._resolved: EngineConfig | None = None
        self._subject = f"engine {self._shown_address()}".rstrip()
        self._reads = self._wire()
        self._asides = self._wire()
        self._hello = self._wire()
        self._fleet = FleetReader(self._subject, self._clock)
        self._picture: Picture | None = None
        self._version: str | None = None
        self._samples: dict[str, Sample] = {}
        self._lock = Lock()
        self._streams: WeakSet[Stream[Any]] = WeakSet()
        self._closed = False

    @property
    def name(self) -> str:
        """Name of the source."""
        return "engine"

    def load(self) -> None:
        """Load docker-py (60 ms)."""
        import console.links.engine.transport  # noqa: F401

    def read(self, deadline: Deadline) -> Fleet:
        """Everything that runs, without usage. Raises LinkError.

        Tried a second time where the connection broke, as after a restart of the engine.
        """
        try:
            return self._read(deadline)
        except LinkError as error:
            broke = error.failure.kind is FailureKind.UNREACHABLE
            cut = self._reads.is_cut or self._hello.is_cut
            if not broke or cut or self._closed or deadline.passed:
                raise
        return self._read(deadline)

    def _read(self, deadline: Deadline) -> Fleet:
        version = self._negotiate(deadline)
        try:
            with self._reads.asking(deadline, version) as client:
                self._picture = self._fleet.read(client, deadline)
        except LinkError:
            self._version = None  # an engine of another version may answer next
            raise
        return self._picture.fleet

    def skew(self) -> float | None:
        """How far the engine's clock was ahead at the last read, in seconds."""
        return self._picture.skew if self._picture else None

    def usage(self, replicas: Collection[str], deadline: Deadline) -> Mapping[str, Usage]:
        """What these replicas use now; the CPU since the call before, None in the first."""
        wanted = [replica for replica in replicas if not replica.startswith("task:")]
        version = self._negotiate(deadline)
        with self._asides.asking(deadline, version) as client:
            memory = self._host_memory(client)
            samples = side_by_side(lambda replica: _sample(client, replica), wanted, deadline)
        found = {key: sample for key, sample in zip(wanted, samples, strict=True) if sample}
        usage = {key: usage_of(s, self._samples.get(key), memory) for key, s in found.items()}
        self._samples = found
        return usage

    def _host_memory(self, client: "APIClient") -> int | None:
        if self._picture is not None:
            return self._picture.memory
        return positive(client.info().get("MemTotal"))

    def image_ids(self, references: Collection[str], deadline: Deadline) -> Mapping[str, str]:
        """Ids of the local images that these references name; those that are not there are
        left out."""
        wanted = sorted(set(references))
        version = self._negotiate(deadline)
        with self._asides.asking(deadline, version) as client:
            images = side_by_side(lambda name: inspected_image(client, name), wanted, deadline)
        return {name: image.id for name, image in zip(wanted, images, strict=True) if image}

    def events(self, since: float | None = None) -> Stream[Event]:
        """Events as they come, from `since` (the engine's time) on.

        Ends by LinkError when the engine goes away; just ends when it is closed or cancelled.
        """
        wire = self._wire()
        return self._stream(wire, self._events(wire, since))

    def _events(self, wire: Wire, since: float | None) -> Generator[Event, None, None]:
        params = {"filters": json.dumps(FILTERS)}
        if since is not None:
            params["since"] = f"{since:.9f}"
        reader = Reader()
        with self._opened(wire) as client:
            url = f"{client.base_url}/v{client.api_version}/events"
            response = client.get(url, params=params, stream=True, timeout=(CONNECT_TIMEOUT, None))
            pieces = chunks(accepted(response, self._subject, "its events"))
            for record in json_records(pieces, self._subject):
                happening = reader.read(record, self._picture.names if self._picture else {})
                if happening is not None:
                    if happening.container:
                        self._fleet.inspections.changed(happening.container, happening.exit)
                    yield happening.event
        raise self._gone("its event stream ended")

    def logs(
        self,
        replica: str,
        *,
        follow: bool = True,
        tail: int = 200,
        since: float | None = None,
        until: float | None = None,
    ) -> Stream[LogLine]:
        """Lines of one replica (by id), oldest first; times are its node's own.

        With `until` nothing is followed: the last `tail` lines up to then, for a Swarm
        replica those of the task before it.
        """
        wire = self._wire()
        if until is None:
            params: dict[str, str | int] = {"follow": int(follow), "tail": tail}
            if since is not None:
                params["since"] = f"{since:.9f}"
            return self._stream(wire, self._lines(wire, replica, replica, params))
        return self._stream(wire, self._last_lines(wire, replica, tail, since, until))

    def _last_lines(
        self, wire: Wire, replica: str, tail: int, since: float | None, until: float
    ) -> Generator[LogLine, None, None]:
        """The engine counts its tail from the log's end, not from `until`: so it is cut here."""
        task = self._picture.previous.get(replica) if self._picture else None
        source = f"task:{task}" if task else replica
        until += self._grace(replica, until) if task is None else _AFTER_AN_END
        starts = [since] if since is not None else [*(until - width for width in _WINDOWS), None]
        for start in starts:
            params: dict[str, str | int] = {"follow": 0, "tail": "all"}
            if not source.startswith("task:"):
                params["until"] = f"{until:.9f}"
            if start is not None:
                params["since"] = f"{start:.9f}"
            lines = self._lines(wire, source, replica, params)
            kept = deque((x for x in lines if x.at is None or x.at <= until), maxlen=tail)
            if len(kept) == tail or start == starts[-1]:
                yield from kept
                return

    def _grace(self, replica: str, until: float) -> float:
        """How long after its end an instance's lines may come: halfway to the next start.

        Not at all where `until` lies within an instance that still runs.
        """
        services = self._picture.fleet.services if self._picture else ()
        found = (r for service in services for r in service.replicas if r.id == replica)
        one = next(found, None)
        if one is None or one.started_at is None:
            return _AFTER_AN_END
        if one.started_at <= until:
            return 0.0 if one.running else _AFTER_AN_END
        return min(_AFTER_AN_END, (one.started_at - until) / 2)

    def _lines(
        self, wire: Wire, source: str, replica: str, params: dict[str, str | int]
    ) -> Generator[LogLine, None, None]:
        picture = self._picture
        name = (picture.names if picture else {}).get(replica, clean(replica[:12]))
        kind, _, identity = source.rpartition(":")
        path = f"/{'tasks' if kind else 'containers'}/{quote(identity, safe='')}/logs"
        with self._opened(wire) as client:
            url = f"{client.base_url}/v{client.api_version}{path}"
            response = client.get(
                url,
                params=params | {"stdout": 1, "stderr": 1, "timestamps": 1},
                stream=True,
                timeout=(CONNECT_TIMEOUT, None if params["follow"] else CONNECT_TIMEOUT),
            )
            accepted(response, self._subject, f"the log of {name}")
            framed = self._is_framed(client, response.headers.get("Content-Type", ""), source)
            yield from (framed_lines if framed else plain_lines)(chunks(response), name)

    def _is_framed(self, client: "APIClient", content_type: str, source: str) -> bool:
        if content_type.startswith(_FRAMED):
            return True
        if tuple(map(int, client.api_version.split("."))) >= _RAW_KNOWN:
            return False
        if self._picture is not None:
            return source.removeprefix("task:") not in self._picture.ttys
        if source.startswith("task:"):
            return True
        return not client.inspect_container(source)["Config"]["Tty"]

    def upstreams(self, edge: str, since: float, deadline: Deadline) -> Upstreams:
        """Failures to reach an upstream that the log of replica `edge` (its name) holds.

        A container's name serves as well as its id, as the engine takes either. That of a
        Swarm's replica (``stack_edge.1``) is cofa's own: who has it, only a read tells.
        """
        replica = self._id_of(edge)
        if replica is None and "." in edge:
            self.read(deadline)
            replica = self._id_of(edge)
        lines = self.logs(replica or edge, follow=False, tail=LINES, since=since)
        try:
            with lines.within(deadline):
                return upstreams_of(edge, lines, since)
        finally:
            lines.close()

    def _id_of(self, name: str) -> str | None:
        names = self._picture.names if self._picture else {}
        return next((key for key, known in names.items() if known == name), None)

    def cancel(self) -> None:
        """Shut the sockets in use; reads under way fail at once, streams end."""
        for wire in (self._reads, self._asides, self._hello):
            wire.cut()
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            stream.close()

    def close(self) -> None:
        """Cancel, and give everything back."""
        self._closed = True
        self.cancel()
        for wire in (self._reads, self._asides, self._hello):
            wire.close()

    def _stream(self, wire: Wire, items: Generator[T, None, None]) -> Stream[T]:
        stream = Stream(wire, items)
        with self._lock:
            self._streams.add(stream)
        return stream

    def _opened(self, wire: Wire) -> "AbstractContextManager[APIClient]":
        deadline = Deadline.after(self._clock, CONNECT_TIMEOUT)
        return wire.streaming(deadline, self._negotiate(deadline))

    def _wire(self) -> Wire:
        return Wire(self._subject, self._target)

    def _target(self, deadline: Deadline) -> Target:
        """Where to connect from here, through the host where the engine is on another one."""
        if self._resolved is None:
            self._resolved = resolve_engine(self._config, self._environ)
        config = self._resolved
        if not config.address.startswith("ssh://") and (self._host is None or self._host.local):
            return target_of(config)
        if self._host is None:
            remedy = "name it under hosts in the configuration, so that cofa opens it first"
            why = "it is reached over SSH, and no host was opened for it"
            raise LinkError(FailureKind.UNSUPPORTED, self._subject, why, remedy)
        reached = self._host.reach(_address(config), deadline)
        if isinstance(reached, UnixAddress):
            return Target(f"unix://{reached.path}")
        return Target(f"http://{reached.host}:{reached.port}")

    def _shown_address(self) -> str:
        """The address as it will be used; as it was written where it cannot be understood."""
        try:
            return clean(resolve_engine(self._config, self._environ).address)
        except LinkError:
            return clean(self._config.address).rpartition("@")[2]

    def _negotiate(self, deadline: Deadline) -> str:
        """The version of the API, asked for once."""
        if self._closed:
            raise self._gone("the link was closed")
        if self._version is None:
            with self._hello.asking(deadline, "1.41") as client:
                url = f"{client.base_url}/version"
                response = client.get(url, timeout=deadline.timeout(), stream=True)
                answer = accepted(response, self._subject, "its version").json()
            self._version = negotiated(answer, self._subject)
        return self._version

    def _gone(self, why: str) -> LinkError:
        remedy = "it is connected anew by itself; see `systemctl status docker` if it stays"
        return LinkError(FailureKind.UNREACHABLE, self._subject, why, remedy)


def _address(config: EngineConfig) -> TcpAddress | UnixAddress:
    if config.address.startswith("ssh://"):
        return UnixAddress(Path(config.socket))
    if config.address.startswith("unix://"):
        return UnixAddress(Path(config.address.removeprefix("unix://")))
    parts = urlsplit(config.address)
    return TcpAddress(parts.hostname or "", parts.port or 2375)


def _sample(client: "APIClient", replica: str) -> Sample | None:
    """One answer; None for a container that is gone."""
    from docker.errors import NotFound

    try:
        return sample_of(client.stats(replica, stream=False, one_shot=True))
    except NotFound:
        return None
