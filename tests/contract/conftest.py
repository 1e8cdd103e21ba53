"""Two productions behind the same links: the rehearsal always, the stand where it runs.

The cases of this directory say what a reader may rely on, whichever it is.
"""

import importlib.util
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pytest

from console.clock import Deadline, SystemClock
from console.commands.wiring import Links, Opener
from console.config.environment import Environment
from console.paths import Paths
from console.rehearsal.environment import environment_of
from console.rehearsal.log import WorldFile
from console.rehearsal.scenarios import CALM
from console.rehearsal.world import Inject, apply, first_log

LIVE = Path(__file__).parent.parent / "live"


class Production(Protocol):
    """What a case may do with a production."""

    links: Links
    environment: Environment

    def deadline(self, seconds: float = 20.0) -> Deadline:
        """A deadline by this production's clock."""
        ...

    def change(self) -> str:
        """Do something of which the engine tells; gives the name that its events have in them."""
        ...


class Opened:
    """Links opened the way the commands open them."""

    def __init__(self, environment: Environment, directory: Path, secrets: dict[str, str]) -> None:
        self.clock = SystemClock()
        self.environment = environment
        environ = {"HOME": str(directory), "PATH": os.environ.get("PATH", ""), **secrets}
        self._opener = Opener(self.clock, Paths.of(environ), environ)
        self.links = self._opener.open(environment)

    def deadline(self, seconds: float = 20.0) -> Deadline:
        return Deadline.after(self.clock, seconds)

    def open_all(self) -> None:
        """Open again, with what only the fleet says."""
        fleet = self.links.fleet.read(self.deadline())
        self.links = self._opener.open(self.environment, fleet)

    def close(self) -> None:
        self._opener.close()


class RehearsedProduction(Opened):
    """A world of its own for each case."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "world.jsonl"
        WorldFile(self.path).create(first_log(CALM, SystemClock().wall(), seed=1, speed=100.0))
        super().__init__(environment_of(self.path), directory, {})

    def change(self) -> str:
        now = self.clock.wall()
        WorldFile(self.path).append(lambda log: apply(log, Inject("bad-release"), now))
        return "shop-backend-"


class LiveProduction(Opened):
    """The stand of real parts."""

    def __init__(self, stand: Any, directory: Path) -> None:
        from console.config.load import choose, load_config

        toml = module("stand_toml")
        self._stand = stand
        file = directory / "cofa.toml"
        file.write_text(toml.stand_toml(stand))
        secrets = toml.stand_secrets(stand)
        super().__init__(choose(load_config(file), None), directory, secrets)

    _numbers = itertools.count()

    def change(self) -> str:
        """A container of no service, made from an image that is there, ends at once."""
        name = f"cofa-contract-{os.getpid()}-{next(self._numbers)}"
        engine = (self._stand.docker.client, "--host", self._stand.docker.host)
        image = next(iter(self._stand.variants.values())).name
        run = ("run", "--rm", "--network=none", "--name", name, "--entrypoint=true", image)
        subprocess.run([*engine, *run], check=True, capture_output=True, timeout=60)
        return name


def module(name: str) -> ModuleType:
    """A module of tests/live, which is no package."""
    known = f"cofa_contract_{name}"
    if known not in sys.modules:
        path = LIVE / f"{name}.py" if name != "stand" else LIVE / "stand" / "stand.py"
        spec = importlib.util.spec_from_file_location(known, path)
        assert spec is not None and spec.loader is not None
        sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[known])
    return sys.modules[known]


@pytest.fixture(scope="session")
def calm_stand() -> Any:
    """The running stand, once it is calm; a skip with the reason where there is none."""
    stands = module("stand")
    try:
        stand = stands.load()
    except stands.NoStandError as error:
        if os.environ.get("COFA_REQUIRE_LIVE") == "1":
            pytest.fail(f"COFA_REQUIRE_LIVE=1, but {error}")
        pytest.skip(str(error))
    stands.wait_for("the stand is calm", lambda: stands.is_calm(stand), timeout=60)
    return stand


@pytest.fixture(params=["rehearsal", pytest.param("stand", marks=pytest.mark.live)])
def production(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Production]:
    """One production after the other."""
    found: Opened
    if request.param == "rehearsal":
        found = RehearsedProduction(tmp_path)
    else:
        found = LiveProduction(request.getfixturevalue("calm_stand"), tmp_path)
    try:
        found.open_all()
        yield found
    finally:
        found.close()
