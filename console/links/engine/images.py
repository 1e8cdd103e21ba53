"""Images as one engine has them: ``GET /images/{name}/json``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.links.engine.healthchecks import asked_path
from console.links.engine.parts import section, text, texts
from console.model.fleet import Image


@dataclass(frozen=True, slots=True)
class LocalImage:
    """What the engine knows of an image."""

    id: str
    digests: tuple[str, ...] = ()
    """``repository@sha256:...``, one for each registry it was pushed to or pulled from."""
    checked: bool = False
    """It defines a health check."""
    check_path: str = ""
    """What the check asks over HTTP; empty where that is not seen."""


def local_image(answer: Mapping[str, Any]) -> LocalImage:
    """An inspected image."""
    test = texts(section(answer, "Config", "Healthcheck").get("Test"))
    return LocalImage(
        id=text(answer.get("Id"), 80),
        digests=tuple(text(digest) for digest in texts(answer.get("RepoDigests"))),
        checked=bool(test) and test[0] != "NONE",
        check_path=asked_path(test),
    )


def image_of(reference: str, image_id: str | None, local: LocalImage | None = None) -> Image:
    """The image that `reference` named when the replica was made."""
    image = Image(reference, image_id)
    return Image(reference, image_id, _digest(image, local))


def _digest(image: Image, local: LocalImage | None) -> str | None:
    written = image.reference.partition("@")[2]
    if written.startswith("sha256:"):
        return written
    found = [digest.partition("@")[::2] for digest in local.digests] if local else []
    own = [digest for name, digest in found if name == image.name]
    return next(iter(own or [digest for _, digest in found]), None)
