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

_IN_CELLS: Final = frozenset(
    (
        "row",
        "c",
        "v",
        "f",
        "is",
        "t",
        "si",
        "table-row",
        "table-cell",
        "covered-table-cell",
        "p",
        "span",
        "s",
    )
)
"""Elements that are forgotten once their row, or their shared text, was read."""


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
            raise too_large(f"has more than {bounds.WORKBOOK_PARTS:,} parts")
        # What a part says of its size is all that is ever read of it.
        if sum(part.file_size for part in parts) > bounds.WORKBOOK_BYTES:
            size = bounds.in_megabytes(bounds.WORKBOOK_BYTES)
            raise too_large(f"has more than {size} once it is uncompressed")
        if any(part.compress_type not in _COMPRESSIONS for part in parts):
            raise too_large("is compressed in a way that no spreadsheet program uses")
        counts = _Counts()
        for part in parts:
            with archive.open(part) as stream:
                _Counter(counts).read(stream)


def check_xml(stream: IO[bytes]) -> None:
    """Raises `SpreadsheetError` if a workbook that is one XML file has more than is read."""
    _Counter(_Counts()).read(stream)


def too_large(what: str) -> SpreadsheetError:
    """The refusal of a workbook that `what` is said of."""
    return SpreadsheetError([Problem(f"The workbook {what}.")])


class Parser:
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

    def read_whole(self, stream: IO[bytes]) -> None:
        """Reads to the end. Raises `expat.ExpatError` where it is no XML, or ends too early."""
        while block := stream.read(_BLOCK):
            self._parser.Parse(block, False)
        self._parser.Parse(b"", True)

    def _refuse(self, *_: Any) -> None:
        raise too_large("declares entities, which no spreadsheet program does")


class _Counter(Parser):
    """Counts elements: those in cells, and others."""

    def __init__(self, counts: _Counts) -> None:
        super().__init__()
        self._counts = counts
        self._depth = 0
        self._in_cells: dict[str, bool] = {}
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def _start(self, name: str, _: dict[str, str]) -> None:
        """Counts an element that begins.

        Raises:
            SpreadsheetError: There are too many, or they are nested too deeply.
        """
        self._depth += 1
        if self._depth > bounds.XML_DEPTH:
            raise too_large(f"nests more than {bounds.XML_DEPTH} XML elements")
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
    return too_large(f"has more than {most:,} XML elements {which}")
