"""How large a workbook is, checked before a library reads it: what was compressed may be a thousand
times as large, and a single cell in the last row makes a rectangle of all that lies before it."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any, Final
from xml.parsers import expat

from prefect_staticadslab import bounds
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError

_BLOCK_BYTES: Final = 256 * 1024

_USUAL_COMPRESSIONS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
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
"""Local names of the elements of cells in .xlsx and .ods: readers forget these once their row, or
their shared text, was read, and keep all others."""


@dataclass
class _ElementCounts:
    """How many XML elements a workbook has, in all of its parts.

    Attributes:
        in_cells: Those with a name of `_IN_CELLS`.
        others: All others.
    """

    in_cells: int = 0
    others: int = 0


def check_archive(content: bytes) -> None:
    """Raises if a workbook has more in it than is read; reads all of its parts once.

    Args:
        content: The file, a ZIP.

    Raises:
        SpreadsheetError: It does; the message names the bound.
        zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError: It is no ZIP, or a broken
            or encrypted one.
    """
    with zipfile.ZipFile(BytesIO(content)) as archive:
        parts = archive.infolist()
        if len(parts) > bounds.WORKBOOK_PARTS:
            raise workbook_error(f"has more than {bounds.WORKBOOK_PARTS:,} parts")
        # What a part says of its size is all that is ever read of it.
        if sum(part.file_size for part in parts) > bounds.WORKBOOK_BYTES:
            size = bounds.in_megabytes(bounds.WORKBOOK_BYTES)
            raise workbook_error(f"has more than {size} once it is uncompressed")
        if any(part.compress_type not in _USUAL_COMPRESSIONS for part in parts):
            raise workbook_error("is compressed in a way that no spreadsheet program uses")
        counts = _ElementCounts()
        for part in parts:
            with archive.open(part) as stream:
                _ElementCounter(counts).read_until_error(stream)


def check_xml(stream: IO[bytes]) -> None:
    """Raises `SpreadsheetError` if a workbook that is one XML file has more than is read."""
    _ElementCounter(_ElementCounts()).read_until_error(stream)


def workbook_error(what: str) -> SpreadsheetError:
    """The error with the message "The workbook {what}."."""
    return SpreadsheetError([Problem(f"The workbook {what}.")])


class PartParser:
    """Goes through the XML of a workbook's part without keeping any of it.

    A subclass sets the handlers of `_parser`, an expat parser, to keep what it needs. A document
    type is refused with `SpreadsheetError`: entities could make a small file a large one.
    """

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    def read_until_error(self, stream: IO[bytes]) -> None:
        """Reads to the end, or, without raising, to where it is no XML: no reader goes further."""
        try:
            while block := stream.read(_BLOCK_BYTES):
                self._parser.Parse(block, False)
        except expat.ExpatError:
            return

    def read_whole(self, stream: IO[bytes]) -> None:
        """Reads to the end.

        Raises:
            expat.ExpatError: It is no XML, or ends too early.
        """
        while block := stream.read(_BLOCK_BYTES):
            self._parser.Parse(block, False)
        self._parser.Parse(b"", True)

    def _refuse_doctype(self, *_: Any) -> None:
        """Raises `SpreadsheetError`; expat calls it where a document type begins."""
        raise workbook_error("declares entities, which no spreadsheet program does")


class _ElementCounter(PartParser):
    """Counts a part's elements.

    Args:
        counts: What they are added to: the workbook's.
    """

    def __init__(self, counts: _ElementCounts) -> None:
        super().__init__()
        self._counts = counts
        self._depth = 0
        self._is_in_cells: dict[str, bool] = {}
        self._parser.StartElementHandler = self._start_element
        self._parser.EndElementHandler = self._end_element

    def _start_element(self, name: str, _: dict[str, str]) -> None:
        """Adds an element that begins to the counts.

        Raises:
            SpreadsheetError: There are too many, or they are nested too deeply.
        """
        self._depth += 1
        if self._depth > bounds.XML_DEPTH:
            raise workbook_error(f"nests more than {bounds.XML_DEPTH} XML elements")
        is_in_cells = self._is_in_cells.get(name)
        if is_in_cells is None:
            is_in_cells = self._is_in_cells[name] = name.rpartition(":")[2] in _IN_CELLS
        if is_in_cells:
            self._counts.in_cells += 1
            if self._counts.in_cells > bounds.WORKBOOK_ELEMENTS:
                raise _too_many_elements_error(bounds.WORKBOOK_ELEMENTS, "of cells")
        else:
            self._counts.others += 1
            if self._counts.others > bounds.WORKBOOK_OTHER_ELEMENTS:
                raise _too_many_elements_error(bounds.WORKBOOK_OTHER_ELEMENTS, "besides its cells")

    def _end_element(self, _: str) -> None:
        """Leaves an element, so that the next one is nested less deeply."""
        self._depth -= 1


def _too_many_elements_error(most: int, which: str) -> SpreadsheetError:
    return workbook_error(f"has more than {most:,} XML elements {which}")
