"""Where what is kept lies, told from the command line alone: before anything is loaded."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from console.config.where import find_config
from console.links.engine.contexts import engine_origin
from console.paths import KeptPlace, Paths


def place_of(args: argparse.Namespace, environ: Mapping[str, str]) -> tuple[KeptPlace, Path | None]:
    """Where the Readings of the environment that `args` name are kept; and its cofa.toml.

    The docker command's engine tells them apart as well, as a cofa.toml need not name one.
    """
    path = find_config(args.config, environ, Path.cwd())
    origin = f"{path.resolve() if path is not None else ''}|{engine_origin(environ)}"
    name = args.env or ("default" if path is not None else "found")
    return KeptPlace.of(Paths.of(environ), name, origin), path
