"""A campaign of names and combinations resumes like any other: no ad is made a second time."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.files.spreadsheet import ReadOptions, read_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.expand import expand
from prefect_staticadslab.campaign.pictures.contact_sheet import contact_sheet
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.rows.cell_values import wrong_cell_message
from prefect_staticadslab.campaign.table.limits import BudgetError
from prefect_staticadslab.simulator import SimulatorServer
from tests.campaign.shop import NAMES, SHOP, sheet
from tests.conftest import run_campaign

COLUMNS = ("brand", "product", "product_variant", "audience", "design_template", "price", "prompt")
ESPRESSO = ("Harbor Roast", "Morning Tide Espresso")
ROWS = (
    (*ESPRESSO, "*", "*", "ad_format=Sale", "12.90", "{product} for {audience}, {{now}} {price}"),
    (*ESPRESSO, "", "Commuters", "ad_format=Sale", "12.90", "Plain"),
)


def write(folder: Path, *rows: Sequence[str], columns: Sequence[str] = COLUMNS) -> str:
    with (folder / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return str(folder / "in.csv")


async def test_the_same_campaign_again_makes_nothing_however_its_names_are_written(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    output = str(tmp_path / "out.csv")
    campaign, _ = await run_campaign(write(tmp_path, *ROWS), output, simulator.url)
    assert len(simulator.api.jobs) == 7
    assert campaign.table.totals().completed == 7
    prompts = {job.body.get("prompt") for job in simulator.api.jobs.values()}
    assert "Morning Tide Espresso for Commuters, {now} 12.90" in prompts

    edited = [("harbor  ROAST", ROWS[0][1].upper(), *ROWS[0][2:]), ROWS[1]]
    campaign, _ = await run_campaign(write(tmp_path, *edited), output, simulator.url)
    assert len(simulator.api.jobs) == 7
    assert Plan.of(campaign.table).creates == 0
    assert campaign.table.totals().removed == 0


async def test_what_a_row_makes_more_of_later_is_made_and_what_it_makes_less_of_is_kept(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    output = str(tmp_path / "out.csv")
    first = (*ESPRESSO, "", "Commuters|Home baristas", "ad_format=Sale", "", "{audience}")
    await run_campaign(write(tmp_path, first), output, simulator.url)
    assert len(simulator.api.jobs) == 2
    later = (*ESPRESSO, "", "Night-shift workers|Commuters", "ad_format=Sale", "", "{audience}")
    campaign, _ = await run_campaign(write(tmp_path, later), output, simulator.url)
    assert len(simulator.api.jobs) == 3
    assert campaign.table.totals().removed == 1
    columns = ["sent_audience", "source_row"]
    shown = read_spreadsheet(output).frame[columns].to_numpy().tolist()
    assert shown == [["Night-shift workers", "2"], ["Commuters", "2"], ["Home baristas", "2"]]


async def test_ids_in_the_place_of_names_are_the_same_row(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    output = str(tmp_path / "out.csv")
    campaign, _ = await run_campaign(write(tmp_path, ROWS[1]), output, simulator.url)
    request = campaign.table.rows[0].request
    ids = [request.brand_id, request.product_id, "", request.audience_id]
    by_id = (*ids, request.design_template_id, "12.90", "Plain")
    columns = [f"{name}_id" for name in COLUMNS[:5]] + list(COLUMNS[5:])
    await run_campaign(write(tmp_path, by_id, columns=columns), output, simulator.url)
    assert len(simulator.api.jobs) == 1


async def test_the_result_table_is_a_spreadsheet_that_makes_nothing_again(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    output = str(tmp_path / "out.csv")
    rows = [(*row, str(number)) for number, row in enumerate(ROWS)]
    await run_campaign(write(tmp_path, *rows, columns=(*COLUMNS, "row_id")), output, simulator.url)
    shutil.copy(output, tmp_path / "again.csv")
    campaign, _ = await run_campaign(str(tmp_path / "again.csv"), output, simulator.url)
    assert len(simulator.api.jobs) == 7
    assert Plan.of(campaign.table).creates == 0


cells = st.one_of(
    st.text(
        st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n{}|*"), max_size=8
    ).filter(lambda text: text.strip() and not wrong_cell_message(text)),
    st.integers(0, 10**6),
    st.floats(0, 1e6),
    st.booleans(),
)


@settings(max_examples=25)
@given(st.lists(cells, min_size=1, max_size=4), st.sampled_from([".csv", ".tsv", ".xlsx"]))
def test_no_table_forgets_what_it_was_filled_in_with(prices: list[object], ending: str) -> None:
    """Whatever is in the cells: what was read back asks for the ads that were asked for."""
    row = {**NAMES, "product": "*", "audience": "*", "prompt": "{product}\n{price}"}
    brief = Brief.read(sheet(*({**row, "price": price} for price in prices)))
    with tempfile.TemporaryDirectory() as folder:
        location = f"{folder}/out{ending}"
        table = ImageAdTable.open(location, expand(brief, SHOP))
        for position in range(len(table.rows)):
            url = f"https://cdn/{position}.png"
            table.update(position, JobState(RowStatus.COMPLETED, f"ia_{position}", url))
        table.save_now()
        again = ImageAdTable.open(location, expand(brief, SHOP))
        assert (len(again.rows), again.totals().removed) == (6 * len(prices), 0)
        assert {state.status for state in again.states} == {RowStatus.COMPLETED}
        # And the table as the spreadsheet of a campaign that goes on with itself.
        # Two signs may be Chinese in another encoding: of these people are asked which it is.
        options = ReadOptions(encoding="" if ending == ".xlsx" else "utf-8")
        copied = Brief.read(read_spreadsheet(location, options=options))
        assert not copied.needs_catalogue
        once_more = ImageAdTable.open(location, expand(copied, SHOP))
        assert Plan.of(once_more).creates == 0
        assert once_more.totals().removed == 0


async def test_what_is_said_of_an_ad_is_said_of_the_row_it_is_of(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    failing = (*ESPRESSO, "", "*", "ad_format=Sale", "", "SIMULATE_FAILURE {audience}")
    place = write(tmp_path, ROWS[1], failing)
    campaign, _ = await run_campaign(place, str(tmp_path / "out.csv"), simulator.url, attempts=1)
    assert [row.number for row in campaign.table.rows] == [2, 3, 3, 3]
    page = "".join(contact_sheet(campaign.table, str(tmp_path / "out.html"), ""))
    assert "SIMULATE_FAILURE Home baristas" in page


def test_the_budget_counts_every_ad(tmp_path: Path) -> None:
    brief = Brief.read(sheet({**NAMES, "audience": "*"}, NAMES))
    plan = Plan.of(Campaign.open(brief, str(tmp_path / "out.csv"), catalogue=SHOP).table)
    assert plan.describe(lambda _: 0).splitlines()[:2] == [
        "The spreadsheet's 2 rows make 4 ads, which cost up to 4.00 USD.",
        "Ads:               4",
    ]
    plan.check_budget(4)
    with pytest.raises(BudgetError, match=r"2 rows make 4 ads.* costs up to 4\.00 USD.*is 3\.99"):
        plan.check_budget(3.99)
