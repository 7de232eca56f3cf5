"""What a run marks before it sends is known to the others, and news to each once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
from tests.campaign.table.test_merging import new_place, spreadsheet, state_at

MARKED_AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


async def test_nothing_is_begun_for_a_row_that_has_another_runs_ad(tmp_path: Path) -> None:
    place = str(tmp_path / "out.csv")
    ours, theirs = (ImageAdTable.open(place, spreadsheet(["a"])) for _ in range(2))
    running = JobState(RowStatus.PROCESSING, job_id="ia_theirs", attempts=1)
    theirs.update(0, running)
    theirs.save_now()
    ours.update(0, JobState(RowStatus.PROCESSING, job_id="ia_ours", attempts=1))
    ours.save_now()
    ours.update(0, JobState(RowStatus.FAILED, job_id="ia_ours", attempts=1))
    known = await ours.before_send({0: JobState(RowStatus.SUBMITTING, attempts=2)})
    assert known[0].job_id == ours.states[0].job_id == "ia_theirs"


def test_a_refusal_outranks_a_runs_own_mark(tmp_path: Path) -> None:
    place = str(tmp_path / "out.csv")
    table, other = (ImageAdTable.open(place, spreadsheet(["a", "b"])) for _ in range(2))
    asyncio.run(table.before_send({0: JobState(RowStatus.SUBMITTING, attempts=1)}))
    other.save_now()
    table.update(0, JobState(RowStatus.FAILED, error="404", attempts=1))
    table.update(1, state_at("row 1", 3))
    table.save_now()
    assert table.states[0].status is RowStatus.FAILED
    assert ImageAdTable.reopen(place).states[0].status is RowStatus.FAILED


def test_of_two_keys_the_one_that_was_written_down_first_counts() -> None:
    def sent(key: str) -> JobState:
        state = JobState(RowStatus.SUBMITTING, attempts=1)
        return replace(state, idempotency_key=key * 32, api_key_hash="aa" * 8)

    place = new_place()
    first, second = (ImageAdTable.open(place, spreadsheet(["a"])) for _ in range(2))
    first.update(0, sent("01"))
    first.save_now()
    known = asyncio.run(second.before_send({0: sent("02")}))
    assert known[0].idempotency_key == sent("01").idempotency_key


async def test_runs_that_mark_one_row_in_one_second_see_each_other() -> None:
    mark = JobState(
        RowStatus.SUBMITTING,
        attempts=1,
        idempotency_key="01" * 32,
        api_key_hash="aa" * 8,
        submitted_at=MARKED_AT,
        asked_at=MARKED_AT,
    )
    place = new_place()
    runs = [ImageAdTable.open(place, spreadsheet(["a", "b"])) for _ in range(3)]
    known = [(await run.before_send({0: mark}))[0] for run in runs]
    assert known[0] == mark
    assert len({state.asked_at for state in known}) == 3
    for run in runs:
        run.save_now()
    assert [set(await run.look([0, 1])) for run in runs] == [{0}, {0}, {0}]
    assert {run.states[0].submitted_at for run in runs} == {MARKED_AT}


async def test_a_run_that_is_alone_has_no_news_of_its_own_marks() -> None:
    place = new_place()
    killed = ImageAdTable.open(place, spreadsheet(["a", "b"]))
    mark = JobState(RowStatus.SUBMITTING, attempts=1, submitted_at=MARKED_AT, asked_at=MARKED_AT)
    await killed.before_send({1: mark})
    run = ImageAdTable.open(place, spreadsheet(["a", "b"]))
    assert await run.look([0, 1]) == {}
    await run.before_send(
        {0: mark, 1: replace(mark, asked_at=datetime(2026, 5, 1, 13, tzinfo=UTC))}
    )
    assert await run.look([0, 1]) == {}


async def test_what_another_run_has_been_answered_is_news_once() -> None:
    place = new_place()
    first, second = (ImageAdTable.open(place, spreadsheet(["a"])) for _ in range(2))
    mark = JobState(RowStatus.SUBMITTING, attempts=1, submitted_at=MARKED_AT, asked_at=MARKED_AT)
    await first.before_send({0: mark})
    await second.before_send({0: mark})
    running = JobState(RowStatus.PROCESSING, job_id="ia_1", attempts=1)
    first.update(0, running)
    await first.save()
    assert await second.look([0]) == {0: running}
    assert await second.look([0]) == {}
