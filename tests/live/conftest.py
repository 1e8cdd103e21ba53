"""The stand of real parts, for live tests: skipped with the reason where it is missing."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent


def _stand_module() -> ModuleType:
    name = "cofa_stand"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, HERE / "stand" / "stand.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def stand() -> Any:
    """The running stand (see tests/live/README.md)."""
    directory = Path(os.environ.get("COFA_STAND_DIR", "/tmp/cofa-stand"))
    if not (directory / "stand.json").exists():
        missing("no stand runs here: start it by tests/live/stand/up (as root, on Debian 12)")
    return _stand_module().load()


def missing(reason: str) -> None:
    """Skip; but fail where every real part is required (COFA_REQUIRE_LIVE=1)."""
    if os.environ.get("COFA_REQUIRE_LIVE") == "1":
        pytest.fail(f"COFA_REQUIRE_LIVE=1, but {reason}")
    pytest.skip(reason)
