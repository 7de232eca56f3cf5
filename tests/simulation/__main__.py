"""Campaigns whose whole fate is drawn: `python -m tests.simulation --campaigns 1000 --seed 1`.

Returns 1 if anything was not as it must be, and says with which seed.
"""

from __future__ import annotations

import argparse
import gc
import logging
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, Final

from tests.simulation.stories.fate import Fate, live
from tests.simulation.stories.scenes import draw
from tests.simulation.stories.shrink import described, shrink

RARE_COLLECTIONS: Final = (100_000, 50, 100)
"""Objects that are made before garbage is looked for, and how often older ones are looked at."""

MOST_REPORTS: Final = 3
"""Failures that are made smaller, and told in full."""


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--campaigns", type=int, default=1000)
    parser.add_argument("--seed", default="1", help="with --campaigns 1, a seed that was printed")
    parser.add_argument("--rows", type=int, default=300, help="the most of a campaign")
    parser.add_argument("--jobs", default="", help="ads, templates or revisions; else all")
    parser.add_argument("--clocks", action="store_true", help="machines' clocks may be wrong")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(arguments)
    began = time.monotonic()
    seeds = [given.seed]
    if given.campaigns > 1:
        seeds = [f"{given.seed}.{number}" for number in range(given.campaigns)]
    counts: Counter[str] = Counter()
    failed: list[Fate] = []
    live_one = partial(_fate, most_rows=given.rows, job_kind=given.jobs, clocks_differ=given.clocks)
    with ProcessPoolExecutor(given.workers, initializer=_be_quiet) as pool:
        for fate in pool.map(live_one, seeds, chunksize=8):
            counts.update(fate.counts)
            failed += [fate] if fate.violations else []
    for name in sorted(counts):
        print(f"{name + ':':60}{counts[name]:9,}")
    print(f"{len(seeds):,} campaigns in {time.monotonic() - began:.0f} s, {len(failed)} failed")
    for fate in failed[:MOST_REPORTS]:
        print(report(fate), file=sys.stderr)
    if len(failed) > MOST_REPORTS:
        rest = (fate.plan.seed for fate in failed[MOST_REPORTS:])
        print("further seeds:", *rest, file=sys.stderr)
    return 1 if failed else 0


def report(fate: Fate) -> str:
    """What went wrong with a campaign, and the smallest one with which it still does."""
    smallest = live(shrink(fate.plan, lambda plan: bool(live(plan).violations)))
    return "\n".join(
        [
            f"\nseed {fate.plan.seed}:",
            *fate.violations,
            "\nThe smallest campaign that still goes wrong:",
            *described(smallest.plan),
            *smallest.violations,
            *smallest.trace,
            f"\nTo see it again: pytest tests/simulation --seed {fate.plan.seed}",
        ]
    )


def _be_quiet() -> None:
    logging.disable(logging.CRITICAL)
    # A tenth of the time goes into looking for garbage among what is imported.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*RARE_COLLECTIONS)


def _fate(seed: str, **drawn: Any) -> Fate:
    fate = live(draw(seed, **drawn))
    if not fate.violations:
        fate.trace.clear()
    return fate


if __name__ == "__main__":
    _be_quiet()
    sys.exit(main())
