"""Scenes of an API that carries things out and is not heard from."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from prefect_staticadslab.simulator.model.admission.api_keys import SECOND_API_KEY
from tests.simulation.stories.job_kinds import Edit
from tests.simulation.stories.plan import A_DAY_AND_MORE, Plan, Round
from tests.simulation.world.network import REFUSALS, Fault
from tests.simulation.world.process import End, Visit

SILENCES: Final = (Fault.UNANSWERED, Fault.CUT, Fault.GATEWAY)
"""The API has carried it out, and nobody knows."""

MISTAKES: Final = (Fault.LOST, Fault.BROKEN, Fault.AWAY)
"""The API has not carried it out, and nobody knows either."""


def refused_after_silence(chance: random.Random, plan: Plan) -> Plan:
    """Creates are carried out in silence, and refused when they are asked for again."""
    happens = (*SILENCES, *SILENCES, *REFUSALS, None)
    drawn = {number: chance.choice(happens) for number in range(1, 4 * len(plan.rows) + 4)}
    faults = {number: fault for number, fault in drawn.items() if fault is not None}
    rounds = _without_preflight(plan.rounds)
    return replace(plan, faults=faults, rounds=rounds, spares_reads=True)


def outage(chance: random.Random, plan: Plan) -> Plan:
    """Nobody hears from the API for a whole run, whatever it does; then something has changed."""
    faults = {
        number: chance.choice((*SILENCES, *MISTAKES)) for number in range(1, 9 * len(plan.rows) + 9)
    }
    end = (chance.randint(1, 3), End.TERMINATE) if chance.random() < 0.5 else None
    first = Round(visits=(Visit(end, "waits for P", preflight=False),))
    second = chance.choice(
        (
            Round(Edit.MOVE, visits=(Visit(preflight=False),)),
            Round(pause_seconds=A_DAY_AND_MORE, visits=(Visit(preflight=False),)),
            Round(visits=(Visit(preflight=False, api_key=SECOND_API_KEY),)),
        )
    )
    return replace(plan, faults=faults, rounds=(first, second), spares_reads=True)


def _without_preflight(rounds: tuple[Round, ...]) -> tuple[Round, ...]:
    """The same, whose creates are among the first requests."""
    return tuple(
        replace(each, visits=tuple(replace(visit, preflight=False) for visit in each.visits))
        for each in rounds
    )
