"""Where cofa.toml is looked for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from console.paths import Paths

SYSTEM_FILE: Final = Path("/etc/cofa/cofa.toml")


def find_config(
    explicit: Path | None, environ: Mapping[str, str], cwd: Path, system: Path = SYSTEM_FILE
) -> Path | None:
    """The file to read: `explicit`, $COFA_CONFIG, ./cofa.toml, the user's, the system's.

    None where there is none. The first two are given back even where no file is there, so
    that reading them says so.
    """
    if explicit is not None:
        return cwd / explicit
    if environ.get("COFA_CONFIG"):
        return cwd / environ["COFA_CONFIG"]
    places = (cwd / "cofa.toml", Paths.of(environ).config / "cofa.toml", system)
    return next((place for place in places if place.exists() or place.is_symlink()), None)
