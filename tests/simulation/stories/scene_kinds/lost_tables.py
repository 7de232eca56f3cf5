"""Scenes of tables that somebody deletes, or replaces by an older copy."""

from __future__ import annotations

import random
from dataclasses import replace

from tests.simulation.stories.job_kinds import Edit
from tests.simulation.stories.plan import HOUR, Plan, Round
from tests.simulation.stories.scene_kinds.parts import drawn_end, with_prompt_answers
from tests.simulation.world.process import Visit


def restored_table(chance: random.Random, plan: Plan) -> Plan:
    """Somebody puts an older copy of the table in its place: between two runs, and during one."""
    meanwhile = Visit(
        starts_after=chance.uniform(0.0, 40.0),
        preflight=False,
        edit=Edit.RESTORE,
        end=drawn_end(chance),
    )
    rounds = (
        Round(visits=(Visit(end=drawn_end(chance), preflight=False),)),
        Round(
            chance.choice((Edit.RESTORE, Edit.ADD, None)),
            chance.choice((0.0, 100.0, HOUR)),
            (Visit(end=drawn_end(chance), preflight=False, attempts=3), meanwhile),
        ),
        Round(Edit.RESTORE, 100.0, (Visit(),)),
    )
    settings = {"failure_rate": chance.choice((0.0, 0.3)), "chunk_ads": chance.choice((1, 2, 100))}
    return replace(with_prompt_answers(plan), rounds=rounds, settings={**plan.settings, **settings})


def lost_table(chance: random.Random, plan: Plan) -> Plan:
    """Somebody deletes the table, and sorts the rows anew: the same keys give the same ads.

    Not a day later, with another API key, or in another place; nor where an attempt was refused,
    since only the table knew that the next one is on its way.
    """
    rounds = (
        Round(visits=(Visit(end=drawn_end(chance), preflight=False),)),
        Round(
            chance.choice((Edit.LOSE, None)),
            chance.choice((0.0, 100.0, HOUR)),
            (Visit(end=drawn_end(chance), edit=chance.choice((Edit.SHUFFLE, Edit.ADD, ""))),),
        ),
        Round(Edit.LOSE, 100.0, (Visit(edit=Edit.SHUFFLE),)),
    )
    return replace(with_prompt_answers(plan), rounds=rounds)
