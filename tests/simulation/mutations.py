"""Breaks decisions of the product on purpose, one at a time, and says which the simulation finds:
after how many drawn campaigns, or else with one that is written out (`stories/known.py`).

`python -m tests.simulation.mutations`; returns 1 if fewer than nineteen in twenty are found.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import signal
import sys
from typing import Final

from tests.simulation.broken import Found, first_violation
from tests.simulation.mutation_list import MUTATIONS, UNBROKEN

NEEDED_SHARE: Final = 0.95
"""Of the mutations, to be found."""

LONGEST_SECONDS: Final = 1800
"""For one mutation. A product that is broken may go on forever, which is found as well."""


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutations")
    parser.add_argument("--campaigns", type=int, default=1000, help="the most for a mutation")
    parser.add_argument("--rows", type=int, default=30, help="the most of a campaign")
    parser.add_argument("--only", nargs="*", default=[], help="names of mutations; else all")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(arguments)
    chosen = {m.name: m for m in MUTATIONS if not given.only or m.name in given.only}
    _load_what_is_not_ours()
    found = most = 0
    with multiprocessing.get_context("fork").Pool(given.workers, maxtasksperchild=1) as pool:
        work = [(name, given.campaigns, given.rows) for name in chosen]
        for outcome in pool.imap_unordered(_outcome, work, chunksize=1):
            found += bool(outcome.violation)
            most = max(most, outcome.campaigns if outcome.violation else 0)
            drawn = "one written out" if outcome.was_known else f"{outcome.campaigns:5} campaigns"
            which = drawn if outcome.violation else "NOT FOUND"
            print(f"{which:15}  {outcome.name:22} {outcome.violation[:90]}", flush=True)
        as_it_is = pool.apply(_outcome, ((UNBROKEN, most, given.rows),))
    print(f"{found} of {len(chosen)} mutations found")
    if as_it_is.violation:
        print(f"What is not broken fails as well: {as_it_is.violation}")
    return 0 if found >= NEEDED_SHARE * len(chosen) and not as_it_is.violation else 1


def _load_what_is_not_ours() -> None:
    """Loads what each process needs, and forgets what is to be broken there."""
    importlib.import_module("tests.simulation.stories.fate")
    tests = ("tests.conftest", "tests.simulation.stories", "tests.simulation.world")
    ours = ("prefect_staticadslab", *tests)
    for name in [name for name in sys.modules if name.startswith(ours)]:
        del sys.modules[name]


def _outcome(work: tuple[str, int, int]) -> Found:
    name, campaigns, rows = work
    signal.alarm(LONGEST_SECONDS)
    signal.signal(signal.SIGALRM, _stop)
    try:
        return first_violation(name, campaigns, rows)
    except TimeoutError:
        return Found(name, campaigns, f"it takes more than {LONGEST_SECONDS} s")


def _stop(number: int, frame: object) -> None:
    raise TimeoutError


if __name__ == "__main__":
    sys.exit(main())
