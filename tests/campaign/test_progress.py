"""What a campaign says of itself while it runs."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import ResultTable
from prefect_staticadslab.campaign.reports import progress
from prefect_staticadslab.campaign.reports.progress import TableObserver, progress_display

ROW = {
    "design_template_id": "dt_1",
    "brand_id": "brand_1",
    "product_id": "prod_1",
    "audience_id": "aud_1",
}


def table(*states: JobState) -> ResultTable:
    frame = pd.DataFrame([ROW] * len(states), dtype=object)
    made = ResultTable.open(None, Spreadsheet(frame, tuple(range(2, 2 + len(states)))))
    for position, state in enumerate(states):
        made.update(position, state)
    return made


async def told(shown: ResultTable, wait_for_limit: float) -> str:
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
