"""Scenes of several runs that take the rows of one table at once."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from prefect_staticadslab.simulator.model.admission.api_keys import (
    SECOND_API_KEY,
    SIMULATOR_API_KEY,
)
from tests.simulation.stories.job_kinds import Edit
from tests.simulation.stories.kinds import KINDS
from tests.simulation.stories.plan import Plan, Round
from tests.simulation.stories.scene_kinds.parts import drawn_end, with_prompt_answers
from tests.simulation.world.existence import Storage
from tests.simulation.world.process import Visit

SIDE_BY_SIDE_FROM: Final = 500
"""The number of the first row that is added for several runs at once."""


def crossing(chance: random.Random, plan: Plan) -> Plan:
    """Two start the campaign at the same moment, with different API keys or under two names."""
    first = Visit(end=drawn_end(chance), preflight=False)
    api_key, name = chance.choice(((SECOND_API_KEY, ""), (SIMULATOR_API_KEY, "spring")))
    second = Visit(
        end=drawn_end(chance),
        starts_after=chance.uniform(0.0, 0.4),
        preflight=False,
        api_key=api_key,
        campaign_name=name,
    )
    rounds = (Round(visits=(first, second)), *plan.rounds[1:])
    return replace(with_prompt_answers(plan), rounds=rounds)


def side_by_side(chance: random.Random, plan: Plan) -> Plan:
    """Several runs write one table in a store again and again, and each write takes its time."""
    new_row = KINDS[plan.job_kind].new_row
    numbers = range(SIDE_BY_SIDE_FROM, SIDE_BY_SIDE_FROM + chance.randint(2, 6))
    starts = (0.0, chance.uniform(0.0, 3.0), chance.uniform(0.0, 3.0))
    visits = tuple(Visit(starts_after=start, preflight=False) for start in starts)
    settings = {"storage": Storage.CONDITIONAL, "chunk_ads": chance.choice((1, 2))}
    return replace(
        with_prompt_answers(plan),
        rows=(*plan.rows, *(new_row(number, chance) for number in numbers)),
        rounds=(Round(visits=visits), *plan.rounds[1:]),
        settings={**plan.settings, **settings},
    )


def two_keys(chance: random.Random, plan: Plan) -> Plan:
    """Runs with two API keys take rows of one table in turn, some of them after the other's."""
    new_row = KINDS[plan.job_kind].new_row
    numbers = range(SIDE_BY_SIDE_FROM, SIDE_BY_SIDE_FROM + chance.randint(2, 6))
    keys = (SIMULATOR_API_KEY, SECOND_API_KEY, chance.choice((SIMULATOR_API_KEY, SECOND_API_KEY)))
    visits = tuple(
        Visit(
            end=drawn_end(chance) if chance.random() < 0.3 else None,
            starts_after=chance.choice((0.4, 4.0)) * chance.random(),
            preflight=False,
            api_key=key,
        )
        for key in keys[: chance.choice((2, 2, 3))]
    )
    settings = {
        "storage": chance.choice((Storage.DISK, Storage.CONDITIONAL)),
        "chunk_ads": chance.choice((1, 1, 2)),
    }
    return replace(
        with_prompt_answers(plan),
        rows=(*plan.rows, *(new_row(number, chance) for number in numbers)),
        rounds=(Round(visits=visits), *plan.rounds[1:]),
        settings={**plan.settings, **settings},
    )


def taken_out_and_back(chance: random.Random, plan: Plan) -> Plan:
    """Somebody takes a row out of the spreadsheet while a run goes on, starts another one, puts the
    row back, and starts a third."""
    visits = (
        Visit(preflight=False, end=drawn_end(chance) if chance.random() < 0.3 else None),
        Visit(preflight=False, starts_after=chance.uniform(0.0, 12.0), edit=Edit.REMOVE),
        Visit(preflight=False, starts_after=chance.uniform(0.0, 40.0), edit=Edit.UNDO),
    )
    new_row = KINDS[plan.job_kind].new_row
    numbers = range(SIDE_BY_SIDE_FROM, SIDE_BY_SIDE_FROM + chance.randint(1, 3))
    settings = {"chunk_ads": chance.choice((1, 2, 100)), "rate_limit": chance.choice((1_000, 8))}
    return replace(
        with_prompt_answers(plan),
        rows=(*plan.rows, *(new_row(number, chance) for number in numbers)),
        rounds=(Round(visits=visits),),
        settings={**plan.settings, **settings},
    )


def edited_meanwhile(chance: random.Random, plan: Plan) -> Plan:
    """Somebody edits the spreadsheet while a run goes on, and starts another one."""
    edits = [edit for edit in KINDS[plan.job_kind].edits if edit is not Edit.MOVE]
    second = Visit(
        end=drawn_end(chance), starts_after=chance.uniform(0.0, 12.0), edit=chance.choice(edits)
    )
    rounds = (Round(visits=(Visit(preflight=False), second)), *plan.rounds[1:])
    return replace(with_prompt_answers(plan), rounds=rounds)
