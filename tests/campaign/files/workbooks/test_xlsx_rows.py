"""Rows of an .xlsx that are kept as XML: byte for byte XlsxWriter's, and not made twice."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.files.cells import CellError, Dialect, FormattedValue, frame_of
from prefect_staticadslab.campaign.files.formats import xlsx_writer
from prefect_staticadslab.campaign.files.formats.workbooks.xlsx_rows import SheetRows
from prefect_staticadslab.campaign.files.formats.xlsx_writer import (
    SheetLook,
    encode_rows,
    encode_xlsx,
)
from prefect_staticadslab.campaign.files.formulas import CatalogueText
from prefect_staticadslab.campaign.table.job_state import AD_COLUMNS
from prefect_staticadslab.campaign.table.record_encoder import RecordEncoder

LOOK = SheetLook(
    widths={"a": 31.0},
    status_column="status",
    link_columns=frozenset(("image_url",)),
    folded_columns=frozenset(("b",)),
)

MOMENT = dt.datetime(2026, 8, 1, 12, 30, 15, 123456)

KINDS = (
    st.text(max_size=12),
    st.sampled_from(
        [
            "",
            " edge",
            "a\nb\n",
            "_x0041_",
            "<r>x</r>",
            "<r>",
            "a & <b>",
            "\x07\ud800",
            "007",
            "=1+1",
        ]
    ),
    st.sampled_from(
        ["https://cdn.example/a.png?b=1&c=%20#to&p", "http://x.example/#", "https://x.example/a b"]
    ),
    st.sampled_from(
        [True, False, None, 0, 10**15, 10**16, float("nan"), float("inf"), Decimal("3.50")]
    ),
    st.integers(),
    st.floats(),
    st.dates(dt.date(1890, 1, 1)) | st.datetimes(dt.datetime(1890, 1, 1)),
    st.times() | st.timedeltas(dt.timedelta(-1), dt.timedelta(900)),
    st.builds(
        FormattedValue,
        st.sampled_from([1, 2.5, dt.date(2026, 8, 1), MOMENT, MOMENT.time()]),
        st.just(""),
        st.sampled_from(["", "0.00", "General", 'd"\x07"', "yyyy-mm-dd", "0" * 300, "[h]:mm"]),
    ),
    st.sampled_from([CatalogueText("=1"), CatalogueText("'plain"), CellError("#REF!")]),
)

Lines = Sequence[Sequence[Any]]


def parts_of(content: bytes) -> dict[str, bytes]:
    """The files that a workbook is made of, but for the one with the time at which it was made."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return {name: book.read(name) for name in book.namelist() if name != "docProps/core.xml"}


def of_rows(header: Sequence[str], lines: Lines) -> bytes | None:
    made_by = SheetRows()
    rows = [made_by.row(number, line) for number, line in enumerate(lines, 2)]
    return encode_rows(header, [row for row in rows if row], made_by, lines, LOOK)


@given(st.lists(st.tuples(*[st.one_of(*KINDS)] * 4), min_size=1, max_size=6))
def test_it_is_byte_for_byte_what_xlsxwriter_writes(lines: list[tuple[Any, ...]]) -> None:
    header = ["a", "b", "status", "image_url"]
    content = of_rows(header, lines)
    assert content is not None
    assert parts_of(content) == parts_of(encode_xlsx(frame_of(header, lines), LOOK))


def test_so_are_many_columns_and_rows() -> None:
    header = [f"column {place} & <b>" for place in range(800)]
    lines = [[f"{row} {place}" for place in range(800)] for row in range(12)]
    content = of_rows(header, lines)
    assert content is not None
    assert parts_of(content) == parts_of(encode_xlsx(frame_of(header, lines), LOOK))


def test_where_a_sheet_cannot_hold_all_links_it_is_left_to_xlsxwriter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = [["https://x.example/1"], ["https://x.example/2"]]
    assert of_rows(["page"], lines) is not None
    monkeypatch.setattr(xlsx_writer, "MOST_LINKS", 1)
    assert of_rows(["page"], lines) is None


# The result table

ROWS = 40
MADE = dt.datetime(2026, 8, 1, 12, 30, 15, tzinfo=dt.UTC)


def frame(**columns: Any) -> pd.DataFrame:
    cells = {"design_template_id": "dt_1", "page": "https://x.example/a", **columns}
    return frame_of(list(cells), [[*cells.values()] for _ in range(ROWS)])


def completed(number: int, cost: str = "1.00") -> JobState:
    return JobState(
        RowStatus.COMPLETED,
        job_id=f"ia_{number}",
        image_url=f"https://cdn.example/{number}.png",
        cost_usd=Decimal(cost),
        attempts=1,
        submitted_at=MADE,
        completed_at=MADE + dt.timedelta(seconds=number),
    )


def cells_of(content: bytes) -> list[tuple[Any, ...]]:
    """All that a cell is, cell by cell."""
    return [
        (cell.coordinate, cell.value, cell.number_format, cell.font.color, cell.hyperlink)
        if cell.hyperlink is None
        else (cell.coordinate, cell.value, cell.number_format, cell.font.u, cell.hyperlink.target)
        for row in load_workbook(io.BytesIO(content)).worksheets[0].rows
        for cell in row
    ]


def by_xlsxwriter(given_frame: pd.DataFrame, states: Sequence[JobState]) -> bytes:
    encoder = RecordEncoder(".xlsx", Dialect(), AD_COLUMNS)
    encoder.picture_of = lambda state: None  # no row has one
    return encoder.encode(given_frame, states)


def test_a_table_that_was_written_while_things_happened_is_the_one_that_is_written_at_once() -> (
    None
):
    encoder, given_frame, states = (
        RecordEncoder(".xlsx", Dialect(), AD_COLUMNS),
        frame(price=FormattedValue(3.5, "3,50", "#,##0.00")),
        [JobState()] * ROWS,
    )
    encoder.encode(given_frame, states)
    for step in range(1, ROWS, 5):
        for row in range(step, ROWS, 7):
            states[row] = completed(row, "0.333" if row % 2 else "1.00")
        content = encoder.encode(given_frame, list(states))
    assert cells_of(content) == cells_of(by_xlsxwriter(given_frame, states))
    wider = frame(price="x", note="y")
    assert parts_of(encoder.encode(wider, states)) == parts_of(by_xlsxwriter(wider, states))


def test_a_workbook_costs_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    make = SheetRows.row

    def counted(self: SheetRows, number: int, cells: Sequence[Any]) -> Any:
        made.append(number)
        return make(self, number, cells)

    monkeypatch.setattr(SheetRows, "row", counted)
    encoder, given_frame, states = (
        RecordEncoder(".xlsx", Dialect(), AD_COLUMNS),
        frame(),
        [JobState()] * ROWS,
    )
    encoder.encode(given_frame, states)
    assert made == list(range(2, ROWS + 2))
    states[7], states[9] = completed(7), completed(9)
    encoder.encode(given_frame, states)
    assert made[ROWS:] == [9, 11]


@pytest.mark.parametrize("columns", [{"picture": ""}, {"note": "x" * 20_000}, {"picture": "hers"}])
def test_what_is_decided_over_the_whole_table_is_left_to_xlsxwriter(
    columns: dict[str, str],
) -> None:
    given_frame, states = frame(**columns), [completed(row) for row in range(ROWS)]
    content = RecordEncoder(".xlsx", Dialect(), AD_COLUMNS).encode(given_frame, states)
    assert parts_of(content) == parts_of(by_xlsxwriter(given_frame, states))


def test_a_cell_that_excel_would_cut_is_refused_each_time() -> None:
    encoder = RecordEncoder(".xlsx", Dialect(), AD_COLUMNS)
    given_frame = frame(note="x" * 32_768)
    states = [JobState()] * ROWS
    for state in (JobState(), completed(1)):
        states[0] = state
        with pytest.raises(
            SpreadsheetError, match=r"32,768 characters, and an \.xlsx holds 32,767"
        ):
            encoder.encode(given_frame, states)
