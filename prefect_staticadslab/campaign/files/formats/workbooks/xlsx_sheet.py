"""The XML of one sheet of an .xlsx, read cell by cell: no library is told how large it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import IO, Any, Final

from prefect_staticadslab.bounds import TABLE_COLUMNS
from prefect_staticadslab.campaign.files.cells import CellError
from prefect_staticadslab.campaign.files.formats.workbook_bounds import Parser
from prefect_staticadslab.campaign.files.formats.workbooks.sheets import (
    MergedCells,
    SheetCells,
    check_extent,
    note_merged,
)

_INTEGER = re.compile(r"[+-]?\d{1,400}", re.A)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.A)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")

_PARTS: Final = frozenset(("v", "f", "is"))
"""What a cell that is not blank has."""

TRUE: Final = frozenset(("1", "true", "on"))


def is_on(attributes: dict[str, str]) -> bool:
    """Whether an element such as `<strike/>` switches something on."""
    return attributes.get("val", "1") in TRUE


@dataclass(frozen=True)
class StruckOut:
    """What is struck out wherever a cell has it.

    Attributes:
        styles: The numbers of cells' styles.
        texts: Those of shared texts, of which a part may be.
    """

    styles: Set[int]
    texts: Set[int]


class SheetParser(Parser):
    """Reads the cells of a sheet.

    Args:
        shared_texts: Texts that cells name by their number.
        to_value: Makes a value of a cell's number and its style's number.
        struck_out: What is struck out.
    """

    def __init__(
        self,
        shared_texts: Sequence[str],
        to_value: Callable[[int | float, int], object],
        struck_out: StruckOut,
    ) -> None:
        super().__init__()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._shared_texts = shared_texts
        self._to_value = to_value
        self._struck_out = struck_out
        self._rows: dict[int, dict[int, Any]] = {}
        self._hidden: set[int] = set()
        self._unsaved: list[tuple[int, int]] = []
        self._widths: dict[int, float] = {}
        self._merged: list[MergedCells] = []
        self._struck: set[int] = set()
        self._last_row = self._last_column = 0
        self._row = self._column = 0
        self._in_data = self._in_cell = self._is_phonetic = self._is_struck = False
        self._data_type, self._style = "n", 0
        self._cell_parts: set[str] = set()
        self._texts: list[str] = []
        self._open_element = ""
        self._names: dict[str, str] = {}

    def read_cells(self, stream: IO[bytes]) -> SheetCells:
        """The cells of a sheet's XML.

        Raises:
            SpreadsheetError: They are more than are read.
            expat.ExpatError: It is no XML, or ends too early.
        """
        self.read_whole(stream)
        check_extent(self._last_row, self._last_column)
        widths = {n: w for n, w in self._widths.items() if n <= self._last_column}
        return SheetCells(
            self._rows,
            frozenset(self._hidden),
            tuple(self._unsaved),
            widths,
            tuple(self._merged),
            frozenset(self._struck),
        )

    def _local_name(self, name: str) -> str:
        local = self._names.get(name)
        if local is None:
            local = self._names[name] = name.rpartition(":")[2]
        return local

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        """Takes in an element that begins: a column's width, a row, a cell, or a part of a cell."""
        name = self._local_name(name)
        if self._in_cell:
            if name in _PARTS:
                self._cell_parts.add(name)
            if name in ("v", "t"):
                self._open_element = name
            elif name == "rPh":
                self._is_phonetic = True
            elif name == "strike":
                self._is_struck |= is_on(attributes)
        elif not self._in_data:
            if name == "col":
                self._note_width(attributes)
            elif name == "mergeCell":
                self._note_merged(attributes.get("ref", ""))
            self._in_data = name == "sheetData"
        elif name == "c":
            self._row, self._column = cell_position(
                attributes.get("r", ""), self._row, self._column + 1
            )
            self._in_cell = True
            self._data_type = attributes.get("t", "n")
            self._style = _number(attributes.get("s"), 0)
            self._is_struck = self._style in self._struck_out.styles
            self._cell_parts, self._texts = set(), []
        elif name == "row":
            self._row = _number(attributes.get("r"), self._row + 1)
            self._column = 0
            if attributes.get("hidden") in TRUE:
                self._hidden.add(self._row)

    def _note_width(self, attributes: dict[str, str]) -> None:
        if attributes.get("customWidth") not in TRUE or attributes.get("hidden") in TRUE:
            return
        width = attributes.get("width", "")
        first, last = _number(attributes.get("min"), 0), _number(attributes.get("max"), 0)
        if _NUMBER.fullmatch(width) and len(self._widths) < TABLE_COLUMNS:
            for column in range(max(1, first), min(last, TABLE_COLUMNS) + 1):
                self._widths[column] = _characters(float(width))

    def _note_merged(self, reference: str) -> None:
        first, _, last = reference.partition(":")
        (row, column), (last_row, last_column) = (cell_position(r, 0, 0) for r in (first, last))
        note_merged(self._merged, (row, last_row), (column, last_column))

    def _text(self, text: str) -> None:
        if self._open_element and not self._is_phonetic:
            self._texts.append(text)

    def _end(self, name: str) -> None:
        name = self._local_name(name)
        if name == self._open_element:
            self._open_element = ""
        elif name == "rPh":
            self._is_phonetic = False
        elif name == "c" and self._in_cell:
            self._in_cell = False
            if self._cell_parts:
                self._keep_cell()
        elif name == "sheetData":
            self._in_data = False

    def _keep_cell(self) -> None:
        row, column = self._row, self._column
        self._last_row, self._last_column = max(self._last_row, row), max(self._last_column, column)
        text = "".join(self._texts)
        if text:
            value = self._value(text)
            if value is not None and value != "":
                self._rows.setdefault(row, {})[column] = value
                if self._is_struck:
                    self._struck.add(row)
        elif "f" in self._cell_parts and self._data_type == "n":
            self._unsaved.append((row, column))

    def _value(self, text: str) -> object:
        """What a cell's text stands for, by the type that its element has: `s` is the number of a
        shared text, and none is a number, which its style may make a date."""
        match self._data_type:
            case "s":
                number = text.strip()
                index = int(number) if _INTEGER.fullmatch(number) else -1
                self._is_struck |= index in self._struck_out.texts
                # A number that no text has is blank in every program.
                return self._shared_texts[index] if 0 <= index < len(self._shared_texts) else None
            case "b":
                return text.strip() in TRUE
            case "e":
                return CellError(text.strip())
            case "str" | "inlineStr":
                return unescaped(text)
            case "d":
                return _iso_moment(text.strip())
            case _:
                number_read = _plain_number(text.strip())
                return text if number_read is None else self._to_value(number_read, self._style)


def unescaped(text: str) -> str:
    """A text whose characters that XML cannot hold were written as `_x000D_`."""
    if "_x" not in text:
        return text
    text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _plain_number(text: str) -> int | float | None:
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else None


def _iso_moment(text: str) -> date | datetime | time | str:
    for read in (datetime.fromisoformat, time.fromisoformat):
        try:
            moment: datetime | time = read(text)
        except ValueError:
            continue
        return moment.replace(tzinfo=None)
    return text


def _number(text: str | None, default: int) -> int:
    digits = text and text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if text and digits else default


_MOST_DIGITS: Final = 9


def cell_position(reference: str, row: int, column: int) -> tuple[int, int]:
    """The row and column of a reference such as `B7`; what a cell without one has, otherwise."""
    letters = reference.rstrip("0123456789")
    digits = reference[len(letters) :]
    if (
        not 0 < len(digits) <= _MOST_DIGITS
        or not letters.isascii()
        or not letters.isalpha()
        or len(letters) > 3  # noqa: PLR2004
    ):
        return row, column
    number = 0
    for letter in letters.upper():
        number = 26 * number + ord(letter) - ord("A") + 1
    return int(digits), number


_PIXELS: Final = 7
"""Of a digit in Excel's own font, by which it counts a column's width."""

_PADDING: Final = 5
"""Pixels of a column beside its characters."""


def _characters(width: float) -> float:
    """A column's width in characters, as Excel shows it; what a file says has a padding."""
    pixels = round(_PIXELS * width)
    padded = _PIXELS + _PADDING
    return pixels / padded if pixels < padded else (pixels - _PADDING) / _PIXELS
