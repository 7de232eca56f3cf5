"""How large a workbook is, told before a library reads it: what was compressed may be a thousand
times as large, and a single cell in the last row makes a rectangle of all that lies before it."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any, Final
from xml.parsers import expat

from prefect_staticadslab import bounds
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError

_BLOCK: Final = 256 * 1024

_COMPRESSIONS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What spreadsheet programs use. Others may ask for gigabytes before the first byte."""

_IN_CELLS: Final = frozenset(("row", "c", "v", "f", "is", "t", "si"))
"""Elements that are forgotten once their row, or their shared text, was read."""

_CONTENTS: Final = frozenset(("v", "f", "is"))
"""What a cell that is not blank has."""


@dataclass(frozen=True)
class SheetExtent:
    """How far a sheet's cells reach that are not blank.

    Attributes:
        rows, columns: The last row and column, counted from 1; 0 if there is no such cell.
        unsaved: Where formulas stand whose value no program has saved: row and column.
    """

    rows: int = 0
    columns: int = 0
    unsaved: tuple[tuple[int, int], ...] = ()


@dataclass
class _Counts:
    in_cells: int = 0
    others: int = 0


def check_archive(content: bytes) -> None:
    """Raises if a workbook has more in it than is read.

    Args:
        content: The file, a ZIP.

    Raises:
        SpreadsheetError: It does; the message names the bound.
        zipfile.BadZipFile: It is no ZIP.
    """
    with zipfile.ZipFile(BytesIO(content)) as archive:
        parts = archive.infolist()
        if len(parts) > bounds.WORKBOOK_PARTS:
            raise _too_large(f"has more than {bounds.WORKBOOK_PARTS:,} parts")
        # What a part says of its size is all that is ever read of it.
        if sum(part.file_size for part in parts) > bounds.WORKBOOK_BYTES:
            size = bounds.in_megabytes(bounds.WORKBOOK_BYTES)
            raise _too_large(f"has more than {size} once it is uncompressed")
        if any(part.compress_type not in _COMPRESSIONS for part in parts):
            raise _too_large("is compressed in a way that no spreadsheet program uses")
        counts = _Counts()
        for part in parts:
            with archive.open(part) as stream:
                _Counter(counts).read(stream)


def sheet_extent(content: bytes, part: str) -> SheetExtent:
    """How far a sheet reaches, whatever it says of that itself.

    Args:
        content: The workbook.
        part: Which of its parts the sheet is.

    Raises:
        SpreadsheetError: It has more cells than are read.
    """
    reader = _SheetReader()
    with zipfile.ZipFile(BytesIO(content)) as archive, archive.open(part) as stream:
        reader.read(stream)
    rows, columns = reader.rows, reader.columns
    if rows * columns > bounds.TABLE_CELLS:
        raise _too_large(
            f"reaches to row {rows:,} and column {columns:,}, which makes more than "
            f"{bounds.TABLE_CELLS:,} cells, the most that is read. Delete the rows and columns "
            "beyond the table"
        )
    return SheetExtent(rows, columns, tuple(reader.unsaved))


def _too_large(what: str) -> SpreadsheetError:
    return SpreadsheetError([Problem(f"The workbook {what}.")])


class _Parser:
    """Goes through a part's XML without keeping any of it."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse

    def read(self, stream: IO[bytes]) -> None:
        """Reads to the end, or to where it is no XML: there every other reader ends, too."""
        try:
            while block := stream.read(_BLOCK):
                self._parser.Parse(block, False)
        except expat.ExpatError:
            return

    def _refuse(self, *_: Any) -> None:
        raise _too_large("declares entities, which no spreadsheet program does")


class _Counter(_Parser):
    """Counts elements: those in cells, and others."""

    def __init__(self, counts: _Counts) -> None:
        super().__init__()
        self._counts = counts
        self._depth = 0
        self._in_cells: dict[str, bool] = {}
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def _start(self, name: str, _: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > bounds.XML_DEPTH:
            raise _too_large(f"nests more than {bounds.XML_DEPTH} XML elements")
        is_in_cells = self._in_cells.get(name)
        if is_in_cells is None:
            is_in_cells = self._in_cells[name] = name.rpartition(":")[2] in _IN_CELLS
        if is_in_cells:
            self._counts.in_cells += 1
            if self._counts.in_cells > bounds.WORKBOOK_ELEMENTS:
                raise _too_many(bounds.WORKBOOK_ELEMENTS, "of cells")
        else:
            self._counts.others += 1
            if self._counts.others > bounds.WORKBOOK_OTHER_ELEMENTS:
                raise _too_many(bounds.WORKBOOK_OTHER_ELEMENTS, "besides its cells")

    def _end(self, _: str) -> None:
        self._depth -= 1


def _too_many(most: int, which: str) -> SpreadsheetError:
    return _too_large(f"has more than {most:,} XML elements {which}")


class _SheetReader(_Parser):
    """Notes which cells of a sheet are not blank."""

    def __init__(self) -> None:
        super().__init__()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self.rows = self.columns = 0
        self.unsaved: list[tuple[int, int]] = []
        self._row = self._column = 0
        self._data_type = "n"
        self._cell_parts: set[str] = set()
        self._open_element = ""

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "row":
                self._row = _number(attributes.get("r"), self._row + 1)
                self._column = 0
            case "c":
                self._row, self._column = _cell_position(
                    attributes.get("r", ""), self._row, self._column + 1
                )
                self._data_type = attributes.get("t", "n")
                self._cell_parts = set()
            case "v" | "f" | "is" as element:
                self._open_element = element
                self._cell_parts.add(element)

    def _text(self, text: str) -> None:
        if self._open_element == "v" and text:
            self._cell_parts.add("value")

    def _end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        if name == self._open_element:
            self._open_element = ""
        if name == "c" and self._cell_parts & _CONTENTS:
            self.rows = max(self.rows, self._row)
            self.columns = max(self.columns, self._column)
            if (
                "f" in self._cell_parts
                and "value" not in self._cell_parts
                and self._data_type == "n"
            ):
                self.unsaved.append((self._row, self._column))


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else default


def _cell_position(reference: str, row: int, column: int) -> tuple[int, int]:
    """The row and column of a reference such as `B7`; what a cell without one has, otherwise."""
    letters = reference.rstrip("0123456789")
    digits = reference[len(letters) :]
    if not digits or not letters.isascii() or not letters.isalpha() or len(letters) > 3:  # noqa: PLR2004
        return row, column
    number = 0
    for letter in letters.upper():
        number = 26 * number + ord(letter) - ord("A") + 1
    return int(digits), number
