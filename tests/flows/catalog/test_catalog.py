"""The catalogue as tables, and additions from a table: the flow and the command."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from prefect_staticadslab import StaticAdsLabClient, StaticAdsLabCredentials
from prefect_staticadslab.campaign.catalogue_tables.creation import (
    FRESH_KEYS,
    addition_key,
    create_additions,
    plan_additions,
    types_to_read,
)
from prefect_staticadslab.campaign.catalogue_tables.report import (
    ReportError,
    check_report,
    read_catalogue,
    tables,
    write_report,
)
from prefect_staticadslab.campaign.catalogue_tables.rows import read_resource_rows
from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.rows.resource_types import AUDIENCE, BRAND, PRODUCT
from prefect_staticadslab.cli.commands.catalog import main
from prefect_staticadslab.flows.catalog import catalog
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import ROOT

EXAMPLE = str(ROOT / "examples" / "catalogue.csv")
SHEETS = ["brands", "products", "product_variants", "audiences", "design_templates", "images"]


@pytest.fixture
def environment(simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAL_API_KEY", SIMULATOR_API_KEY)
    monkeypatch.setenv("SAL_BASE_URL", simulator.url)


def write_csv(place: Path, *lines: Sequence[str]) -> str:
    with place.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    return str(place)


def write_xlsx(place: Path, sheets: Mapping[str, Sequence[Sequence[Any]]]) -> str:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, lines in sheets.items():
        sheet = book.create_sheet(name)
        for line in lines:
            sheet.append(list(line))
    book.save(place)
    return str(place)


async def add(client: StaticAdsLabClient, table: str) -> Any:
    """Reads, plans and creates, without Prefect."""
    wanted = read_resource_rows(table)
    content = await read_catalogue(client, await client.get_account(), types_to_read(wanted))
    additions = plan_additions(wanted, content)
    return additions, await create_additions(client, additions)


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
    seed = next(iter(simulator.api.catalog.brands.values()))
    for number in range(250):
        brand = {**seed, "id": f"brand_{number:016}", "name": f"=1+{number}", "description": "007"}
        simulator.api.catalog.brands[brand["id"]] = brand
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


# Additions


async def test_a_table_adds_what_is_not_there_and_is_safe_to_run_again(
    client: StaticAdsLabClient, simulator: SimulatorServer
) -> None:
    additions, outcome = await add(client, EXAMPLE)
    assert [str(each) for each, _ in outcome.created] == [
        "brand 'Tidewater Tea'",
        "product 'Sea Fennel Infusion'",
        "product variant '50 g'",
        "product variant '200 g'",
        "audience 'Evening readers'",
        "audience 'Campers'",
    ]
    assert [row.name for row, _ in additions.present] == ["Commuters"]
    simulated = simulator.api.catalog
    ids = {each.row.name: identifier for each, identifier in outcome.created}
    assert simulated.brands[ids["Tidewater Tea"]]["fonts"] == [{"name": "Lora"}, {"name": "Inter"}]
    assert simulated.audiences[ids["Evening readers"]]["product_id"] == ids["Sea Fennel Infusion"]
    assert simulated.audiences[ids["Campers"]]["details"] == {"season": "summer"}
    assert simulated.product_variants[ids["200 g"]]["sort_order"] == 2
    again, nothing = await add(client, EXAMPLE)
    assert (again.new, nothing.created, len(again.present)) == ((), [], 7)


async def test_two_runs_at_once_add_nothing_twice(
    client: StaticAdsLabClient, simulator: SimulatorServer
) -> None:
    wanted = read_resource_rows(EXAMPLE)
    content = await read_catalogue(client, await client.get_account(), types_to_read(wanted))
    plans = [plan_additions(wanted, content) for _ in range(2)]
    outcomes = await asyncio.gather(*(create_additions(client, plan) for plan in plans))
    ids = [[identifier for _, identifier in outcome.created] for outcome in outcomes]
    assert ids[0] == ids[1]
    names = [brand["name"] for brand in simulator.api.catalog.brands.values()]
    assert names.count("Tidewater Tea") == 1


BRAND_AND_PRODUCT = (("kind", "name", "brand"), ("brand", "Sea", ""), ("product", "Tea", "Sea"))


@pytest.mark.parametrize("times", [1, 2])
async def test_what_was_deleted_is_added_anew_although_its_key_is_known(
    client: StaticAdsLabClient, simulator: SimulatorServer, tmp_path: Path, times: int
) -> None:
    table = write_csv(tmp_path / "new.csv", *BRAND_AND_PRODUCT)
    simulated = simulator.api.catalog
    for _ in range(times):
        _, outcome = await add(client, table)
        (_, brand), (_, product) = outcome.created
        del simulated.products[product], simulated.brands[brand]
    _, outcome = await add(client, table)
    (_, brand), (_, product) = outcome.created
    assert simulated.brands[brand]["name"] == "Sea"
    assert simulated.products[product]["brand_id"] == brand


async def test_what_is_deleted_again_and_again_is_told_as_not_created(
    client: StaticAdsLabClient, simulator: SimulatorServer, tmp_path: Path
) -> None:
    table = write_csv(tmp_path / "new.csv", *BRAND_AND_PRODUCT)
    for _ in range(FRESH_KEYS):
        _, outcome = await add(client, table)
        del simulator.api.catalog.brands[outcome.created[0][1]]
    _, outcome = await add(client, table)
    assert outcome.created == []
    assert [reason for _, reason in outcome.failed] == [
        "it was added 3 times within a day, and deleted or renamed each time. "
        "Add it again tomorrow, or by hand",
        "the brand 'Sea' was not created",
    ]


async def test_what_was_renamed_is_not_taken_for_what_a_row_wants(
    client: StaticAdsLabClient, simulator: SimulatorServer, tmp_path: Path
) -> None:
    table = write_csv(tmp_path / "new.csv", *BRAND_AND_PRODUCT[:2])
    _, outcome = await add(client, table)
    renamed = outcome.created[0][1]
    simulator.api.catalog.brands[renamed]["name"] = "Sea, closed"
    _, outcome = await add(client, write_csv(tmp_path / "new.csv", *BRAND_AND_PRODUCT))
    (_, brand), (_, product) = outcome.created
    assert brand != renamed
    assert simulator.api.catalog.products[product]["brand_id"] == brand


async def test_a_workbook_has_a_sheet_for_each_kind_of_addition(
    client: StaticAdsLabClient, tmp_path: Path
) -> None:
    table = write_xlsx(
        tmp_path / "new.xlsx",
        {
            "Audiences": [["name", "product"], ["Tea drinkers", "Infusion"]],
            "notes": [["anything"], ["at all"]],
            "Product variants": [["name", "product", "sort_order"], ["50 g", "Infusion", 1]],
            "brands": [["id", "name"], [None, "Tidewater Tea"]],
            "products": [["name", "brand"], ["Infusion", "tidewater  TEA"]],
        },
    )
    _, outcome = await add(client, table)
    kinds = [each.row.kind.name for each, _ in outcome.created]
    assert kinds == ["brand", "product", "product_variant", "audience"]


async def test_a_report_can_be_handed_in_as_it_is(
    client: StaticAdsLabClient, tmp_path: Path
) -> None:
    frames = tables(await read_catalogue(client, await client.get_account()))
    write_report(str(tmp_path / "c.xlsx"), frames)
    additions, _ = await add(client, str(tmp_path / "c.xlsx"))
    assert additions.new == ()
    assert len(additions.present) == sum(len(frames[name]) for name in SHEETS[:4])


def table_of(*lines: str) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        (folder / "new.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(folder / "new.csv")

    return write


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (table_of("name,brand", "A,B"), ["Row 1: The column kind is missing."]),
        (
            table_of("kind,name,brand", "brand,,", "shop,A,", ",A,", "product,A,"),
            [
                "Row 2, column name: is empty. Each brand needs a name.",
                "Row 3, column kind: says 'shop'. It holds one of",
                "Row 4, column kind: is empty. It holds one of",
                "Row 5, column brand: is empty. Say which brand the product belongs to",
            ],
        ),
        (
            table_of("kind;name;details;sort_order", "brand;A;tone;", "brand;B;[1];3"),
            [
                "Row 2, column details: is no JSON",
                "Row 3, column details: is JSON, but not an object",
                "Row 3, column sort_order: says '3', but a brand has no sort_order.",
            ],
        ),
        (
            table_of("kind,name,product,sort_order", "variant,A,P,first"),
            ["Row 2, column sort_order: 'first' is no whole number."],
        ),
        (
            table_of(
                "kind;name;details;color_palettes;fonts",
                "brand;A;;[NaN];",
                'brand;B;{"a":1e999};;',
                'brand;C;{"a":"\\ud800"};;',
                f"brand;D;;;{'[' * 300}{']' * 300}",
                f'brand;E;{{"a":{"[" * 100_000};;',
            ),
            [
                "Row 2, column color_palettes: is no JSON: it holds NaN",
                "Row 3, column details: is no JSON that can be sent: 1e999 is too large",
                "Row 4, column details: is no JSON: it holds half of a character, \\ud800.",
                "Row 5, column fonts: is no JSON that can be sent: it is nested more than 100",
                "Row 6, column details: is no JSON that can be sent: it is nested more than 100",
            ],
        ),
    ],
)
def test_all_that_is_wrong_with_a_table_is_told_with_row_and_column(
    tmp_path: Path, write: Callable[[Path], str], says: list[str]
) -> None:
    with pytest.raises(SpreadsheetError) as refused:
        read_resource_rows(write(tmp_path))
    told = str(refused.value).splitlines()
    assert len(told) == len(says)
    assert all(line.startswith(said) for line, said in zip(told, says, strict=True))


def test_a_problem_says_in_which_sheet_it_is(tmp_path: Path) -> None:
    sheets: dict[str, list[list[str | None]]] = {
        "brands": [["name"], ["A"]],
        "products": [["name", "brand"], [None, "A"]],
    }
    with pytest.raises(SpreadsheetError, match=r"Row 2, .* \(sheet products\)"):
        read_resource_rows(write_xlsx(tmp_path / "new.xlsx", sheets))


async def test_parents_that_are_nowhere_or_several_and_rows_that_are_there_twice_are_told(
    client: StaticAdsLabClient, tmp_path: Path
) -> None:
    table = table_of(
        "kind,name,brand,brand_id,product",
        "product,A,Harbour Roast,,",
        "product,A,,brand_none,",
        "brand,New,,,",
        "brand,NEW,,,",
        "product,Cold Brew Kit,New,,",
        "audience,All,,,Cold Brew Kit",
        "audience,All,Harbor Roast,,Cold Brew Kit",
    )(tmp_path)
    wanted = read_resource_rows(table)
    content = await read_catalogue(client, await client.get_account(), types_to_read(wanted))
    with pytest.raises(SpreadsheetError) as refused:
        plan_additions(wanted, content)
    assert {str(problem).split(".")[0] for problem in refused.value.problems} == {
        "Row 2, column brand: There is no brand 'Harbour Roast', neither in the catalogue nor in "
        "this file",
        "Row 3, column brand_id: There is no brand 'brand_none', neither in the catalogue nor in "
        "this file",
        "Row 5, column name: 'NEW' is also in row 4",
        "Row 7, column product: There are 2 products called 'Cold Brew Kit'",
    }


async def test_what_the_api_refuses_keeps_only_its_own_children_out(
    client: StaticAdsLabClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = table_of(
        "kind,name,brand,product",
        f"brand,{'x' * 10_000},,",
        f"product,P,{'x' * 10_000},",
        "audience,A,,P",
        "brand,Fine,,",
    )(tmp_path)
    original = StaticAdsLabClient.send_resource

    async def refusing(self: StaticAdsLabClient, kind: Any, **fields: Any) -> Any:
        long = len(fields["name"]) > 200
        return await original(self, kind, **{**fields, "name": 7 if long else fields["name"]})

    monkeypatch.setattr(StaticAdsLabClient, "send_resource", refusing)
    _, outcome = await add(client, table)
    assert [each.row.name for each, _ in outcome.created] == ["Fine"]
    assert [each.row.kind for each, _ in outcome.failed] == [BRAND, PRODUCT, AUDIENCE]
    assert "VALIDATION_ERROR" in outcome.failed[0][1]
    assert outcome.failed[2][1] == "the product 'P' was not created"


def test_keys_differ_where_kind_parent_or_name_do() -> None:
    keys = {
        addition_key(PRODUCT, "brand_1", "A"),
        addition_key(PRODUCT, "brand_2", "A"),
        addition_key(PRODUCT, "brand_1", "B"),
        addition_key(AUDIENCE, "brand_1", "A"),
    }
    assert len(keys) == 4
    assert addition_key(PRODUCT, "brand_1", " a ") in keys


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
    assert len(simulator.api.catalog.brands) == 4


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
