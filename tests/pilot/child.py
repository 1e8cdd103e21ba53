"""A console of its own process, for the tests that give it a real terminal.

usage: child.py STATE [no-color] [hang]
"""

import os
import signal
import sys
import threading
from dataclasses import dataclass, replace

import fakes

from screens.options import Options
from screens.running import run_console


@dataclass
class Ticking:
    """The fakes' moment, going on."""

    base: float

    def wall(self) -> float:
        return fakes.NOW + self.monotonic() - self.base

    def monotonic(self) -> float:
        import time

        return time.monotonic()


def main() -> int:
    words = sys.argv[2:]
    watch = fakes.FakeWatch(getattr(fakes, sys.argv[1])())
    if "hang" in words:
        watch.hangs = threading.Event()
    if "nohup" in words:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if "crash" in words:
        watch.look_at = lambda ids: 1 / 0
    options = Options.of("production", os.environ)
    clock = Ticking(0.0)
    clock.base = clock.monotonic()
    return run_console(watch, replace(options, clock=clock))


if __name__ == "__main__":
    sys.exit(main())
