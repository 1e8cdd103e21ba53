"""What a console would remember that had been open while the rehearsed trouble came."""

from typing import Final

from console.clock import Deadline, ManualClock
from console.config.environment import Environment
from console.config.roles import assign_roles
from console.model.changes import History
from console.model.declared import declare
from console.rehearsal.environment import open_rehearsal
from console.rules.changes import changes

SPAN: Final = 3 * 3600.0
"""Seconds before now at which it was opened: longer than any scenario's head start."""
STEP: Final = 120.0


def past(environment: Environment, now: float) -> History:
    """What changed until `now`, as looks at the world every STEP seconds found it."""
    assert environment.rehearsal is not None  # noqa: S101 - says so to the type checker
    clock, history = ManualClock(now - SPAN), History()
    world = open_rehearsal(environment.rehearsal, clock)
    while clock.now <= now:
        deadline = Deadline.after(clock, 1.0)
        intended = tuple(link.read(deadline) for link in world.intended)
        fleet = declare(world.fleet.read(deadline), intended, environment.policy)
        reports = tuple(link.read(deadline) for link in world.hosts)
        fleet = assign_roles(fleet, environment)
        history = changes(history, fleet, (), reports, clock.now)
        clock.advance(STEP)
    world.close()
    return history
