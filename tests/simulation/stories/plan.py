"""A campaign's whole fate as it is drawn: what there is to do, and all that will happen to it.

A plan says everything, so that one that goes wrong can be made smaller and lived again.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from prefect_staticadslab.simulator.model.admission.api_keys import (
    SECOND_API_KEY,
    SIMULATOR_API_KEY,
)
from tests.simulation.stories.job_kinds import Edit, Row
from tests.simulation.stories.kinds import KINDS
from tests.simulation.world.network import LATE_SECONDS, REFUSALS, Fault
from tests.simulation.world.process import End, Visit

HOUR: Final = 3600.0
A_DAY_AND_MORE: Final = 25 * HOUR

FAULTS: Final = (*(f for f in Fault if f not in REFUSALS), *LATE_SECONDS, *LATE_SECONDS)
"""What is late is drawn more often: only creates can be, and most hangs on it."""


@dataclass(frozen=True)
class Round:
    """Processes side by side, and what happens before they start.

    Attributes:
        edit: What somebody does to the spreadsheet or the table; None for nothing.
        pause_seconds: How long nothing happens.
        visits: The processes.
    """

    edit: Edit | None = None
    pause_seconds: float = 0.0
    visits: tuple[Visit, ...] = (Visit(),)


@dataclass(frozen=True)
class Plan:
    """A campaign's fate.

    Attributes:
        seed: Of all that is not said here, such as latencies.
        job_kind: What jobs the rows ask for; see `KINDS`.
        rows: The spreadsheet's rows at the beginning.
        rounds: What happens while there is danger. Then it is run until it is done.
        faults: What happens to the nth request.
        failing_writes: Which writes of the table fail.
        wallet_usd: What can be spent while there is danger.
        settings: How the API behaves besides.
        spares_reads: Whether only what begins a job meets with faults.
    """

    seed: str
    job_kind: str = "ads"
    rows: tuple[Row, ...] = ()
    rounds: tuple[Round, ...] = (Round(),)
    faults: Mapping[int, Fault] = field(default_factory=dict)
    failing_writes: frozenset[int] = frozenset()
    wallet_usd: float = 1_000_000.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    spares_reads: bool = False


def draw(
    seed: str, *, most_rows: int = 300, job_kind: str = "", clocks_differ: bool = False
) -> Plan:
    """Draws a campaign's fate.

    Args:
        seed: Of everything.
        most_rows: The most rows that it has. Most have few: what can happen to ten can to three.
        job_kind: What jobs it asks for; "" to draw that, too.
        clocks_differ: Whether the machines' clocks may be wrong, by hours.
    """
    chance = random.Random(f"plan {seed}")
    name = job_kind or chance.choice(_KIND_NAMES)
    kind = KINDS[name]
    count = min(most_rows, int(chance.paretovariate(1.0)))
    rows = [kind.new_row(number, chance) for number in range(count)]
    if Edit.REPEAT in kind.edits:  # a change that an ad has already is not made once more
        rows += [dict(row) for row in rows if "row_id" not in row and chance.random() < 0.1]
    total = sum(kind.price_of(row) for row in rows)
    rate = chance.choice((0.0, 0.05, 0.3))
    requests = 60 + 30 * len(rows)
    faults = {n: chance.choice(FAULTS) for n in range(1, requests) if chance.random() < rate}
    rounds = tuple(_round(chance, n, name, len(rows), total) for n in range(chance.choice(_ROUNDS)))
    if chance.random() < SLOW_SHARE:
        faults |= {n: chance.choice(tuple(LATE_SECONDS)) for n in range(1, len(rows) + 2)}
        rounds = _slow_rounds(chance)
    if not clocks_differ:
        rounds = tuple(
            replace(each, visits=tuple(replace(visit, clock_ahead=0.0) for visit in each.visits))
            for each in rounds
        )
    writes = range(1, 40) if chance.random() < 0.2 else ()
    return Plan(
        seed=seed,
        job_kind=name,
        rows=tuple(rows),
        rounds=rounds,
        faults=faults,
        failing_writes=frozenset(n for n in writes if chance.random() < 0.3),
        wallet_usd=chance.uniform(0, total) if chance.random() < 0.15 else 1_000_000.0,
        settings={
            "failure_rate": chance.choice((0.0, 0.1)) if kind.may_fail else 0.0,
            "earlier_ads": name == "revisions",
            "chunk_ads": chance.choice((1, 2, 5, 100)),
            "rate_limit": chance.choice((1_000, 1_000, 1_000, 100, 20, 8)),
        },
    )


def _slow_rounds(chance: random.Random) -> tuple[Round, ...]:
    """Runs that go on with one another's creates while the API is slow to answer the first."""
    visit = Visit((1, End.KILL), "waits for P", preflight=False)
    pauses = [0.0, *(chance.uniform(1.0, 40.0) for _ in range(chance.choice((1, 2, 2))))]
    return tuple(Round(pause_seconds=pause, visits=(visit,)) for pause in pauses)


SLOW_SHARE: Final = 0.1
"""Of campaigns in which the API is slow. Drawn by chance alone, hardly one would be."""

_KIND_NAMES: Final = [name for name, kind in KINDS.items() for _ in range(kind.share)]

_PLACES: Final = ("", "", "waits for P", " for P", " out")
"""Where processes are ended more often than elsewhere: where most hangs on it."""

_ROUNDS: Final = (1, 2, 2, 3, 4)


def _round(chance: random.Random, number: int, kind: str, rows: int, total: float) -> Round:
    edits = (*KINDS[kind].edits, Edit.MOVE)
    edit = chance.choice(edits) if number and chance.random() < 0.5 else None
    pause = 0.0
    if number and chance.random() < 0.5:
        pause = chance.choice((5.0, 28.0, 32.0, 50.0, HOUR / 2, 3 * HOUR, A_DAY_AND_MORE))
    together = 2 if chance.random() < 0.2 else 1
    return Round(
        edit,
        pause if pause < HOUR or KINDS[kind].may_grow_old else 0.0,
        tuple(_visit(chance, kind, rows, total, is_first=not n) for n in range(together)),
    )


def _visit(chance: random.Random, kind: str, rows: int, total: float, *, is_first: bool) -> Visit:
    end, where = None, chance.choice(_PLACES)
    if chance.random() < 0.8:
        ways = (End.KILL, End.KILL, End.KILL, End.TERMINATE, End.TERMINATE, End.SLEEP)
        way = chance.choice(ways if KINDS[kind].may_grow_old else ways[:-1])
        point = chance.randint(1, min(rows, 6)) if where else int(chance.expovariate(1 / 20)) + 1
        end = (point, way)
    other_key = chance.random() < 0.1 and KINDS[kind].may_grow_old
    limit = chance.choice((total, max(0.0, total - 1), total / 2))
    return Visit(
        end=end,
        end_where=where,
        starts_after=0.0 if is_first else chance.choice((0.0, 0.5, 3.0, 29.0)) * chance.random(),
        api_key=SECOND_API_KEY if other_key else SIMULATOR_API_KEY,
        limit_usd=limit if chance.random() < 0.15 else math.inf,
        clock_ahead=chance.choice((-HOUR, -30.0, 30.0, 5 * HOUR)) if chance.random() < 0.2 else 0,
        attempts=chance.choice((1, 2, 2, 3)),
        preflight=chance.random() < 0.3,
    )


def fault_of(plan: Plan, number: int, method: str) -> Fault | None:
    """What happens to the nth request: only what begins a job is late, or refused for good."""
    fault = plan.faults.get(number)
    is_of_creates = plan.spares_reads or fault in LATE_SECONDS or fault in REFUSALS
    return None if method == "GET" and is_of_creates else fault
