"""Several runs of one campaign in a bucket, in processes, some of which are killed."""

from __future__ import annotations

import csv
import io
import itertools
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import without_settings, write_campaign
from tests.support.processes import PATIENCE_SECONDS, ended, kill, start
from tests.support.s3_server import Lost, S3Server, Written

PROMPTS = [*map(str, range(11)), "SIMULATE_ONE_FAILURE"]
"""What the rows ask for; one is asked for twice, since its first ad fails."""

STEPS = {"pending": 0, "submitting": 1, "processing": 2, "completed": 3, "failed": 3}

Rows = dict[str, dict[str, str]]


@pytest.fixture
def server() -> Iterator[S3Server]:
    made = S3Server()
    yield made
    made.close()


class Runs:
    """Runs of one campaign, each with an access key of its own: `run0`, `run1`, …"""

    def __init__(self, server: S3Server, simulator: SimulatorServer, folder: Path) -> None:
        self.server, self.simulator = server, simulator
        self.spreadsheet = write_campaign(folder, *PROMPTS)
        self.processes: dict[str, subprocess.Popen[str]] = {}

    def start(self, count: int) -> None:
        """Starts further runs, none of which writes before all have come to do it."""
        names = [
            f"run{number}" for number in range(len(self.processes), len(self.processes) + count)
        ]
        together, before = threading.Barrier(count), self.server.before

        def wait_for_all(by: str, number: int) -> None:
            # The first one only asks whether the store keeps conditions.
            if number == 2 and by in names:
                together.wait(PATIENCE_SECONDS)
            before(by, number)

        self.server.before = wait_for_all
        for name in names:
            self.processes[name] = start(
                *("-m", "tests.campaign.pipeline.run_in_bucket"),
                *(self.spreadsheet, "s3://ads/out.csv", self.simulator.url),
                env=without_settings() | self.server.environment(name),
            )

    def kill(self, name: str) -> None:
        """Ends a run as a power cut does."""
        kill(self.processes[name])

    def end(self, *, killed: int = 0) -> None:
        """Waits for the end of all runs, of which so many were killed."""
        statuses = []
        for process in self.processes.values():
            status, _, told = ended(process)
            assert status in (0, -9), told
            statuses.append(status)
        assert sum(status != 0 for status in statuses) == killed


@pytest.fixture
def runs(server: S3Server, simulator: SimulatorServer, tmp_path: Path) -> Iterator[Runs]:
    made = Runs(server, simulator, tmp_path)
    yield made
    for process in made.processes.values():
        if process.poll() is None:
            kill(process)


def rows_of(version: Written) -> Rows:
    return {row["prompt"]: row for row in csv.DictReader(io.StringIO(version.content.decode()))}


def progress(row: dict[str, str]) -> tuple[int, int]:
    return int(row["attempts"] or 0), STEPS[row["status"]]


def check_nothing_undone(versions: list[Written]) -> None:
    """Raises if something that one version of the table says of a row is not in all later ones."""
    for earlier, later in itertools.pairwise(versions):
        before, after = rows_of(earlier), rows_of(later)
        assert before.keys() == after.keys()
        for prompt, row in before.items():
            assert progress(row) <= progress(after[prompt]), (earlier.by, later.by)
            if row["image_ad_id"] and row["attempts"] == after[prompt]["attempts"]:
                assert row["image_ad_id"] == after[prompt]["image_ad_id"]


def check_all_completed(runs: Runs) -> None:
    """Raises if an ad was paid for twice, or the table does not have it."""
    rows = rows_of(runs.server.versions["out.csv"][-1])
    assert {row["status"] for row in rows.values()} == {"completed"}
    jobs = runs.simulator.api.jobs
    assert len(jobs) == len(PROMPTS) + 1
    assert {row["image_ad_id"] for row in rows.values()} < set(jobs)


@pytest.mark.parametrize("count", [2, 5])
def test_runs_at_once_undo_nothing_of_each_other_also_if_some_are_killed(
    runs: Runs, count: int
) -> None:
    """One dies before its write is decided, and one before it hears of it; then one resumes."""
    server = runs.server
    unwritten: set[str] = set()

    def writers() -> set[str]:
        return {version.by for version in server.versions["out.csv"]}

    def kill_before(by: str, number: int) -> None:
        if by == "run0" and has_ids(server):
            unwritten.update({by} - writers())
            runs.kill(by)
            raise Lost

    def kill_after(by: str, number: int) -> None:
        if by == "run1" and has_ids(server):
            unwritten.update({by} - writers())
            runs.kill(by)

    server.before, server.after = kill_before, kill_after
    runs.start(count)
    runs.end(killed=2)
    runs.start(1)
    runs.end(killed=2)
    # One may be killed before anything of it is there, and one when all of it was refused.
    assert writers() >= {*runs.processes} - unwritten
    check_nothing_undone(server.versions["out.csv"])
    check_all_completed(runs)


def has_ids(server: S3Server) -> bool:
    """Whether the table knows of an ad: each run comes to write after that, in the end at least."""
    latest = server.versions.get("out.csv", [])[-1:]
    return any(row["image_ad_id"] for version in latest for row in rows_of(version).values())
