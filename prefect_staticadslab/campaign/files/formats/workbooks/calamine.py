"""Excel's two binary formats, .xls and .xlsb: python-calamine reads their cells.

It believes what a file says of its size and makes the whole rectangle up to the last cell, which a
hostile file makes larger than any memory: the process ends then. So it is given only what was
walked through before, in a container that is made anew. And it reads an error as an empty cell, so
errors are put in where the walk has seen them.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, Final

from prefect_staticadslab.campaign.files.cells import CellError
from prefect_staticadslab.campaign.files.formats.workbooks.sheets import SheetCells, check_extent

ERRORS: Final = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: "#N/A",
    0x2B: "#GETTING_DATA",
}
"""What both formats write for them, in one byte."""

LARGEST_EXACT: Final = 2**53
"""Whole numbers up to here are exact in a float."""


class BrokenWorkbookError(Exception):
    """A workbook that does not follow its own format."""


@dataclass
class Walked:
    """What is told of a sheet's cells without reading them."""

    last_row: int = 0
    last_column: int = 0
    errors: dict[tuple[int, int], CellError] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)

    def reach(self, row: int, column: int) -> None:
        """Notes a cell. Rows and columns are counted from 0."""
        self.last_row = max(self.last_row, row + 1)
        self.last_column = max(self.last_column, column + 1)

    def note_error(self, row: int, column: int, code: int) -> None:
        """Notes a cell that holds an error."""
        self.errors[row + 1, column + 1] = CellError(ERRORS.get(code, "#N/A"))


def read_cells(content: bytes, position: int, walked: Walked) -> SheetCells:
    """The cells of a sheet.

    Args:
        content: A workbook in which nothing leads astray any more.
        position: Which of its sheets, counted from 0.
        walked: What is known of it.

    Raises:
        SpreadsheetError: There are more than are read.
        BrokenWorkbookError: The workbook is broken.
    """
    check_extent(walked.last_row, walked.last_column)
    rows: dict[int, dict[int, Any]] = {}
    for number, line in enumerate(_lines(content, position), 1):
        cells = {n: _value(v) for n, v in enumerate(line, 1) if v is not None and v != ""}
        if cells:
            rows[number] = cells
    for (row, column), error in walked.errors.items():
        rows.setdefault(row, {})[column] = error
    return SheetCells(rows, frozenset(walked.hidden))


_READ_SHEET: Final = """
import io, pickle, sys
import python_calamine

with python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read())) as book:
    lines = book.get_sheet_by_index(int(sys.argv[1])).to_python(skip_empty_area=False)
sys.stdout.buffer.write(pickle.dumps(lines))
"""


def _lines(content: bytes, position: int) -> list[list[Any]]:
    """A sheet's lines, read by a process of its own.

    A broken file may make calamine panic, which prints pages, or end the process that it is in.
    """
    done = subprocess.run(  # noqa: S603 - it is this very Python
        [sys.executable, "-P", "-c", _READ_SHEET, str(position)],
        input=content,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise BrokenWorkbookError("it cannot be read to its end")
    lines: list[list[Any]] = pickle.loads(done.stdout)  # noqa: S301 - our own process wrote it
    return lines


def _value(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST_EXACT:
        return int(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time())
    return value
