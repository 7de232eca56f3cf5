"""Excel's two binary formats, .xls and .xlsb: python-calamine reads their cells.

It believes what a file says of its size and makes the whole rectangle up to the last cell, which a
hostile file makes larger than any memory: the process ends then. So a sheet's records are scanned
first, and it is given only what was scanned, in a container that is made anew. And it reads an
error as an empty cell, and a number without its format, so both are put in as the scan saw them.
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
    add_merged,
    check_extent,
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
"""By its byte in both formats, an error as its cell shows it ([MS-XLS], 2.5.10, BErr)."""

LARGEST_EXACT: Final = 2**53
"""Whole numbers up to here are exact in a float."""


class BrokenWorkbookError(Exception):
    """A workbook that does not follow its own format."""


@dataclass
class CellStyles:
    """How the cells of a workbook show what they hold.

    Attributes:
        formats_by_id: The number formats that the workbook itself holds, by their ids.
        format_of_style: For each style, by its number, the number format; "" is General.
        struck_fonts: For each font, by its number, whether it strikes a text out.
        struck_styles: The numbers of the styles with such a font.
        epoch_1904: Whether the workbook counts days from 1904, as Excel for Mac once did.
    """

    formats_by_id: dict[int, str] = field(default_factory=dict)
    format_of_style: list[str] = field(default_factory=list)
    struck_fonts: list[bool] = field(default_factory=list)
    struck_styles: set[int] = field(default_factory=set)
    epoch_1904: bool = False

    def add_font(self, data: bytes | memoryview) -> None:
        """Adds the next font to `struck_fonts`.

        Args:
            data: Of the record Font ([MS-XLS]) or BrtFont ([MS-XLSB]). In both, its height comes
                first, and then flags, in two bytes each.
        """
        self.struck_fonts.append(len(data) > 2 and bool(data[2] & _STRUCK_OUT_FLAG))  # noqa: PLR2004

    def add_style(self, format_id: int, font: int) -> None:
        """Adds the next style, given the id of its number format and the number of its font.

        The fonts and number formats must have been added before. The workbook's own format of an
        id comes before the built-in one.
        """
        if font < len(self.struck_fonts) and self.struck_fonts[font]:
            self.struck_styles.add(len(self.format_of_style))
        self.format_of_style.append(self.formats_by_id.get(format_id) or built_in_format(format_id))


_STRUCK_OUT_FLAG: Final = 0x08


@dataclass
class SheetScan:
    """What going through a sheet's records has found of its cells, before calamine reads them.

    Its methods are given rows and columns counted from 0, as records have them.

    Attributes:
        styles: The workbook's.
        last_row, last_column: How far the sheet reaches, counted from 1; 0 without cells.
        replacements: Values in place of what calamine reads, by row and column, counted from 1:
            errors, dates, and numbers that a cell shows in a format of its own.
        hidden_rows: The numbers of the rows that are hidden, counted from 1.
        merged: Cells that are shown as one.
        struck_rows: The numbers of the rows with a cell that is struck out, counted from 1.
    """

    styles: CellStyles
    last_row: int = 0
    last_column: int = 0
    replacements: dict[tuple[int, int], object] = field(default_factory=dict)
    hidden_rows: set[int] = field(default_factory=set)
    merged: list[MergedCells] = field(default_factory=list)
    struck_rows: set[int] = field(default_factory=set)

    def extend_to(self, row: int, column: int) -> None:
        """Has the sheet reach to this cell at least."""
        self.last_row = max(self.last_row, row + 1)
        self.last_column = max(self.last_column, column + 1)

    def add_if_struck(self, row: int, style: int) -> None:
        """Adds the row to `struck_rows` if this style of one of its cells strikes it out."""
        if style in self.styles.struck_styles:
            self.struck_rows.add(row + 1)

    def add_merged(self, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        """Adds cells that are merged, from the first to the last row and column.

        Raises:
            SpreadsheetError: They are more than are read.
        """
        (row, last_row), (column, last_column) = rows, columns
        add_merged(self.merged, (row + 1, last_row + 1), (column + 1, last_column + 1))

    def add_error(self, row: int, column: int, code: int) -> None:
        """Adds a cell's error to `replacements`; a code that is not in `ERRORS` is `#N/A`."""
        self.replacements[row + 1, column + 1] = CellError(ERRORS.get(code, "#N/A"))

    def add_number(self, row: int, column: int, style: int, number: float) -> None:
        """Adds a cell's number to `replacements` if its style has a number format."""
        formats = self.styles.format_of_style
        number_format = formats[style] if style < len(formats) else ""
        if number_format:
            self.replacements[row + 1, column + 1] = number_value(
                _as_cell_value(number), number_format, epoch_1904=self.styles.epoch_1904
            )


def rk_number(packed: bytes | memoryview) -> float:
    """The number in a RkNumber ([MS-XLS], 2.5.217), which is four bytes: 30 bits of it, and whether
    they are a whole number and whether it is to be divided by 100."""
    bits = int.from_bytes(packed, "little")
    (whole,) = struct.unpack("<i", packed)
    (real,) = struct.unpack("<d", bytes(4) + (bits & ~3).to_bytes(4, "little"))
    number: float = whole >> 2 if bits & 2 else real
    return number / 100 if bits & 1 else number


def read_cells(content: bytes, sheet_index: int, scan: SheetScan) -> SheetCells:
    """Reads the cells of a sheet in a process of its own.

    Args:
        content: A workbook that was made anew: one sheet as it was scanned, and empty ones.
        sheet_index: Which of its sheets, counted from 0.
        scan: What the scan of it found; of its cells, those in `replacements` come before what is
            read.

    Raises:
        SpreadsheetError: There are more than are read.
        BrokenWorkbookError: The workbook is broken.
    """
    check_extent(scan.last_row, scan.last_column)
    rows: dict[int, dict[int, Any]] = {}
    for number, line in enumerate(_read_lines_in_subprocess(content, sheet_index), 1):
        cells = {n: _as_cell_value(v) for n, v in enumerate(line, 1) if v is not None and v != ""}
        if cells:
            rows[number] = cells
    for (row, column), value in scan.replacements.items():
        rows.setdefault(row, {})[column] = value
    return SheetCells(
        rows,
        frozenset(scan.hidden_rows),
        merged=tuple(scan.merged),
        struck_rows=frozenset(scan.struck_rows),
    )


_READ_SHEET: Final = """
import io, pickle, sys
import python_calamine

with python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read())) as book:
    lines = book.get_sheet_by_index(int(sys.argv[1])).to_python(skip_empty_area=False)
sys.stdout.buffer.write(pickle.dumps(lines))
"""


def _read_lines_in_subprocess(content: bytes, sheet_index: int) -> list[list[Any]]:
    """Reads the values of all cells of a sheet, row by row, in a process of its own.

    A broken file may make calamine panic, which prints pages, or end the process that it is in.

    Raises:
        BrokenWorkbookError: That process failed.
    """
    done = subprocess.run(  # noqa: S603 - it is this very Python
        [sys.executable, "-P", "-c", _READ_SHEET, str(sheet_index)],
        input=content,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise BrokenWorkbookError("it cannot be read to its end")
    lines: list[list[Any]] = pickle.loads(done.stdout)  # noqa: S301 - our own process wrote it
    return lines


def _as_cell_value(value: Any) -> Any:
    """A value as other formats have it: a whole number as `int`, a date as its midnight."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST_EXACT:
        return int(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time())
    return value
