"""A replica killed for real: when is it on the screen?"""

import sys
from typing import Any

from measure import figure
from terminal import Terminal


def run(bench: Any) -> None:
    """The worst of three kills, on the Fleet screen."""
    stand, tools = bench.stand, sys.modules["cofa_stand"]
    worst = 0.0
    for _ in range(3):
        tools.reset(stand)
        with Terminal([bench.cofa], bench.environ, columns=120, lines=40) as terminal:
            terminal.wait_for(lambda text: "3 of 3 ok" in text, 30.0)
            terminal.press("2")
            terminal.settle(1.0)
            victim = tools.replicas(stand)[-1]
            tools.docker(stand, "kill", victim.id)
            worst = max(worst, terminal.wait_for(lambda text: "2 of 3" in text, 20.0))
    tools.reset(stand)
    print(figure("a killed replica is on the screen (worst of 3)", worst, "s", 2.0))
