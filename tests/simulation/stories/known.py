"""Campaigns that are written out, since chance alone would hardly draw them (again)."""

from __future__ import annotations

from itertools import product
from typing import Final

from prefect_staticadslab.simulator.model.admission.api_keys import SECOND_API_KEY
from tests.simulation.stories.job_kinds import Edit, new_ad_row
from tests.simulation.stories.plan import HOUR, Plan, Round
from tests.simulation.world.existence import Storage
from tests.simulation.world.network import Fault
from tests.simulation.world.process import End, Visit


def _alike(seed: int) -> Plan:
    killed = Visit((3, End.KILL), end_where="waits for P", preflight=False)
    return Plan(
        f"alike {seed}",
        rows=(new_ad_row(1),),
        rounds=(
            Round(visits=(Visit(preflight=False), killed)),
            Round(Edit.MOVE, visits=(Visit(preflight=False),)),
        ),
        faults={3: Fault.GATEWAY, 4: Fault.EMPTY, 5: Fault.UNANSWERED},
        settings={"storage": Storage.CONDITIONAL},
    )


def _asleep(times: tuple[float, float], row: int, clock_sleeps: bool) -> Plan:
    starts_after, asleep_seconds = times
    asleep = Visit(
        (2, End.SLEEP),
        end_where="has written",
        preflight=False,
        asleep_seconds=asleep_seconds,
        clock_sleeps=clock_sleeps,
    )
    other = Visit(preflight=False, starts_after=starts_after)
    return Plan(
        "asleep",
        rows=(new_ad_row(row),),
        rounds=(Round(visits=(asleep, other)),),
        faults={3: Fault.VERY_LATE},
    )


def _opened_beside_another_key(point: int, seconds: float, late: int) -> Plan:
    asleep = Visit(
        (point, End.SLEEP),
        end_where="has 202",
        preflight=False,
        asleep_seconds=3 * HOUR + seconds,
    )
    other = Visit(preflight=False, starts_after=3 * HOUR, api_key=SECOND_API_KEY)
    return Plan(
        f"opened beside another key {point}",
        rows=tuple(map(new_ad_row, range(5))),
        rounds=(Round(visits=(asleep, other)),),
        faults=dict.fromkeys(range(late, late + 2), Fault.VERY_LATE),
    )


def _own_clock(point: int, asleep_seconds: float) -> Plan:
    asleep = Visit(
        (point, End.SLEEP),
        end_where="has 4",
        preflight=False,
        asleep_seconds=asleep_seconds,
        clock_sleeps=True,
    )
    return Plan(
        "its clock as well",
        rows=(new_ad_row(1),),
        rounds=(Round(visits=(asleep,)),),
        faults={2: Fault.CUT_AND_LATE},
    )


_TIMES: Final = ((5.0, 38.0), (5.0, 70.0), *((30.0, s) for s in (135.0, 150.0, 160.0, 180.0)))

MARKED_IN_ONE_SECOND: Final = tuple(map(_alike, (3, 29, 37)))
"""Two runs mark a row in the same second, and it is taken for one run's mark."""

ASLEEP_BESIDE_ANOTHER: Final = tuple(
    _asleep(*drawn) for drawn in product(_TIMES, (1, 2, 3, 4), (False, True))
)
"""A machine sleeps before it sends, and another run has sent it by the time that it is awake."""

OPENED_BESIDE_ANOTHER_KEY: Final = tuple(
    _opened_beside_another_key(*drawn)
    for drawn in product((1, 2, 3), (1.0, 5.0, 20.0, 60.0), (8, 12))
)
"""A machine is opened that was closed for hours, and a run with another API key has just marked
what it has not sent; with the idempotency key that it has as well, which the API tells apart."""

ASLEEP_WITH_ITS_CLOCK: Final = tuple(
    _own_clock(*drawn) for drawn in product((1, 2), (28.0, 30.0, 32.0, 60.0))
)
"""A lock lapses while a machine sleeps whose clock stands still."""

REFUSED: Final = tuple(
    Plan(
        f"the API refuses request {number}",
        rows=tuple(map(new_ad_row, range(3))),
        rounds=(Round(visits=(Visit(preflight=False),)),),
        faults={number: Fault.UNKNOWN},
        spares_reads=True,
    )
    for number in (2, 3, 4)
)
"""Nothing happens to a run, but the API refuses a row, of which it has said nothing before."""

KNOWN: Final = (
    *REFUSED,
    *MARKED_IN_ONE_SECOND,
    *OPENED_BESIDE_ANOTHER_KEY,
    *ASLEEP_WITH_ITS_CLOCK,
    *ASLEEP_BESIDE_ANOTHER,
)
"""All of them."""
