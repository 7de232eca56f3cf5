"""What merged cells hide and what somebody struck out is told before it is paid for."""

from __future__ import annotations

import io
from typing import Any

import openpyxl
import pytest
import xlsxwriter  # type: ignore[import-untyped]
from openpyxl.styles import Font

from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.files.formats.workbooks import sheets
from tests.campaign.files.workbooks.spreadsheet_files import (
    ADS,
    HEADER,
    KEPT,
    ROWS,
    ods,
    ods_cell,
    ods_table,
    xlsb,
    xlsx,
)
from tests.campaign.files.workbooks.test_workbooks import ORDINARY, rows


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
