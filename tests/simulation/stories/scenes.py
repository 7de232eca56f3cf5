"""Drawn campaigns, some of them in a scene that chance alone would hardly ever set.

Each scene is a thing that happens to people: an API that falls silent and then refuses what it has
made, two colleagues who start the same campaign, a table that somebody deletes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from prefect_staticadslab.api.retries.key_lock import (
    LOCK_SECONDS,
    REPEAT_SECONDS,
    WORK_SECONDS,
)
from prefect_staticadslab.simulator.model.admission.api_keys import (
    SECOND_API_KEY,
    SIMULATOR_API_KEY,
)
from tests.simulation.stories import plan as plans
from tests.simulation.stories.job_kinds import Edit
from tests.simulation.stories.kinds import KINDS
from tests.simulation.stories.plan import A_DAY_AND_MORE, HOUR, Plan, Round
from tests.simulation.world.existence import Storage
from tests.simulation.world.network import LATE_SECONDS, REFUSALS, Fault
from tests.simulation.world.process import End, Visit

Scene: TypeAlias = Callable[[random.Random, Plan], Plan]
"""Sets a scene in what was drawn."""

SCENE_SHARE: Final = 0.4
"""Of campaigns that have one."""

LATER_SHARE: Final = 0.2
"""Of campaigns with a scene of those that were written later. They are drawn before the others,
so that all else is as it was before they were written."""

SLOW_ROWS: Final = 12
"""Of a campaign nearly all of whose creates take a minute."""

HASTY_SHARE: Final = 0.2
"""Of campaigns whose jobs look nearly done long before they are."""

STORAGES: Final = (*[Storage.DISK] * 5, *[Storage.CONDITIONAL] * 3, *[Storage.PLAIN] * 2)
"""Where tables are kept, most often on a disk."""

SIDE_BY_SIDE_FROM: Final = 500
"""The number of the first row that is added for several runs at once."""

SILENCES: Final = (Fault.UNANSWERED, Fault.CUT, Fault.GATEWAY)
"""The API has carried it out, and nobody knows."""

MISTAKES: Final = (Fault.LOST, Fault.BROKEN, Fault.AWAY)
"""The API has not carried it out, and nobody knows either."""


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


def crossing(chance: random.Random, plan: Plan) -> Plan:
    """Two start the campaign at the same moment, with different API keys or under two names."""
    first = Visit(end=_end(chance), preflight=False)
    api_key, name = chance.choice(((SECOND_API_KEY, ""), (SIMULATOR_API_KEY, "spring")))
    second = Visit(
        end=_end(chance),
        starts_after=chance.uniform(0.0, 0.4),
        preflight=False,
        api_key=api_key,
        campaign_name=name,
    )
    rounds = (Round(visits=(first, second)), *plan.rounds[1:])
    return replace(_with_prompt_answers(plan), rounds=rounds)


def side_by_side(chance: random.Random, plan: Plan) -> Plan:
    """Several runs write one table in a store again and again, and each write takes its time."""
    new_row = KINDS[plan.job_kind].new_row
    numbers = range(SIDE_BY_SIDE_FROM, SIDE_BY_SIDE_FROM + chance.randint(2, 6))
    starts = (0.0, chance.uniform(0.0, 3.0), chance.uniform(0.0, 3.0))
    visits = tuple(Visit(starts_after=start, preflight=False) for start in starts)
    settings = {"storage": Storage.CONDITIONAL, "chunk_ads": chance.choice((1, 2))}
    return replace(
        _with_prompt_answers(plan),
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
            end=_end(chance) if chance.random() < 0.3 else None,
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
        _with_prompt_answers(plan),
        rows=(*plan.rows, *(new_row(number, chance) for number in numbers)),
        rounds=(Round(visits=visits), *plan.rounds[1:]),
        settings={**plan.settings, **settings},
    )


def restored_table(chance: random.Random, plan: Plan) -> Plan:
    """Somebody puts an older copy of the table in its place: between two runs, and during one."""
    meanwhile = Visit(
        starts_after=chance.uniform(0.0, 40.0), preflight=False, edit=Edit.RESTORE, end=_end(chance)
    )
    rounds = (
        Round(visits=(Visit(end=_end(chance), preflight=False),)),
        Round(
            chance.choice((Edit.RESTORE, Edit.ADD, None)),
            chance.choice((0.0, 100.0, HOUR)),
            (Visit(end=_end(chance), preflight=False, attempts=3), meanwhile),
        ),
        Round(Edit.RESTORE, 100.0, (Visit(),)),
    )
    settings = {"failure_rate": chance.choice((0.0, 0.3)), "chunk_ads": chance.choice((1, 2, 100))}
    return replace(
        _with_prompt_answers(plan), rounds=rounds, settings={**plan.settings, **settings}
    )


def taken_out_and_back(chance: random.Random, plan: Plan) -> Plan:
    """Somebody takes a row out of the spreadsheet while a run goes on, starts another one, puts the
    row back, and starts a third."""
    visits = (
        Visit(preflight=False, end=_end(chance) if chance.random() < 0.3 else None),
        Visit(preflight=False, starts_after=chance.uniform(0.0, 12.0), edit=Edit.REMOVE),
        Visit(preflight=False, starts_after=chance.uniform(0.0, 40.0), edit=Edit.UNDO),
    )
    new_row = KINDS[plan.job_kind].new_row
    numbers = range(SIDE_BY_SIDE_FROM, SIDE_BY_SIDE_FROM + chance.randint(1, 3))
    settings = {"chunk_ads": chance.choice((1, 2, 100)), "rate_limit": chance.choice((1_000, 8))}
    return replace(
        _with_prompt_answers(plan),
        rows=(*plan.rows, *(new_row(number, chance) for number in numbers)),
        rounds=(Round(visits=visits),),
        settings={**plan.settings, **settings},
    )


def asleep_for_a_day(chance: random.Random, plan: Plan) -> Plan:
    """A laptop is closed for longer than keys live, and perhaps a colleague goes on meanwhile."""
    first = Visit(
        (chance.randint(1, 6), End.SLEEP),
        chance.choice(("has written", "waits for P", "has 4", "")),
        preflight=False,
        asleep_seconds=chance.uniform(18 * HOUR, 30 * HOUR),
        clock_sleeps=chance.random() < 0.5,
    )
    second = Visit(starts_after=chance.uniform(1.0, 60.0), preflight=False, end=_end(chance))
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
        end=_end(chance) if chance.random() < 0.3 else None,
        starts_after=starts_after,
        preflight=False,
        api_key=SECOND_API_KEY,
    )
    # Equal rows may take each other's ads then; docs/decisions.md tells of it.
    rows = tuple(row for place, row in enumerate(plan.rows) if row not in plan.rows[:place])
    plan = replace(plan, rows=rows, rounds=(Round(visits=(first, second)), *plan.rounds[1:]))
    return _slow_to_answer(chance, plan) if chance.random() < 0.5 else _with_prompt_answers(plan)


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


def edited_meanwhile(chance: random.Random, plan: Plan) -> Plan:
    """Somebody edits the spreadsheet while a run goes on, and starts another one."""
    edits = [edit for edit in KINDS[plan.job_kind].edits if edit is not Edit.MOVE]
    second = Visit(
        end=_end(chance), starts_after=chance.uniform(0.0, 12.0), edit=chance.choice(edits)
    )
    rounds = (Round(visits=(Visit(preflight=False), second)), *plan.rounds[1:])
    return replace(_with_prompt_answers(plan), rounds=rounds)


def lost_table(chance: random.Random, plan: Plan) -> Plan:
    """Somebody deletes the table, and sorts the rows anew: the same keys give the same ads.

    Not a day later, with another API key, or in another place; nor where an attempt was refused,
    since only the table knew that the next one is on its way.
    """
    rounds = (
        Round(visits=(Visit(end=_end(chance), preflight=False),)),
        Round(
            chance.choice((Edit.LOSE, None)),
            chance.choice((0.0, 100.0, HOUR)),
            (Visit(end=_end(chance), edit=chance.choice((Edit.SHUFFLE, Edit.ADD, ""))),),
        ),
        Round(Edit.LOSE, 100.0, (Visit(edit=Edit.SHUFFLE),)),
    )
    return replace(_with_prompt_answers(plan), rounds=rounds)


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


def _end(chance: random.Random) -> tuple[int, End] | None:
    if chance.random() < 0.5:
        return None
    return int(chance.expovariate(1 / 10)) + 1, chance.choice((End.KILL, End.TERMINATE))


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
    return replace(_with_prompt_answers(plan), rounds=rounds)


def _without_preflight(rounds: tuple[Round, ...]) -> tuple[Round, ...]:
    """The same, whose creates are among the first requests."""
    return tuple(
        replace(each, visits=tuple(replace(visit, preflight=False) for visit in each.visits))
        for each in rounds
    )


def _with_prompt_answers(plan: Plan) -> Plan:
    """The same, in which the API is never slow."""
    return replace(plan, faults={n: f for n, f in plan.faults.items() if f not in LATE_SECONDS})
