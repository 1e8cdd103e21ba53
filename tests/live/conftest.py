"""The stand of real parts, for live tests: skipped with the reason where it is missing."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent


def _module(name: str, path: Path) -> ModuleType:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def stands() -> ModuleType:
    """stand/stand.py: what may be done to the stand."""
    return _module("cofa_stand", HERE / "stand" / "stand.py")


@pytest.fixture(scope="session")
def toml() -> ModuleType:
    """stand_toml.py: cofa.toml for the stand."""
    return _module("cofa_stand_toml", HERE / "stand_toml.py")


@pytest.fixture(scope="session")
def stand(stands: ModuleType) -> Any:
    """The running stand (see tests/live/README.md)."""
    directory = Path(os.environ.get("COFA_STAND_DIR", "/tmp/cofa-stand"))
    if not (directory / "stand.json").exists():
        missing("no stand runs here: start it by tests/live/stand/up (as root, on Debian 12)")
    return stands.load()


def missing(reason: str) -> None:
    """Skip; but fail where every real part is required (COFA_REQUIRE_LIVE=1)."""
    if os.environ.get("COFA_REQUIRE_LIVE") == "1":
        pytest.fail(f"COFA_REQUIRE_LIVE=1, but {reason}")
    pytest.skip(reason)
