"""What scenes of several kinds are made of."""

from __future__ import annotations

import random
from dataclasses import replace

from tests.simulation.stories.plan import Plan
from tests.simulation.world.network import LATE_SECONDS
from tests.simulation.world.process import End


def drawn_end(chance: random.Random) -> tuple[int, End] | None:
    """How a process is ended; None for half of them, which are not."""
    if chance.random() < 0.5:
        return None
    return int(chance.expovariate(1 / 10)) + 1, chance.choice((End.KILL, End.TERMINATE))


def with_prompt_answers(plan: Plan) -> Plan:
    """The same, in which the API is never slow."""
    return replace(plan, faults={n: f for n, f in plan.faults.items() if f not in LATE_SECONDS})
