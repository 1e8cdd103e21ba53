"""Drift: what a plain ``docker compose up`` would change that nobody asked it to."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from console.model.fleet import Image, Intention, Replica, Service, ServiceKind


@dataclass(frozen=True, slots=True)
class Drift:
    """What a plain `up` would do to one service."""

    service: str
    """Key of the service."""
    text: str
    """In words: ``revert backend from v1.3.1 to v1.3.0``, ``recreate nginx``."""
    recreates: bool
    """It would stop running containers."""


def drift(service: Service, intention: Intention) -> Drift | None:
    """What `up` would change, by Compose's own test; None where nothing.

    Compose recreates a container whose configuration hash differs, or whose image is not
    the one that the reference names now. (Source: docker/compose, convergence.mustRecreate.)
    The hash holds the reference of the image. Replicas too many would be removed; those
    that are missing would be made, which is no drift but the repair.
    """
    if service.kind is not ServiceKind.COMPOSE:
        return None
    replicas = service.current
    changed = [replica for replica in replicas if _differs(replica, intention)]
    parts = []
    if changed:
        parts.append(_change(service.name, changed, intention))
    surplus = len(replicas) - intention.replicas if intention.replicas is not None else 0
    if surplus > 0:
        parts.append(f"remove {surplus} of {len(replicas)} replicas of {service.name}")
    if not parts:
        return None
    return Drift(service.key, " and ".join(parts), recreates=bool(changed or surplus > 0))


def drift_words(drifts: Iterable[Drift]) -> str:
    """One line: ``a plain `up` would revert backend from v1.3.1 to v1.3.0 and recreate nginx``.

    Empty where there is no drift.
    """
    texts = [item.text for item in drifts]
    if not texts:
        return ""
    first, last = texts[:-1], texts[-1]
    return "a plain `up` would " + (f"{', '.join(first)} and {last}" if first else last)


def _differs(replica: Replica, intention: Intention) -> bool:
    other_hash = bool(
        replica.config_hash
        and intention.config_hash
        and replica.config_hash != intention.config_hash
    )
    return other_hash or _other_image(replica.image, intention)


def _other_image(image: Image, intention: Intention) -> bool:
    if image.reference and intention.image and image.reference != intention.image:
        # An image id as the reference: its tag was moved to another image meanwhile.
        return not image.reference.startswith("sha256:") or image.reference != intention.image_id
    return bool(image.id and intention.image_id and image.id != intention.image_id)


def _change(name: str, changed: Sequence[Replica], intention: Intention) -> str:
    intended = Image(intention.image, intention.image_id)
    running = [r.image for r in changed if _other_image(r.image, intention)]
    if not running:
        return f"recreate {name}"
    old = sorted({_called(image, intended) for image in running})
    new = _called(intended, running[0])
    if old == [new]:
        return f"recreate {name} on another image (the tag {new} was moved)"
    verb = "update" if len(old) == 1 and _newer(new, old[0]) else "revert"
    return f"{verb} {name} from {', '.join(old)} to {new}"


def _called(image: Image, other: Image) -> str:
    """The tag, where that tells it from the other one; else the whole reference."""
    return image.tag if image.name == other.name else image.reference


def _newer(new: str, old: str) -> bool:
    """Whether both are versions, and `new` is the later one."""
    versions = [re.fullmatch(r"v?(\d+(?:\.\d+){0,3})", tag) for tag in (new, old)]
    if not all(versions):
        return False
    later, earlier = ([int(part) for part in v[1].split(".")] for v in versions if v)
    return later > earlier
