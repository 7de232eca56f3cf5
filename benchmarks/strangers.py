"""`python -m benchmarks.strangers`: campaigns on one key that know nothing of each other, often."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.__main__ import write_spreadsheet
from benchmarks.costs import Strangers, share_with_strangers
from prefect_staticadslab.campaign.pipeline.poll_schedule import POLL_SECONDS


def main(arguments: list[str] | None = None) -> int:
    """Runs them so many times, and prints a line for each."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.strangers",
        description="Starts campaigns at once on one key of the simulator, in processes of their "
        "own, and tells how long all took, who had which share, and how much was refused.",
    )
    option = parser.add_argument
    option("--rows", type=int, nargs="+", default=[140, 140], help="of each (default: 140 140)")
    option("--times", type=int, default=10, help="how often (default: %(default)s)")
    option("--speed", type=float, default=6.0, help="times faster (default: %(default)s)")
    given = parser.parse_args(arguments)
    print("| run | makespan / (least + a poll) | shares | 429 |\n| --- | --- | --- | --- |")
    for number in range(1, given.times + 1):
        with tempfile.TemporaryDirectory(prefix="strangers") as folder:
            measured = share_with_strangers(
                Path(folder), write_spreadsheet, tuple(given.rows), speed=given.speed
            )
        print(line(number, measured, POLL_SECONDS / given.speed), flush=True)
    return 0


def line(number: int, measured: Strangers, poll_seconds: float) -> str:
    """A line of the table.

    Args:
        number: Which run it was.
        measured: What became of it.
        poll_seconds: How long a finished ad may go unseen at the end.
    """
    least = measured.least_seconds
    ratio = measured.ratio * least / (least + poll_seconds)
    shares = ", ".join(f"{share:.2f}" for share in measured.shares)
    return f"| {number} | {ratio:.3f} | {shares} | {measured.refusals} |"


if __name__ == "__main__":
    raise SystemExit(main())
