"""Scenes of laptops that are closed in the middle of a run."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from prefect_staticadslab.api.retries.key_lock import LOCK_SECONDS, REPEAT_SECONDS, WORK_SECONDS
from prefect_staticadslab.simulator.model.admission.api_keys import SECOND_API_KEY
from tests.simulation.stories.plan import HOUR, Plan, Round
from tests.simulation.stories.scene_kinds.parts import drawn_end, with_prompt_answers
from tests.simulation.world.existence import Storage
from tests.simulation.world.network import LATE_SECONDS, Fault
from tests.simulation.world.process import End, Visit

SLOW_ROWS: Final = 12
"""Of a campaign nearly all of whose creates take a minute."""


def asleep_for_a_day(chance: random.Random, plan: Plan) -> Plan:
    """A laptop is closed for longer than keys live, and perhaps a colleague goes on meanwhile."""
    first = Visit(
        (chance.randint(1, 6), End.SLEEP),
        chance.choice(("has written", "waits for P", "has 4", "")),
        preflight=False,
        asleep_seconds=chance.uniform(18 * HOUR, 30 * HOUR),
        clock_sleeps=chance.random() < 0.5,
    )
    second = Visit(starts_after=chance.uniform(1.0, 60.0), preflight=False, end=drawn_end(chance))
    visits = (first, second) if chance.random() < 0.5 else (first,)
    return _slow_to_answer(chance, replace(plan, rounds=(Round(visits=visits),)))


def lid_closed(chance: random.Random, plan: Plan) -> Plan:
    """A laptop is closed in the middle of a run, and a colleague goes on with its rows meanwhile,
    while the API is slow."""
    starts_after = chance.choice((chance.uniform(1.0, 20.0), chance.uniform(25.0, 60.0)))
    sends_after = starts_after + (0.0 if starts_after < REPEAT_SECONDS else WORK_SECONDS)
    first = Visit(
        (chance.randint(1, 4), End.SLEEP),
        chance.choice(("has written", "has written", "waits for P", "has 4")),
        preflight=False,
        asleep_seconds=sends_after + chance.uniform(5.0, 75.0),
        clock_sleeps=chance.random() < 0.5,
    )
    second = Visit(starts_after=starts_after, preflight=False)
    return _slow_to_answer(chance, replace(plan, rounds=(Round(visits=(first, second)),)))


def opened_beside_another_key(chance: random.Random, plan: Plan) -> Plan:
    """A laptop is closed for hours, and opened again while a colleague goes on with another key."""
    asleep_seconds = chance.uniform(2.5 * HOUR, 12 * HOUR)
    first = Visit(
        (chance.randint(1, 8), End.SLEEP),
        chance.choice(("has written", "waits for P", "has 202", "has 202")),
        preflight=False,
        asleep_seconds=asleep_seconds,
        clock_sleeps=chance.random() < 0.5,
    )
    starts_after = asleep_seconds - chance.choice((1.0, 10.0, 100.0)) * chance.random()
    second = Visit(
        end=drawn_end(chance) if chance.random() < 0.3 else None,
        starts_after=starts_after,
        preflight=False,
        api_key=SECOND_API_KEY,
    )
    # Equal rows may take each other's ads then; docs/decisions.md tells of it.
    rows = tuple(row for place, row in enumerate(plan.rows) if row not in plan.rows[:place])
    plan = replace(plan, rows=rows, rounds=(Round(visits=(first, second)), *plan.rounds[1:]))
    return _slow_to_answer(chance, plan) if chance.random() < 0.5 else with_prompt_answers(plan)


def nap(chance: random.Random, plan: Plan) -> Plan:
    """A laptop is closed, and opened again when the API's lock on what it has sent has lapsed."""
    visit = Visit(
        (chance.randint(1, 6), End.SLEEP),
        chance.choice(("waits for P", "has 4", "has 4")),
        preflight=False,
        asleep_seconds=chance.uniform(LOCK_SECONDS - 4.0, LOCK_SECONDS + 4.0),
        clock_sleeps=True,
    )
    return _slow_to_answer(chance, replace(plan, rounds=(Round(visits=(visit,)), *plan.rounds[1:])))


def _slow_to_answer(chance: random.Random, plan: Plan) -> Plan:
    """The same, with few rows, most of whose creates take long: runs that send them in turns would
    take hours for hundreds."""
    plan = replace(plan, rows=plan.rows[:SLOW_ROWS])
    numbers = range(2, 8 * len(plan.rows) + 8)
    slow = (*LATE_SECONDS, Fault.VERY_LATE, Fault.CUT_AND_LATE, Fault.CUT)
    settings = {
        "storage": chance.choice((Storage.DISK, Storage.DISK, Storage.CONDITIONAL)),
        "chunk_ads": chance.choice((1, 2, 100)),
        "rate_limit": chance.choice((1_000, 8)),
    }
    return replace(
        plan,
        faults={number: chance.choice(slow) for number in numbers if chance.random() < 0.7},
        spares_reads=True,
        settings={**plan.settings, **settings},
    )
