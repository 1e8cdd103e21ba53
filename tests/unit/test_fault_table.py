"""docs/faults.md names tests; each of them is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_table_names_is_there() -> None:
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs" / "faults.md").read_text("utf-8"))
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    known = set(re.findall(r"def (test_\w+)\(", sources))
    assert len(named) > 30
    assert [name for name in named if name not in known] == []
