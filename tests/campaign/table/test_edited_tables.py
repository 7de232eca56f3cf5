"""What people do to a result table beside adding columns: it is understood, or told as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from openpyxl import load_workbook

from prefect_staticadslab import JobState
from prefect_staticadslab.campaign.files.cells import Dialect, FormattedValue, Spreadsheet
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet, write_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.job_types.revisions import Revisions
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.table.job_state import RESULT_COLUMNS
from prefect_staticadslab.campaign.table.job_type import RecordError
from prefect_staticadslab.campaign.table.layout import result_cells
from prefect_staticadslab.campaign.table.table_on_disk import OutputError
from tests.campaign.table.test_results import HEADER, completed
from tests.conftest import write_campaign

COLUMNS = (*HEADER.split(","), *RESULT_COLUMNS)
FORMATS = [
    ("cost_usd", '"$"#,##0.00'),
    ("cost_usd", '#,##0.00 "€"'),
    ("cost_usd", "0%"),
    ("attempts", '0 "x"'),
    ("width", "#,##0"),
    ("height", '0 "px"'),
    ("submitted_at", "dd.mm.yyyy hh:mm"),
    ("submitted_at", "General"),
    ("completed_at", "d mmm yyyy"),
    ("completed_at", "0.00"),
]


@pytest.mark.parametrize(("column", "number_format"), FORMATS)
def test_a_number_format_that_somebody_chose_changes_nothing(
    tmp_path: Path, column: str, number_format: str
) -> None:
    output = str(tmp_path / "out.xlsx")
    spreadsheet = write_campaign(tmp_path, "a")
    table = Campaign.open(spreadsheet, output).table
    now = datetime(2026, 3, 1, 12, 30, 1, tzinfo=UTC)
    state = replace(
        completed(1), attempts=2, width=1080, height=1350, submitted_at=now, completed_at=now
    )
    table.update(0, state)
    table.save_now()
    book = load_workbook(output)
    (sheet,) = book.worksheets
    (cell,) = (cells[1] for cells in sheet.columns if cells[0].value == column)
    cell.number_format = number_format
    book.save(output)
    for _ in range(2):
        table = Campaign.open(spreadsheet, output).table
        assert table.states == [state]
        assert ImageAdTable.reopen(output).states == [state]
        taken_over = Campaign.open(output, str(tmp_path / "second.xlsx")).table
        assert taken_over.states == [state]
        table.save_now()


def test_a_fact_is_read_without_its_number_format(tmp_path: Path) -> None:
    columns = {"status": "status", "version": "version"}
    cells = {"status": "completed", "version": FormattedValue(3, "3.00", "0.00")}
    table = Spreadsheet(tuple(cells), [list(cells.values())], (2,))
    ((status, version),) = result_cells(table, columns)
    state = JobState.from_cells({"status": status, "version": version}, columns)
    assert state.facts == {"version": "3"}


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"product_id": ""}, r"Row 3, column product_id: is empty\..*"),
        ({"brand_id": "prod_1"}, r"Row 3, column brand_id: 'prod_1' is .*"),
        ({**dict.fromkeys(COLUMNS, ""), "cost_usd": "2.00"}, r"Row 3: has only '2\.00' .*"),
    ],
    ids=["empty", "wrong", "total"],
)
def test_a_mistake_in_the_table_is_told_as_the_tables(
    tmp_path: Path, cells: dict[str, str], says: str
) -> None:
    output = str(tmp_path / "out.csv")
    spreadsheet = write_campaign(tmp_path, "a", "b")
    run = Campaign.open(spreadsheet, output).table
    run.save_now()
    frame = read_spreadsheet(output).frame
    frame.loc[1, list(cells)] = list(cells.values())
    write_spreadsheet(output, frame, Dialect())
    for read in (
        lambda: Campaign.open(spreadsheet, output),
        lambda: ImageAdTable.reopen(output),
        run.save_now,
    ):
        with pytest.raises(RecordError, match=rf"^{says} Correct it in out\.csv\.$"):
            read()


def test_a_mistake_in_a_table_of_revisions_is_told_as_the_tables(tmp_path: Path) -> None:
    changes, output = tmp_path / "in.csv", tmp_path / "out.csv"
    changes.write_text('image_ad_id,node_overrides\nia_1,"{""a"": {""characters"": ""b""}}"\n')
    Revisions.open(str(changes), str(output)).table.save_now()
    output.write_text(output.read_text().replace("ia_1", "dt_1"))
    with pytest.raises(RecordError, match=r"^Row 2, column image_ad_id: .* it in out\.csv\.$"):
        Revisions.open(str(changes), str(output))


def two_notes(output: Path) -> None:
    header, *rows = output.read_text().splitlines()
    output.write_text("\n".join([f"{header},Notes,Notes", *(f"{row},x,y" for row in rows)]))


def in_another_encoding(output: Path) -> None:
    output.write_bytes(output.read_text().replace(",a,", ",Š,").encode("cp1252"))


def cut_off(output: Path) -> None:
    output.write_bytes(output.read_bytes()[:-200])


def a_formula(output: Path) -> None:
    book = load_workbook(output)
    (sheet,) = book.worksheets
    column = sheet.max_column + 1
    sheet.cell(1, column).value, sheet.cell(2, column).value = "Sum", "=1+1"
    book.save(output)


def a_hidden_sheet(output: Path) -> None:
    book = load_workbook(output)
    book.worksheets[0].sheet_state = "hidden"
    book.create_sheet("Other")
    book.active = 1
    book.save(output)


@pytest.mark.parametrize(
    ("ending", "spoil", "says"),
    [
        (".csv", two_notes, "Row 1, column Notes: there are two columns of this name"),
        (".csv", in_another_encoding, "Row 2: is not in Unicode"),
        (".xlsx", a_formula, "Row 2, column .*: holds a formula whose value was never saved"),
        (".xlsx", cut_off, "The file is no workbook"),
        (".xlsx", a_hidden_sheet, r"The sheet is empty. There are: results \(hidden\), Other"),
    ],
)
def test_a_table_that_cannot_be_read_is_to_be_put_right_and_not_left(
    tmp_path: Path, ending: str, spoil: Callable[[Path], None], says: str
) -> None:
    output = tmp_path / f"out{ending}"
    spreadsheet = write_campaign(tmp_path, "a", "b")
    run = Campaign.open(spreadsheet, str(output)).table
    run.save_now()
    spoil(output)
    spoiled = output.read_bytes()
    for read in (lambda: Campaign.open(spreadsheet, str(output)), run.save_now):
        with pytest.raises(OutputError, match=says) as refused:
            read()
        assert "put that right in the file itself" in str(refused.value)
    with pytest.raises(OutputError, match=f"cannot be read: {says}"):
        ImageAdTable.reopen(str(output))
    assert output.read_bytes() == spoiled


def test_of_another_sheet_it_is_told_which_one_was_read(tmp_path: Path) -> None:
    output = tmp_path / "out.xlsx"
    spreadsheet = write_campaign(tmp_path, "a")
    Campaign.open(spreadsheet, str(output)).table.save_now()
    a_hidden_sheet(output)
    book = load_workbook(output)
    for row in (["my", "own"], [1, 2]):
        book["Other"].append(row)
    book.save(output)
    with pytest.raises(OutputError, match=r"read of it: sheet 'Other', the visible one\.$"):
        Campaign.open(spreadsheet, str(output))


@pytest.mark.parametrize(
    ("names", "told"), [([], ""), (["For Anna"], "For Anna"), (["Sum", "Old"], "Sum, Old")]
)
def test_sheets_that_people_added_are_told_before_they_are_lost(
    tmp_path: Path, names: list[str], told: str
) -> None:
    output = tmp_path / "out.xlsx"
    spreadsheet = write_campaign(tmp_path, "a")
    Campaign.open(spreadsheet, str(output)).table.save_now()
    book = load_workbook(output)
    for name in names:
        book.create_sheet(name).append(["status"])
    book.save(output)
    table = Campaign.open(spreadsheet, str(output)).table
    lost = f"out.xlsx without its other sheets ({told}), which are lost when it is written"
    assert table.notes == ((lost,) if names else ())
    assert (lost in Plan.of(table).describe()) is bool(names)
    assert load_workbook(output).sheetnames == ["results", *names], "nothing is written yet"
    table.save_now()
    assert Campaign.open(spreadsheet, str(output)).table.notes == ()
