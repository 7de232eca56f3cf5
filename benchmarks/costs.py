"""What this package's own command costs: time to the first create, CPU per row, and room for others
who use the same key."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from benchmarks.measure import environment_of, least_seconds, rows_of
from prefect_staticadslab.simulator import SimulatorServer

SpreadsheetOf: TypeAlias = Callable[[Path, int], Path]
"""Writes a campaign of so many rows to a place, and returns that."""

IMPORTS: Final = "import prefect, pandas"
"""What a Prefect flow with a table in it takes in any case; other times are told in these."""

FEW, MANY = 200, 1_200
"""Rows of two campaigns, whose difference is what further rows cost."""

STRANGERS: Final = (20, 500)
"""Rows of two campaigns that use one key and know nothing of each other."""

NO_LIMIT: Final = 1_000_000
WAIT_SECONDS: Final = 300.0


@dataclass(frozen=True)
class Cost:
    """One line of the table.

    Attributes:
        what: What was measured.
        measured: How much it is.
        times: The same in times of what it is compared with.
        compared_with: What that is.
    """

    what: str
    measured: str
    times: float
    compared_with: str


@dataclass(frozen=True)
class Strangers:
    """What became of two campaigns on one key.

    Attributes:
        shares: Of the creates up to the end of the first that had created all, by campaign.
        seconds: From the first request to each one's last create.
        ratio: The whole of it, in times of the least possible.
        refusals: Answers with 429.
    """

    shares: tuple[float, ...]
    seconds: tuple[float, ...]
    ratio: float
    refusals: int

    def costs(self) -> list[Cost]:
        """Its lines of the table."""
        few, many = STRANGERS
        return [
            Cost(
                f"{few} rows beside {many} on one key",
                f"{few} created after {self.seconds[0]:.1f} s with a share of {self.shares[0]:.2f} "
                f"until then; all after {self.seconds[1]:.1f} s; {self.refusals} × 429",
                self.ratio,
                "the least possible makespan",
            )
        ]


def measure_costs(folder: Path, spreadsheet_of: SpreadsheetOf, *, speed: float) -> list[Cost]:
    """Runs the command against simulators of its own.

    Args:
        folder: For its files; empty.
        spreadsheet_of: Writes a campaign of so many rows.
        speed: How many times faster than the API the strangers' simulator is.
    """
    first = time_to_first_create(folder, spreadsheet_of(folder / "first.csv", FEW))
    few, bare_few = cpu_seconds(folder, spreadsheet_of, FEW)
    many, bare_many = cpu_seconds(folder, spreadsheet_of, MANY)
    per_row, bare = (1000 * (m - f) / (MANY - FEW) for m, f in ((many, few), (bare_many, bare_few)))
    return [
        Cost("From Enter to the first create", f"{first[0]:.1f} s", first[0] / first[1], IMPORTS),
        Cost(
            "CPU per further row, limit out of the way",
            f"{per_row:.1f} ms",
            per_row / bare,
            "a bare httpx loop that only creates",
        ),
        *share_with_strangers(folder, spreadsheet_of, speed=speed).costs(),
    ]


def time_to_first_create(folder: Path, spreadsheet: Path) -> tuple[float, float]:
    """Seconds from the start of the command until its first create arrives, and of the imports."""
    imports = min(_seconds_of([sys.executable, "-c", IMPORTS], folder) for _ in range(2))
    with SimulatorServer(speed=60, rate_limit=NO_LIMIT) as server:
        began = time.time()
        with _started(server, spreadsheet, folder / "first-out.csv") as process:
            while not server.api.jobs and process.poll() is None:
                time.sleep(0.01)
            process.wait(WAIT_SECONDS)
        created = min(job.created for job in server.api.jobs.values())
    return created - began, imports


def cpu_seconds(folder: Path, spreadsheet_of: SpreadsheetOf, rows: int) -> tuple[float, float]:
    """What a campaign of so many rows takes in CPU, and a loop that only creates them."""
    spreadsheet = spreadsheet_of(folder / f"{rows}.csv", rows)
    seconds = []
    for module in ("campaign", "bare_httpx"):
        with SimulatorServer(speed=60, rate_limit=NO_LIMIT) as server:
            before = _children_cpu()
            with _started(server, spreadsheet, folder / f"{module}-{rows}.csv", module) as process:
                process.wait(WAIT_SECONDS)
            seconds.append(_children_cpu() - before)
    return seconds[0], seconds[1]


def share_with_strangers(folder: Path, spreadsheet_of: SpreadsheetOf, *, speed: float) -> Strangers:
    """Two campaigns of unequal length on one key, started at once."""
    with SimulatorServer(speed=speed, rate_window_seconds=60 / speed) as server:
        outputs = [folder / f"stranger-{rows}.csv" for rows in STRANGERS]
        processes = [
            _started(server, spreadsheet_of(folder / f"s{rows}.csv", rows), output)
            for rows, output in zip(STRANGERS, outputs, strict=True)
        ]
        for process in processes:
            with process:
                process.wait(WAIT_SECONDS)
        jobs, admitted = server.api.jobs, list(server.api.admitted)
        created = [sorted(jobs[row["image_ad_id"]].created for row in rows_of(o)) for o in outputs]
        return strangers_of(
            created, admitted, least_seconds(server.api, sum(STRANGERS)), server.api.counts["429"]
        )


def strangers_of(
    created: Sequence[Sequence[float]], admitted: Sequence[float], least: float, refusals: int
) -> Strangers:
    """What became of campaigns that created their ads at these times.

    Example:
        ```python
        from benchmarks.costs import strangers_of

        told = strangers_of([[1, 3], [2, 4, 5, 6]], [0, 12], 10, 1)
        assert told.shares == (2 / 3, 1 / 3)
        assert (told.seconds, told.ratio) == ((3, 6), 1.2)
        ```
    """
    first_end = min(times[-1] for times in created)
    counts = [sum(moment <= first_end for moment in times) for times in created]
    return Strangers(
        shares=tuple(count / sum(counts) for count in counts),
        seconds=tuple(times[-1] - admitted[0] for times in created),
        ratio=(admitted[-1] - admitted[0]) / least,
        refusals=refusals,
    )


def cost_table(costs: Sequence[Cost]) -> str:
    """A Markdown table, a line for each."""
    lines = [
        f"| {cost.what} | {cost.measured} | {cost.times:.2f} × {cost.compared_with} |"
        for cost in costs
    ]
    return "\n".join(["| what | measured | compared |", "| --- | --- | --- |", *lines])


def _started(
    server: SimulatorServer, spreadsheet: Path, output: Path, module: str = "campaign"
) -> subprocess.Popen[bytes]:
    folder = output.with_suffix("")
    folder.mkdir()
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                f"benchmarks.contenders.{module}",
                str(spreadsheet),
                str(output),
            ],
            cwd=folder,
            env=environment_of(server, folder),
            stdout=log,
            stderr=log,
        )


def _seconds_of(command: Sequence[str], folder: Path) -> float:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "SAL_"))}
    began = time.monotonic()
    subprocess.run(command, cwd=folder, env=kept, check=True)
    return time.monotonic() - began


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
