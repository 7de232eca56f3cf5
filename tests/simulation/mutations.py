"""Breaks decisions of the product on purpose, one at a time, and says which the simulation finds.

`python -m tests.simulation.mutations`; returns 1 if fewer than nineteen in twenty are found.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Final

from tests.simulation.mutation_list import MUTATIONS, UNBROKEN

NEEDED_SHARE: Final = 0.95
"""Of the mutations, to be found."""

LONGEST_SECONDS: Final = 900.0
"""For one mutation. A product that is broken may go on forever, which is found as well."""


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutations")
    parser.add_argument("--campaigns", type=int, default=1000, help="the most for a mutation")
    parser.add_argument("--only", nargs="*", default=[], help="names of mutations; else all")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(arguments)
    chosen = [m for m in MUTATIONS if not given.only or m.name in given.only]
    found = most = 0
    with ThreadPoolExecutor(given.workers) as pool:
        ends = {pool.submit(_outcome, m.name, given.campaigns): m for m in chosen}
        for end in as_completed(ends):
            mutation, outcome = ends[end], end.result()
            most = max(most, outcome["campaigns"] if outcome["violation"] else 0)
            found += bool(outcome["violation"])
            which = f"{outcome['campaigns']:5} campaigns" if outcome["violation"] else "NOT FOUND"
            print(f"{which:15}  {mutation.name:22} {outcome['violation'][:90]}", flush=True)
    as_it_is = _outcome(UNBROKEN, most)
    if as_it_is["violation"]:
        print(f"What is not broken fails as well: {as_it_is['violation']}")
        return 1
    print(f"{found} of {len(chosen)} mutations found")
    return 0 if found >= NEEDED_SHARE * len(chosen) else 1


def _outcome(name: str, campaigns: int) -> dict[str, Any]:
    command = ["-m", "tests.simulation.broken", name, "--campaigns", str(campaigns)]
    try:
        done = subprocess.run(
            [sys.executable, *command],
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return {"campaigns": campaigns, "violation": f"it takes more than {LONGEST_SECONDS:g} s"}
    outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return outcome


if __name__ == "__main__":
    sys.exit(main())
