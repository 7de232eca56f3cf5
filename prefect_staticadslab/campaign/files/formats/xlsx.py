"""Reading .xlsx. A cell keeps its type; a formula counts as the value that was saved with it."""

from __future__ import annotations

import io
from typing import Any

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
from prefect_staticadslab.campaign.files.formats.xlsx_text import as_read


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
    return [[as_read(v) if isinstance(v, str) else v for v in line] for line in lines]


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
