"""Reads .xlsb, Excel's binary workbooks ([MS-XLSB]): the parts of an .xlsx, each of records.

A record has a type of one or two bytes, a length of one to four, and then its data ([MS-XLSB],
2.1.4).
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from typing import Final

from prefect_staticadslab.campaign.files.formats.workbooks.calamine import (
    BrokenWorkbookError,
    CellStyles,
    SheetScan,
    read_cells,
    rk_number,
)
from prefect_staticadslab.campaign.files.formats.workbooks.sheets import Sheet, SheetCells
from prefect_staticadslab.campaign.files.formats.workbooks.xlsx import Parts

# The types of records ([MS-XLSB], 2.3): from BrtRowHdr to BrtFmlaError, and others.
_ROW, _BLANK, _ERROR, _FORMULA_ERROR = 0, 1, 3, 11
_RK, _NUMBER, _FORMULA_NUMBER = 2, 5, 9
_LAST_CELL: Final = 11
"""Records from 2, BrtCellRk, to this are cells with a value: their column, style, and what they
hold."""

_BUNDLE_SHEET, _SHARED_TEXTS, _BOOK_PROPERTIES = 156, 159, 153
_MERGED: Final = 176
_FONT, _FORMAT, _STYLE, _CELL_STYLES, _END_OF_CELL_STYLES = 43, 44, 47, 617, 618
_ROW_HIDDEN: Final = 0x10


def xlsb_sheets(parts: Parts) -> list[Sheet]:
    """The worksheets of an .xlsb, of which none is read yet.

    Raises:
        BrokenWorkbookError, KeyError, expat.ExpatError, struct.error, zipfile.BadZipFile: It is
            broken.
    """
    main_part = parts.main_part
    relationships = parts.relationships(main_part)
    styles = _read_cell_styles(parts, relationships)
    workbook = _XlsbWorkbook(parts, main_part, relationships, styles)
    listed_sheets: list[tuple[str, bool, str]] = []
    for record_type, data in _records(parts.read(main_part)):
        if record_type == _BOOK_PROPERTIES and len(data) >= 1:
            styles.epoch_1904 = bool(data[0] & 1)
        elif record_type == _BUNDLE_SHEET:
            state, _ = struct.unpack_from("<II", data, 0)
            identifier, at = _read_wide_string(data, 8)
            name, _ = _read_wide_string(data, at)
            listed_sheets.append((name, state == 0, identifier))
    return [
        Sheet(name, is_visible, partial(workbook.read_sheet, number, relationships[identifier][1]))
        for number, (name, is_visible, identifier) in enumerate(listed_sheets)
        if relationships.get(identifier, ("", ""))[0] == "worksheet"
    ]


class _XlsbWorkbook:
    """A workbook, to read its sheets one by one.

    Args:
        parts: Its parts.
        main_part: The name of the one that lists the sheets.
        relationships: What that leads to, by id: the relationship's type and the part's name.
        styles: Those of its cells.
    """

    def __init__(
        self,
        parts: Parts,
        main_part: str,
        relationships: dict[str, tuple[str, str]],
        styles: CellStyles,
    ) -> None:
        self._parts, self._main_part, self._relationships = parts, main_part, relationships
        self._styles = styles

    def read_sheet(self, sheet_index: int, part: str) -> SheetCells:
        """Reads the cells of one sheet, in a copy of the workbook in which the others have none.

        Args:
            sheet_index: Which of all sheets that the workbook lists, counted from 0.
            part: The name of the part that it is.

        Raises:
            SpreadsheetError: They are more than are read.
            BrokenWorkbookError, KeyError, struct.error: The sheet is broken.
        """
        content = self._parts.read(part)
        scan = _scan_sheet(content, SheetScan(self._styles))
        return read_cells(self._copy_with_one_sheet(part, content), sheet_index, scan)

    def _copy_with_one_sheet(self, wanted: str, content: bytes) -> bytes:
        """A new .xlsb with the sheet that is the part `wanted` as `content`, and the others empty,
        in the places where calamine looks for them.

        Raises:
            BrokenWorkbookError: It says that it has more shared texts than it could.
        """
        out = BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            folder, _, name = self._main_part.rpartition("/")
            rels = f"{folder}/_rels/{name}.rels".lstrip("/")
            archive.writestr("xl/workbook.bin", self._parts.read(self._main_part))
            # calamine looks where Excel puts things, and nowhere else.
            archive.writestr("xl/_rels/workbook.bin.rels", self._parts.read(rels))
            for relationship_type, part_name in self._relationships.values():
                if relationship_type == "worksheet":
                    archive.writestr(part_name, content if part_name == wanted else b"")
                elif relationship_type == "sharedStrings" and part_name in self._parts:
                    part = self._parts.read(part_name)
                    _check_shared_text_count(part)
                    archive.writestr("xl/sharedStrings.bin", part)
        return out.getvalue()


def _records(part: bytes) -> Iterator[tuple[int, memoryview]]:
    """The records of a part: the type and the data of each.

    Raises:
        BrokenWorkbookError: One of them reaches beyond the part's end.
    """
    view, at, end = memoryview(part), 0, len(part)
    while at < end:
        record_type, at = _read_variable_length(part, at, 2)
        length, at = _read_variable_length(part, at, 4)
        if at + length > end:
            raise BrokenWorkbookError("a record beyond the end")
        yield record_type, view[at : at + length]
        at += length


def _read_variable_length(part: bytes, at: int, most: int) -> tuple[int, int]:
    """Reads a number of at most `most` bytes, of which each holds seven bits, the lowest first.

    Returns:
        The number, and where in `part` it ends.

    Raises:
        BrokenWorkbookError: The part ends before it.
    """
    value = 0
    for nth_byte in range(most):
        if at >= len(part):
            raise BrokenWorkbookError("no end")
        byte = part[at]
        at += 1
        value |= (byte & 0x7F) << (7 * nth_byte)
        if byte < 0x80:  # noqa: PLR2004
            break
    return value, at


def _read_wide_string(data: memoryview, at: int) -> tuple[str, int]:
    """The text of the XLWideString at `at` ([MS-XLSB], 2.5), and where in `data` it ends."""
    (length,) = struct.unpack_from("<I", data, at)
    end = at + 4 + 2 * min(length, len(data))
    return bytes(data[at + 4 : end]).decode("utf-16-le", "replace"), end


def _check_shared_text_count(part: bytes) -> None:
    """Raises `BrokenWorkbookError` if shared texts say that they are more than they could be."""
    for record_type, data in _records(part):
        if record_type == _SHARED_TEXTS and len(data) >= 8:  # noqa: PLR2004
            # Each of them takes a few bytes; room is made for as many as it says.
            if struct.unpack_from("<I", data, 4)[0] > len(part):
                raise BrokenWorkbookError("texts")
            return


def _read_cell_styles(parts: Parts, relationships: dict[str, tuple[str, str]]) -> CellStyles:
    """Reads the styles that cells refer to by their numbers; none if the workbook has no styles.

    Args:
        parts: The workbook's parts.
        relationships: What its main part leads to, by id: the relationship's type and the part's
            name.

    Raises:
        BrokenWorkbookError, struct.error: The part with the styles is broken.
    """
    styles = CellStyles()
    is_cell_styles = False
    for part_name in (part for name, part in relationships.values() if name == "styles"):
        for record_type, data in _records(parts.read(part_name)) if part_name in parts else ():
            if record_type in (_CELL_STYLES, _END_OF_CELL_STYLES):
                is_cell_styles = record_type == _CELL_STYLES
            elif record_type == _FONT:
                styles.add_font(data)
            elif record_type == _FORMAT and len(data) >= 6:  # noqa: PLR2004
                styles.formats_by_id[data[0] + 256 * data[1]] = _read_wide_string(data, 2)[0]
            elif record_type == _STYLE and is_cell_styles and len(data) >= 6:  # noqa: PLR2004
                format_id, font = struct.unpack_from("<HH", data, 2)
                styles.add_style(format_id, font)
    return styles


def _scan_sheet(part: bytes, scan: SheetScan) -> SheetScan:
    """Goes through a sheet's records, and adds to `scan` where its cells are, which rows are hidden
    or struck out, which cells are merged, errors, and numbers that have a format.

    Args:
        part: The sheet's.
        scan: What is known of the sheet; it is returned.

    Raises:
        SpreadsheetError: It has more merged cells than are read.
        BrokenWorkbookError, struct.error: It is broken.
    """
    row = 0
    for record_type, data in _records(part):
        if record_type == _ROW and len(data) >= 12:  # noqa: PLR2004
            (row,) = struct.unpack_from("<I", data, 0)
            if data[11] & _ROW_HIDDEN:
                scan.hidden_rows.add(row + 1)
        elif _BLANK < record_type <= _LAST_CELL and len(data) >= 8:  # noqa: PLR2004
            (column,) = struct.unpack_from("<I", data, 0)
            scan.extend_to(row, column)
            if record_type in (_ERROR, _FORMULA_ERROR) and len(data) > 8:  # noqa: PLR2004
                scan.add_error(row, column, data[8])
            style = int.from_bytes(data[4:7], "little")
            scan.add_if_struck(row, style)
            if record_type == _RK and len(data) >= 12:  # noqa: PLR2004
                scan.add_number(row, column, style, rk_number(data[8:12]))
            elif record_type in (_NUMBER, _FORMULA_NUMBER) and len(data) >= 16:  # noqa: PLR2004
                scan.add_number(row, column, style, struct.unpack_from("<d", data, 8)[0])
        elif record_type == _MERGED and len(data) >= 16:  # noqa: PLR2004
            first_row, last_row, first, last = struct.unpack_from("<IIII", data, 0)
            scan.add_merged((first_row, last_row), (first, last))
    return scan
