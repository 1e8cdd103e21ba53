"""One container: what the engine's list and inspection of it say, as a Replica.

Sources: the Docker Engine API, ``GET /containers/json`` and ``GET /containers/{id}/json``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from console.links.engine.healthchecks import asked_path
from console.links.engine.images import LocalImage, image_of
from console.links.engine.parts import moment, positive, records, section, text, texts, whole
from console.model.environment_names import masked, masked_text
from console.model.fleet import Exit, Health, HealthCheck, Mount, Port, Replica, State
from console.text import clean

HEALTH_OUTPUT_LIMIT: Final = 2_000
VALUE_LIMIT: Final = 1_000

_LABELS: Final = ("com.docker.compose.", "com.docker.swarm.", "com.docker.stack.")
_UP: Final = re.compile(
    r"Up (?:(Less than a|About an?|\d+) (second|minute|hour|day|week|month|year)s?)"
)
_UNITS: Final = {
    "second": 1.0,
    "minute": 60.0,
    "hour": 3600.0,
    "day": 86400.0,
    "week": 7 * 86400.0,
    "month": 30 * 86400.0,
    "year": 365 * 86400.0,
}


@dataclass(frozen=True, slots=True)
class Container:
    """A container as far as the fleet is made of it."""

    replica: Replica
    labels: Mapping[str, str]
    """Those of Compose and Swarm, as they came."""
    tty: bool = False
    restart_policy: str = ""
    checked: bool = False
    """A health check is defined."""
    check_interval: float | None = None
    check_path: str = ""
    """What the check asks over HTTP; empty where that is not seen."""
    publishes: bool = False
    """It is made with published ports; a stopped container lists none."""
    memory_reservation: int | None = None

    def label(self, name: str) -> str:
        """A label's value, cleaned."""
        return text(self.labels.get(name))


def labels_of(summary: Mapping[str, Any]) -> dict[str, str]:
    """The labels by which Compose and Swarm know their containers."""
    return {
        name: value
        for name, value in section(summary, "Labels").items()
        if isinstance(value, str) and name.startswith(_LABELS)
    }


def name_of(summary: Mapping[str, Any]) -> str:
    """The container's own name: the one without the path of a link in it."""
    names = [text(name).lstrip("/") for name in texts(summary.get("Names"))]
    own = [name for name in names if "/" not in name]
    return (own or names or [text(summary.get("Id"))[:12]])[0]


def fingerprint(summary: Mapping[str, Any]) -> tuple[object, ...]:
    """What of the list changes when the inspection would; not the words on its uptime."""
    status = text(summary.get("Status"))
    networks = section(summary, "NetworkSettings", "Networks")
    return (
        text(summary.get("State")),
        tuple(re.findall(r"\(([^)]*)\)", status)),
        section(summary, "Health").get("FailingStreak"),
        whole(summary.get("Created")),
        tuple(texts(summary.get("Names"))),
        tuple(
            (name, section(network).get("IPAddress"), section(network).get("GlobalIPv6Address"))
            for name, network in sorted(networks.items())
        ),
        sorted(str(port) for port in records(summary, "Ports")),
    )


def restarted_since(summary: Mapping[str, Any], started_at: float | None, now: float) -> bool:
    """Whether the list's uptime contradicts the known start: restarted without a trace.

    The engine writes the uptime in its largest unit (go-units HumanDuration), so it is
    compared with that unit as tolerance, plus 5 s for the way. `now` is the engine's time.
    """
    match = _UP.match(text(summary.get("Status")))
    if match is None or started_at is None:
        return False
    unit = _UNITS[match[2]]
    count = float(match[1]) if match[1].isdigit() else 0.0 if match[1].startswith("Less") else 1.0
    return (now - started_at) - count * unit > unit + 5.0


def container_of(
    summary: Mapping[str, Any], detail: Mapping[str, Any], image: LocalImage | None, node: str
) -> Container:
    """The container; `detail` may be empty where it could not be inspected."""
    settings = section(detail, "Config")
    limits = section(detail, "HostConfig")
    check = section(settings, "Healthcheck")
    return Container(
        replica=_replica(summary, detail, image, node),
        labels=labels_of(summary),
        tty=settings.get("Tty") is True,
        restart_policy=text(section(limits, "RestartPolicy").get("Name")),
        checked=bool(section(detail, "State", "Health")) or _defined(check),
        check_path=asked_path(texts(check.get("Test"))),
        check_interval=(positive(check.get("Interval")) or 30_000_000_000) / 1e9 if check else None,
        publishes=any(section(limits, "PortBindings").values()),
        memory_reservation=positive(limits.get("MemoryReservation")),
    )


def _defined(check: Mapping[str, Any]) -> bool:
    test = texts(check.get("Test"))
    return bool(test) and test[0] != "NONE"


def _replica(
    summary: Mapping[str, Any], detail: Mapping[str, Any], image: LocalImage | None, node: str
) -> Replica:
    condition = section(detail, "State")
    limits = section(detail, "HostConfig")
    # The inspection is the newer of the two, and its parts belong to one moment.
    state = _state(text(condition.get("Status")) or text(summary.get("State")))
    health = section(condition, "Health")
    created = whole(summary.get("Created"))
    reference = text(section(detail, "Config").get("Image")) or text(summary.get("Image"))
    labels = section(summary, "Labels")
    return Replica(
        id=text(summary.get("Id"), 64),
        name=name_of(summary),
        service="",
        image=image_of(reference, text(summary.get("ImageID"), 80) or None, image),
        state=state,
        health=_health(text(health.get("Status"))) if condition else _listed_health(summary),
        node=node,
        created_at=moment(detail.get("Created")) or (float(created) if created else None),
        started_at=moment(condition.get("StartedAt")),
        restarts=whole(detail.get("RestartCount")) or 0,
        last_exit=_last_exit(condition, state),
        ended_at=moment(condition.get("FinishedAt")),
        health_log=tuple(_checks(health)),
        failing_streak=whole(health.get("FailingStreak")) or 0,
        memory_limit=positive(limits.get("Memory")),
        cpu_limit=_cpu_limit(limits),
        addresses=addresses_of(summary),
        ports=_ports(detail),
        mounts=tuple(_mount(mount) for mount in records(detail, "Mounts")),
        environment=environment_of(section(detail, "Config").get("Env")),
        config_hash=text(labels.get("com.docker.compose.config-hash")),
    )


def _state(word: str) -> State:
    try:
        return State(word)
    except ValueError:
        return State.DEAD if word else State.PENDING


def _health(word: str) -> Health:
    try:
        return Health(word)
    except ValueError:
        return Health.UNCHECKED


def _listed_health(summary: Mapping[str, Any]) -> Health:
    """As the list's status has it in its words."""
    status = text(summary.get("Status"))
    if "(health: starting)" in status:
        return Health.STARTING
    return _health(next(iter(re.findall(r"\((\w+)\)", status)), ""))


def _last_exit(condition: Mapping[str, Any], state: State) -> Exit | None:
    if state in (State.RUNNING, State.PAUSED, State.PENDING) or not condition:
        return None
    at = moment(condition.get("FinishedAt"))
    error = text(condition.get("Error"))
    if at is None and not error:
        return None
    return Exit(
        at=at,
        code=whole(condition.get("ExitCode")) or 0,
        oom_killed=condition.get("OOMKilled") is True,
        error=error,
    )


def _checks(health: Mapping[str, Any]) -> list[HealthCheck]:
    checks = []
    for check in records(health, "Log"):
        at = moment(check.get("End")) or moment(check.get("Start"))
        if at is not None:
            output = masked_text(text(check.get("Output"), HEALTH_OUTPUT_LIMIT).strip())
            checks.append(HealthCheck(at, whole(check.get("ExitCode")) or 0, output))
    return checks


def _cpu_limit(limits: Mapping[str, Any]) -> float | None:
    cpus = positive(limits.get("NanoCpus"))
    if cpus:
        return cpus / 1e9
    quota, period = positive(limits.get("CpuQuota")), positive(limits.get("CpuPeriod"))
    return quota / (period or 100_000) if quota else None


def addresses_of(summary: Mapping[str, Any]) -> dict[str, str]:
    """Network name -> IP address, IPv4 before IPv6."""
    networks = section(summary, "NetworkSettings", "Networks")
    found = {}
    for name, network in networks.items():
        values = section(network)
        address = text(values.get("IPAddress")) or text(values.get("GlobalIPv6Address"))
        if address:
            found[clean(name)] = address
    return found


def _ports(detail: Mapping[str, Any]) -> tuple[Port, ...]:
    found = set()
    for name, bindings in section(detail, "NetworkSettings", "Ports").items():
        number, _, protocol = text(name).partition("/")
        for binding in bindings if isinstance(bindings, list) else ():
            host_port = positive(section(binding).get("HostPort"))
            if host_port and number.isdigit():
                address = text(section(binding).get("HostIp")) or "0.0.0.0"  # noqa: S104
                found.add((int(number), protocol or "tcp", address, host_port))
    return tuple(Port(*values) for values in sorted(found))


def _mount(mount: Mapping[str, Any]) -> Mount:
    kind = text(mount.get("Type"))
    source = text(mount.get("Name")) if kind == "volume" else text(mount.get("Source"))
    return Mount(kind, source, text(mount.get("Destination")), mount.get("RW") is False)


def environment_of(variables: object) -> tuple[tuple[str, str], ...]:
    """Names and values as they may be shown: secrets are masked here, before anything else."""
    pairs = (variable.partition("=")[::2] for variable in texts(variables))
    return tuple(sorted((clean(n, 200), clean(masked(n, v), VALUE_LIMIT)) for n, v in pairs))
