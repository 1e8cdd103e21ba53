"""What the console costs while nothing happens: bytes on the line, processor, memory."""

from typing import Any

from measure import figure
from terminal import Terminal

WARM, SPAN = 20.0, 60.0


def run(bench: Any) -> None:
    """Each screen at 80x24 on the calm stand, after a warm-up."""
    for key, screen in (("1", "Glance"), ("2", "Fleet")):
        with Terminal([bench.cofa], bench.environ) as terminal:
            terminal.wait_for(lambda text: "3 of 3 ok" in text, 20.0)
            terminal.press(key)
            terminal.settle(WARM)
            before = terminal.cpu()
            received = terminal.settle(SPAN)
            used = terminal.cpu() - before
            memory = terminal.memory() / 2**20
        print(figure(f"{screen}: bytes on the line", received / SPAN, "B/s", 1024))
        print(figure(f"{screen}: processor", 100 * used / SPAN, "%", 2))
        print(figure(f"{screen}: resident", memory, "MB", 130))
