"""What the containers write: a pure function of the world and the moment."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import exp, log
from statistics import NormalDist
from typing import Final

from console.model.fleet import Exit, LogLine
from console.rehearsal.backups import attempts, duration, key, size
from console.rehearsal.containers import READY_AFTER, Container, last_deaths, process
from console.rehearsal.effects import DatabaseStrain
from console.rehearsal.stack import BACKEND, BUCKET, DOMAIN, MIB, address
from console.rehearsal.traffic import Load, loads, loads_if_served
from console.rehearsal.world import World

TAIL_MOST: Final = 5_000
_QUIET: Final = 7 * 86400.0
"""How far back the log of a quiet container is looked through, in seconds."""
_STATEMENT: Final = (
    "SELECT t.*, r.geometry FROM trips t JOIN routes r ON r.trip_id = t.id "
    "WHERE t.owner_id = $1 ORDER BY t.started_at DESC"
)
_NORMAL: Final = NormalDist()
_AGENTS: Final = ("Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (iPhone)", "shop-app/4.2")
_CODES: Final = {200: "200 OK", 201: "201 Created", 500: "500 Internal Server Error"}

Spoken = tuple[str, str]
"""(stream, text)."""


@dataclass(frozen=True, slots=True)
class Voice:
    """How often a container writes, and what."""

    period: float
    most: int
    """Lines in a period, at most; at least one."""
    speak: Callable[[World, Container, int], Iterator[Spoken]]
    """The lines for one request or event, told apart by a number."""


def tail(
    world: World, container: Container, count: int, since: float | None, until: float
) -> tuple[LogLine, ...]:
    """The newest `count` lines from `since` up to `until`, oldest first."""
    count = min(count, TAIL_MOST)
    least = max(container.created_at, until - _QUIET, since if since is not None else 0.0)
    found: tuple[LogLine, ...] = ()
    span = 120.0
    while count > 0:
        found = lines(world, container, max(least, until - span), until)
        if len(found) >= count or until - span <= least:
            break
        span *= 2
    return found[-count:] if count > 0 else ()


def lines(world: World, container: Container, start: float, end: float) -> tuple[LogLine, ...]:
    """The lines written after `start` and up to `end`, oldest first."""
    found = [
        *_starts(world.moved(end), container, start),
        *_spoken(world, container, start, end),
    ]
    if container.part.name == "backup-cron":
        found += _dumps(world.moved(end), container, start)
    found = [line for line in found if line.at is not None and start < line.at <= end]
    found.sort(key=lambda line: line.at or 0.0)
    return tuple(found)


def _spoken(world: World, container: Container, start: float, end: float) -> Iterator[LogLine]:
    voice = VOICES.get(container.part.name)
    if voice is None:
        return
    name = f"log {container.name}"
    for index in range(int(start // voice.period), int(end // voice.period) + 1):
        now = world.moved(index * voice.period)
        if not process(now, container).serving:
            continue
        for part in range(1 + int(voice.most * world.unit(name, index))):
            number = index * 8 + part
            at = (index + (part + world.unit(f"{name} at", number)) / voice.most) * voice.period
            if start < at <= end:
                for stream, text in voice.speak(now, container, number):
                    yield LogLine(at, container.name, stream, text)


def _starts(world: World, container: Container, since: float) -> Iterator[LogLine]:
    """What each process of the backend says as it starts, and as it gives up."""
    if container.part is not BACKEND:
        return

    def line(at: float, text: str, stream: str = "stdout") -> LogLine:
        return LogLine(at, container.name, stream, text)

    begun: list[tuple[float, float, Exit | None]] = [
        (container.started_at, container.created_at + READY_AFTER, None)
    ]
    for death in last_deaths(world, container, world.at):
        if death.next_at <= since:
            break
        begun.append((death.back_at, death.next_at, death.exit))
    for at, end, ended in begun:
        step = (end - at) / 8
        yield line(at + step, f"INFO:     shop backend {container.tag}: started process [1]")
        yield line(at + 2 * step, "INFO:     waiting for application startup")
        if ended is None:
            yield line(at + 7 * step, "INFO:     application startup complete")
        elif ended.oom_killed:
            yield line(
                at + 4 * step,
                "WARNING:  reading all route tiles into memory (index stale)",
                "stderr",
            )
        else:
            yield line(
                at + 6 * step,
                'ERROR:    postgres:5432: password authentication failed for user "shop"',
                "stderr",
            )
            yield line(at + 7 * step, "ERROR:    application startup failed, exiting", "stderr")


def _dumps(world: World, container: Container, since: float) -> Iterator[LogLine]:
    for at, sound in attempts(world, since - 600.0):
        yield LogLine(at, container.name, "stdout", "backup: pg_dump -F c of shop begins")
        if sound:
            text = f"backup: stored s3://{BUCKET}/{key(at)}, {size(world, at) / MIB:.1f} MiB"
            yield LogLine(at + duration(world, at), container.name, "stdout", text)
        else:
            text = "backup: pg_dump: error: the dump is empty; nothing was stored"
            yield LogLine(at + 4.0, container.name, "stderr", text)


def _request(
    world: World, name: str, number: int, found: tuple[Load, ...]
) -> tuple[Load, float, int]:
    """One request: its endpoint's load, the seconds it took, its status."""
    place = world.unit(f"{name} which", number) * sum(load.rate for load in found)
    chosen = found[-1]
    for load in found:
        place -= load.rate
        if place <= 0:
            chosen = load
            break
    score = _NORMAL.inv_cdf(min(0.999, max(0.001, world.unit(f"{name} took", number))))
    took = exp(log(chosen.median) + score * log(chosen.p95 / chosen.median) / 1.645)
    failed = world.unit(f"{name} status", number) < chosen.error_ratio
    return chosen, took, 500 if failed else 201 if chosen.endpoint.method == "POST" else 200


def _path(world: World, load: Load, number: int) -> str:
    return load.endpoint.handler.replace("{id}", str(int(9000 * world.unit("path", number)) + 100))


def _backend(world: World, container: Container, number: int) -> Iterator[Spoken]:
    load, took, status = _request(world, container.name, number, loads_if_served(world))
    path, method = _path(world, load, number), load.endpoint.method
    port = 40000 + int(20000 * world.unit("port", number))
    yield "stdout", f'INFO:     172.20.0.2:{port} - "{method} {path} HTTP/1.1" {_CODES[status]}'
    if status == 500:
        text = f"ERROR:    {method} {path}: TypeError: 'NoneType' object is not subscriptable"
        yield "stderr", text
    elif took > 1.0 and load.endpoint.median < 1.0:
        yield "stderr", f"WARNING:  slow request: {method} {path} took {took:.2f} s"


def _nginx(world: World, container: Container, number: int) -> Iterator[Spoken]:
    found = loads(world)
    load, took, status = _request(world, container.name, number, found or loads_if_served(world))
    path, method = _path(world, load, number), load.endpoint.method
    client = f"198.51.100.{1 + int(250 * world.unit('client', number))}"
    agent = _AGENTS[int(len(_AGENTS) * world.unit("agent", number))]
    if not found:
        status, took = 502, 0.001
        backend = address(BACKEND, BACKEND.numbers[number % len(BACKEND.numbers)])
        yield (
            "stderr",
            (
                f"[error] 29#29: *{number % 10**7} connect() failed (111: Connection refused) "
                f"while connecting to upstream, client: {client}, server: {DOMAIN}, "
                f'request: "{method} {path} HTTP/1.1", upstream: "http://{backend}:8000{path}"'
            ),
        )
    body = 157 if status >= 500 else int(load.endpoint.weight * (0.6 + world.unit("body", number)))
    yield "stdout", f'{client} - "{method} {path} HTTP/1.1" {status} {body} {took:.3f} "{agent}"'


def _postgres(world: World, container: Container, number: int) -> Iterator[Spoken]:
    strain = max((strength for *_, strength in world.effects(DatabaseStrain)), default=0.0)
    if strain > 0.3 and number % 2:
        took = 1000 + 2600 * world.unit("statement", number)
        yield (
            "stderr",
            f"LOG:  duration: {took:.3f} ms  statement: {_STATEMENT}",
        )
    elif number % 16 == 0:
        buffers = 900 + int(2400 * world.unit("checkpoint", number))
        yield "stderr", f"LOG:  checkpoint complete: wrote {buffers} buffers; write=89.9 s"


def _saying(*texts: str) -> Callable[[World, Container, int], Iterator[Spoken]]:
    def speak(world: World, container: Container, number: int) -> Iterator[Spoken]:
        yield "stderr", texts[int(len(texts) * world.unit(f"says {container.name}", number))]

    return speak


VOICES: Final = {
    "backend": Voice(1.0, 3, _backend),
    "nginx": Voice(1.0, 3, _nginx),
    "postgres": Voice(10.0, 2, _postgres),
    "redis": Voice(
        300.0, 1, _saying("1:M * 100 changes in 300 seconds. Saving...", "1:M * DB saved on disk")
    ),
    "prometheus": Voice(
        7200.0, 1, _saying("level=INFO msg=\"write block\" component=tsdb",
                           "level=INFO msg=\"WAL checkpoint complete\" component=tsdb")
    ),
    "alertmanager": Voice(
        900.0, 1, _saying('level=INFO msg="Maintenance done" component=nflog')
    ),
    "grafana": Voice(600.0, 1, _saying('logger=cleanup level=info msg="Completed cleanup jobs"')),
    "certbot": Voice(
        43200.0, 1, _saying("Certificate not yet due for renewal; no renewals were attempted.")
    ),
}  # fmt: skip
"""By service; the others are silent."""
