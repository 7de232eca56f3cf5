"""Writing .xlsx, so that every cell is read again as what it was."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

import pandas as pd

from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import FIRST_ROW, cell_text, is_blank
from prefect_staticadslab.campaign.files.formulas import CatalogueText, escape_apostrophe

EXCEL_CELL: Final = 32_767
"""Characters that a cell of an .xlsx holds."""

LARGEST_INTEGER: Final = 10**15
"""Excel keeps 15 digits of a number; a longer one, such as an id, is text."""

FIRST_YEAR: Final = 1901
"""Of the dates that an .xlsx holds; that of 1900 has a day too many, and an earlier one is text."""


_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that would make a file which nobody can read."""


def encode_xlsx(frame: pd.DataFrame) -> bytes:
    return encode_workbook({"results": frame})


def encode_workbook(frames: Mapping[str, pd.DataFrame], *, creator: str | None = None) -> bytes:
    """An .xlsx with a sheet for each frame, by its name: text stays text, the header stays in view.

    Args:
        frames: The sheets.
        creator: What the file says made it.

    Raises:
        SpreadsheetError: A cell is longer than an .xlsx holds.
    """
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    if creator is not None:
        book.properties.creator = creator
    for name, frame in frames.items():
        _refuse_longer_cells_than_excel(frame)
        _write_sheet(book.create_sheet(name), frame)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _write_sheet(sheet: Any, frame: pd.DataFrame) -> None:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    sheet.freeze_panes = "A2"

    def typed_cell(text: str, data_type: str) -> Any:
        new_cell = WriteOnlyCell(sheet, text)
        new_cell.data_type = data_type
        return new_cell

    def cell(value: Any) -> Any:
        value = _excel_value(value)
        if isinstance(value, str):
            # A text that starts with = is a text, and not a formula.
            return typed_cell(_NOT_IN_XML.sub("", value), "s")
        if isinstance(value, float):
            # openpyxl would write 16 digits, and another number might be read.
            return typed_cell(repr(value), "n")
        return value

    header = [cell(name) for name in frame.columns]
    for new_cell in header:
        new_cell.font = Font(bold=True)
    sheet.append(header)
    for line in frame.itertuples(index=False):
        sheet.append([cell(v) for v in line])


def _excel_value(value: Any) -> Any:
    """A value; or its text, if the number or date that is read again would be another one."""
    if isinstance(value, str):
        return escape_apostrophe(value) if isinstance(value, CatalogueText) else value
    if is_blank(value):
        return None
    if isinstance(value, Decimal) and cell_text(float(value)) == cell_text(value):
        return float(value)
    is_lost = (
        isinstance(value, Decimal)
        or (isinstance(value, int) and abs(value) > LARGEST_INTEGER)
        or (isinstance(value, float) and not math.isfinite(value))
        or (isinstance(value, date) and value.year < FIRST_YEAR)
    )
    return cell_text(value) if is_lost else value


def _refuse_longer_cells_than_excel(frame: pd.DataFrame) -> None:
    # openpyxl would cut them, and a row read back would not be the same row.
    problems = [
        Problem(
            f"has {len(value):,} characters, and an .xlsx holds {EXCEL_CELL:,}. "
            "Choose a .csv as the output.",
            row=number,
            column=str(name),
        )
        for number, line in enumerate(frame.itertuples(index=False), FIRST_ROW)
        for name, value in zip(frame.columns, line, strict=True)
        if isinstance(value, str) and len(value) > EXCEL_CELL
    ]
    if problems:
        raise SpreadsheetError(problems)
