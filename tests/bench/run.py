"""The benchmarks: `make bench [ONLY="glance paint ..."]`, on the running stand.

Each prints its figure beside its limit; nothing here fails a build, a missed limit is said.
"""

import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
LIVE = HERE.parent / "live"


@dataclass(frozen=True)
class Bench:
    """What a benchmark works with."""

    stand: Any
    home: Path
    environ: dict[str, str]
    cofa: str
    python: str

    def clean(self) -> None:
        """Forget every kept Reading: the next command starts from nothing."""
        for path in self.home.rglob("*.json"):
            path.unlink()


def load(name: str, path: Path) -> ModuleType:
    """A module of the tests, which are no package."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def bench() -> Iterator[Bench]:
    """A home of its own with a cofa.toml for the stand."""
    stand = load("cofa_stand", LIVE / "stand" / "stand.py").load()
    config = load("stand_toml", LIVE / "stand_toml.py")
    with tempfile.TemporaryDirectory(prefix="cofa-bench-") as directory:
        home = Path(directory)
        (home / "cofa.toml").write_text(config.stand_toml(stand))
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": directory,
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "COFA_CONFIG": str(home / "cofa.toml"),
            **config.stand_secrets(stand),
        }
        binaries = Path(sys.executable).parent
        yield Bench(stand, home, environ, str(binaries / "cofa"), sys.executable)


def main() -> int:
    """Run all benchmarks, or those that are named."""
    sys.path.insert(0, str(HERE))
    names = sys.argv[1:] or ["glance", "paint", "idle", "kill", "crowd"]
    with bench() as it:
        for name in names:
            run: Callable[[Bench], None] = load(f"bench_{name}", HERE / f"bench_{name}.py").run
            print(f"-- {name}", flush=True)
            run(it)
    return 0


if __name__ == "__main__":
    sys.exit(main())
