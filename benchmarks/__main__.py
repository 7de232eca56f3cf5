"""`python -m benchmarks`: what users would do instead, and this package, one after another."""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.costs import FULL, QUICK, Cost, Sizes, cost_table, measure_costs
from benchmarks.measure import ROOT, Contender, Result, measure
from benchmarks.report import plot, plot_costs, table
from prefect_staticadslab.campaign.rows.columns import REQUIRED_COLUMNS
from prefect_staticadslab.simulator import SimulatorServer

CONTENDERS: Final = (
    Contender("The guide's loop, 8 workers", "guide_loop", ("8",)),
    Contender("The guide's loop, a worker per ad", "guide_loop", ("0",)),
    Contender("The cookbook's batches", "cookbook", ("impatient",)),
    Contender("The same, waiting on 429", "cookbook", ("patient",)),
    Contender("Prefect's .map with retries", "prefect_map"),
    Contender("prefect-staticadslab", "campaign"),
)

RATE_LIMIT: Final = 100
RATE_WINDOW_SECONDS: Final = 60.0
"""The API's own."""

EQUAL_ROWS: Final = 10
"""The last rows ask for the same ads as the first ones: each is to have one of its own."""

TIMEOUT_SECONDS: Final = 600.0
"""For one contender."""


def main(arguments: list[str] | None = None) -> int:
    """Runs all contenders and prints the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Runs what users would do instead, and this package, against the simulator "
        "with the API's rate limit. Everything is faster by the same factor: jobs, the rate "
        "limit's window, and everybody's polls.",
    )
    option = parser.add_argument
    option("--rows", type=int, default=250, help="ads (default: %(default)s)")
    option("--speed", type=float, default=6.0, help="times faster (default: %(default)s)")
    option("--only", default="", metavar="TEXT", help="only contenders with this in their name")
    option("--costs", action="store_true", help="only what this package's own command costs")
    option("--quick", action="store_true", help="costs of so few rows that they say nothing")
    option("--output", type=Path, metavar="FOLDER", help="write benchmark.md and .png there")
    given = parser.parse_args(arguments)
    chosen = [c for c in CONTENDERS if given.only.casefold() in c.name.casefold()]
    if not chosen or given.rows <= EQUAL_ROWS or given.speed <= 0:
        parser.error(f"choose contenders that there are, more than {EQUAL_ROWS} rows, a speed > 0")
    sizes = QUICK if given.quick else FULL
    if given.costs:
        return _tell_costs(given.speed, given.output, sizes)
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="benchmark") as temporary:
        folder = Path(temporary)
        spreadsheet = write_spreadsheet(folder / "campaign.csv", given.rows)
        for number, contender in enumerate(chosen):
            print(f"{contender.name} …", file=sys.stderr, flush=True)
            place = folder / str(number)
            place.mkdir()
            # The same for each, and a new one: keys that it knows would give another's ads.
            with SimulatorServer(
                speed=given.speed,
                rate_limit=RATE_LIMIT,
                rate_window_seconds=RATE_WINDOW_SECONDS / given.speed,
            ) as server:
                results.append(
                    measure(contender, server, spreadsheet, place, timeout_seconds=TIMEOUT_SECONDS)
                )
    settings = (
        f"{given.rows} ads, {RATE_LIMIT} requests per {RATE_WINDOW_SECONDS:g} s, jobs of 30 to "
        f"60 s, polls at 4 s; everything {given.speed:g} times faster"
    )
    text = (
        f"{settings}; the least possible is {results[-1].least_seconds:.1f} s.\n\n{table(results)}"
    )
    print(text)
    if given.output:
        given.output.mkdir(parents=True, exist_ok=True)
        (given.output / "benchmark.md").write_text(text + "\n", encoding="utf-8")
        plot(results, given.output / "benchmark.png", title=settings)
    return 0 if given.only else _tell_costs(given.speed, given.output, sizes)


def _tell_costs(speed: float, output: Path | None, sizes: Sizes) -> int:
    with tempfile.TemporaryDirectory(prefix="benchmark") as folder:
        measured = measure_costs(Path(folder), write_spreadsheet, speed=speed, sizes=sizes)
        costs = list(map(_told, measured))
    text = cost_table(costs)
    print(text)
    if output:
        output.mkdir(parents=True, exist_ok=True)
        (output / "costs.md").write_text(text + "\n", encoding="utf-8")
        plot_costs(costs, output / "costs.png", title="What a campaign costs")
    return 0


def _told(cost: Cost) -> Cost:
    """A line of the table, told as soon as it is there: the next one may take minutes."""
    print(f"{cost.what}: {cost.measured}", file=sys.stderr, flush=True)
    return cost


def write_spreadsheet(path: Path, rows: int) -> Path:
    """A campaign of the simulator's ids: so many rows, of which the last equal the first."""
    with (ROOT / "examples" / "campaign.csv").open(encoding="utf-8", newline="") as file:
        example = next(csv.DictReader(file))
    ids = [example[column] for column in REQUIRED_COLUMNS]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*REQUIRED_COLUMNS, "prompt"])
        writer.writerows([*ids, f"Prompt {i % (rows - EQUAL_ROWS)}"] for i in range(rows))
    return path


if __name__ == "__main__":
    sys.exit(main())
