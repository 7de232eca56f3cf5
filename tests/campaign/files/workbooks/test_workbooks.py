"""Workbooks of every program are read as they are, or refused in plain words."""

from __future__ import annotations

import datetime as dt
import io
import struct
from typing import Any

import pytest

from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.files.cells import CellError, Spreadsheet
from prefect_staticadslab.campaign.files.formats.workbooks.ole import compound_file
from tests.campaign.files.workbooks.spreadsheet_files import (
    ADS,
    HEADER,
    KEPT,
    ROWS,
    ods,
    ods_cell,
    ods_table,
    packed,
    sheet_rows,
    xlsb,
    xlsx,
)


def rows(table: Spreadsheet) -> list[list[Any]]:
    return [list(line) for line in table.frame.itertuples(index=False, name=None)]


ORDINARY = ("Ads", "visible", ADS)
ODS_ROWS = [
    "".join(ods_cell(str(value)) for value in row[:5])
    + ods_cell(str(row[5]), "float", f'office:value="{row[5]}"')
    for row in ROWS
]
EMPTY_FILL = '<fills count="1"><fill/></fills><cellXfs count="1"><xf numFmtId="0"/></cellXfs>'
EXTENSION = '<extLst><ext uri="x"><x14:c xmlns:x14="y" r="A9"><v>1</v></x14:c></ext></extLst>'


IMPOSSIBLE_DATE = {"docProps/core.xml": "<a><created>2026-13-45T99:00</created></a>"}


@pytest.mark.parametrize(
    "content",
    [
        xlsx(ORDINARY),
        xlsx(ORDINARY, strict=True),
        xlsx(ORDINARY, separator="\\"),
        xlsx(ORDINARY, styles=EMPTY_FILL),
        xlsx(ORDINARY, styles=EXTENSION),
        xlsx(ORDINARY, styles=""),
        xlsx(ORDINARY, head='<dimension ref="A1:B2"/>'),
        xlsx(ORDINARY, head='<dimension ref="A1:XFD1048576"/>'),
        xlsx(ORDINARY, **IMPOSSIBLE_DATE),  # type: ignore[arg-type]  # named as a part of the file
        xlsx(("Ads", "visible", ADS.replace(' r="A1"', "").replace(' r="2"', ""))),
        xlsx(ORDINARY, ("Notes", "visible", sheet_rows(["Write here"]))),
        xlsx(("Read me", "visible", sheet_rows(["brand"])), ORDINARY),
        xlsx(("Lists", "hidden", ADS), ORDINARY, ("Old", "veryHidden", ADS)),
        xlsb(HEADER, *ROWS),
        xlsb(HEADER, *ROWS, size=0xFFFFFFF0),
        ods(ods_table(*ODS_ROWS)),
    ],
)
@pytest.mark.parametrize("name", ["in.xlsx", "in.csv", "in.xls"])
def test_what_a_spreadsheet_program_opens_is_read(read: Any, content: bytes, name: str) -> None:
    table = read(content, name)
    assert list(table.frame.columns) == HEADER
    assert rows(table) == ROWS
    assert [type(value) for value in table.frame["prompt"]] == [str, str]
    assert table.row_numbers == (2, 3)


def test_an_old_workbook_is_read(read: Any) -> None:
    table = read((KEPT / "ads.xls").read_bytes(), "in.xls")
    first, second, third = rows(table)
    assert [getattr(cell, "value", cell) for cell in first] == [
        "dt_1", "brand_1", "prod_1", "aud_1", "Größe 007", 12.5, dt.datetime(2026, 5, 1), True,
    ]  # fmt: skip
    assert [getattr(cell, "value", cell) for cell in second[4:]] == [
        CellError("#DIV/0!"), 7, dt.time(10, 30), False,
    ]  # fmt: skip
    assert isinstance(second[4], CellError)
    assert third[4] == "007"
    assert table.hidden_rows == 1
    assert table.notes == ("sheet 'Ads', the visible one",)


def test_what_is_alike_in_an_ods_is_written_once(read: Any) -> None:
    blank = '<table:table-cell table:number-columns-repeated="16000"/>'
    content = ods(
        ods_table(
            f'<table:table-row table:number-rows-repeated="2">{ODS_ROWS[0]}{blank}'
            "</table:table-row>",
            f'<table:table-row table:visibility="filter">{ODS_ROWS[1]}</table:table-row>',
            f'<table:table-row table:number-rows-repeated="1048570">{blank}</table:table-row>',
        )
    )
    assert read(content).row_numbers == (2, 3, 4)
    assert read(content).hidden_rows == 1


def test_hidden_rows_are_counted_and_left_out_on_request(read: Any) -> None:
    made = sheet_rows(HEADER, ROWS[0]) + sheet_rows(ROWS[1], first=3, attributes=' hidden="1"')
    for content in (xlsx(("Ads", "visible", made)), xlsb(HEADER, *ROWS, hidden=[3])):
        assert read(content).hidden_rows == 1
        assert read(content).row_numbers == (2, 3)
        assert read(content, visible_rows=True).row_numbers == (2,)
        assert read(content, visible_rows=True).hidden_rows == 0


def test_widths_that_somebody_chose_are_kept(read: Any) -> None:
    head = (
        '<cols><col min="2" max="3" width="30.5" customWidth="1"/><col min="5" width="9"/></cols>'
    )
    widths = read(xlsx(ORDINARY, head=head)).dialect.column_widths
    # What the file says has five pixels of padding.
    assert widths == (("brand_id", 209 / 7), ("product_id", 209 / 7))


def test_a_title_and_a_total_are_no_rows(read: Any) -> None:
    made = sheet_rows(["Summer"], first=1) + sheet_rows(HEADER, *ROWS, first=3)
    made += sheet_rows(["Summe", None, None, None, None, 19.5], first=6)
    table = read(xlsx(("Ads", "visible", made)))
    assert (table.row_numbers, table.header_row) == ((4, 5), 3)
    assert table.notes == (
        "row 1 above the columns' names, left out",
        "row 6, a total below the table, left out",
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (xlsx(ORDINARY, ("More", "visible", ADS)), "Several sheets have the columns: Ads, More"),
        (
            xlsx(("A", "visible", sheet_rows(["x"])), ("B", "visible", sheet_rows(["brand"]))),
            "No visible sheet has the columns that are needed",
        ),
        (xlsx(("Ads", "hidden", ADS)), "All sheets of the workbook are hidden"),
        (xlsx(("A", "visible", ""), ("B", "visible", "")), "All visible sheets are empty"),
        (
            xlsx(
                ("Ads", "visible", sheet_rows(HEADER) + '<row r="2"><c r="E2"><f>1+1</f></c></row>')
            ),
            "Row 2, column E: holds a formula whose value was never saved",
        ),
        (xlsx(("Ads", "visible", ADS + "<row>")), "no workbook, such as an .xlsx, or a broken one"),
        (compound_file("EncryptedPackage", b"x"), "protected by a password"),
        (compound_file("Workbook", struct.pack("<HHIHH", 0x809, 4, 0, 0x2F, 0)), "by a password"),
        (compound_file("WordDocument", b"x"), "no workbook of Excel"),
        (packed({"campaign.csv": "a,b"}), "The file is a ZIP, and no workbook. Unpack it"),
        (packed({"Index/Document.iwa": "x"}), "a Numbers spreadsheet"),
        (
            packed({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "<a/>"}),
            "and no spreadsheet",
        ),
        (
            b'<?xml version="1.0"?><a xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>',
            "an XML spreadsheet of Excel 2003",
        ),
    ],
)
def test_what_is_in_doubt_or_cannot_be_read_is_told(read: Any, content: bytes, says: str) -> None:
    with pytest.raises(SpreadsheetError) as refused:
        read(content)
    assert says in str(refused.value)


def test_a_hidden_sheet_is_read_when_it_is_named(read: Any) -> None:
    content = xlsx(("Lists", "hidden", ADS), ("Ads", "visible", sheet_rows(["brand"])))
    assert rows(read(content, sheet="lists")) == ROWS
    with pytest.raises(SpreadsheetError, match=r"There are: Lists \(hidden\), Ads"):
        read(content, sheet="None")


def test_a_csv_that_is_called_a_workbook_is_read(read: Any) -> None:
    for name in ("in.xlsx", "in.xls", "in.ods"):
        assert rows(read(b"brand;prompt\nA;B\n", name)) == [["A", "B"]]


def test_any_length_of_stream_gets_into_a_compound_file() -> None:
    from prefect_staticadslab.campaign.files.formats.workbooks.ole import CompoundFile

    for size in (1, 4096, 70_000, 8_000_000):
        content = bytes(range(256)) * (size // 256 + 1)
        back = CompoundFile(compound_file("Workbook", content)).read("Workbook")
        assert back[: len(content)] == content
        assert not io.BytesIO(back[len(content) :]).read().strip(b"\0")


def test_rows_of_nothing_but_boxes_that_are_not_ticked_are_none(read: Any) -> None:
    made = sheet_rows(
        [*HEADER, "Approved"],
        [*ROWS[0], True],
        *[[None] * 6 + [False]] * 3,
    )
    table = read(xlsx(("Ads", "visible", made)))
    assert table.row_numbers == (2,)
    assert table.notes == ("rows 3-5 with nothing but boxes that are not ticked, left out",)
