"""A campaign of three rows in two chunks, in every way that its runs can end and cross.

`python -m tests.simulation.exhaustive` prints how many ways there are, and leaves none out:
- a kill, and Ctrl-C, at every point of I/O: before and after each request and each write;
- a kill at every point, and one at every point of the run after it;
- a kill at every point, with each kind of fault at the request of that point;
- two runs side by side, in every order of their points of I/O in which they change places at most
  so many times before both run to their ends. Reads change nothing, so these ask for none before.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Final

from tests.simulation.stories.fate import JOBS_SPEED
from tests.simulation.stories.job_kinds import new_ad_row
from tests.simulation.stories.story import Story
from tests.simulation.world.existence import World
from tests.simulation.world.network import LATE_SECONDS, Fault
from tests.simulation.world.process import End, Visit

ROWS: Final = 3
CHUNK_ADS: Final = 2
MOST_SWITCHES: Final = 2
"""Each one more takes ten times as long."""


@dataclass(frozen=True)
class Way:
    """One way that the runs of the campaign can go.

    Attributes:
        visits: The runs, one after another.
        order: Two runs side by side instead, and when they change places.
        fault: What happens to a request, and to which.
    """

    visits: tuple[Visit, ...] = (Visit(),)
    order: tuple[int, ...] = ()
    fault: tuple[int, Fault] | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        points: How many points of I/O each run reached.
        was_reached: Whether all that the way says has happened.
        violations: What was not as it must be.
        trace: All that happened.
        requests: After how many points of the first run each of its requests was sent.
    """

    points: list[int]
    was_reached: bool
    violations: list[str]
    trace: list[str]
    requests: list[int]


def go(way: Way, *, rows: int = ROWS) -> Outcome:
    """Lets the campaign go this way, and then once more without trouble."""
    fault = way.fault

    def fault_of(number: int, method: str) -> Fault | None:
        return fault[1] if fault is not None and number == fault[0] else None

    world = World(1, fault=fault_of, speed=JOBS_SPEED, rate_limit=1_000, chunk_ads=CHUNK_ADS)
    with world.existing():
        story = Story(world, [new_ad_row(number) for number in range(rows)])
        if way.order:
            story.run(*way.visits, order=way.order)
        else:
            for visit in way.visits:
                story.run(visit)
        done = list(world.processes)
        # Once more for what is left, and once more still if that waits for hours.
        for _ in range(3):
            story.run(Visit(preflight=False))
            if story.is_settled():
                break
            world.let_pass(3 * 3600.0)
        ended = [p.visit.end is None or p.counted >= p.visit.end[0] for p in done]
        return Outcome(
            points=[process.points for process in done],
            was_reached=all(ended) and world.switches == len(way.order),
            violations=story.check(),
            trace=world.trace,
            requests=_requests(world.trace),
        )


def _requests(trace: Sequence[str]) -> list[int]:
    first = (line.split(" run 1 ", 1)[-1] for line in trace if " run 1 " in line)
    return [int(what.split(":")[0]) for what in first if ": sends " in what]


@cache
def points() -> int:
    """How many points of I/O a run reaches that nothing happens to."""
    return go(Way()).points[0]


def single_ends(end: End, number: int) -> Iterator[Outcome]:
    """A run that is ended at this point."""
    yield go(Way((Visit((number, end)),)))


def pairs(number: int) -> Iterator[Outcome]:
    """A run that is killed at this point, and the next one at every point."""
    second = 0
    while True:
        second += 1
        kills = (Visit((number, End.KILL)), Visit((second, End.KILL)))
        outcome = go(Way(kills))
        if not outcome.was_reached:
            return
        yield outcome


def kills_with_faults(number: int) -> Iterator[Outcome]:
    """A run that is killed at this point, with each fault at the request that it was at."""
    request = sum(sent <= number for sent in go(Way()).requests)
    for fault in Fault if request else ():
        is_create = request > _reads()
        if fault not in LATE_SECONDS or is_create:
            yield go(Way((Visit((number, End.KILL)),), fault=(request, fault)))


def _reads() -> int:
    """How many requests come before the first create."""
    trace = go(Way()).trace
    sent = [line for line in trace if ": sends " in line]
    return next(n for n, line in enumerate(sent) if "POST" in line)


def orders(first: int) -> Iterator[Outcome]:
    """Two runs, the first of which changes places with the second one after so many points."""
    visits = (Visit(preflight=False), Visit(preflight=False))

    def further(order: tuple[int, ...]) -> Iterator[Outcome]:
        number = 0
        while True:
            number += 1
            outcome = go(Way(visits, (*order, number)), rows=2)
            if not outcome.was_reached:
                return
            yield outcome
            if len(order) + 1 < MOST_SWITCHES:
                yield from further((*order, number))

    outcome = go(Way(visits, (first,)), rows=2)
    if outcome.was_reached:
        yield outcome
        yield from further((first,))


KINDS: Final = {
    "kills": "a kill at every point",
    "terminations": "Ctrl-C at every point",
    "pairs": "a kill at every point, and one at every point of the next run",
    "faults": "a kill at every point, with each fault at its request",
    "orders": f"two runs, in every order with at most {MOST_SWITCHES} changes",
}


def explore(kind: str, number: int) -> tuple[int, list[str]]:
    """All ways of a kind that begin at this point: how many, and what was wrong with the first."""
    logging.disable(logging.CRITICAL)
    ways = {
        "kills": lambda: single_ends(End.KILL, number),
        "terminations": lambda: single_ends(End.TERMINATE, number),
        "pairs": lambda: pairs(number),
        "faults": lambda: kills_with_faults(number),
        "orders": lambda: orders(number),
    }
    count = 0
    wrong: list[str] = []
    for outcome in ways[kind]():
        count += 1
        if outcome.violations and not wrong:
            wrong = [f"{kind} {number}:", *outcome.violations, *outcome.trace]
    return count, wrong


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.exhaustive")
    parser.add_argument("kinds", nargs="*", default=list(KINDS), metavar="KIND")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(arguments)
    began = time.monotonic()
    failed = 0
    with ProcessPoolExecutor(given.workers) as pool:
        numbers = range(1, pool.submit(points).result() + 1)
        print(f"{ROWS} rows in chunks of {CHUNK_ADS}: {len(numbers)} points of I/O in a run")
        for kind in given.kinds:
            count = 0
            for ways, wrong in pool.map(explore, [kind] * len(numbers), numbers):
                count += ways
                failed += bool(wrong)
                print(*wrong[:400], sep="\n", end="\n" if wrong else "", file=sys.stderr)
            print(f"{count:7,}  {KINDS[kind]}", flush=True)
    print(f"{time.monotonic() - began:.0f} s, {failed} begin with what failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
