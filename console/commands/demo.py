"""`cofa demo`: the console on a rehearsed production, without Docker or network."""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from console.clock import Clock, SystemClock
from console.commands.arguments import Parser
from console.commands.showing import show
from console.errors import UsageError
from console.paths import Paths
from console.rehearsal.environment import NAME, world_path
from console.rehearsal.log import SPEED_MOST, Pulse, WorldFile
from console.rehearsal.scenarios import CALM, SCENARIOS
from console.rehearsal.world import Inject, apply, first_log

SEED: Final = 1
SPEED: Final = 10.0
_NAMES: Final = ", ".join(SCENARIOS)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Start or join a world and open the console on it; or list, or inject.

    Raises UsageError and LinkError.
    """
    args = parse(argv)
    if args.list:
        print(listing())
        return 0
    paths, clock = Paths.of(environ), SystemClock()
    path = world_path(paths)
    if args.inject is not None:
        print(inject(path, args.inject, clock))
        return 0
    with closing(Pulse(path)) as pulse:
        begin(path, args, pulse, clock)
        from console.commands.seeing import open_session

        return show(args, environ, lambda: open_session(args, environ, fresh=True), rehearsal=True)


def listing() -> str:
    """The scenarios, one on each line."""
    return "\n".join(f"{name:<22}{item.summary}" for name, item in SCENARIOS.items())


def begin(path: Path, args: argparse.Namespace, pulse: Pulse, clock: Clock) -> bool:
    """Join the world that a console has open, else start one: True. Holds the pulse.

    Raises UsageError where an open console's world would have to be another one.
    """
    file = WorldFile(path)
    with pulse.deciding():
        starts = args.fresh or not pulse.held
        if starts:
            file.create(
                first_log(
                    args.scenario or CALM,
                    clock.wall(),
                    seed=SEED if args.seed is None else args.seed,
                    speed=args.speed or SPEED,
                )
            )
        elif _makes_a_world(args):
            raise UsageError(
                "a console is open on the rehearsal: `cofa demo --inject SCENARIO` changes its "
                "world, `cofa demo` alone joins it, with --fresh another world takes its place"
            )
        else:
            file.read()
        pulse.hold()
    return starts


def inject(
    path: Path, scenario: str, clock: Clock, sleep: Callable[[float], None] = time.sleep
) -> str:
    """Let `scenario` begin in the world that is there; returns once it has, and says so.

    Raises LinkError where there is no world.
    """
    entry = WorldFile(path).append(lambda log: apply(log, Inject(scenario), clock.wall()))
    if entry is None:
        return "nothing was wrong" if scenario == CALM else f"{scenario} is there already"
    sleep(max(0.0, entry.at - clock.wall()))
    return "healed: it takes a few seconds" if scenario == CALM else f"{scenario} begins"


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line. Raises UsageError."""
    parser = Parser(
        prog="cofa demo",
        description="The console on a rehearsed production, without Docker or network.",
        epilog=f"Scenarios: {_NAMES}.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("scenario", nargs="?", metavar="SCENARIO", help="start a world with it")
    add("--inject", metavar="SCENARIO", help="let it begin in the world that is there; calm heals")
    add("--list", action="store_true", help="name the scenarios")
    add("--speed", type=float, metavar="N", help=f"how fast troubles unfold (default {SPEED:g})")
    add("--seed", type=int, metavar="N", help=f"of the world's irregularities (default {SEED})")
    add("--fresh", action="store_true", help="start a world even where a console has one open")
    add("--read-only", action="store_true", help="forbid arming")
    add("--ascii", action="store_true", help="no block or line characters")
    add("--slow", action="store_true", help="a bad link: fewer repaints")
    add("--theme", help="dark, light, contrast, sixteen or plain")
    add("--debug", action="store_true", help="say more in cofa's own log")
    parser.set_defaults(env=NAME, config=None)
    args = parser.parse_args(argv)
    for name in (args.scenario, args.inject):
        if name is not None and name not in SCENARIOS:
            raise UsageError(f"{name!r} is no scenario; there are {_NAMES}")
    if args.inject is not None and (args.fresh or _makes_a_world(args)):
        raise UsageError("--inject changes the world that is there and takes no other option")
    if args.speed is not None and not 1.0 <= args.speed <= SPEED_MOST:
        raise UsageError(f"--speed {args.speed:g} is not between 1 and {SPEED_MOST:g}")
    return args


def _makes_a_world(args: argparse.Namespace) -> bool:
    return (args.scenario, args.seed, args.speed) != (None, None, None)
