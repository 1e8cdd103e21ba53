"""What tests of several rooms share."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent


def _load(name: str, path: Path) -> ModuleType:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def faults() -> ModuleType:
    """tests/faults.py: a misbehaving server, and its misbehaviours."""
    return _load("cofa_faults", HERE / "faults.py")


@pytest.fixture
def product(tmp_path: Path) -> Any:
    """The whole command, in a home of its own: see tests/product.py."""
    terminals = _load("cofa_terminal", HERE / "bench" / "terminal.py")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return _load("cofa_product", HERE / "product.py").Product(home, terminals)


@pytest.fixture
def serve(faults: ModuleType) -> Iterator[Callable[..., Any]]:
    """Starts servers: ``serve(behaviour, tls=None)``; they end with the test."""
    servers: list[Any] = []

    def start(behave: Any, tls: Any = None) -> Any:
        servers.append(faults.FaultyServer(behave, tls))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
