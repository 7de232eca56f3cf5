"""One contender, run as a process of its own against a simulator, and what came of it."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI

ROOT: Final = Path(__file__).resolve().parent.parent

CREATES_SHARE: Final = 0.95
"""Of a rate window: the rest is room for everything that is not a create."""

GAVE_UP_SHARE: Final = 0.1
"""Of the rows: whoever has no ad for more than these did not do the job."""

MEBIBYTE: Final = 1024
"""In kibibytes, which is what Linux counts a process's memory in."""


@dataclass(frozen=True)
class Contender:
    """A way to get a spreadsheet's ads: its name, its module, and what it is told besides."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """What came of a run.

    Attributes:
        name: The contender's.
        rows: Rows in the spreadsheet.
        makespan_seconds: From the first admitted request to the last.
        least_seconds: What it takes at least: the rate windows before the last one, and the
            longest job.
        requests: All of them, refused ones included.
        refusals: Answers with 429.
        failed_rows: Rows that have no ad of their own in the end.
        paid_for_nothing: Ads that were created and are in no row.
        cpu_seconds: Of the process and all that it started.
        peak_mib: Of the largest of these processes.
        finished: When each ad was finished, in seconds from the first request.
        timed_out: Whether it was ended because it took too long.
    """

    name: str
    rows: int
    makespan_seconds: float
    least_seconds: float
    requests: int
    refusals: int
    failed_rows: int
    paid_for_nothing: int
    cpu_seconds: float
    peak_mib: float
    finished: tuple[float, ...]
    timed_out: bool

    @property
    def ratio(self) -> float:
        """How many times the least possible it took."""
        return self.makespan_seconds / self.least_seconds

    @property
    def is_done(self) -> bool:
        """Whether it ended by itself, with an ad for nearly every row."""
        return not self.timed_out and self.failed_rows <= GAVE_UP_SHARE * self.rows

    @property
    def requests_per_ad(self) -> float:
        """How many requests each row's ad took."""
        return self.requests / self.rows


def measure(
    contender: Contender,
    server: SimulatorServer,
    spreadsheet: Path,
    folder: Path,
    *,
    timeout_seconds: float,
) -> Result:
    """Runs a contender against a simulator that nobody has used yet."""
    api = server.api
    output = folder / f"{contender.module}.csv"
    module = f"benchmarks.contenders.{contender.module}"
    usage = folder / "usage.json"
    command = [sys.executable, "-m", module, str(spreadsheet), str(output), *contender.arguments]
    launch = [sys.executable, str(ROOT / "benchmarks" / "usage.py"), str(usage)]
    with (folder / "log.txt").open("ab") as log:
        subprocess.run(
            [*launch, str(timeout_seconds), *command],
            cwd=folder,
            env=environment_of(server, folder),
            stdout=log,
            stderr=log,
            check=True,
        )
    used = json.loads(usage.read_text())
    rows = len(rows_of(spreadsheet))
    ids = {row["image_ad_id"] for row in rows_of(output) if row["image_ad_id"] and row["image_url"]}
    jobs = list(api.jobs.values())
    admitted = api.admitted or [0.0]
    return Result(
        name=contender.name,
        rows=rows,
        makespan_seconds=admitted[-1] - admitted[0],
        least_seconds=least_seconds(api, rows),
        requests=api.counts["requests"],
        refusals=api.counts["429"],
        failed_rows=rows - len(ids),
        paid_for_nothing=len(jobs) - len(ids),
        cpu_seconds=used["cpu_seconds"],
        peak_mib=used["peak_kibibytes"] / MEBIBYTE,
        finished=tuple(
            sorted(job.created + job.seconds - admitted[0] for job in jobs if not job.fails)
        ),
        timed_out=used["timed_out"],
    )


def environment_of(server: SimulatorServer, folder: Path) -> dict[str, str]:
    """What a contender finds in its environment: the simulator, and a Prefect that nobody used."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "SAL_"))}
    return kept | {
        "SAL_API_KEY": SIMULATOR_API_KEY,
        "SAL_BASE_URL": server.url,
        "BENCHMARK_SPEED": str(server.api.settings.speed),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PYTHONPATH": str(ROOT),
    }


def least_seconds(api: SimulatedAPI, rows: int) -> float:
    """What so many rows take at least: the windows before the last one, and the longest job."""
    settings = api.settings
    windows = math.ceil(rows / int(settings.rate_limit * CREATES_SHARE)) - 1
    longest = max((job.seconds for job in api.jobs.values()), default=0.0)
    return windows * settings.rate_window_seconds + longest


def rows_of(path: Path) -> list[dict[str, str]]:
    """The lines of a CSV; none if it is not there."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
