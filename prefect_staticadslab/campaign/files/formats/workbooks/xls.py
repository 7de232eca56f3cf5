"""Reads .xls, the workbooks of Excel until 2003 ([MS-XLS]): one stream of records.

A record has a type and a length, of two bytes each, and then its data ([MS-XLS], 2.1.4). A
substream is a series of records from a BOF to an EOF: first the workbook's globals, which list the
sheets, then a substream for each sheet.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from prefect_staticadslab.bounds import WORKBOOK_PARTS
from prefect_staticadslab.campaign.files.formats.workbook_bounds import workbook_error
from prefect_staticadslab.campaign.files.formats.workbooks.calamine import (
    BrokenWorkbookError,
    CellStyles,
    SheetScan,
    read_cells,
    rk_number,
)
from prefect_staticadslab.campaign.files.formats.workbooks.ole import CompoundFile, compound_file
from prefect_staticadslab.campaign.files.formats.workbooks.sheets import Sheet, SheetCells

STREAMS: Final = ("Workbook", "Book")
"""Where a workbook is within its compound file; the second is that of Excel 95."""

# The types of records ([MS-XLS], 2.3), and of those of Excel 95 that have another number.
_BOF, _EOF, _FILE_PASS, _BOUND_SHEET, _SST = 0x809, 0x0A, 0x2F, 0x85, 0xFC
_DATE_1904, _FORMAT, _OLD_FORMAT, _FONT, _XF = 0x22, 0x41E, 0x1E, 0x31, 0xE0
_DIMENSIONS, _ROW, _BOOL_ERROR, _FORMULA, _SEVERAL_RK = 0x200, 0x208, 0x205, 0x06, 0xBD
_NUMBER, _RK = 0x203, 0x27E
_BLANKS: Final = frozenset((0x201, 0xBE))
"""Blank and MulBlank: cells that have a style only."""

_CELLS: Final = frozenset((_NUMBER, 0xFD, _RK, _BOOL_ERROR, _FORMULA, 0x204, 0xD6))
"""Cells with a value; the others are LabelSst, Label and RString."""

_MERGED: Final = 0xE5

_ROW_HIDDEN: Final = 0x20
_WORKSHEET: Final = 0
"""The type of a sheet that has cells, in a BoundSheet8."""

_UNUSED_RECORD_TYPE: Final = 0x5D00
"""One that no record has, so that readers pass over it."""


class ProtectedError(Exception):
    """The workbook is encrypted."""


@dataclass(frozen=True)
class _Record:
    """A record of the stream.

    Attributes:
        record_type: Its type, such as `_BOF`.
        start: Where its head of four bytes is, in bytes from the stream's beginning.
        data: What follows the head.
    """

    record_type: int
    start: int
    data: memoryview


@dataclass(frozen=True)
class _BoundSheet:
    """What the workbook's globals say of a sheet ([MS-XLS], 2.4.28, BoundSheet8).

    Attributes:
        name: "" if it is no worksheet, but a chart or a macro sheet.
        is_visible: Whether it has a tab.
        start: Where its substream begins, in bytes from the stream's beginning.
    """

    name: str
    is_visible: bool
    start: int


def xls_sheets(file: CompoundFile) -> list[Sheet]:
    """The worksheets of an .xls, of which none is read yet.

    Args:
        file: One that has a stream of `STREAMS`.

    Raises:
        ProtectedError: It is encrypted.
        SpreadsheetError: It has more sheets than are read.
        BrokenWorkbookError, OleError, struct.error: It is broken.
    """
    name = next(name for name in STREAMS if name in file.entries)
    stream = file.read(name)
    book = _XlsWorkbook(name, stream)
    return [
        Sheet(sheet.name, sheet.is_visible, partial(book.read_sheet, number))
        for number, sheet in enumerate(book.sheets)
        if sheet.name
    ]


class _XlsWorkbook:
    """A workbook whose globals are read when it is made, and its sheets one by one.

    Args:
        stream_name: The one of `STREAMS` that it is in.
        stream: What that holds.

    Attributes:
        sheets: All sheets, also those that are no worksheets.

    Raises:
        ProtectedError: It is encrypted.
        SpreadsheetError: It has more sheets than are read.
        BrokenWorkbookError, struct.error: It is broken.
    """

    def __init__(self, stream_name: str, stream: bytes) -> None:
        self._stream_name, self._stream = stream_name, stream
        self._styles = CellStyles()
        self.sheets: list[_BoundSheet] = []
        self._read_globals(is_old=stream_name == "Book")
        starts = {sheet.start for sheet in self.sheets}
        if not self.sheets or len(starts) < len(self.sheets):
            raise BrokenWorkbookError("sheets")
        if len(starts) > WORKBOOK_PARTS:
            raise workbook_error(f"has more than {WORKBOOK_PARTS:,} parts")
        ordered_starts = sorted(starts)
        self._ends = dict(zip(ordered_starts, [*ordered_starts[1:], len(stream)], strict=True))

    def _read_globals(self, *, is_old: bool) -> None:
        """Adds the sheets and styles that the first substream lists to `sheets` and `_styles`.

        Raises:
            ProtectedError: The workbook is encrypted.
            BrokenWorkbookError: It is broken, or says that it has more shared texts than it could.
        """
        for record in _records_of_substream(self._stream, 0):
            if record.record_type == _FILE_PASS:
                raise ProtectedError
            if record.record_type == _SST and len(record.data) >= 8:  # noqa: PLR2004
                # Each of its texts takes three bytes at least; room is made for as many as it says.
                (texts,) = struct.unpack_from("<I", record.data, 4)
                if texts > len(self._stream) // 3:
                    raise BrokenWorkbookError("texts")
            if record.record_type == _BOUND_SHEET and len(record.data) >= 8:  # noqa: PLR2004
                self.sheets.append(_unpack_bound_sheet(record.data, is_old=is_old))
            _add_style_record(record.record_type, record.data, self._styles, is_old=is_old)

    def read_sheet(self, sheet_index: int) -> SheetCells:
        """Reads the cells of `sheets[sheet_index]`, in a copy of the workbook in which the others
        have none.

        Raises:
            SpreadsheetError: They are more than are read.
            BrokenWorkbookError, struct.error: The sheet is broken.
        """
        wanted = self.sheets[sheet_index]
        copy = bytearray(self._stream)
        for sheet in self.sheets:
            if sheet is not wanted:
                _empty_sheet(copy, sheet.start)
        scan = _scan_sheet(
            self._stream, copy, wanted.start, self._ends[wanted.start], SheetScan(self._styles)
        )
        return read_cells(compound_file(self._stream_name, bytes(copy)), sheet_index, scan)


def _records_of_substream(stream: bytes, start: int, end: int | None = None) -> Iterator[_Record]:
    """The records of the substream that begins at `start`, to its EOF.

    Args:
        stream: The workbook.
        start: Where its BOF is, in bytes from the stream's beginning.
        end: Where the substream must have ended; None is the stream's end.

    Raises:
        BrokenWorkbookError: It has no EOF before `end`, or a record reaches beyond the stream.
    """
    view, at = memoryview(stream), start
    end = len(stream) if end is None else end
    depth = 0
    while at + 4 <= end:
        record_type, length = struct.unpack_from("<HH", view, at)
        if at + 4 + length > len(stream):
            raise BrokenWorkbookError("a record beyond the end")
        yield _Record(record_type, at, view[at + 4 : at + 4 + length])
        # A chart within a sheet is a substream within the sheet's.
        depth += (record_type == _BOF) - (record_type == _EOF)
        if depth <= 0:
            return
        at += 4 + length
    raise BrokenWorkbookError("no end")


def _unpack_bound_sheet(data: memoryview, *, is_old: bool) -> _BoundSheet:
    """What a BoundSheet8 says of a sheet; with `is_old`, one of Excel 95, whose name is cp1252."""
    start, state, sheet_type, length = struct.unpack_from("<IBBB", data, 0)
    if is_old:
        name = bytes(data[7 : 7 + length]).decode("cp1252", "replace")
    elif data[7] & 1:
        name = bytes(data[8 : 8 + 2 * length]).decode("utf-16-le", "replace")
    else:
        name = bytes(data[8 : 8 + length]).decode("latin-1")
    return _BoundSheet(name if sheet_type == _WORKSHEET else "", state & 3 == 0, start)


def _empty_sheet(stream: bytearray, start: int) -> None:
    """Changes a stream so that the sheet whose substream begins at `start` has no cells: the record
    after its BOF is made its EOF.

    Raises:
        BrokenWorkbookError: The stream ends before that.
    """
    if start + 4 > len(stream):
        raise BrokenWorkbookError("a sheet beyond the end")
    (length,) = struct.unpack_from("<H", stream, start + 2)
    if start + 8 + length > len(stream):
        raise BrokenWorkbookError("a sheet beyond the end")
    struct.pack_into("<HH", stream, start + 4 + length, _EOF, 0)


def _add_style_record(
    record_type: int, data: memoryview, styles: CellStyles, *, is_old: bool
) -> None:
    """Adds to `styles` what a record of the globals says of how cells are shown: Date1904, Format,
    Font or XF. Other records change nothing.

    Args:
        record_type: The record's type.
        data: What it holds.
        styles: The workbook's.
        is_old: Whether it is of Excel 95.
    """
    if record_type == _DATE_1904 and len(data) >= 2:  # noqa: PLR2004
        styles.epoch_1904 = data[0] == 1
    elif record_type in (_FORMAT, _OLD_FORMAT) and len(data) > 5:  # noqa: PLR2004
        styles.formats_by_id[data[0] + 256 * data[1]] = _format_of_record(data, is_old=is_old)
    elif record_type == _FONT:
        styles.add_font(data)
    elif record_type == _XF and len(data) >= 4:  # noqa: PLR2004
        font, format_id = struct.unpack_from("<HH", data)
        # No font has the number 4 (FontIndex).
        styles.add_style(format_id, font - (font > 4))  # noqa: PLR2004


def _format_of_record(data: memoryview, *, is_old: bool) -> str:
    """The number format in a Format record, whose first two bytes are its id."""
    if is_old:
        return bytes(data[3 : 3 + data[2]]).decode("cp1252", "replace")
    (length,) = struct.unpack_from("<H", data, 2)
    if data[4] & 1:
        return bytes(data[5 : 5 + 2 * length]).decode("utf-16-le", "replace")
    return bytes(data[5 : 5 + length]).decode("latin-1")


def _scan_sheet(stream: bytes, copy: bytearray, start: int, end: int, scan: SheetScan) -> SheetScan:
    """Goes through a sheet's records, adds to `scan` what they say of its cells, and changes `copy`
    so that the sheet has no blank cells and says how far it truly reaches.

    Args:
        stream: The workbook.
        copy: A copy of it, to be given to calamine.
        start, end: Where the sheet's substream begins, and where the next one does.
        scan: What is known of the sheet; it is returned.

    Raises:
        SpreadsheetError: It has more merged cells than are read.
        BrokenWorkbookError, struct.error: It is broken.
    """
    dimensions: list[_Record] = []
    for record in _records_of_substream(stream, start, end):
        record_type, data = record.record_type, record.data
        if record_type == _DIMENSIONS:
            dimensions.append(record)
        elif record_type in _BLANKS:
            struct.pack_into("<H", copy, record.start, _UNUSED_RECORD_TYPE)
        elif record_type == _ROW and len(data) >= 14:  # noqa: PLR2004
            if data[12] & _ROW_HIDDEN:
                scan.hidden_rows.add(data[0] + 256 * data[1] + 1)
        elif record_type == _MERGED:
            for at in range(2, len(data) - 7, 8):
                row, last_row, column, last_column = struct.unpack_from("<HHHH", data, at)
                scan.add_merged((row, last_row), (column, last_column))
        elif (record_type in _CELLS or record_type == _SEVERAL_RK) and len(data) >= 6:  # noqa: PLR2004
            _scan_cell(record_type, data, scan)
    for record in dimensions:
        _write_dimensions(copy, record, scan)
    return scan


def _scan_cell(record_type: int, data: memoryview, scan: SheetScan) -> None:
    """Adds to `scan` what a record says of its cells: where they are, whether they are struck out,
    their errors, and numbers that have a format.

    Args:
        record_type: The record's type, one of `_CELLS` or `_SEVERAL_RK`.
        data: What it holds; its layout is that of [MS-XLS], section 2.4: row, column and style, of
            two bytes each, come first.
        scan: What is known of the sheet.
    """
    row, column = struct.unpack_from("<HH", data, 0)
    scan.extend_to(row, column)
    scan.add_if_struck(row, data[4] + 256 * data[5])
    if record_type == _SEVERAL_RK:
        scan.extend_to(row, struct.unpack_from("<H", data, len(data) - 2)[0])
        for nth_column, at in enumerate(range(4, len(data) - 7, 6), column):
            scan.add_if_struck(row, data[at] + 256 * data[at + 1])
            _add_cell_number(scan, row, nth_column, data, at, rk_number(data[at + 2 : at + 6]))
    elif record_type == _RK and len(data) >= 10:  # noqa: PLR2004
        _add_cell_number(scan, row, column, data, 4, rk_number(data[6:10]))
    elif record_type == _NUMBER and len(data) >= 14:  # noqa: PLR2004
        _add_cell_number(scan, row, column, data, 4, struct.unpack_from("<d", data, 6)[0])
    elif record_type == _BOOL_ERROR and len(data) >= 8 and data[7] == 1:  # noqa: PLR2004
        scan.add_error(row, column, data[6])
    elif record_type == _FORMULA and len(data) >= 14:  # noqa: PLR2004
        # FormulaValue: a number, unless its last two bytes are FF; then 2 in its first is an error.
        if not data[12] == data[13] == 0xFF:  # noqa: PLR2004
            _add_cell_number(scan, row, column, data, 4, struct.unpack_from("<d", data, 6)[0])
        elif data[6] == 2:  # noqa: PLR2004
            scan.add_error(row, column, data[8])


def _add_cell_number(
    scan: SheetScan, row: int, column: int, data: memoryview, style_at: int, number: float
) -> None:
    """Adds a cell's number to `scan` if it has a format; its style is in `data` at `style_at`."""
    (style,) = struct.unpack_from("<H", data, style_at)
    scan.add_number(row, column, style, number)


def _write_dimensions(copy: bytearray, record: _Record, scan: SheetScan) -> None:
    """Writes how far a sheet reaches into `copy`, over what its Dimensions record says.

    Raises:
        BrokenWorkbookError: The record is too short.
    """
    size = struct.pack("<IIHH", 0, scan.last_row, 0, scan.last_column)
    if len(record.data) < 14:  # noqa: PLR2004
        size = struct.pack("<HHHH", 0, min(scan.last_row, 0xFFFF), 0, scan.last_column)
    if len(record.data) < len(size):
        raise BrokenWorkbookError("a size that is none")
    copy[record.start + 4 : record.start + 4 + len(size)] = size
