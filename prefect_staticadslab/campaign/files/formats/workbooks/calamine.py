"""Excel's two binary formats, .xls and .xlsb: python-calamine reads their cells.

It believes what a file says of its size and makes the whole rectangle up to the last cell, which a
hostile file makes larger than any memory: the process ends then. So it is given only what was
walked through before, in a container that is made anew. And it reads an error as an empty cell, and
a number without its format, so both are put in where the walk has seen them.
"""

from __future__ import annotations

import pickle
import struct
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, Final

from prefect_staticadslab.campaign.files.cells import CellError
from prefect_staticadslab.campaign.files.formats.workbooks.excel_values import (
    built_in_format,
    number_value,
)
from prefect_staticadslab.campaign.files.formats.workbooks.sheets import (
    MergedCells,
    SheetCells,
    check_extent,
    note_merged,
)

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
class CellStyles:
    """How the cells of a workbook show what they hold.

    Attributes:
        written: The formats that the workbook itself holds, by their number.
        by_style: The format of each style that a cell may name; "" is General.
        struck_fonts: For each font, whether it strikes a text out.
        struck_styles: The styles with such a font.
        epoch_1904: Whether the workbook counts days from 1904, as Excel for Mac once did.
    """

    written: dict[int, str] = field(default_factory=dict)
    by_style: list[str] = field(default_factory=list)
    struck_fonts: list[bool] = field(default_factory=list)
    struck_styles: set[int] = field(default_factory=set)
    epoch_1904: bool = False

    def add_font(self, data: bytes | memoryview) -> None:
        """Adds the next font, whose height comes first, and then flags, in two bytes each."""
        self.struck_fonts.append(len(data) > 2 and bool(data[2] & _STRUCK_OUT))  # noqa: PLR2004

    def add_style(self, number: int, font: int) -> None:
        """Adds the next style, given the numbers of its format and font. What is written comes
        first."""
        if font < len(self.struck_fonts) and self.struck_fonts[font]:
            self.struck_styles.add(len(self.by_style))
        self.by_style.append(self.written.get(number) or built_in_format(number))


_STRUCK_OUT: Final = 0x08


@dataclass
class Walked:
    """What is told of a sheet's cells without reading them."""

    styles: CellStyles
    last_row: int = 0
    last_column: int = 0
    told: dict[tuple[int, int], object] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    merged: list[MergedCells] = field(default_factory=list)
    struck: set[int] = field(default_factory=set)

    def reach(self, row: int, column: int) -> None:
        """Notes a cell. Rows and columns are counted from 0."""
        self.last_row = max(self.last_row, row + 1)
        self.last_column = max(self.last_column, column + 1)

    def note_style(self, row: int, style: int) -> None:
        """Notes the style of a cell that is not blank."""
        if style in self.styles.struck_styles:
            self.struck.add(row + 1)

    def note_merged(self, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        """Notes cells that are merged. Rows and columns are counted from 0."""
        (row, last_row), (column, last_column) = rows, columns
        note_merged(self.merged, (row + 1, last_row + 1), (column + 1, last_column + 1))

    def note_error(self, row: int, column: int, code: int) -> None:
        """Notes a cell that holds an error."""
        self.told[row + 1, column + 1] = CellError(ERRORS.get(code, "#N/A"))

    def note_number(self, row: int, column: int, style: int, number: float) -> None:
        """Notes a cell that shows a number in a way of its own."""
        formats = self.styles.by_style
        number_format = formats[style] if style < len(formats) else ""
        if number_format:
            self.told[row + 1, column + 1] = number_value(
                _value(number), number_format, epoch_1904=self.styles.epoch_1904
            )


def rk_number(packed: bytes | memoryview) -> float:
    """A number that is packed into four bytes ([MS-XLS], 2.5.217): 30 bits of it, and whether they
    are a whole number and whether it is to be divided by 100."""
    bits = int.from_bytes(packed, "little")
    (whole,) = struct.unpack("<i", packed)
    (real,) = struct.unpack("<d", bytes(4) + (bits & ~3).to_bytes(4, "little"))
    number: float = whole >> 2 if bits & 2 else real
    return number / 100 if bits & 1 else number


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
    for (row, column), value in walked.told.items():
        rows.setdefault(row, {})[column] = value
    return SheetCells(
        rows,
        frozenset(walked.hidden),
        merged=tuple(walked.merged),
        struck_rows=frozenset(walked.struck),
    )


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
