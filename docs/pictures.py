"""Draws the pictures of the README: the real console on the rehearsal (`make pictures`)."""

import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from console.clock import SystemClock
from console.commands.seeing import Session, rehearsal_session
from console.paths import Paths
from console.rehearsal.environment import environment_of, world_path
from console.rehearsal.log import WorldFile
from console.rehearsal.world import first_log
from screens.app import CofaApp
from screens.options import Options

FOLDER = Path(__file__).parent / "pictures"
_FONTS = re.compile(r"@font-face\s*{[^}]*}\s*", re.DOTALL)


@dataclass(frozen=True)
class Picture:
    """One file: a scenario, a size, and the keys that lead to the screen."""

    name: str
    scenario: str
    columns: int
    rows: int
    keys: Sequence[str] = ()
    shown: str = ""
    """What the screen says once it is ready."""


PICTURES = (
    Picture("glance", "bad-release", 100, 30, (), "p95"),
    Picture("fleet", "replica-crash", 100, 30, ("2", "j", "j", "j", "enter"), "memory"),
    Picture("logs", "replica-crash", 100, 30, ("2", "l"), "GET"),
    Picture("help", "calm", 100, 34, ("question_mark",), "quit"),
)


def _session(home: Path, scenario: str) -> Session:
    environ = dict(os.environ) | {"HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
    path = world_path(Paths.of(environ))
    path.parent.mkdir(parents=True, exist_ok=True)
    WorldFile(path).create(first_log(scenario, time.time(), seed=1, speed=10.0))
    return rehearsal_session(environment_of(path), environ)


async def _wait(condition: Callable[[], bool], what: str) -> None:
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise SystemExit(f"no picture: {what} did not come on the screen")


async def _draw(picture: Picture, home: Path) -> None:
    session = _session(home, picture.scenario)
    options = Options(
        session.environment.name, rehearsal=True, blocks=True, theme="dark", clock=SystemClock()
    )
    app = CofaApp(session.watch, options)
    async with app.run_test(size=(picture.columns, picture.rows)) as pilot:
        session.start(events=True)
        await _wait(lambda: session.settled, "the rehearsal")
        for key in picture.keys:
            await pilot.press(key)
            await pilot.pause(0.3)
        await _wait(lambda: picture.shown in app.export_screenshot(), repr(picture.shown))
        # One more tick, so that what follows the first answer (usage, say) is there as well.
        await pilot.pause(1.5)
        svg = app.export_screenshot(title="cofa")
    session.close()
    (FOLDER / f"{picture.name}.svg").write_text(_FONTS.sub("", svg))


def main() -> int:
    """Draw all of them."""
    FOLDER.mkdir(exist_ok=True)
    for picture in PICTURES:
        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(_draw(picture, Path(directory)))
        print(f"docs/pictures/{picture.name}.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
