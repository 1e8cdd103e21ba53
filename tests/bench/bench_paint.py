"""The console's first paint against a bare Textual app; then its first live data."""

from pathlib import Path
from typing import Any

from measure import figure, paired
from terminal import Terminal

BARE = Path(__file__).parent / "bare.py"


def run(bench: Any) -> None:
    """Both are started in a pseudo-terminal of 80x24 and watched until they show something."""

    def paint(argv: list[str], shown: str) -> float:
        with Terminal(argv, bench.environ) as terminal:
            return terminal.wait_for(lambda text: shown in text, 20.0)

    def cofa() -> float:
        bench.clean()
        return paint([bench.cofa], "Glance")

    result = paired(
        "first paint", cofa, "bare Textual", lambda: paint([bench.python, str(BARE)], "BARE-READY")
    )
    print(result.line(1.3))
    bench.clean()
    with Terminal([bench.cofa], bench.environ) as terminal:
        terminal.wait_for(lambda text: "Glance" in text, 20.0)
        took = terminal.wait_for(lambda text: "3 of 3 ok" in text, 20.0)
    print(figure("first live data after the first paint", took, "s", 1.0))
