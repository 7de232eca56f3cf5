"""What this package's own command costs: time to a refusal and to the first create, CPU per row,
memory, and room for others who use the same key."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from benchmarks.measure import MEBIBYTE, ROOT, environment_of, least_seconds, rows_of
from prefect_staticadslab.simulator import SimulatorServer

SpreadsheetOf: TypeAlias = Callable[[Path, int], Path]
"""Writes a campaign of so many rows to a place, and returns that."""

IMPORTS: Final = "import prefect, pandas"
"""What a Prefect flow with a table in it takes in any case; other times are told in these."""

PANDAS: Final = "import pandas"
"""What reading a table with pandas takes in any case; a refusal is told in these."""


@dataclass(frozen=True)
class Sizes:
    """How many rows the campaigns have.

    Attributes:
        few, many: Of two, whose difference is what further rows cost.
        long: Of those whose tables are workbooks or for other programs.
        strangers: Of two that use one key and know nothing of each other.
        times: How often the shortest commands are run; the median counts.
    """

    few: int = 200
    many: int = 1_200
    long: int = 10_000
    strangers: tuple[int, int] = (20, 500)
    times: int = 7


FULL: Final = Sizes()
QUICK: Final = Sizes(few=20, many=200, long=150, strangers=(12, 40), times=1)
"""Runs in seconds, to see that all of it works. Its figures say nothing."""

LONG_ENDINGS: Final = (".xlsx", ".parquet")

NO_LIMIT: Final = 1_000_000
WAIT_SECONDS: Final = 600.0
REFUSED: Final = 2
"""The command's exit status."""

BARE: Final = "a bare httpx loop that only creates"


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
        least_seconds: The least possible.
    """

    rows: tuple[int, ...]
    shares: tuple[float, ...]
    seconds: tuple[float, ...]
    ratio: float
    refusals: int
    least_seconds: float

    def cost(self) -> Cost:
        """Its line of the table."""
        few, many = self.rows
        return Cost(
            f"{few} rows beside {many} on one key",
            f"{few} created after {self.seconds[0]:.1f} s with a share of {self.shares[0]:.2f} "
            f"until then; all after {max(self.seconds):.1f} s; {self.refusals} × 429",
            self.ratio,
            "the least possible makespan",
        )


def measure_costs(
    folder: Path, spreadsheet_of: SpreadsheetOf, *, speed: float, sizes: Sizes = FULL
) -> Iterator[Cost]:
    """Runs the command against simulators of its own, and gives each line once it is measured.

    Args:
        folder: For its files; empty.
        spreadsheet_of: Writes a campaign of so many rows.
        speed: How many times faster than the API the strangers' simulator is.
        sizes: How many rows there are.
    """
    refusal, pandas = cpu_of_refusal(folder, sizes.times)
    yield Cost("CPU of a refused spreadsheet", f"{refusal:.2f} s", refusal / pandas, PANDAS)
    first = time_to_first_create(folder, spreadsheet_of(folder / "first.csv", sizes.few))
    yield Cost("From Enter to the first create", f"{first[0]:.1f} s", first[0] / first[1], IMPORTS)
    few, bare_few = cpu_seconds(folder, spreadsheet_of, sizes.few)
    many, bare_many = cpu_seconds(folder, spreadsheet_of, sizes.many)
    further = sizes.many - sizes.few
    per_row, bare = ((m - f) / further for m, f in ((many, few), (bare_many, bare_few)))
    yield Cost(
        "CPU per further row, limit out of the way",
        f"{1000 * per_row:.1f} ms",
        per_row / bare,
        BARE,
    )
    for ending in LONG_ENDINGS:
        seconds, peak_mib = cpu_and_memory(folder, spreadsheet_of, sizes.long, ending)
        per_row = seconds / sizes.long
        yield Cost(
            f"CPU per row of {sizes.long:,} to {ending}, all included",
            f"{1000 * per_row:.1f} ms; {peak_mib:.0f} MiB at the peak",
            per_row / bare,
            BARE,
        )
    yield share_with_strangers(folder, spreadsheet_of, sizes.strangers, speed=speed).cost()


def cpu_of_refusal(folder: Path, times: int) -> tuple[float, float]:
    """CPU seconds of the command for a spreadsheet with a mistake, and of importing pandas."""
    spreadsheet = folder / "refused.csv"
    header = "design_template_id,brand_id,product_id,audience_id"
    spreadsheet.write_text(f"{header}\ndt_1,,prod_1,aud_1\n", encoding="utf-8")
    command = ["-m", "prefect_staticadslab", "campaign", str(spreadsheet), "refused-out.csv"]
    seconds: dict[str, list[float]] = {"refused": [], PANDAS: []}
    for _ in range(times + 1):  # the first ones write bytecode
        for arguments, status, spent in (
            (command, REFUSED, seconds["refused"]),
            (["-c", PANDAS], 0, seconds[PANDAS]),
        ):
            before = _children_cpu()
            done = subprocess.run(
                [sys.executable, *arguments],
                cwd=folder,
                env={**_kept_environment(), "PYTHONPATH": str(ROOT)},
                check=False,
                capture_output=True,
            )
            assert done.returncode == status, done.stderr.decode()
            spent.append(_children_cpu() - before)
    refused, pandas = (statistics.median(spent[1:]) for spent in seconds.values())
    return refused, pandas


def cpu_and_memory(
    folder: Path, spreadsheet_of: SpreadsheetOf, rows: int, ending: str
) -> tuple[float, float]:
    """CPU seconds of a whole campaign to this kind of table, and its peak memory in MiB."""
    spreadsheet = spreadsheet_of(folder / f"long-{rows}.csv", rows)
    usage = folder / f"usage{ending}.json"
    with SimulatorServer(speed=60, rate_limit=NO_LIMIT) as server:
        output = folder / f"long-{ending[1:]}{ending}"
        launch = [str(ROOT / "benchmarks" / "usage.py"), str(usage), str(WAIT_SECONDS)]
        _wait_for(_started(server, spreadsheet, output, launch=[*launch, sys.executable]))
        assert len(server.api.jobs) == rows, f"{len(server.api.jobs)} of {rows} were created"
    used = json.loads(usage.read_text())
    return used["cpu_seconds"], used["peak_kibibytes"] / MEBIBYTE


def time_to_first_create(folder: Path, spreadsheet: Path) -> tuple[float, float]:
    """Seconds from the start of the command until its first create arrives, and of the imports."""
    imports = min(_seconds_of([sys.executable, "-c", IMPORTS], folder) for _ in range(2))
    with SimulatorServer(speed=60, rate_limit=NO_LIMIT) as server:
        began = time.time()
        with _started(server, spreadsheet, folder / "first-out.csv") as process:
            while not server.api.jobs and process.poll() is None:
                time.sleep(0.01)
            _wait_for(process)
        created = min(job.created for job in server.api.jobs.values())
    return created - began, imports


def cpu_seconds(folder: Path, spreadsheet_of: SpreadsheetOf, rows: int) -> tuple[float, float]:
    """What a campaign of so many rows takes in CPU, and a loop that only creates them."""
    spreadsheet = spreadsheet_of(folder / f"{rows}.csv", rows)
    seconds = []
    for module in ("campaign", "bare_httpx"):
        with SimulatorServer(speed=60, rate_limit=NO_LIMIT) as server:
            before = _children_cpu()
            _wait_for(_started(server, spreadsheet, folder / f"{module}-{rows}.csv", module))
            seconds.append(_children_cpu() - before)
    return seconds[0], seconds[1]


def share_with_strangers(
    folder: Path, spreadsheet_of: SpreadsheetOf, rows_of_each: tuple[int, ...], *, speed: float
) -> Strangers:
    """Campaigns of so many rows each on one key, started at once."""
    with SimulatorServer(speed=speed, rate_window_seconds=60 / speed) as server:
        outputs = [folder / f"stranger-{number}.csv" for number in range(len(rows_of_each))]
        processes = [
            _started(server, spreadsheet_of(folder / f"s{output.name}", rows), output)
            for rows, output in zip(rows_of_each, outputs, strict=True)
        ]
        for process in processes:
            _wait_for(process)
        jobs, admitted = server.api.jobs, list(server.api.admitted)
        created = [sorted(jobs[row["image_ad_id"]].created for row in rows_of(o)) for o in outputs]
        return strangers_of(
            created,
            admitted,
            least_seconds(server.api, sum(rows_of_each)),
            server.api.counts["429"],
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
        rows=tuple(map(len, created)),
        shares=tuple(count / sum(counts) for count in counts),
        seconds=tuple(times[-1] - admitted[0] for times in created),
        ratio=(admitted[-1] - admitted[0]) / least,
        refusals=refusals,
        least_seconds=least,
    )


def cost_table(costs: Sequence[Cost]) -> str:
    """A Markdown table, a line for each."""
    lines = [
        f"| {cost.what} | {cost.measured} | {cost.times:.2f} × {cost.compared_with} |"
        for cost in costs
    ]
    return "\n".join(["| what | measured | compared |", "| --- | --- | --- |", *lines])


def _started(
    server: SimulatorServer,
    spreadsheet: Path,
    output: Path,
    module: str = "campaign",
    *,
    launch: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """A contender's process; `launch` is what starts it, if not this one by itself."""
    folder = output.with_suffix("")
    folder.mkdir()
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [
                sys.executable,
                *launch,
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


def _wait_for(process: subprocess.Popen[bytes]) -> None:
    """Waits until a contender is done, which it must be.

    Raises:
        RuntimeError: It has failed; its folder has its log.
    """
    with process:
        if status := process.wait(WAIT_SECONDS):
            raise RuntimeError(f"{process.args!r} ended with status {status}.")


def _seconds_of(command: Sequence[str], folder: Path) -> float:
    began = time.monotonic()
    subprocess.run(command, cwd=folder, env=_kept_environment(), check=True)
    return time.monotonic() - began


def _kept_environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "SAL_"))}


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
