"""Words for services and replicas: names, states, ends, images."""

from collections.abc import Iterable
from typing import Final

from console.model.fleet import Exit, Fleet, Health, Image, Replica, Service, State
from console.present import units

_SIGNALS: Final = {
    1: "hung up",
    2: "interrupted",
    3: "quit",
    4: "illegal instruction",
    6: "aborted",
    7: "bus error",
    8: "arithmetic error",
    9: "killed",
    11: "segmentation fault",
    13: "broken pipe",
    15: "terminated",
}
_DIGEST: Final = 12


def service_label(fleet: Fleet | None, service: Service) -> str:
    """Its name; its key where another service of the fleet has the same name."""
    same = [s for s in (fleet.services if fleet else ()) if s.name == service.name]
    return service.key if len(same) > 1 else service.name


def exit_words(end: Exit, memory_limit: int | None = None) -> str:
    """How a process ended: ``killed for memory at its limit of 2.0 GiB``, ``exited 1``."""
    if end.oom_killed:
        return "killed for memory" + (
            f" at its limit of {units.size(memory_limit)}" if memory_limit else ""
        )
    if end.error:
        return f"could not start: {end.error}"
    if end.unhealthy:
        return f"stopped by the engine as unhealthy ({end.code})"
    if end.signal is not None:
        return f"exited {end.code} ({_SIGNALS.get(end.signal, f'signal {end.signal}')})"
    return "ended by itself (0)" if end.code == 0 else f"exited {end.code}"


def streak_start(replica: Replica) -> float | None:
    """When its health check began to fail, as far back as the kept checks tell."""
    start: float | None = None
    for check in reversed(replica.health_log):
        if check.exit_code == 0:
            break
        start = check.at
    return start


def down_since(replica: Replica) -> float | None:
    """Since when it does not serve; None where the engine does not say."""
    if replica.serving:
        return None
    if replica.state is State.PAUSED:
        return None
    if replica.running:
        return streak_start(replica) if replica.health is Health.UNHEALTHY else replica.started_at
    return replica.last_exit.at if replica.last_exit else replica.created_at


def last_output(replica: Replica) -> str:
    """What its last failed health check said; empty if none did."""
    failed = next((c for c in reversed(replica.health_log) if c.exit_code != 0), None)
    if failed is None:
        return ""
    return failed.output.strip() or f"exit code {failed.exit_code}, no output"


def short_name(service: Service, replica: Replica) -> str:
    """Its name without the project that all names begin with: ``backend-2``."""
    for joint in ("-", "_"):
        prefix = f"{service.project}{joint}"
        if service.project and replica.name.startswith(prefix):
            return replica.name.removeprefix(prefix)
    return replica.name


def trouble_words(replica: Replica, now: float | None = None) -> str:
    """Why it does not serve: ``unhealthy 3 min``, ``exited 137 (killed) 12 s ago``.

    Without `now` there are no ages in it, so that it stays the same while it lasts.
    """
    since = down_since(replica)
    lasted = f" {units.age(now - since)}" if since is not None and now is not None else ""
    ago = f"{lasted} ago" if lasted else ""
    if replica.running:
        if replica.state is State.PAUSED:
            return "paused"
        if replica.health is Health.UNHEALTHY:
            return f"unhealthy{lasted}"
        if replica.last_exit is None:
            return f"starting{lasted}"
        return f"starting again{lasted}, {exit_words(replica.last_exit)}"
    if replica.state is State.PENDING:
        return f"pending{lasted}" + (f": {replica.message}" if replica.message else "")
    if replica.last_exit is not None:
        return exit_words(replica.last_exit, replica.memory_limit) + ago
    return f"{replica.state.value}{lasted}" + (f": {replica.message}" if replica.message else "")


def same_image(one: Image, other: Image) -> bool:
    """Whether both are the same image, by the surest thing that both say."""
    if one.digest and other.digest:
        return one.digest == other.digest
    if one.id and other.id:
        return one.id == other.id
    return one.reference.partition("@")[0] == other.reference.partition("@")[0]


def short_identity(image: Image) -> str:
    """``9ac3f00d12ab``: the beginning of its digest or id."""
    value = image.digest or image.id or ""
    return value.removeprefix("sha256:")[:_DIGEST]


def image_words(image: Image, others: Iterable[Image] = ()) -> str:
    """Its tag; with the beginning of its digest where another of `others` has the same tag."""
    tag = image.tag.removeprefix("sha256:")
    clash = any(other.tag == image.tag and not same_image(other, image) for other in others)
    identity = short_identity(image)
    return f"{tag} ({identity})" if clash and identity else tag
