"""Workbooks of every program are read as they are, or refused in plain words."""

from __future__ import annotations

import datetime as dt
import io
import struct
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter  # type: ignore[import-untyped]
from openpyxl.styles import Font

from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.files.cells import CellError, FormattedValue, Spreadsheet
from prefect_staticadslab.campaign.files.formats.workbooks import sheets
from prefect_staticadslab.campaign.files.formats.workbooks.ole import compound_file
from prefect_staticadslab.campaign.files.spreadsheet import ReadOptions, read_spreadsheet
from prefect_staticadslab.campaign.rows.columns import KNOWN_COLUMNS, NEEDED_COLUMNS
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


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def reader(content: bytes, name: str = "in.xlsx", **options: Any) -> Spreadsheet:
        (tmp_path / name).write_bytes(content)
        return read_spreadsheet(
            str(tmp_path / name),
            options=ReadOptions(**options),
            known_columns=KNOWN_COLUMNS,
            needed_columns=NEEDED_COLUMNS,
        )

    return reader


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


def shown(value: object) -> object:
    return value.text if isinstance(value, FormattedValue) else value


def test_an_old_workbook_tells_what_its_cells_show(read: Any) -> None:
    table = read((KEPT / "formats.xls").read_bytes(), "in.xls")
    assert [[shown(value) for value in line][1:] for line in rows(table)] == [
        ["37,80 €", "10 %", "01.08.2026", "123456", "09:05", "30:00", "-1,234.50", "0.25", None],
        ["5,00 €", "13 %", "24.12.2026", "000007", "23:59", "0:05", "1,234.50", "1.75", "75.60"],
    ]  # fmt: skip


@pytest.mark.parametrize("is_1904", [False, True])
def test_so_does_a_binary_one(read: Any, is_1904: bool) -> None:
    formats = ['#,##0.00" €"', "0 %", "000000", "dd.mm.yyyy", "[h]:mm", "@"]
    packed = struct.pack("<i", (1_234_500 << 2) | 3)  # a whole number, to be divided by 100
    day = 45139 if is_1904 else 46601
    numbers = [37.8, 0.1, packed, day, 1.25, 7]
    table = read(xlsb(list("abcdef"), numbers, formats=formats, is_1904=is_1904))
    (line,) = rows(table)
    assert [shown(value) for value in line] == [
        "37,80 €", "10 %", "012345", "02.08.2027", "30:00", 7,
    ]  # fmt: skip


STYLES = (
    '<numFmts><numFmt numFmtId="164" formatCode="#,##0.00&quot; €&quot;"/></numFmts>'
    "<dxfs><dxf><numFmt numFmtId='164' formatCode='@'/></dxf></dxfs>"
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="20"/><xf numFmtId="46"/>'
    '<xf numFmtId="164"/><xf numFmtId="9"/></cellXfs>'
)


def one_row(*cells: str) -> str:
    inner = "".join(f'<c r="{chr(65 + n)}2" {cell}</c>' for n, cell in enumerate(cells))
    return sheet_rows(HEADER) + f'<row r="2">{inner}</row>'


def test_a_cell_keeps_its_value(read: Any) -> None:
    made = one_row(
        't="e"><v>#REF!</v>',
        't="b"><v>1</v>',
        't="str"><f>A1</f><v>a_x000D_b_x005F_x000D_</v>',
        't="inlineStr"><is><r><t>a</t></r><r><t> b</t></r><rPh><t>no</t></rPh></is>',
        't="d"><v>2026-05-01T10:00:00</v>',
        "><v>12345678901234567</v>",
    )
    cells = rows(read(xlsx(("Ads", "visible", made))))[0]
    assert cells == [
        "#REF!", True, "a\rb_x000D_", "a b", dt.datetime(2026, 5, 1, 10), 12345678901234567,
    ]  # fmt: skip
    assert isinstance(cells[0], CellError)


@pytest.mark.parametrize(("epoch", "day"), [("", 43831), ('<workbookPr date1904="1"/>', 42369)])
def test_dates_and_times_are_read_by_their_formats(read: Any, epoch: str, day: int) -> None:
    made = one_row(
        f's="1"><v>{day}</v>', f's="1"><v>{day}.25</v>', 's="3"><v>1.25</v>', 's="1"><v>9e9</v>',
        's="99"><v>1</v>', 's="4"><v>37.8</v>',
    )  # fmt: skip
    table = read(xlsx(("Ads", "visible", made), styles=STYLES, workbook=epoch))
    assert [getattr(cell, "value", cell) for cell in rows(table)[0]] == [
        dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, 6), dt.timedelta(hours=30), 9e9, 1, 37.8,
    ]  # fmt: skip


def test_a_formatted_number_comes_with_what_its_cell_shows(
    read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, str]] = []

    def show(value: object, number_format: str) -> str | None:
        asked.append((value, number_format))
        return None if number_format == "0%" else f"<{value}>"

    monkeypatch.setattr(sheets, "show_number", show)
    made = one_row('s="4"><v>37.8</v>', 's="5"><v>0.1</v>', 's="0"><v>1</v>', 's="1"><v>43831</v>')
    cells = rows(read(xlsx(("Ads", "visible", made), styles=STYLES)))[0]
    assert cells[:3] == [FormattedValue(37.8, "<37.8>", '#,##0.00" €"'), 0.1, 1]
    assert [number_format for _, number_format in asked] == ['#,##0.00" €"', "0%", "mm-dd-yy"]


def test_an_ods_shows_its_own_texts(read: Any) -> None:
    cells = "".join(
        (
            ods_cell("37,80 €", "currency", 'office:value="37.8"'),
            ods_cell("01.08.2026", "date", 'office:date-value="2026-08-01"'),
            ods_cell("#REF!", "string", 'table:formula="of:=A1" calcext:value-type="error"'),
            ods_cell("WAHR", "boolean", 'office:boolean-value="true"'),
            ods_cell("a<text:s text:c='2'/>b</text:p><text:p>c"),
            ods_cell("10:30:00", "time", 'office:time-value="PT10H30M00S"'),
        )
    )
    (line,) = rows(read(ods(ods_table(cells)), "in.ods"))
    assert line == [
        FormattedValue(37.8, "37,80 €"),
        FormattedValue(dt.datetime(2026, 8, 1), "01.08.2026"),
        "#REF!", True, "a  b\nc", dt.time(10, 30),
    ]  # fmt: skip
    assert isinstance(line[2], CellError)


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


def merged_workbooks() -> dict[str, bytes]:
    """Of each kind, with the prompts and the prices merged; the latter column is not read."""
    ranges = '<mergeCells><mergeCell ref="E2:E3"/><mergeCell ref="F2:F3"/></mergeCells>'
    spanned = 'table:number-rows-spanned="2"'
    first = [*(ods_cell(str(v)) for v in ROWS[0][:4]), ods_cell("First", more=spanned)]
    second = [*(ods_cell(str(v)) for v in ROWS[1][:4]), "<table:covered-table-cell/>"]
    return {
        "in.xlsx": xlsx(("Ads", "visible", ADS), foot=ranges),
        "in.xlsb": xlsb(HEADER, *ROWS, merged=[(1, 2, 4, 4), (1, 2, 5, 5)]),
        "in.xls": (KEPT / "merged.xls").read_bytes(),
        "in.ods": ods(ods_table("".join(first), "".join(second))),
    }


@pytest.mark.parametrize("name", ["in.xlsx", "in.xlsb", "in.xls", "in.ods"])
def test_a_cell_under_another_one_is_not_read_as_empty(read: Any, name: str) -> None:
    """It is shown with the other one's value, and an ad without it would be paid for."""
    with pytest.raises(SpreadsheetError) as refused:
        read(merged_workbooks()[name], name)
    assert [(p.row, p.column) for p in refused.value.problems] == [(3, "prompt")]
    assert "is merged with other cells (E2:E3)" in str(refused.value)


def test_cells_merged_across_columns_hide_those_that_are_read(read: Any) -> None:
    foot = '<mergeCells><mergeCell ref="D2:F3"/></mergeCells>'
    with pytest.raises(SpreadsheetError) as refused:
        read(xlsx(("Ads", "visible", ADS), foot=foot))
    assert {(p.row, p.column) for p in refused.value.problems} == {
        (2, "prompt"),
        (3, "audience_id"),
        (3, "prompt"),
    }


@pytest.mark.parametrize("ref", ["F2:F3", "E2:F2", "A1:F1", "A9:F20", "E2", "", "E:E", "?:?"])
def test_merged_cells_that_hide_nothing_that_is_read_are_let_be(read: Any, ref: str) -> None:
    foot = f'<mergeCells><mergeCell ref="{ref}"/></mergeCells>'
    assert rows(read(xlsx(("Ads", "visible", ADS), foot=foot))) == ROWS


def test_so_many_merged_cells_are_refused(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "_MOST_MERGED", 2)
    foot = "<mergeCells>" + 3 * '<mergeCell ref="F2:F3"/>' + "</mergeCells>"
    with pytest.raises(SpreadsheetError, match="more than 2 merged cells"):
        read(xlsx(("Ads", "visible", ADS), foot=foot))


def test_rows_of_nothing_but_boxes_that_are_not_ticked_are_none(read: Any) -> None:
    made = sheet_rows(
        [*HEADER, "Approved"],
        [*ROWS[0], True],
        *[[None] * 6 + [False]] * 3,
    )
    table = read(xlsx(("Ads", "visible", made)))
    assert table.row_numbers == (2,)
    assert table.notes == ("rows 3-5 with nothing but boxes that are not ticked, left out",)


STRUCK = '<style:style style:name="{}" style:family="{}"><style:text-properties {}/></style:style>'


def struck_ods() -> dict[str, bytes]:
    """Files .ods in which the second row's prompt is struck out, in each way that there is."""
    solid = 'style:text-line-through-style="solid"'
    none = 'style:text-line-through-style="none" style:text-line-through-type="none"'
    plain, ids = ods_cell("First"), [*(ods_cell(str(v)) for v in ROWS[1][:4])]
    first = "".join([*(ods_cell(str(v)) for v in ROWS[0][:4]), plain])
    cell = ods_cell("007", more='table:style-name="ce1"')
    span = ods_cell('0<text:span text:style-name="T1">07</text:span>')
    by_style = STRUCK.format("ce1", "table-cell", solid) + STRUCK.format("T1", "text", solid)
    # Cells that name no style have the one of their column.
    of_column = '<table:table-column table:number-columns-repeated="4"/>'
    of_column += '<table:table-column table:default-cell-style-name="ce1"/>'
    other = ods_cell("First", more='table:style-name="ce2"')
    named = ods_table(first.replace(plain, other), "".join([*ids, ods_cell("007")]))
    by_column = named.replace("<table:table-row>", f"{of_column}<table:table-row>", 1)
    by_column = by_column.replace(ods_cell("prompt"), other.replace("First", "prompt"))
    return {
        "a cell": ods(ods_table(first, "".join([*ids, cell])), styles=by_style),
        "a part of it": ods(ods_table(first, "".join([*ids, span])), styles=by_style),
        "a column but for some": ods(
            by_column, styles=by_style + STRUCK.format("ce2", "table-cell", none)
        ),
    }


def struck_workbooks() -> dict[str, tuple[str, bytes]]:
    """Of each kind, with the second row's prompt struck out."""
    book = openpyxl.Workbook()
    sheet: Any = book.active
    for line in (HEADER, *ROWS):
        sheet.append(line)
    sheet["E3"].font = Font(strike=True)
    sheet["E2"].font = Font(strike=False, bold=True)
    whole = io.BytesIO()
    book.save(whole)
    part = "<is><r><t>0</t></r><r><rPr><strike/></rPr><t>07</t></r></is>"
    plain = "<is><t>007</t></is>"
    assert plain in ADS
    in_part = xlsx(("Ads", "visible", ADS.replace(plain, part)))
    shared = io.BytesIO()
    with xlsxwriter.Workbook(shared) as written:
        cells = written.add_worksheet("Ads")
        for number, line in enumerate((HEADER, *ROWS)):
            cells.write_row(number, 0, line)
        cells.write_rich_string(2, 4, "0", written.add_format({"font_strikeout": True}), "07")
    return {
        "xlsx": ("in.xlsx", whole.getvalue()),
        "xlsx, a part": ("in.xlsx", in_part),
        "xlsx, a part of a shared text": ("in.xlsx", shared.getvalue()),
        "xlsb": ("in.xlsb", xlsb(HEADER, *ROWS, struck=[3], formats=["0.00"])),
        "xls": ("in.xls", (KEPT / "struck.xls").read_bytes()),
        **{f"ods, {way}": ("in.ods", content) for way, content in struck_ods().items()},
    }


@pytest.mark.parametrize("kind", struck_workbooks())
def test_rows_with_struck_out_cells_are_told(read: Any, kind: str) -> None:
    """Somebody may have struck them out instead of deleting them, and they are paid for."""
    name, content = struck_workbooks()[kind]
    table = read(content, name)
    assert table.notes == ("row 3 with struck-out cells, read like the others",)
    assert [line[4] for line in rows(table)] == ["First", "007"]


def test_what_is_not_struck_out_is_not_told(read: Any) -> None:
    dxfs = "<dxfs><dxf><font><strike/></font></dxf></dxfs>"
    fonts = '<fonts><font><strike val="0"/></font></fonts><cellXfs><xf fontId="0"/></cellXfs>'
    for content in (xlsx(ORDINARY, styles=fonts + dxfs), (KEPT / "ads.xls").read_bytes()):
        assert "struck" not in " ".join(read(content).notes)
