"""Reads .xls, the workbooks of Excel until 2003 ([MS-XLS]): one stream of records."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from prefect_staticadslab.bounds import WORKBOOK_PARTS
from prefect_staticadslab.campaign.files.formats.workbook_bounds import too_large
from prefect_staticadslab.campaign.files.formats.workbooks.calamine import (
    BrokenWorkbookError,
    CellStyles,
    Walked,
    read_cells,
    rk_number,
)
from prefect_staticadslab.campaign.files.formats.workbooks.ole import CompoundFile, compound_file
from prefect_staticadslab.campaign.files.formats.workbooks.sheets import Sheet, SheetCells

STREAMS: Final = ("Workbook", "Book")
"""Where a workbook is within its file; the second is that of Excel 95."""

_BOF, _EOF, _FILE_PASS, _BOUND_SHEET, _SST = 0x809, 0x0A, 0x2F, 0x85, 0xFC
_DATE_1904, _FORMAT, _OLD_FORMAT, _FONT, _XF = 0x22, 0x41E, 0x1E, 0x31, 0xE0
_DIMENSIONS, _ROW, _BOOL_ERROR, _FORMULA, _SEVERAL_RK = 0x200, 0x208, 0x205, 0x06, 0xBD
_NUMBER, _RK = 0x203, 0x27E
_BLANKS: Final = frozenset((0x201, 0xBE))
_CELLS: Final = frozenset((_NUMBER, 0xFD, _RK, _BOOL_ERROR, _FORMULA, 0x204, 0xD6))

_MERGED: Final = 0xE5

_ROW_HIDDEN: Final = 0x20
_WORKSHEET: Final = 0
_IGNORED: Final = 0x5D00
"""The number of no record."""


class ProtectedError(Exception):
    """The workbook is encrypted."""


@dataclass(frozen=True)
class _Record:
    kind: int
    start: int
    """Of its head of four bytes, within the stream."""
    data: memoryview


@dataclass(frozen=True)
class _BoundSheet:
    name: str
    is_visible: bool
    start: int


def xls_sheets(file: CompoundFile) -> list[Sheet]:
    """The sheets of an .xls.

    Raises:
        ProtectedError: It is encrypted.
        BrokenWorkbookError, OleError: It is broken.
    """
    name = next(name for name in STREAMS if name in file.entries)
    stream = file.read(name)
    book = _Book(name, stream)
    return [
        Sheet(sheet.name, sheet.is_visible, partial(book.read_sheet, number))
        for number, sheet in enumerate(book.sheets)
        if sheet.name
    ]


class _Book:
    def __init__(self, name: str, stream: bytes) -> None:
        self._name, self._stream = name, stream
        self._styles = CellStyles()
        self.sheets: list[_BoundSheet] = []
        for record in _records(stream, 0):
            if record.kind == _FILE_PASS:
                raise ProtectedError
            if record.kind == _SST and len(record.data) >= 8:  # noqa: PLR2004
                # Each of its texts takes three bytes at least; room is made for as many as it says.
                (texts,) = struct.unpack_from("<I", record.data, 4)
                if texts > len(stream) // 3:
                    raise BrokenWorkbookError("texts")
            if record.kind == _BOUND_SHEET and len(record.data) >= 8:  # noqa: PLR2004
                self.sheets.append(_bound_sheet(record.data, is_old=name == "Book"))
            _note_style(record.kind, record.data, self._styles, is_old=name == "Book")
        starts = {sheet.start for sheet in self.sheets}
        if not self.sheets or len(starts) < len(self.sheets):
            raise BrokenWorkbookError("sheets")
        if len(starts) > WORKBOOK_PARTS:
            raise too_large(f"has more than {WORKBOOK_PARTS:,} parts")
        spans = sorted(starts)
        self._ends = dict(zip(spans, [*spans[1:], len(stream)], strict=True))

    def read_sheet(self, number: int) -> SheetCells:
        """Reads one sheet, in a copy in which the others have no cells."""
        wanted = self.sheets[number]
        copy = bytearray(self._stream)
        for sheet in self.sheets:
            if sheet is not wanted:
                _end_early(copy, sheet.start)
        walked = _walk_sheet(
            self._stream, copy, wanted.start, self._ends[wanted.start], Walked(self._styles)
        )
        return read_cells(compound_file(self._name, bytes(copy)), number, walked)


def _records(stream: bytes, start: int, end: int | None = None) -> Iterator[_Record]:
    """The records from `start` to the end of what begins there."""
    view, at = memoryview(stream), start
    end = len(stream) if end is None else end
    depth = 0
    while at + 4 <= end:
        kind, length = struct.unpack_from("<HH", view, at)
        if at + 4 + length > len(stream):
            raise BrokenWorkbookError("a record beyond the end")
        yield _Record(kind, at, view[at + 4 : at + 4 + length])
        # A chart within a sheet begins and ends within it.
        depth += (kind == _BOF) - (kind == _EOF)
        if depth <= 0:
            return
        at += 4 + length
    raise BrokenWorkbookError("no end")


def _bound_sheet(data: memoryview, *, is_old: bool) -> _BoundSheet:
    start, state, kind, length = struct.unpack_from("<IBBB", data, 0)
    if is_old:
        name = bytes(data[7 : 7 + length]).decode("cp1252", "replace")
    elif data[7] & 1:
        name = bytes(data[8 : 8 + 2 * length]).decode("utf-16-le", "replace")
    else:
        name = bytes(data[8 : 8 + length]).decode("latin-1")
    return _BoundSheet(name if kind == _WORKSHEET else "", state & 3 == 0, start)


def _end_early(stream: bytearray, start: int) -> None:
    """Takes out what a sheet holds: the record after its first is made its end."""
    if start + 4 > len(stream):
        raise BrokenWorkbookError("a sheet beyond the end")
    (length,) = struct.unpack_from("<H", stream, start + 2)
    if start + 8 + length > len(stream):
        raise BrokenWorkbookError("a sheet beyond the end")
    struct.pack_into("<HH", stream, start + 4 + length, _EOF, 0)


def _note_style(kind: int, data: memoryview, styles: CellStyles, *, is_old: bool) -> None:
    """Notes what a record says of how cells are shown."""
    if kind == _DATE_1904 and len(data) >= 2:  # noqa: PLR2004
        styles.epoch_1904 = data[0] == 1
    elif kind in (_FORMAT, _OLD_FORMAT) and len(data) > 5:  # noqa: PLR2004
        styles.written[data[0] + 256 * data[1]] = _format_text(data, is_old=is_old)
    elif kind == _FONT:
        styles.add_font(data)
    elif kind == _XF and len(data) >= 4:  # noqa: PLR2004
        font, number = struct.unpack_from("<HH", data)
        # No font has the number 4.
        styles.add_style(number, font - (font > 4))  # noqa: PLR2004


def _format_text(data: memoryview, *, is_old: bool) -> str:
    if is_old:
        return bytes(data[3 : 3 + data[2]]).decode("cp1252", "replace")
    (length,) = struct.unpack_from("<H", data, 2)
    if data[4] & 1:
        return bytes(data[5 : 5 + 2 * length]).decode("utf-16-le", "replace")
    return bytes(data[5 : 5 + length]).decode("latin-1")


def _walk_sheet(stream: bytes, copy: bytearray, start: int, end: int, walked: Walked) -> Walked:
    """Goes through a sheet's records, and puts into `copy` how large the sheet is."""
    sizes: list[_Record] = []
    for record in _records(stream, start, end):
        kind, data = record.kind, record.data
        if kind == _DIMENSIONS:
            sizes.append(record)
        elif kind in _BLANKS:
            struct.pack_into("<H", copy, record.start, _IGNORED)
        elif kind == _ROW and len(data) >= 14:  # noqa: PLR2004
            if data[12] & _ROW_HIDDEN:
                walked.hidden.add(data[0] + 256 * data[1] + 1)
        elif kind == _MERGED:
            for at in range(2, len(data) - 7, 8):
                row, last_row, column, last_column = struct.unpack_from("<HHHH", data, at)
                walked.note_merged((row, last_row), (column, last_column))
        elif (kind in _CELLS or kind == _SEVERAL_RK) and len(data) >= 6:  # noqa: PLR2004
            _walk_cell(kind, data, walked)
    for record in sizes:
        _put_size(copy, record, walked)
    return walked


def _walk_cell(kind: int, data: memoryview, walked: Walked) -> None:
    """Notes what a record says of its cells: where they are, their formats, numbers and errors.

    Args:
        kind: The record's type.
        data: What it holds; its layout is that of [MS-XLS], section 2.4.
        walked: Where to note it.
    """
    row, column = struct.unpack_from("<HH", data, 0)
    walked.reach(row, column)
    walked.note_style(row, data[4] + 256 * data[5])
    if kind == _SEVERAL_RK:
        walked.reach(row, struct.unpack_from("<H", data, len(data) - 2)[0])
        for place, at in enumerate(range(4, len(data) - 7, 6), column):
            walked.note_style(row, data[at] + 256 * data[at + 1])
            _note(walked, row, place, data, at, rk_number(data[at + 2 : at + 6]))
    elif kind == _RK and len(data) >= 10:  # noqa: PLR2004
        _note(walked, row, column, data, 4, rk_number(data[6:10]))
    elif kind == _NUMBER and len(data) >= 14:  # noqa: PLR2004
        _note(walked, row, column, data, 4, struct.unpack_from("<d", data, 6)[0])
    elif kind == _BOOL_ERROR and len(data) >= 8 and data[7] == 1:  # noqa: PLR2004
        walked.note_error(row, column, data[6])
    elif kind == _FORMULA and len(data) >= 14:  # noqa: PLR2004
        if not data[12] == data[13] == 0xFF:  # noqa: PLR2004
            _note(walked, row, column, data, 4, struct.unpack_from("<d", data, 6)[0])
        elif data[6] == 2:  # noqa: PLR2004
            walked.note_error(row, column, data[8])


def _note(
    walked: Walked, row: int, column: int, data: memoryview, style_at: int, number: float
) -> None:
    (style,) = struct.unpack_from("<H", data, style_at)
    walked.note_number(row, column, style, number)


def _put_size(copy: bytearray, record: _Record, walked: Walked) -> None:
    """Writes how far a sheet reaches over what it says of that itself."""
    size = struct.pack("<IIHH", 0, walked.last_row, 0, walked.last_column)
    if len(record.data) < 14:  # noqa: PLR2004
        size = struct.pack("<HHHH", 0, min(walked.last_row, 0xFFFF), 0, walked.last_column)
    if len(record.data) < len(size):
        raise BrokenWorkbookError("a size that is none")
    copy[record.start + 4 : record.start + 4 + len(size)] = size
