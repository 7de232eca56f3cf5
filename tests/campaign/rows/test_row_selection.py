"""A run for some of the rows: which these are, what it may cost, and what becomes of the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.campaign import prepare
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.reports.summary import Summary, summarize
from prefect_staticadslab.campaign.rows.row_selection import RowSelection, SelectionError
from prefect_staticadslab.campaign.table.limits import BudgetError
from prefect_staticadslab.simulator import SimulatorServer
from tests.campaign.shop import NAMES, SHOP, sheet
from tests.conftest import run_batch, write_campaign


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        ("", ()),
        ("  ", ()),
        ("7", ((7, 7),)),
        ("2-10,15", ((2, 10), (15, 15))),
        (" 2 - 10 , 15 ", ((2, 10), (15, 15))),
        ("2\N{EN DASH}4", ((2, 4),)),
        ("3-3", ((3, 3),)),
        ("5,2-4,3", ((5, 5), (2, 4), (3, 3))),
    ],
)
def test_rows_are_written_as_numbers_and_ranges(
    rows: str, parts: tuple[tuple[int, int], ...]
) -> None:
    assert RowSelection.parse(rows).parts == parts


@pytest.mark.parametrize(
    "rows",
    ["a", "2-", "-3", "2--3", "2-3-4", "2,,3", ",", "2;3", "2 3", "1.5", "two", "2-x", "9" * 5_000],
)
def test_what_is_no_row_is_told_with_an_example(rows: str) -> None:
    with pytest.raises(SelectionError, match=r"neither a row nor a range of rows\..*2-10,15"):
        RowSelection.parse(rows)


def test_a_reversed_range_and_a_negative_count_are_told() -> None:
    with pytest.raises(SelectionError, match="10-2 of rows is reversed; write 2-10"):
        RowSelection.parse("10-2")
    with pytest.raises(SelectionError, match="must be 1 or more"):
        RowSelection.parse("", -1)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("1", "Row 1 is not in"),
        ("0", "Row 0 is not in"),
        ("4", "Row 4 is not in"),
        ("9", "Row 9 is not in"),
        ("1-3", "Rows 1-3 are not in"),
        ("7-999999999", "Rows 7-999999999 are not in"),
        ("2,4-5", "Rows 4-5 are not in"),
    ],
)
def test_rows_that_are_not_there_are_told_with_those_that_are(rows: str, says: str) -> None:
    numbers = [2, 3, 6, 7]
    with pytest.raises(SelectionError, match=f"{says}.*The rows that it has are 2-3, 6-7"):
        RowSelection.parse(rows).positions(numbers)


def test_a_range_may_have_blank_rows_in_it() -> None:
    assert RowSelection.parse("3-6").positions([2, 3, 6, 7]) == {1, 2}


def test_a_selection_counts_ads_and_goes_by_the_spreadsheets_rows() -> None:
    numbers = [2, 2, 2, 5, 6]
    assert RowSelection.parse("", 2).positions(numbers) == {0, 1}
    assert RowSelection.parse("5-6", 1).positions(numbers) == {3}
    assert RowSelection.parse("", 99).positions(numbers) == {0, 1, 2, 3, 4}


def open_campaign(folder: Path, *prompts: str, rows: str = "", first: int = 0) -> Campaign:
    place = write_campaign(folder, *prompts)
    selection = RowSelection.parse(rows, first)
    return Campaign.open(place, str(folder / "out.csv"), selection=selection)


def written(folder: Path) -> list[str]:
    return read_spreadsheet(str(folder / "out.csv")).frame["status"].tolist()


def summary_of(batch: Campaign) -> Summary:
    return summarize(
        batch,
        [],
        already_completed=0,
        spent_before_usd=batch.table.totals().cost_usd,
        seconds=1,
        contact_sheet=None,
    )


async def test_the_first_ads_twice_are_the_same_ads_and_the_next_run_goes_on(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    prompts = ["a", "b", "c", "d", "e"]
    for _ in range(2):
        campaign = open_campaign(tmp_path, *prompts, first=3)
        await run_batch(campaign, simulator.url)
        assert written(tmp_path) == ["completed"] * 3 + ["pending"] * 2
        assert len(simulator.api.jobs) == 3
    summary = summary_of(campaign)
    assert summary.is_complete
    assert summary.headline().startswith("3 of 3 selected rows completed, 3.00 USD in all")
    assert summary.headline().endswith("; 2 more wait for a run without --first")
    await run_batch(open_campaign(tmp_path, *prompts), simulator.url)
    assert written(tmp_path) == ["completed"] * 5
    assert len(simulator.api.jobs) == 5


async def test_all_at_once_cost_what_some_and_then_all_cost(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    prompts = ["the same", "the same", "the same", "another"]
    await run_batch(open_campaign(tmp_path, *prompts, rows="3,5"), simulator.url)
    assert written(tmp_path) == ["pending", "completed", "pending", "completed"]
    await run_batch(open_campaign(tmp_path, *prompts, rows="2"), simulator.url)
    await run_batch(open_campaign(tmp_path, *prompts), simulator.url)
    assert written(tmp_path) == ["completed"] * 4
    assert len(simulator.api.jobs) == 4


async def test_what_was_created_before_is_collected_and_what_failed_waits(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    prompts = ["a", "SIMULATE_FAILURE", "c"]
    await run_batch(open_campaign(tmp_path, *prompts), simulator.url, attempts=1)
    assert written(tmp_path) == ["completed", "failed", "completed"]
    interrupted = open_campaign(tmp_path, *prompts)
    first = interrupted.table.states[0]
    rendering = JobState(RowStatus.PROCESSING, first.job_id, attempts=1)
    interrupted.table.states[0] = rendering
    (tmp_path / "out.csv").unlink()
    interrupted.table.save_now()

    campaign = open_campaign(tmp_path, *prompts, rows="4")
    plan = Plan.of(campaign.table)
    assert (plan.completed, plan.rows, plan.creates, plan.postponed) == (1, 1, 0, 1)
    await run_batch(campaign, simulator.url)
    assert written(tmp_path) == ["completed", "failed", "completed"]
    assert len(simulator.api.jobs) == 3


def test_a_row_that_may_have_been_sent_is_left_to_a_run_that_is_for_it(tmp_path: Path) -> None:
    campaign = open_campaign(tmp_path, "a", "b")
    sent = JobState(RowStatus.SUBMITTING, attempts=1, idempotency_key="0" * 64)
    campaign.table.update(0, sent)
    campaign.table.save_now()
    selected = open_campaign(tmp_path, "a", "b", rows="3")
    (chunk,) = selected.chunks()
    assert [ad.position for ad in chunk.jobs] == [1]
    # It counts in the budget, for it may be there.
    assert Plan.of(selected.table).total_usd == 2
    assert Plan.of(selected.table).new_usd == 1
    (chunk,) = open_campaign(tmp_path, "a", "b").chunks()
    assert [ad.position for ad in chunk.jobs] == [0, 1]


def test_with_several_keys_nothing_else_is_created_either(tmp_path: Path) -> None:
    campaign = open_campaign(tmp_path, *map(str, range(300)), rows="10-29,200")
    chunks = campaign.chunks({"one": 1.0, "two": 1.0})
    positions = sorted(ad.position for chunk in chunks for ad in chunk.jobs)
    assert positions == [*range(8, 28), 198]


async def test_a_limit_counts_what_is_selected_and_what_was_spent(tmp_path: Path) -> None:
    prompts = ["a", "b", "c", "d"]
    await prepare(open_campaign(tmp_path, *prompts, first=2), max_spend_usd=2)
    done = open_campaign(tmp_path, *prompts)
    done.table.update(3, JobState(RowStatus.COMPLETED, "ia_1", cost_usd=None, attempts=1))
    done.table.save_now()
    campaign = open_campaign(tmp_path, *prompts, first=2)
    with pytest.raises(BudgetError, match=r"up to 3\.00 USD"):
        await prepare(campaign, max_spend_usd=2.5)
    await prepare(campaign, max_spend_usd=3)


async def test_a_row_that_many_ads_are_made_of_is_selected_as_one(tmp_path: Path) -> None:
    brief = Brief.read(sheet(NAMES, {**NAMES, "audience": "*"}, {**NAMES, "product": "Tea"}))
    output = str(tmp_path / "out.csv")
    for selection, expected in [
        (RowSelection.parse("3"), [False, True, True, True, False]),
        (RowSelection.parse("", 2), [True, True, False, False, False]),
        (RowSelection.parse("3", 2), [False, True, True, False, False]),
    ]:
        table = Campaign.open(brief, output, catalogue=SHOP, selection=selection).table
        assert [row.may_create for row in table.rows] == expected
    assert [row.number for row in table.rows] == [2, 3, 3, 3, 4]


def test_the_plan_tells_what_waits(tmp_path: Path) -> None:
    plan = Plan.of(open_campaign(tmp_path, "a", "b", "c", rows="2").table)
    told = plan.describe()
    assert "Rows:              1, selected by --rows\n" in told
    assert "Not now:           2, which wait for a run without --rows\n" in told
    assert "To create:         1\n" in told
    both = Plan.of(open_campaign(tmp_path, "a", "b", "c", rows="2-3", first=1).table)
    assert both.postponed_clause == "wait for a run without --rows and --first"


def test_rows_that_were_taken_out_stay_what_they_are(tmp_path: Path) -> None:
    campaign = open_campaign(tmp_path, "a", "b", "c")
    for position in range(3):
        campaign.table.update(position, JobState(RowStatus.COMPLETED, f"ia_{position}"))
    campaign.table.save_now()
    selected = open_campaign(tmp_path, "a", "c", rows="2")
    assert [(row.removed, row.postponed) for row in selected.table.rows] == [
        (False, False),
        (False, True),
        (True, False),
    ]
    assert selected.table.totals().removed == 1
    assert replace(selected.table.totals(), counts={}).postponed == 0
