"""A result table by itself, without its spreadsheet, is read and written as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from openpyxl import load_workbook

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.cells import Dialect, FormattedValue, Spreadsheet
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet, write_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.job_types.revisions import Revisions
from prefect_staticadslab.campaign.table.job_state import RESULT_COLUMNS
from prefect_staticadslab.campaign.table.job_type import RecordError
from prefect_staticadslab.campaign.table.layout import result_cells
from prefect_staticadslab.campaign.table.table_on_disk import OutputError
from tests.campaign.table.test_results import HEADER, completed, line, opened
from tests.conftest import write_campaign


@pytest.mark.parametrize("output", ["out.csv", "out.tsv", "out.xlsx", "out.parquet"])
def test_a_table_that_is_reopened_and_written_is_the_same(tmp_path: Path, output: str) -> None:
    header = "row_id;Status;Größe;" + HEADER.replace(",", ";")
    cells = "dt_1;brand_1;prod_1;aud_1"
    lines = [f'00{i};"sold;out";1,50;{cells};"two ""lines""\nof {i}"' for i in range(6)]
    place = tmp_path / "in.csv"
    place.write_text("\r\n".join([header, *lines]), encoding="utf-8-sig")
    table = Campaign.open(str(place), str(tmp_path / output)).table
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    table.update(0, replace(completed(1), submitted_at=now, completed_at=now))
    table.update(1, JobState(RowStatus.FAILED, "ia_2", error="No. (PIPELINE_ERROR)", attempts=2))
    sent = JobState(RowStatus.SUBMITTING, attempts=1, error="No answer.", asked_at=now)
    table.update(2, replace(sent, idempotency_key="a" * 64, api_key_hash="c" * 16))
    table.update(3, replace(completed(4), image_path="old/4.png"))
    table.update(4, JobState(RowStatus.PROCESSING, job_id="ia_5", attempts=1))
    table.save_now()
    place.write_text("\r\n".join([header, *lines[:2], lines[5]]), encoding="utf-8-sig")
    table = Campaign.open(str(place), str(tmp_path / output)).table
    assert table.totals().removed == 3
    table.save_now()
    before = read_spreadsheet(str(tmp_path / output))

    again = ImageAdTable.reopen(str(tmp_path / output))
    assert again.totals().removed == 3
    assert [r.identity for r in again.rows] == [r.identity for r in table.rows]
    assert again.states == table.states
    again.update(0, again.states[0])
    bytes_before = (tmp_path / output).read_bytes()
    again.save_now()
    after = read_spreadsheet(str(tmp_path / output))
    assert after.frame.equals(before.frame)
    assert after.dialect == before.dialect
    if output.endswith((".csv", ".tsv")):
        assert (tmp_path / output).read_bytes() == bytes_before


def test_what_a_campaign_wrote_meanwhile_stays_and_gets_the_pictures(tmp_path: Path) -> None:
    campaign = opened(tmp_path, "a", "b", "c")
    campaign.update(1, completed(2))
    campaign.save_now()
    reopened = ImageAdTable.reopen(str(tmp_path / "out.csv"))
    campaign = opened(tmp_path, "new", "c", "a", "b")
    campaign.update(0, JobState(RowStatus.PROCESSING, job_id="ia_9", attempts=1))
    campaign.update(2, replace(completed(1), image_path="pictures/1.png"))
    campaign.save_now()
    reopened.update(1, replace(completed(2), image_url="https://new/2.png", image_path="p/2.png"))
    reopened.save_now()
    written = ImageAdTable.reopen(str(tmp_path / "out.csv"))
    assert [r.request.prompt for r in written.rows] == ["new", "c", "a", "b"]
    assert [s.job_id for s in written.states] == ["ia_9", None, "ia_1", "ia_2"]
    assert [s.image_path for s in written.states] == [None, None, "pictures/1.png", "p/2.png"]
    assert written.states[3].image_url == "https://new/2.png"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.csv", None, "There is no result table"),
        ("in.csv", f"{HEADER}\n{line('a')}\n", "is no result table"),
        ("my.csv", "my,own\n1,2\n", "is no result table"),
        ("notes.txt", "a", "ends in one of"),
        ("empty.csv", "", "cannot be read: The file is empty"),
    ],
)
def test_what_is_no_result_table_is_not_reopened(
    tmp_path: Path, name: str, content: str | None, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(CampaignError, match=says):
        ImageAdTable.reopen(str(tmp_path / name))
    assert not (tmp_path / name).exists() or (tmp_path / name).read_text() == content


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
