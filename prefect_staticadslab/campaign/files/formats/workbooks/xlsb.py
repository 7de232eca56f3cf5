"""Reads .xlsb, Excel's binary workbooks ([MS-XLSB]): the parts of an .xlsx, each of records."""

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
    Walked,
    read_cells,
    rk_number,
)
from prefect_staticadslab.campaign.files.formats.workbooks.sheets import Sheet, SheetCells
from prefect_staticadslab.campaign.files.formats.workbooks.xlsx import Parts

_ROW, _BLANK, _ERROR, _FORMULA_ERROR = 0, 1, 3, 11
_RK, _NUMBER, _FORMULA_NUMBER = 2, 5, 9
_LAST_CELL: Final = 11
"""Records from 2 to this are cells."""

_BUNDLE_SHEET, _SHARED_TEXTS, _BOOK_PROPERTIES = 156, 159, 153
_MERGED: Final = 176
_FONT, _FORMAT, _STYLE, _CELL_STYLES, _END_OF_CELL_STYLES = 43, 44, 47, 617, 618
_ROW_HIDDEN: Final = 0x10


def xlsb_sheets(parts: Parts) -> list[Sheet]:
    """The sheets of an .xlsb.

    Raises:
        BrokenWorkbookError, KeyError, expat.ExpatError: It is broken.
    """
    main = parts.main
    relationships = parts.relationships(main)
    styles = _cell_styles(parts, relationships)
    book = _Book(parts, main, relationships, styles)
    found: list[tuple[str, bool, str]] = []
    for kind, data in _records(parts.read(main)):
        if kind == _BOOK_PROPERTIES and len(data) >= 1:
            styles.epoch_1904 = bool(data[0] & 1)
        elif kind == _BUNDLE_SHEET:
            state, _ = struct.unpack_from("<II", data, 0)
            identifier, at = _wide_text(data, 8)
            name, _ = _wide_text(data, at)
            found.append((name, state == 0, identifier))
    return [
        Sheet(name, is_visible, partial(book.read_sheet, number, relationships[identifier][1]))
        for number, (name, is_visible, identifier) in enumerate(found)
        if relationships.get(identifier, ("", ""))[0] == "worksheet"
    ]


class _Book:
    def __init__(
        self,
        parts: Parts,
        main: str,
        relationships: dict[str, tuple[str, str]],
        styles: CellStyles,
    ) -> None:
        self._parts, self._main, self._relationships = parts, main, relationships
        self._styles = styles

    def read_sheet(self, number: int, part: str) -> SheetCells:
        """Reads one sheet, in a copy of the workbook in which the others have no cells."""
        content = self._parts.read(part)
        walked = _walk_sheet(content, Walked(self._styles))
        return read_cells(self._copy(part, content), number, walked)

    def _copy(self, wanted: str, content: bytes) -> bytes:
        """The workbook with one sheet as `content`, and the others empty, in the places where
        calamine looks for them."""
        out = BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            folder, _, name = self._main.rpartition("/")
            rels = f"{folder}/_rels/{name}.rels".lstrip("/")
            archive.writestr("xl/workbook.bin", self._parts.read(self._main))
            # calamine looks where Excel puts things, and nowhere else.
            archive.writestr("xl/_rels/workbook.bin.rels", self._parts.read(rels))
            for kind, place in self._relationships.values():
                if kind == "worksheet":
                    archive.writestr(place, content if place == wanted else b"")
                elif kind == "sharedStrings" and place in self._parts:
                    part = self._parts.read(place)
                    _check_texts(part)
                    archive.writestr("xl/sharedStrings.bin", part)
        return out.getvalue()


def _records(part: bytes) -> Iterator[tuple[int, memoryview]]:
    view, at, end = memoryview(part), 0, len(part)
    while at < end:
        kind, at = _number(part, at, 2)
        length, at = _number(part, at, 4)
        if at + length > end:
            raise BrokenWorkbookError("a record beyond the end")
        yield kind, view[at : at + length]
        at += length


def _number(part: bytes, at: int, most: int) -> tuple[int, int]:
    """A number of which each byte holds seven bits, and where it ends."""
    value = 0
    for place in range(most):
        if at >= len(part):
            raise BrokenWorkbookError("no end")
        byte = part[at]
        at += 1
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004
            break
    return value, at


def _wide_text(data: memoryview, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<I", data, at)
    end = at + 4 + 2 * min(length, len(data))
    return bytes(data[at + 4 : end]).decode("utf-16-le", "replace"), end


def _check_texts(part: bytes) -> None:
    for kind, data in _records(part):
        if kind == _SHARED_TEXTS and len(data) >= 8:  # noqa: PLR2004
            # Each of them takes a few bytes; room is made for as many as it says.
            if struct.unpack_from("<I", data, 4)[0] > len(part):
                raise BrokenWorkbookError("texts")
            return


def _cell_styles(parts: Parts, relationships: dict[str, tuple[str, str]]) -> CellStyles:
    """The styles that cells refer to by their numbers."""
    styles = CellStyles()
    is_cell_styles = False
    for place in (place for kind, place in relationships.values() if kind == "styles"):
        for kind, data in _records(parts.read(place)) if place in parts else ():
            if kind in (_CELL_STYLES, _END_OF_CELL_STYLES):
                is_cell_styles = kind == _CELL_STYLES
            elif kind == _FONT:
                styles.add_font(data)
            elif kind == _FORMAT and len(data) >= 6:  # noqa: PLR2004
                styles.written[data[0] + 256 * data[1]] = _wide_text(data, 2)[0]
            elif kind == _STYLE and is_cell_styles and len(data) >= 6:  # noqa: PLR2004
                number, font = struct.unpack_from("<HH", data, 2)
                styles.add_style(number, font)
    return styles


def _walk_sheet(part: bytes, walked: Walked) -> Walked:
    """Notes of a sheet where its cells are, which rows are hidden, and its numbers and errors."""
    row = 0
    for kind, data in _records(part):
        if kind == _ROW and len(data) >= 12:  # noqa: PLR2004
            (row,) = struct.unpack_from("<I", data, 0)
            if data[11] & _ROW_HIDDEN:
                walked.hidden.add(row + 1)
        elif _BLANK < kind <= _LAST_CELL and len(data) >= 8:  # noqa: PLR2004
            (column,) = struct.unpack_from("<I", data, 0)
            walked.reach(row, column)
            if kind in (_ERROR, _FORMULA_ERROR) and len(data) > 8:  # noqa: PLR2004
                walked.note_error(row, column, data[8])
            style = int.from_bytes(data[4:7], "little")
            walked.note_style(row, style)
            if kind == _RK and len(data) >= 12:  # noqa: PLR2004
                walked.note_number(row, column, style, rk_number(data[8:12]))
            elif kind in (_NUMBER, _FORMULA_NUMBER) and len(data) >= 16:  # noqa: PLR2004
                walked.note_number(row, column, style, struct.unpack_from("<d", data, 8)[0])
        elif kind == _MERGED and len(data) >= 16:  # noqa: PLR2004
            first_row, last_row, first, last = struct.unpack_from("<IIII", data, 0)
            walked.note_merged((first_row, last_row), (first, last))
    return walked
