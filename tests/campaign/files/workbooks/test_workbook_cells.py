"""A cell of a workbook keeps its value, and comes with what it shows."""

from __future__ import annotations

import datetime as dt
import struct
from typing import Any

import pytest

from prefect_staticadslab.campaign.files.cells import CellError, FormattedValue
from prefect_staticadslab.campaign.files.formats.workbooks import sheets
from tests.campaign.files.workbooks.spreadsheet_files import (
    HEADER,
    KEPT,
    ods,
    ods_cell,
    ods_table,
    sheet_rows,
    xlsb,
    xlsx,
)
from tests.campaign.files.workbooks.test_workbooks import rows


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
