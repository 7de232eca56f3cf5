"""A result table as the spreadsheet of another output: no ad of it is paid for twice."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prefect_staticadslab import JobState, RowStatus, StaticAdsLabClient
from prefect_staticadslab.campaign.campaign import prepare, read_campaign
from prefect_staticadslab.campaign.files.cells import Dialect
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet, write_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.job_types.revisions import Revisions
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.table.idempotency import idempotency_key
from prefect_staticadslab.campaign.table.job_type import RecordError
from prefect_staticadslab.campaign.table.limits import BudgetError
from prefect_staticadslab.campaign.table.table_on_disk import OutputError
from prefect_staticadslab.simulator import SimulatorServer
from tests.campaign.shop import NAMES, expanded
from tests.conftest import run_batch, run_campaign, write_campaign

PROMPTS = ("completed", "processing", "submitting", "failed", "pending")


def earlier(folder: Path, ending: str = ".csv") -> str:
    """A result table with a row in each state."""
    table = Campaign.open(write_campaign(folder, *PROMPTS), str(folder / f"first{ending}")).table
    now = datetime.now(UTC)
    states = (
        JobState(RowStatus.COMPLETED, "ia_1", "http://127.0.0.1:9/1.png", attempts=1),
        JobState(RowStatus.PROCESSING, "ia_2", attempts=1, submitted_at=now),
        JobState(
            RowStatus.SUBMITTING,
            attempts=1,
            submitted_at=now,
            asked_at=now,
            idempotency_key="ab" * 32,
            api_key_hash="cd" * 8,
        ),
        JobState(RowStatus.FAILED, "ia_4", error="No.", attempts=2),
        JobState(),
    )
    for position, state in enumerate(states):
        table.update(position, state)
    table.save_now()
    return str(folder / f"first{ending}")


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".xlsx"])
def test_what_has_an_ad_is_taken_over_and_the_rest_is_new(tmp_path: Path, ending: str) -> None:
    source = earlier(tmp_path, ending)
    first = Campaign.open(str(tmp_path / "in.csv"), source).table
    table = Campaign.open(source, str(tmp_path / "second.csv")).table
    assert table.states == [*first.states[:3], JobState(), JobState()]
    plan = Plan.of(table)
    assert (plan.creates, plan.completed, plan.to_collect, plan.unanswered) == (3, 1, 1, 1)
    assert plan.progress_text == "1 of 5 already completed, 1 still rendering"
    assert (
        f"Made before:       3 of the rows, 1 of them completed, as {source} says; "
        "taken over, and made again only with --again" in plan.describe()
    )
    table.save_now()
    assert list(table.to_frame()) == list(first.to_frame())
    # And once more: the table itself knows by now.
    assert Campaign.open(source, str(tmp_path / "second.csv")).table.states == table.states


def test_with_again_all_of_it_is_new_and_the_plan_says_what_there_is(tmp_path: Path) -> None:
    source = earlier(tmp_path)
    table = Campaign.open(source, str(tmp_path / "second.csv"), again=True).table
    assert table.states == [JobState()] * 5
    plan = Plan.of(table)
    assert plan.creates == 5
    assert "3 of the rows, 1 of them completed" in plan.describe()
    assert "made, and paid for, again" in plan.describe()


def test_a_limit_counts_what_is_taken_over(tmp_path: Path) -> None:
    plan = Plan.of(Campaign.open(earlier(tmp_path), str(tmp_path / "second.csv")).table)
    assert (int(plan.total_usd), int(plan.new_usd)) == (5, 3)
    plan.check_budget(5)
    with pytest.raises(BudgetError):
        plan.check_budget(4)


def test_a_row_that_was_edited_gets_an_ad_and_one_that_is_copied_does_not(tmp_path: Path) -> None:
    source = earlier(tmp_path)
    frame = read_spreadsheet(source).frame
    copied = frame.iloc[[0, 0, 1]].assign(prompt=["completed", "edited", "processing"])
    write_spreadsheet(source, copied, Dialect())
    table = Campaign.open(source, str(tmp_path / "second.csv")).table
    assert [state.job_id for state in table.states] == ["ia_1", None, "ia_2"]


def test_an_ad_that_this_campaign_has_goes_before_and_one_that_failed_does_not(
    tmp_path: Path,
) -> None:
    source, output = earlier(tmp_path), str(tmp_path / "second.csv")
    table = Campaign.open(source, output, again=True).table
    table.update(0, JobState(RowStatus.COMPLETED, "ia_own", attempts=1))
    table.update(1, JobState(RowStatus.FAILED, "ia_own_2", attempts=3, error="No."))
    table.save_now()
    table = Campaign.open(source, output).table
    assert [state.job_id for state in table.states[:2]] == ["ia_own", "ia_2"]
    table.save_now()
    # What is on disk by now is not further.
    assert Campaign.open(source, output, again=True).table.states[1].is_processing


def test_a_row_that_may_have_been_sent_without_its_key_is_looked_for(tmp_path: Path) -> None:
    source = earlier(tmp_path)
    frame = read_spreadsheet(source).frame.drop(columns=["idempotency_key", "api_key_hash"])
    write_spreadsheet(source, frame, Dialect())
    state = Campaign.open(source, str(tmp_path / "second.csv")).table.states[2]
    assert state.status is RowStatus.SUBMITTING
    assert state.submitted_at is None
    assert state.asked_at is not None


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [("cost_usd", "-5", "'-5' is no cost"), ("status", "approved", "'approved' is no status")],
)
def test_statuses_and_amounts_of_the_spreadsheet_are_checked(
    tmp_path: Path, column: str, value: str, says: str
) -> None:
    source = earlier(tmp_path)
    frame = read_spreadsheet(source).frame.assign(**{column: value})
    write_spreadsheet(source, frame, Dialect())
    with pytest.raises(RecordError, match=rf"column {column}: {says}.* it in first"):
        Campaign.open(source, str(tmp_path / "second.csv"))


def test_simulated_ads_do_not_become_real_ones(tmp_path: Path) -> None:
    source, output = earlier(tmp_path), str(tmp_path / "second.csv")
    with pytest.raises(OutputError, match=r"first\.csv was made with a simulator.*--again"):
        Campaign.open(source, output, base_url="https://api.staticadslab.com")
    Campaign.open(source, output, base_url="https://api.staticadslab.com", again=True)


async def test_nothing_is_created_or_asked_for_twice(
    tmp_path: Path, simulator: SimulatorServer, client: StaticAdsLabClient
) -> None:
    prompts = ("a", "b", "SIMULATE_FAILURE c")
    first = str(tmp_path / "first.csv")
    campaign, _ = await run_campaign(
        write_campaign(tmp_path, *prompts), first, simulator.url, attempts=1
    )
    # As if the run had been killed after the second create was sent.
    row, state = campaign.table.rows[1], campaign.table.states[1]
    key = idempotency_key("1234567812345678", row.identity, 1)
    lost = await client.create_image_ad(row.request, idempotency_key=key)
    sent = JobState(
        RowStatus.SUBMITTING,
        attempts=1,
        submitted_at=client.now(),
        asked_at=client.now(),
        idempotency_key=key,
        api_key_hash=client.api_key_hash,
    )
    frame = read_spreadsheet(first).frame
    cells = replace(sent, request_hash=state.request_hash).cells()
    for column, value in zip(frame.columns[-len(cells) :], cells, strict=True):
        frame.loc[1, column] = "" if value is None else str(value)
    write_spreadsheet(first, frame, Dialect())
    before = len(simulator.api.jobs)

    second, _ = await run_campaign(first, str(tmp_path / "second.csv"), simulator.url, attempts=1)
    assert [s.job_id for s in second.table.states[:2]] == [
        campaign.table.states[0].job_id,
        lost.image_ad.id,
    ]
    assert second.table.states[2].status is RowStatus.FAILED
    assert len(simulator.api.jobs) == before + 1, "only the one that failed is tried again"

    shutil.copy(tmp_path / "second.csv", tmp_path / "copy.csv")
    third = await read_campaign(Brief.open(str(tmp_path / "copy.csv")), first + ".csv", again=True)
    await prepare(third, [client])
    await run_batch(third, simulator.url, attempts=1)
    assert len(simulator.api.jobs) == before + 4, "all of them again"


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_ads_with_and_without_a_variant_need_not_be_looked_up_again(
    tmp_path: Path, ending: str
) -> None:
    row = {**NAMES, "product": "*", "product_variant": "*", "design_template": "*"}
    spreadsheet = expanded({**row, "prompt": "{product} for {audience}"})
    source = str(tmp_path / f"first{ending}")
    table = ImageAdTable.open(source, spreadsheet)
    for position in range(len(table.rows)):
        table.update(position, JobState(RowStatus.COMPLETED, f"ia_{position}", attempts=1))
    table.save_now()
    brief = Brief.open(source)
    assert not brief.needs_catalogue
    campaign = Campaign.open(brief, str(tmp_path / "second.csv"))
    assert campaign.table.states == table.states
    assert [row.request for row in campaign.table.rows] == [row.request for row in table.rows]


def test_a_failed_revision_stays_one_as_its_ad_may_have_the_change(tmp_path: Path) -> None:
    source, second = str(tmp_path / "first.csv"), str(tmp_path / "second.csv")
    (tmp_path / "in.csv").write_text(
        'image_ad_id,json_patch\nia_1,"[{""op"": ""remove"", ""path"": ""/children/0""}]"\n'
    )
    first = Revisions.open(str(tmp_path / "in.csv"), source).table
    refused = JobState(RowStatus.FAILED, error="No.", attempts=1)
    withdrawn = replace(
        refused, status=RowStatus.PENDING, error=None, attempts=2, facts={"sent_tree": "b"}
    )
    failed = replace(
        refused,
        attempts=3,
        job_id="ia_1",
        completed_at=datetime(2026, 5, 1, tzinfo=UTC),
        facts={"previous_tree": "a", "sent_tree": "b", "kept_tree": "c"},
    )
    for state in (refused, withdrawn, failed):
        first.update(0, state)
        first.save_now()
        table = Revisions.open(source, second).table
        assert table.states == [JobState() if state is refused else state]
        assert table.earlier_jobs is not None
        assert table.earlier_jobs.existing == 0  # it is made again without --again
    assert Revisions.open(source, second, again=True).table.states == [JobState()]
    # What this table knows of a later attempt is further.
    table.update(0, replace(failed, attempts=4, facts={"previous_tree": "c", "sent_tree": "d"}))
    table.save_now()
    assert Revisions.open(source, second).table.states == table.states


async def test_names_filters_and_prompts_of_a_table_are_the_ads_that_it_has(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    place = tmp_path / "in.csv"
    place.write_text(
        "brand,product,audience,design_template,price,prompt\n"
        "Harbor Roast,Morning Tide Espresso,Commuters|Home baristas,ad_format=Sale,3.50,"
        "{audience}: now {price}\n"
    )
    first, second = str(tmp_path / "first.csv"), str(tmp_path / "second.csv")
    await run_campaign(str(place), first, simulator.url)
    made = len(simulator.api.jobs)
    assert made == 2
    frame = read_spreadsheet(first).frame
    assert set(frame["audience"]) == {"Commuters|Home baristas"}
    assert set(frame["design_template"]) == {"ad_format=Sale"}
    assert set(frame["prompt"]) == {"{audience}: now {price}"}
    assert frame["sent_prompt"].tolist() == ["Commuters: now 3.50", "Home baristas: now 3.50"]
    assert frame["sent_audience"].tolist() == ["Commuters", "Home baristas"]

    await run_campaign(first, second, simulator.url)
    assert len(simulator.api.jobs) == made
    edited = frame.assign(price=["3.50", "2.00"])
    edited.loc[2] = {**dict.fromkeys(frame, ""), **read_spreadsheet(str(place)).frame.iloc[0]}
    edited.loc[2, "audience"] = "Night-shift workers"
    write_spreadsheet(first, edited, Dialect())
    campaign, _ = await run_campaign(first, str(tmp_path / "third.csv"), simulator.url)
    assert len(simulator.api.jobs) == made + 2
    assert [row.request.prompt for row in campaign.table.rows] == [
        "Commuters: now 3.50",
        "Home baristas: now 2.00",
        "Night-shift workers: now 3.50",
    ]
    assert campaign.table.states[0].job_id == frame["image_ad_id"][0]
