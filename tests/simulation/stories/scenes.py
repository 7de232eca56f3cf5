"""Drawn campaigns, some of them in a scene that chance alone would hardly ever set.

Each scene is a thing that happens to people: an API that falls silent and then refuses what it has
made, two colleagues who start the same campaign, a table that somebody deletes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from prefect_staticadslab.simulator.model.admission.api_keys import SIMULATOR_API_KEY
from tests.simulation.stories import plan as plans
from tests.simulation.stories.kinds import KINDS
from tests.simulation.stories.plan import Plan
from tests.simulation.stories.scene_kinds.closed_laptops import (
    asleep_for_a_day,
    lid_closed,
    nap,
    opened_beside_another_key,
)
from tests.simulation.stories.scene_kinds.lost_tables import lost_table, restored_table
from tests.simulation.stories.scene_kinds.parts import with_prompt_answers
from tests.simulation.stories.scene_kinds.runs_at_once import (
    crossing,
    edited_meanwhile,
    side_by_side,
    taken_out_and_back,
    two_keys,
)
from tests.simulation.stories.scene_kinds.silent_api import outage, refused_after_silence
from tests.simulation.world.existence import Storage

Scene: TypeAlias = Callable[[random.Random, Plan], Plan]
"""Sets a scene in what was drawn."""

SCENE_SHARE: Final = 0.4
"""Of campaigns that have one."""

LATER_SHARE: Final = 0.2
"""Of campaigns with a scene of those that were written later. They are drawn before the others,
so that all else is as it was before they were written."""

HASTY_SHARE: Final = 0.2
"""Of campaigns whose jobs look nearly done long before they are."""

STORAGES: Final = (*[Storage.DISK] * 5, *[Storage.CONDITIONAL] * 3, *[Storage.PLAIN] * 2)
"""Where tables are kept, most often on a disk."""


def draw(
    seed: str, *, most_rows: int = 300, job_kind: str = "", clocks_differ: bool = False
) -> Plan:
    """Draws a campaign's fate; see `plan.draw`."""
    plan = plans.draw(seed, most_rows=most_rows, job_kind=job_kind, clocks_differ=clocks_differ)
    # Apart from the rest, so that a new scene leaves what else is drawn as it is.
    chance = random.Random(f"scene {seed}")
    is_hasty = chance.random() < HASTY_SHARE
    storage = random.Random(f"storage {seed}").choice(STORAGES)
    settings = {**plan.settings, "hasty_progress": is_hasty, "storage": storage}
    plan = replace(plan, settings=settings)
    later = random.Random(f"later scene {seed}")
    if later.random() < LATER_SHARE and KINDS[plan.job_kind].may_grow_old:
        plan = later.choice(LATER_SCENES)(later, plan)
    elif chance.random() < SCENE_SHARE:
        scenes = SCENES if KINDS[plan.job_kind].may_grow_old else SCENES_OF_ALL
        plan = chance.choice(scenes)(chance, plan)
    return _agreed(plan) if plan.settings["storage"] is Storage.PLAIN else plan


SCENES_OF_ALL: Final[tuple[Scene, ...]] = (refused_after_silence, edited_meanwhile, side_by_side)
"""Those of any campaign."""

SCENES: Final[tuple[Scene, ...]] = (*SCENES_OF_ALL, outage, crossing, lost_table)
"""Those of a campaign whose rows may be old, or sent with another API key."""

LATER_SCENES: Final[tuple[Scene, ...]] = (
    two_keys,
    lid_closed,
    opened_beside_another_key,
    nap,
    asleep_for_a_day,
    restored_table,
    taken_out_and_back,
)
"""Those that were written later; of campaigns whose rows may be old, too."""


def _agreed(plan: Plan) -> Plan:
    """The same, whose runs use one API key and one name if several go on at once.

    Where nothing keeps one run from undoing what another has written, that is what keeps them from
    paying twice; and that the API is never slow, for its lock on a key is known by the table.
    """
    if all(len(each.visits) == 1 for each in plan.rounds):
        return plan
    rounds = tuple(
        replace(
            each,
            visits=tuple(
                replace(visit, api_key=SIMULATOR_API_KEY, campaign_name="") for visit in each.visits
            ),
        )
        for each in plan.rounds
    )
    return replace(with_prompt_answers(plan), rounds=rounds)
