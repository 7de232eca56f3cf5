"""The smallest campaign that still goes wrong: of one that did, all is taken away that can be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from prefect_staticadslab.simulator import SIMULATOR_API_KEY
from tests.simulation.stories.plan import Plan, Round
from tests.simulation.world.process import End, Visit

T = TypeVar("T")

NEEDED_SETTING: Final = "earlier_ads"
"""Without which there is nothing that could be revised."""

MOST_LIVES: Final = 400
"""Campaigns that are lived to make one smaller."""


def shrink(plan: Plan, fails: Callable[[Plan], bool], most_lives: int = MOST_LIVES) -> Plan:
    """A plan from which nothing can be taken without that it goes well.

    Args:
        plan: One that goes wrong.
        fails: Whether a plan does.
        most_lives: How often to ask that at most.
    """
    lives = 0
    while True:
        for smaller in _smaller(plan):
            lives += 1
            if lives > most_lives:
                return plan
            if fails(smaller):
                plan = smaller
                break
        else:
            return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Plans with less in them, those first that lack most."""
    for rounds in _without_some(plan.rounds):
        yield replace(plan, rounds=rounds)
    for rows in _without_some(plan.rows):
        if rows:
            yield replace(plan, rows=rows)
    for faults in _without_some(sorted(plan.faults.items())):
        yield replace(plan, faults=dict(faults))
    for writes in _without_some(sorted(plan.failing_writes)):
        yield replace(plan, failing_writes=frozenset(writes))
    if plan.wallet_usd < Plan.wallet_usd:
        yield replace(plan, wallet_usd=Plan.wallet_usd)
    for name in plan.settings:
        rest = {other: value for other, value in plan.settings.items() if other != name}
        if name != NEEDED_SETTING:
            yield replace(plan, settings=rest)
    for number, each in enumerate(plan.rounds):
        for simpler in _simpler_rounds(each):
            rounds = (*plan.rounds[:number], simpler, *plan.rounds[number + 1 :])
            yield replace(plan, rounds=rounds)


def _simpler_rounds(each: Round) -> Iterator[Round]:
    if each.edit is not None:
        yield replace(each, edit=None)
    if each.pause_seconds:
        yield replace(each, pause_seconds=0.0)
    for visits in _without_some(each.visits):
        if visits:
            yield replace(each, visits=visits)
    for number, visit in enumerate(each.visits):
        for simpler in _simpler_visits(visit):
            yield replace(each, visits=(*each.visits[:number], simpler, *each.visits[number + 1 :]))


def _simpler_visits(visit: Visit) -> Iterator[Visit]:
    plain = (
        replace(visit, end=None, end_where=""),
        replace(visit, starts_after=0.0),
        replace(visit, api_key=SIMULATOR_API_KEY),
        replace(visit, limit_usd=math.inf),
        replace(visit, clock_ahead=0.0),
        replace(visit, attempts=2),
        replace(visit, preflight=False),
        replace(visit, campaign_name=""),
        replace(visit, edit=""),
        replace(visit, asleep_seconds=Visit.asleep_seconds),
        replace(visit, clock_sleeps=False),
    )
    return (other for other in plain if other != visit)


def _without_some(elements: Sequence[T]) -> Iterator[tuple[T, ...]]:
    """The elements without ever smaller parts of them: all, a half, a quarter, one."""
    size = len(elements)
    while size:
        for start in range(0, len(elements), size):
            yield (*elements[:start], *elements[start + size :])
        size //= 2


def described(plan: Plan) -> list[str]:
    """What a plan says, a line each."""
    lines = [f"seed {plan.seed}: {len(plan.rows)} rows of {plan.job_kind}"]
    lines += [f"  {name} is {value}" for name, value in plan.settings.items()]
    if plan.wallet_usd < Plan.wallet_usd:
        lines.append(f"  the wallet has {plan.wallet_usd:.2f} USD")
    for number, row in enumerate(plan.rows, 1):
        lines.append(f"  row {number}: " + ", ".join(f"{k}={v}" for k, v in row.items() if v))
    for each in plan.rounds:
        lines += [f"  somebody {each.edit}"] if each.edit else []
        lines += [f"  {each.pause_seconds:g} s pass"] if each.pause_seconds else []
        lines += [f"  a run, {_visit_described(visit)}" for visit in each.visits]
    lines += [f"  request {number} is {fault}" for number, fault in sorted(plan.faults.items())]
    lines += [f"  write {number} fails" for number in sorted(plan.failing_writes)]
    return lines


def _visit_described(visit: Visit) -> str:
    parts = [f"{visit.attempts} attempts", "preflight" if visit.preflight else "no preflight"]
    if visit.end is not None:
        where = f"point with {visit.end_where!r}" if visit.end_where else "point"
        parts.append(f"{visit.end[1]} at {where} {visit.end[0]}")
        if visit.end[1] is End.SLEEP:
            stands = ", its clock as well" if visit.clock_sleeps else ""
            parts.append(f"for {visit.asleep_seconds:.0f} s{stands}")
    if visit.starts_after:
        parts.append(f"{visit.starts_after:.2f} s after the one before")
    if visit.api_key != SIMULATOR_API_KEY:
        parts.append("with the other API key")
    if not math.isinf(visit.limit_usd):
        parts.append(f"up to {visit.limit_usd:.2f} USD")
    if visit.clock_ahead:
        parts.append(f"its clock {visit.clock_ahead:g} s ahead")
    if visit.campaign_name:
        parts.append(f"of the campaign {visit.campaign_name!r}")
    if visit.edit:
        parts.append(f"before which somebody {visit.edit}")
    return ", ".join(parts)
