"""What a campaign says of itself while it runs."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.reports import progress
from prefect_staticadslab.campaign.reports.progress import TableObserver, progress_display
from prefect_staticadslab.campaign.rows.row_selection import RowSelection, postpone_unselected
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import run_batch, write_campaign

ROW = {
    "design_template_id": "dt_1",
    "brand_id": "brand_1",
    "product_id": "prod_1",
    "audience_id": "aud_1",
}


def table(*states: JobState) -> ImageAdTable:
    frame = pd.DataFrame([ROW] * len(states), dtype=object)
    made = ImageAdTable.open(None, Spreadsheet.from_frame(frame, tuple(range(2, 2 + len(states)))))
    for position, state in enumerate(states):
        made.update(position, state)
    return made


async def told(shown: ImageAdTable, wait_for_limit: float) -> str:
    lines: list[str] = []
    observer = TableObserver(shown, lambda creates: wait_for_limit if creates else 0)
    async with progress_display(observer, lines.append):
        while not lines:
            await asyncio.sleep(0.01)
    return lines[0]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.01)


NOW = datetime.now(UTC)
RUNNING = JobState(
    RowStatus.PROCESSING, "ia_2", attempts=1, submitted_at=NOW - timedelta(seconds=10)
)
DONE = JobState(
    RowStatus.COMPLETED,
    "ia_1",
    "https://cdn/1.png",
    submitted_at=NOW - timedelta(seconds=95),
    completed_at=NOW - timedelta(seconds=55),
)


async def test_the_time_left_is_what_the_limit_takes_and_the_longest_job() -> None:
    line = await told(table(DONE, RUNNING, JobState()), 35)
    assert line == (
        "1 of 3 already completed; 2 of 3 created, 1 rendering, 1 done, 0 failed, 0.00 USD, "
        "77 s left"
    )


async def test_once_all_is_created_it_is_what_the_youngest_job_still_takes() -> None:
    young = replace(RUNNING, submitted_at=datetime.now(UTC) - timedelta(seconds=10))
    line = await told(table(DONE, young), 35)
    left = re.search(r", (\d+) s left$", line)
    assert left is not None
    assert 22 <= int(left[1]) <= 32
    late = replace(RUNNING, submitted_at=NOW - timedelta(seconds=90))
    assert (await told(table(DONE, late), 35)).endswith(", 2 s left")


async def test_as_long_as_no_job_has_ended_nobody_can_say() -> None:
    assert "left" not in await told(table(RUNNING, JobState()), 35)


# What was counted stays counted

FAILED = JobState(RowStatus.FAILED, "ia_3", attempts=1)
AGAIN = JobState(RowStatus.SUBMITTING, attempts=2)


def test_an_ad_that_is_tried_again_stays_created_and_is_no_failure_yet() -> None:
    shown = table(FAILED, RUNNING, JobState())
    observer = TableObserver(shown, lambda _: 0.0)
    told_of = [observer.tally()]
    for state in (AGAIN, replace(RUNNING, attempts=2), replace(FAILED, attempts=2)):
        shown.update(0, state)
        told_of.append(observer.tally())
    assert [(t.created, t.failed) for t in told_of] == [(2, 0), (2, 0), (2, 0), (2, 1)]


def test_what_was_never_tried_again_is_a_failure_in_the_end() -> None:
    observer = TableObserver(table(FAILED, DONE), lambda _: 0.0)
    assert (observer.tally().failed, observer.tally(is_end=True).failed) == (0, 1)


def test_rows_that_are_not_selected_are_in_no_count() -> None:
    shown = table(FAILED, DONE, RUNNING, JobState())
    postpone_unselected(shown, RowSelection.parse("5"))
    for is_end in (False, True):
        line = TableObserver(shown, lambda _: 0.0).tally(is_end=is_end).line()
        assert line.startswith("0 of 1 created, 0 rendering, 0 done, 0 failed, ")


@given(
    begins=st.lists(st.sampled_from([JobState(), FAILED, AGAIN, RUNNING, DONE]), min_size=1),
    steps=st.lists(st.tuples(st.integers(0, 99), st.booleans()), max_size=60),
    selected=st.just("") | st.integers(2, 5).map(str),
)
def test_no_count_of_what_is_done_ever_goes_down(
    begins: list[JobState], steps: list[tuple[int, bool]], selected: str
) -> None:
    """Whatever rows do, each of them in the order that a job goes through, twice at most."""
    shown = table(*begins)
    if selected and int(selected) < 2 + len(begins):
        postpone_unselected(shown, RowSelection.parse(selected))
    observer = TableObserver(shown, lambda _: 0.0)
    before = observer.tally()
    for chosen, goes_well in steps:
        position = chosen % len(begins)
        shown.update(position, next_state(shown.states[position], goes_well))
        now = observer.tally()
        assert now.created >= before.created
        assert now.completed >= before.completed
        assert now.share >= before.share
        assert now.failed >= 0
        assert now.rendering + now.completed + now.failed <= now.created <= now.rows
        before = now
    assert observer.tally(is_end=True).failed == shown.totals().failed


def next_state(state: JobState, goes_well: bool) -> JobState:
    """What comes after a state: a job that fails is begun once more in the same moment."""
    match state.status:
        case RowStatus.COMPLETED:
            return state
        case RowStatus.SUBMITTING:
            return replace(state, status=RowStatus.PROCESSING, job_id="ia_9", attempts=2)
        case RowStatus.PROCESSING if goes_well:
            return replace(state, status=RowStatus.COMPLETED)
        case RowStatus.PROCESSING if state.attempts > 1:
            return replace(state, status=RowStatus.FAILED)
        case RowStatus.FAILED if state != FAILED:
            return state
    return AGAIN


async def test_a_run_with_failures_counts_up_only(
    tmp_path: Path, simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = [f"SIMULATE_ONE_FAILURE {number}" for number in range(4)]
    spreadsheet = write_campaign(tmp_path, *once, "Iced", "SIMULATE_FAILURE")
    batch = Campaign.open(spreadsheet, str(tmp_path / "out.csv"))
    observer = TableObserver(batch.table, lambda _: 0.0)
    tallies = [observer.tally()]
    update = batch.table.update

    def counted(position: int, state: JobState) -> None:
        update(position, state)
        tallies.append(observer.tally())

    monkeypatch.setattr(batch.table, "update", counted)
    await run_batch(batch, simulator.url)
    assert simulator.api.counts["creates"] == 6 + 4 + 1
    assert [t.created for t in tallies] == sorted(t.created for t in tallies)
    assert tallies[-1].created == 6
    assert observer.tally(is_end=True).failed == 1
