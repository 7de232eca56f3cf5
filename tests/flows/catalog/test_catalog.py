"""The catalogue as tables: the report, the flow and the command."""

from __future__ import annotations

import csv
from pathlib import Path

import openpyxl
import pytest

from prefect_staticadslab import StaticAdsLabClient, StaticAdsLabCredentials
from prefect_staticadslab.campaign.catalogue_tables.report import (
    ReportError,
    check_report,
    read_catalogue,
    tables,
    write_report,
)
from prefect_staticadslab.cli.commands.catalog import main
from prefect_staticadslab.flows.catalog import catalog
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.flows.catalog.tables import EXAMPLE, SHEETS, write_csv, write_xlsx

# The report


async def test_a_workbook_has_a_sheet_for_each_kind_with_parents_named_beside_their_ids(
    prefect_server: dict[str, str], credentials: StaticAdsLabCredentials, tmp_path: Path
) -> None:
    output = str(tmp_path / "catalogue.xlsx")
    state = await catalog(output, credentials, return_state=True)
    assert state.is_completed()
    book = openpyxl.load_workbook(output)
    assert book.sheetnames == SHEETS
    for sheet in book.worksheets:
        assert sheet.freeze_panes == "A2"
        assert sheet["A1"].value == "id"
        assert sheet["A1"].font.bold
    products = [list(line) for line in book["products"].iter_rows(values_only=True)]
    assert products[0][:4] == ["id", "name", "brand_id", "brand_name"]
    assert ["Cold Brew Kit", "Harbor Roast"] in [[line[1], line[3]] for line in products]
    audiences = [list(line) for line in book["audiences"].iter_rows(values_only=True)]
    assert ["Commuters", "Cold Brew Kit", "Harbor Roast"] in [
        [line[1], line[3], line[5]] for line in audiences
    ]
    assert '["#2B1D14", ' in str(book["brands"]["D2"].value)
    # Its own report is written anew.
    assert (await catalog(output, credentials, return_state=True)).is_completed()


async def test_lists_longer_than_a_page_are_whole_and_text_stays_text(
    client: StaticAdsLabClient, simulator: SimulatorServer, tmp_path: Path
) -> None:
    seed = next(iter(simulator.api.catalogue.brands.values()))
    for number in range(250):
        brand = {**seed, "id": f"brand_{number:016}", "name": f"=1+{number}", "description": "007"}
        simulator.api.catalogue.brands[brand["id"]] = brand
    frames = tables(await read_catalogue(client, await client.get_account()))
    assert len(frames["brands"]) == 254
    write_report(str(tmp_path / "c.xlsx"), frames)
    cell = openpyxl.load_workbook(tmp_path / "c.xlsx")["brands"]["B6"]
    assert (cell.value, cell.data_type) == ("=1+0", "s")


async def test_a_folder_gets_a_csv_for_each_kind(
    client: StaticAdsLabClient, tmp_path: Path
) -> None:
    frames = tables(await read_catalogue(client, await client.get_account()))
    for folder in (f"{tmp_path}/new/", str(tmp_path / "other")):
        write_report(folder, frames)
        assert sorted(p.name for p in Path(folder).iterdir()) == sorted(f"{s}.csv" for s in SHEETS)
        with (Path(folder) / "brands.csv").open(encoding="utf-8-sig", newline="") as file:
            names = [line["name"] for line in csv.DictReader(file)]
        assert names == ["Harbor Roast", "Fernweh Outdoor", "Lumière Skincare", "Pawsome Pantry"]
        check_report(folder)


async def test_a_report_goes_to_any_filesystem(client: StaticAdsLabClient) -> None:
    import fsspec

    frames = tables(await read_catalogue(client, await client.get_account()))
    for output in ("memory://reports/", "memory://c.xlsx"):
        write_report(output, frames)
        write_report(output, frames)
    memory = fsspec.filesystem("memory")
    assert memory.exists("/reports/brands.csv")
    assert memory.exists("/c.xlsx")


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("mine.xlsx", "no catalogue that this program wrote"),
        ("folder/", "brands.csv already"),
        ("catalogue.csv", "must end in .xlsx, or be a folder"),
        ("none/catalogue.xlsx", "There is no folder"),
    ],
)
def test_what_somebody_else_made_is_left_alone(tmp_path: Path, output: str, says: str) -> None:
    write_xlsx(tmp_path / "mine.xlsx", {"brands": [["id"]]})
    (tmp_path / "folder").mkdir()
    write_csv(tmp_path / "folder" / "brands.csv", ["my", "own"])
    with pytest.raises(Exception, match=says):
        check_report(f"{tmp_path}/{output}")


async def test_kinds_that_the_key_may_not_read_are_left_out_and_said(
    prefect_server: dict[str, str],
    credentials: StaticAdsLabCredentials,
    simulator: SimulatorServer,
    tmp_path: Path,
) -> None:
    simulator.api.scopes[SIMULATOR_API_KEY] = ["brands:read", "audiences:read"]
    state = await catalog(str(tmp_path / "c.xlsx"), credentials, return_state=True)
    assert state.is_completed()
    assert "no scope to read them: products, product variants" in str(state.message)
    assert openpyxl.load_workbook(tmp_path / "c.xlsx").sheetnames == ["brands", "audiences"]


# The command


@pytest.mark.usefixtures("environment")
def test_a_dry_run_says_what_would_be_created_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], simulator: SimulatorServer
) -> None:
    output = tmp_path / "c.xlsx"
    assert main([str(output), "--create", EXAMPLE, "--dry-run"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "To create: 1 brand, 1 product, 2 product variants, 2 audiences"
    assert told[2] == "  row 3: product 'Sea Fennel Infusion' of brand 'Tidewater Tea'"
    assert told[6] == "  row 8: audience 'Campers' of product 'Cold Brew Kit'"
    assert told[-2:] == [
        "There already, and left alone: 1 audience",
        "Dry run: nothing was created.",
    ]
    assert not output.exists()
    assert len(simulator.api.catalogue.brands) == 4


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["mine.xlsx"], "Nothing was written.\nThere is a mine.xlsx already"),
        (["c.doc"], "Nothing was written.\nc.doc must end in .xlsx"),
        (
            ["c.xlsx", "--create", "none.csv"],
            "Nothing was created.\nThere is no file none.csv in /",
        ),
        (["c.xlsx", "--create", "bad.csv"], "Row 1: The column kind is missing."),
        (["c.xlsx", "--create", "lost.csv", "--dry-run"], "There is no brand 'Nobody'"),
    ],
)
def test_what_is_wrong_is_refused_with_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_xlsx(Path("mine.xlsx"), {"brands": [["id"]]})
    write_csv(Path("bad.csv"), ["name"], ["A"])
    write_csv(Path("lost.csv"), ["kind", "name", "brand"], ["product", "A", "Nobody"])
    assert main(arguments) == 2
    assert says in capsys.readouterr().err


async def test_the_flow_adds_and_then_reports_what_is_there(
    prefect_server: dict[str, str], credentials: StaticAdsLabCredentials, tmp_path: Path
) -> None:
    output = str(tmp_path / "c.xlsx")
    state = await catalog(output, credentials, create=EXAMPLE, return_state=True)
    told = str(state.message).splitlines()
    assert told[:3] == [
        "Created: 1 brand, 1 product, 2 product variants, 2 audiences",
        "There already, and left alone: 1 audience",
        "brands:            5",
    ]
    sheet = openpyxl.load_workbook(output)["brands"]
    assert sheet["B6"].value == "Tidewater Tea"
    refused = await catalog(output, credentials, create="none.csv", return_state=True)
    assert refused.name == "Refused"
    with pytest.raises(ReportError):
        check_report(str(tmp_path / "c.doc"))
