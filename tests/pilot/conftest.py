"""A console on a watch that the test drives, and its screen as text."""

import importlib.util
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from textual.pilot import Pilot

from console.clock import ManualClock
from console.model.snapshot import Snapshot
from screens.app import CofaApp
from screens.options import Options

HERE = Path(__file__).parent


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"pilot_{name}", HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def fakes() -> ModuleType:
    """Snapshots built by hand, and a watch that posts them."""
    return _load("fakes")


@dataclass
class Console:
    """A running console."""

    app: CofaApp
    pilot: Pilot[int]
    watch: Any
    clock: ManualClock

    @property
    def lines(self) -> list[str]:
        """The screen, line by line."""
        strips = self.app.screen._compositor.render_strips()
        return [strip.text.rstrip() for strip in strips]

    @property
    def text(self) -> str:
        """The screen."""
        return "\n".join(self.lines)

    @property
    def cursor(self) -> str:
        """The row under the cursor."""
        return next((line for line in self.lines if line.startswith(">")), "")

    async def press(self, *keys: str) -> None:
        """Press keys, and wait until everything they cause is done."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def post(self, snapshot: Snapshot, *, later: float = 3.0) -> None:
        """A new Snapshot `later`, shown."""
        self.clock.advance(later)
        self.watch.post(snapshot)
        await self.until(lambda: self.app.snapshot is snapshot)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for a condition; fails after some seconds."""
        for _ in range(300):
            await self.pilot.pause(0.01)
            if true():
                return
        raise AssertionError(f"it did not happen; the screen:\n{self.text}")


Opener = Callable[..., AbstractAsyncContextManager[Console]]


@pytest.fixture
def console(fakes: ModuleType) -> Opener:
    """Opens a console: `async with console(snapshot, size=(80, 24)) as c`."""

    @asynccontextmanager
    async def opened(
        snapshot: Snapshot, *, size: tuple[int, int] = (80, 24), **options: Any
    ) -> AsyncIterator[Console]:
        clock = ManualClock(fakes.NOW)
        wanted = replace(Options("production", blocks=True, clock=clock, slow=True), **options)
        watch = fakes.FakeWatch(snapshot)
        app = CofaApp(watch, wanted)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            yield Console(app, pilot, watch, clock)

    return opened


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compares a screen with its golden file; COFA_GOLDEN=write makes the file anew."""

    def compare(name: str, text: str) -> None:
        path = HERE / "golden" / f"{name}.txt"
        if os.environ.get("COFA_GOLDEN") == "write":
            path.parent.mkdir(exist_ok=True)
            path.write_text(text + "\n", "utf-8")
        assert text + "\n" == path.read_text("utf-8"), f"{path.name} differs"

    return compare
