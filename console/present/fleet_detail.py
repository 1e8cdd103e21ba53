"""Everything that is known of one replica or service, for the Fleet's detail pane."""

from collections.abc import Iterable, Iterator
from typing import Final

from console.model.changes import Change
from console.model.drift import drift
from console.model.findings import Finding
from console.model.fleet import Health, Mount, Port, Replica, Service, Usage
from console.model.readings import Sight
from console.model.snapshot import Snapshot
from console.present import units
from console.present.columns import width, wrapped
from console.present.finding import style, summary, word
from console.present.glance import change_text
from console.present.lines import Line, Segment, fitted, line
from console.present.replica import (
    exit_words,
    image_words,
    last_output,
    short_identity,
    trouble_words,
)

_CHECKS_MOST: Final = 5
_CHANGES_MOST: Final = 12


def replica_detail(
    replica: Replica, service: Service, snapshot: Snapshot, *, now: float, columns: int
) -> tuple[Line, ...]:
    """A replica: what is wrong first, then what it is. The first lines are the summary."""
    usage = snapshot.readings.usage
    used = usage.value.get(replica.id) if usage and usage.value else None
    lines = [
        *_trouble(replica, now),
        *_findings(snapshot.findings, (replica.name, service.key), now),
        *_identity(replica, used, now),
        *_drift(service, snapshot, now),
        *_health(replica),
        *_changes(snapshot.changes, (replica.name,), now),
        *_section("ports", (port_words(port) for port in replica.ports)),
        *_section("addresses", (f"{a}  {n}" for n, a in sorted(replica.addresses.items()))),
        *_section("mounts", (mount_words(mount) for mount in replica.mounts)),
        *_section("environment", (f"{name}={value}" for name, value in replica.environment)),
    ]
    return tuple(piece for whole in lines for piece in _broken(whole, columns))


def service_detail(
    service: Service, snapshot: Snapshot, *, now: float, columns: int
) -> tuple[Line, ...]:
    """A service: its findings, what it should be, and what changed in it."""
    declared = "nobody says" if service.declared is None else str(service.declared)
    names = (service.key, *(replica.name for replica in service.replicas))
    facts = [f"{service.kind.value} {service.key}  role {service.role.value}"]
    facts.append(f"{service.healthy} healthy, {len(service.current)} there, declared {declared}")
    if service.image is not None:
        facts.append(f"image {service.image.reference}")
    if service.update is not None:
        said = f": {service.update.message}" if service.update.message else ""
        facts.append(f"update {service.update.state}{said}")
    if service.origin is not None:
        facts.append(f"made from {', '.join(service.origin.config_files)}")
        facts += [f"with {name}" for name in service.origin.environment_files]
    if not service.healthcheck:
        facts.append("no health check: a replica that runs counts as healthy")
    if service.one_shot:
        facts.append("ends by design: its end is no trouble")
    lines = [
        *_findings(snapshot.findings, names, now),
        *(line(f" {fact}") for fact in facts),
        *_drift(service, snapshot, now),
        *_changes(snapshot.changes, names, now),
    ]
    return tuple(piece for whole in lines for piece in _broken(whole, columns))


def _trouble(replica: Replica, now: float) -> Iterator[Line]:
    end = replica.last_exit
    if not replica.serving:
        yield line(Segment(f" {trouble_words(replica, now)}", "bold"))
    if end is not None and replica.running:
        ago = f" {units.age(now - end.at)} ago" if end.at is not None else ""
        words = exit_words(end, replica.memory_limit)
        restarts = f"; restarted {replica.restarts} times" if replica.restarts > 1 else ""
        yield line(f" before: {words}{ago}{restarts}")
    elif replica.running and replica.ended_at is not None:
        ago = units.age(now - replica.ended_at)
        yield line(f" before: ended {ago} ago; the engine no longer says how")
    if replica.message:
        yield line(f" {replica.message}")
    if replica.health is Health.UNHEALTHY:
        yield line(f" last health: {last_output(replica)}")


def _findings(findings: Iterable[Finding], keys: Iterable[str], now: float) -> Iterator[Line]:
    wanted = frozenset(keys)
    for finding in findings:
        if finding.place.key in wanted or finding.subject in wanted:
            told = f" {summary(finding, now)}, {units.age(now - finding.since)}"
            yield line(" ", Segment(word(finding), style(finding)), told)


def _identity(replica: Replica, used: Usage | None, now: float) -> Iterator[Line]:
    where = f"node {replica.node}  " if replica.node else ""
    slot = f"slot {replica.slot}  " if replica.slot is not None else ""
    yield line(f" {where}{slot}id {replica.id.removeprefix('task:')[:12]}")
    digest = short_identity(replica.image)
    yield line(f" image {image_words(replica.image)}" + (f"  {digest}.." if digest else ""))
    yield line(Segment(f" {replica.image.reference}", "dim"))
    cpus = "no limit" if replica.cpu_limit is None else f"{replica.cpu_limit:g}"
    memory = "no limit" if replica.memory_limit is None else units.size(replica.memory_limit)
    yield line(f" limits: CPU {cpus}, memory {memory}")
    if used is not None:
        cpu = f"{used.cpu * 100:.0f} % of a core" if units.known(used.cpu) else units.NO_DATA
        yield line(f" uses: CPU {cpu}, memory {units.sizes(used.memory, used.memory_limit)}")
    for name, at in (("created", replica.created_at), ("started", replica.started_at)):
        if at is not None:
            yield line(f" {name} {units.full_moment(at)}, {units.age(now - at)} ago")


def _drift(service: Service, snapshot: Snapshot, now: float) -> Iterator[Line]:
    """What a plain `up` would do to this service; what cannot be told says so."""
    for source in snapshot.readings.intended:
        intended = source.value
        if intended is None or intended.project != service.project:
            continue
        if intended.problem:
            yield line(f" drift: unknown, {intended.problem}")
            continue
        stale = "" if source.sight(now) is Sight.SEEN else f" ({units.age(source.age(now))} ago)"
        for intention in intended.services:
            if intention.service == service.key:
                change = drift(service, intention)
                what = change.text if change else "change nothing"
                yield line(f" drift: a plain `up` would {what}{stale}")


def _health(replica: Replica) -> Iterator[Line]:
    if not replica.health_log:
        return
    yield _title("health")
    for check in reversed(replica.health_log[-_CHECKS_MOST:]):
        said = "ok" if check.exit_code == 0 else f"failed ({check.exit_code})"
        yield line(f" {units.clock(check.at)} {said}  {check.output.strip()}".rstrip())


def _changes(changes: Iterable[Change], subjects: Iterable[str], now: float) -> Iterator[Line]:
    wanted = frozenset(subjects)
    own = [change for change in changes if change.subject in wanted][:_CHANGES_MOST]
    if own:
        yield _title("recent events")
        for change in own:
            yield line(f" {units.clock(change.at)} {change_text(change, now)}")


def _section(name: str, texts: Iterable[str]) -> Iterator[Line]:
    shown = list(texts)
    if shown:
        yield _title(name)
        for text in shown:
            yield line(f" {text}")


def _title(name: str) -> Line:
    return line(Segment(f" {name}", "dim"))


def port_words(port: Port) -> str:
    """``0.0.0.0:8080 -> 80/tcp  outside``; a port that is not published says so."""
    inner = f"{port.container_port}/{port.protocol}"
    if not port.host_port:
        return f"{inner}  not published"
    address = f"[{port.host_address}]" if ":" in port.host_address else port.host_address
    return f"{address}:{port.host_port} -> {inner}" + ("  outside" if port.outside else "")


def mount_words(mount: Mount) -> str:
    """``bind /srv/shop -> /data  read-only``."""
    ending = "  read-only" if mount.read_only else ""
    return f"{mount.kind} {mount.source} -> {mount.target}{ending}"


def _broken(whole: Line, columns: int) -> Iterator[Line]:
    """A line in at most `columns`; one of plain text goes on below, a styled one is cut."""
    if len(whole) != 1:
        yield fitted(whole, columns)
        return
    text, name = whole[0]
    if width(text) <= columns:
        yield whole
        return
    indent = " " if text.startswith(" ") else ""
    body = text.lstrip(" ")
    first = wrapped(body, columns - len(indent))[0]
    yield line(Segment(indent + first, name))
    for piece in wrapped(body[len(first) :].lstrip(" "), max(8, columns - 3)):
        yield line(Segment(f"   {piece}", name))
