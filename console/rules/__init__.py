"""judge(readings, fleet, policy, memory, now) -> (findings, memory). Pure, one module per subject.

Each rule module yields candidates for what its sources show now; judging decides what is
raised, what lingers and what has gone stale. Severities: P0 is a complete outage; P1 a
major trouble (errors, slowness, part of production or its safety lost) that is answered
within the hour; P2 can wait for the next business day; a note needs no answer. What cannot
be seen is blind: it raises no severity.
"""

from console.rules.judging import judge
from console.rules.memory import Memory

__all__ = ["Memory", "judge"]
