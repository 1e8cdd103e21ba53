"""Docker's own configuration: where it lies, and which context is the current one.

Small, because every command asks it before anything else is loaded.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from console.links.engine.parts import section, text
from console.paths import home_of

DEFAULT_CONTEXT: Final = "default"


def docker_config(environ: Mapping[str, str]) -> Path:
    """The directory of the docker command's configuration."""
    if environ.get("DOCKER_CONFIG"):
        return Path(environ["DOCKER_CONFIG"])
    return home_of(environ) / ".docker"


def current_context(environ: Mapping[str, str]) -> str:
    """The context that the docker command would use, DOCKER_HOST aside."""
    if environ.get("DOCKER_CONTEXT"):
        return environ["DOCKER_CONTEXT"]
    try:
        data = (docker_config(environ) / "config.json").read_bytes()
    except OSError:
        return DEFAULT_CONTEXT
    import json

    try:
        settings = json.loads(data)
    except ValueError:
        return DEFAULT_CONTEXT
    return text(section(settings).get("currentContext")) or DEFAULT_CONTEXT


def engine_origin(environ: Mapping[str, str]) -> str:
    """What tells productions apart that no cofa.toml names: the docker command's engine."""
    return environ.get("DOCKER_HOST") or f"context {current_context(environ)}"
