"""XLSX. A cell keeps its type, and a formula counts as the value that was saved with it."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

import pandas as pd

from prefect_staticadslab.bounds import LONGEST_CELL
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    FIRST_ROW,
    Spreadsheet,
    cell_text,
    frame_of,
    header_problems,
    is_blank,
)
from prefect_staticadslab.campaign.files.formats.workbook_bounds import (
    SheetExtent,
    check_archive,
    sheet_extent,
)
from prefect_staticadslab.campaign.files.formulas import CatalogueText, escape_apostrophe

EXCEL_CELL: Final = 32_767
"""Characters that a cell of an .xlsx holds."""

LARGEST_INTEGER: Final = 10**15
"""Excel keeps 15 digits of a number; a longer one, such as an id, is text."""

FIRST_YEAR: Final = 1901
"""Of the dates that an .xlsx holds; that of 1900 has a day too many, and an earlier one is text."""


_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that would make a file which nobody can read."""


def read_xlsx(content: bytes, sheet: str | None, *, may_be_empty: bool = False) -> Spreadsheet:
    from openpyxl import load_workbook
    from openpyxl.utils import get_column_letter

    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise SpreadsheetError(
            [
                Problem(
                    "The file is protected by a password, or an old .xls. Save it as plain .xlsx."
                )
            ]
        )
    unsaved: tuple[tuple[int, int], ...] = ()
    try:
        check_archive(content)
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        names = [s.title for s in book.worksheets]
        sheet_name = sheet or names[0]
        records = None
        if sheet_name in names:
            # Private, and openpyxl's only word for which part of the file the sheet is.
            worksheet: Any = book[sheet_name]
            extent = sheet_extent(content, worksheet._worksheet_path)
            unsaved = extent.unsaved
            records = _records(worksheet, extent)
        book.close()
    except SpreadsheetError:
        raise
    except Exception as error:  # a broken file can break openpyxl anywhere
        raise SpreadsheetError(
            [Problem(f"The file is no .xlsx, or a broken one ({type(error).__name__}).")]
        ) from None
    if records is None:
        raise SpreadsheetError(
            [Problem(f"There is no sheet {sheet!r}. There are: {', '.join(names)}.")]
        )
    if not records:
        raise SpreadsheetError([Problem("The sheet is empty.")])
    header = [cell_text(v) for v in records[0]]
    width = max(
        (i + 1 for line in records for i, v in enumerate(line) if not is_blank(v)), default=0
    )
    header = (header + [""] * width)[:width]
    lines, numbers = [], []
    for number, line in enumerate(records[1:], FIRST_ROW):
        if any(cell_text(v).strip() for v in line):
            lines.append((line + [None] * width)[:width])
            numbers.append(number)
    problems = header_problems(header)
    problems += [
        Problem(
            "holds a formula whose value was never saved. "
            "Open the file in a spreadsheet program, save it, and try again.",
            row,
            get_column_letter(column),
        )
        for row, column in unsaved
    ]
    problems += [
        Problem(f"has more than {LONGEST_CELL:,} characters.", number, name)
        for number, line in zip(numbers, lines, strict=True)
        for name, value in zip(header, line, strict=True)
        if isinstance(value, str) and len(value) > LONGEST_CELL
    ]
    if not lines and not problems and not may_be_empty:
        hint = f" There are: {', '.join(names)}; choose one with --sheet." if len(names) > 1 else ""
        problems.append(Problem(f"The sheet {sheet_name} has a header and no rows.{hint}"))
    if problems:
        raise SpreadsheetError(problems)
    return Spreadsheet(frame_of(header, lines), tuple(numbers))


def _records(worksheet: Any, extent: SheetExtent) -> list[list[Any]]:
    """A sheet's rows as far as they have cells; what it says of its size may be wrong."""
    if not extent.rows:
        return []
    lines = worksheet.iter_rows(max_row=extent.rows, max_col=extent.columns, values_only=True)
    return [list(line) for line in lines]


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


def workbook_creator(content: bytes) -> str | None:
    """What an .xlsx says made it; None if it does not, or is none."""
    book = _open_workbook(content)
    if book is None:
        return None
    creator: str | None = book.properties.creator
    book.close()
    return creator


def sheet_names(content: bytes) -> list[str]:
    """The names of an .xlsx's sheets; none if it is none."""
    book = _open_workbook(content)
    if book is None:
        return []
    names = [sheet.title for sheet in book.worksheets]
    book.close()
    return names


def _open_workbook(content: bytes) -> Any:
    """An .xlsx as openpyxl opens it; None if it is none. Raises if it exceeds a bound."""
    from openpyxl import load_workbook

    try:
        check_archive(content)
        return load_workbook(io.BytesIO(content), read_only=True)
    except SpreadsheetError:
        raise
    except Exception:  # a broken file can break openpyxl anywhere
        return None


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
