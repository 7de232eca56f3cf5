"""What is written into an .xlsx: read again as it was, and worth opening."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    Dialect,
    FormattedValue,
    Spreadsheet,
    cell_text,
    frame_of,
)
from prefect_staticadslab.campaign.files.formats import xlsx_writer
from prefect_staticadslab.campaign.files.formats.workbooks.workbook import read_workbook
from prefect_staticadslab.campaign.files.formats.workbooks.xlsx_rows import MOST_FORMATS
from prefect_staticadslab.campaign.files.formats.xlsx_text import can_be_link
from prefect_staticadslab.campaign.files.formats.xlsx_writer import SheetLook, encode_xlsx
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable

IDS = {"design_template_id": "dt_1", "brand_id": "brand_1"}
IDS |= {"product_id": "prod_1", "audience_id": "aud_1"}
RESULTS = 13
"""Columns that a campaign adds."""


def sheet_of(content: bytes) -> Any:
    return load_workbook(io.BytesIO(content)).worksheets[0]


def written(*cells: Any, look: SheetLook = xlsx_writer.PLAIN) -> Any:
    """The cells of one row, as openpyxl finds them."""
    names = [f"c{place}" for place in range(len(cells))]
    return list(sheet_of(encode_xlsx(frame_of(names, [list(cells)]), look)))[1]


# What is read again is what was written


TEXTS = st.text(
    st.sampled_from("<>&'\"_x0041_FAr/ \t\n=é€\U0001f600\u2028") | st.characters(codec="utf-8")
)


@given(st.lists(TEXTS, min_size=1, max_size=5), st.floats(allow_nan=False, allow_infinity=False))
def test_texts_and_numbers_read_back_exactly(texts: list[str], number: float) -> None:
    from prefect_staticadslab.campaign.files.cells import plain_text

    names = [*(f"t{place}" for place in range(len(texts))), "n", "end"]
    table = read_workbook(encode_xlsx(frame_of(names, [[*texts, number, "end"]])))
    line = table.frame.iloc[0].tolist()
    kept = [cell_text(value).replace("\x7f", "") for value in line[:-2]]
    assert kept == [plain_text(text) for text in texts]
    assert float(line[-2]) == number


@pytest.mark.parametrize(
    "text",
    ["<r>5</r>", "<r><t>x</t></r>", "_x0041_", "_x005F_x0041_", "__x000D_", "<r>_x0041_ & </r>"],
)
def test_a_text_that_looks_like_the_files_own_xml_stays_a_text(text: str) -> None:
    content = encode_xlsx(frame_of(["a", text], [[text, "end"]]))
    table = read_workbook(content)
    assert table.frame.iloc[0].tolist() == [text, "end"]
    assert list(table.frame.columns) == ["a", text]


@pytest.mark.parametrize("text", ["\U0001f600" * 16_384, "x" * 32_768])
def test_a_cell_that_excel_would_cut_is_refused(text: str) -> None:
    with pytest.raises(SpreadsheetError, match=r"has 32,768 characters, and an .xlsx holds"):
        encode_xlsx(frame_of(["a"], [[text]]))
    fits = text[:-1]
    assert read_workbook(encode_xlsx(frame_of(["a"], [[fits]]))).frame.iloc[0, 0] == fits


@pytest.mark.parametrize(
    ("value", "number_format"),
    [
        (37.8, '0.00 "€"'),
        (0.1, "0 %"),
        (12, "0000"),
        (dt.datetime(2026, 8, 1), "dd.mm.yyyy"),
        (dt.datetime(2026, 8, 1, 9, 30), "d. mmmm yyyy hh:mm"),
        (dt.time(9, 30), "hh:mm"),
    ],
)
def test_a_formatted_cell_keeps_its_value_and_its_format(value: Any, number_format: str) -> None:
    (cell,) = written(FormattedValue(value, "as shown", number_format))
    assert (cell.value, cell.number_format) == (value, number_format)


def test_a_format_that_excel_cannot_have_is_left_out_and_the_value_kept() -> None:
    day = dt.datetime(2026, 8, 1)
    long = "yyyy" + '"x"' * 100
    number, date, other = written(
        FormattedValue(1.5, "", '"x"' * 100),
        FormattedValue(day, "", long),
        FormattedValue(day, "", "General"),
    )
    assert (number.value, number.number_format) == (1.5, "General")
    assert [date.value, other.value] == [day, day]


def test_more_formats_than_a_workbook_has_lose_none_of_the_values() -> None:
    many = [[FormattedValue(1.5, "", f'0.0"{n}"')] for n in range(MOST_FORMATS + 5)]
    sheet = sheet_of(encode_xlsx(frame_of(["a"], many)))
    assert {cell.value for cell in list(sheet["A"])[1:]} == {1.5}


# Links


@pytest.mark.parametrize(
    "url", ["https://cdn.example/a.png?x=1&y=%20#top", "http://127.0.0.1:8080/pictures/ia_1.png"]
)
def test_a_web_address_is_a_link_and_its_text_stays(url: str) -> None:
    (cell,) = written(url)
    assert cell.value == url
    assert cell.hyperlink.target.partition("#")[0] == url.partition("#")[0]


@pytest.mark.parametrize(
    "text",
    [
        "see https://cdn.example/a.png", "https://cdn.example/a b.png", "https://", "http://:80/",
        "internal:Sheet1!A1", "external:c:/temp/a.exe", "file:///etc/passwd", "mailto:a@b.example",
        "javascript:alert(1)", "https://x.example:99999/", "https://x.example/100%",
        "https://x.example/" + "a" * 2_100, "ftp://x.example/a", "https://user:pw@x.example/",
        "https://x.example/\"'><", "HTTPS:/x.example", "https://ex ample/", "https://[::1",
    ],
)  # fmt: skip
def test_what_is_no_plain_web_address_stays_a_text(text: str) -> None:
    assert not can_be_link(text)
    (cell,) = written(text)
    assert (cell.value, cell.hyperlink) == (text, None)


def test_links_of_the_result_come_before_hers_where_a_sheet_holds_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(xlsx_writer, "MOST_LINKS", 5)
    lines = [[f"https://shop.example/{n}", f"https://cdn.example/{n}"] for n in range(4)]
    look = SheetLook(link_columns=frozenset({"image_url"}))
    sheet = sheet_of(encode_xlsx(frame_of(["page", "image_url"], lines), look))
    linked = [[bool(cell.hyperlink) for cell in column[1:]] for column in sheet.columns]
    assert linked == [[True, False, False, False], [True] * 4]


# A result table as a workbook


def completed(number: int, **known: Any) -> JobState:
    moment = dt.datetime(2026, 11, 26, 10, 59, 59, tzinfo=dt.UTC)
    state = JobState(
        RowStatus.COMPLETED,
        job_id=f"ia_{number}",
        image_url=f"https://cdn.example/ia_{number}.png",
        cost_usd=Decimal("4.00"),
        attempts=1,
        width=1080,
        height=1350,
        submitted_at=moment,
        completed_at=moment + dt.timedelta(hours=14, seconds=1),
    )
    return replace(state, **known)


def table_at(place: Path, rows: int = 3, **columns: list[Any]) -> ImageAdTable:
    header = [*columns, *IDS, "prompt"]
    lines = [
        [*(cells[n] for cells in columns.values()), *IDS.values(), f"Ad {n}"] for n in range(rows)
    ]
    dialect = Dialect(column_widths=(("prompt", 61.0),))
    spreadsheet = Spreadsheet(tuple(header), lines, tuple(range(2, rows + 2)), dialect)
    return ImageAdTable.open(str(place), spreadsheet)


def open_again(place: Path) -> ImageAdTable:
    return ImageAdTable.reopen(str(place))


def test_a_result_table_has_numbers_dates_links_and_colours(tmp_path: Path) -> None:
    place = tmp_path / "out.xlsx"
    table = table_at(place)
    table.update(0, completed(0))
    table.update(1, completed(1, cost_usd=Decimal("0.125")))
    table.update(2, JobState(RowStatus.FAILED, error="=1+1", attempts=2))
    table.save_now()
    sheet = sheet_of(place.read_bytes())
    columns = {cell.value: cell.column_letter for cell in sheet[1]}
    cost = [sheet[f"{columns['cost_usd']}{row}"] for row in (2, 3)]
    assert [(cell.value, cell.number_format) for cell in cost] == [(4, "0.00"), (0.125, "General")]
    when = sheet[f"{columns['completed_at']}2"]
    assert (when.value, when.is_date) == (dt.datetime(2026, 11, 27, 1), True)
    assert sheet[f"{columns['attempts']}2"].value == 1
    assert sheet[f"{columns['image_url']}2"].hyperlink.target == "https://cdn.example/ia_0.png"
    (coloured,) = sheet.conditional_formatting
    assert str(coloured.sqref) == f"{columns['status']}2:{columns['status']}4"
    words = {rule.formula[0] for rule in coloured.rules}
    assert words == {f'"{status}"' for status in RowStatus}
    assert sheet.freeze_panes == "B2"
    assert sheet.auto_filter.ref == f"A1:{columns['request_hash']}4"
    assert sheet.column_dimensions[columns["prompt"]].width == pytest.approx(61, abs=1)
    assert open_again(place).states == table.states


def test_a_table_without_rows_or_columns_is_written(tmp_path: Path) -> None:
    for frame in (frame_of(["a"], []), frame_of([], [])):
        (tmp_path / "t.xlsx").write_bytes(encode_xlsx(frame))
        assert sheet_of((tmp_path / "t.xlsx").read_bytes()).max_row == 1
    with pytest.raises(SpreadsheetError):
        read_spreadsheet(str(tmp_path / "t.xlsx"))
