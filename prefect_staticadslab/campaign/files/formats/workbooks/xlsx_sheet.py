"""The XML of one sheet of an .xlsx (ECMA-376, part 1, 18.3), read cell by cell: so it takes no more
memory than its cells, however large the file says it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import IO, Any, Final

from prefect_staticadslab.bounds import TABLE_COLUMNS
from prefect_staticadslab.campaign.files.cells import CellError
from prefect_staticadslab.campaign.files.formats.workbook_bounds import PartParser
from prefect_staticadslab.campaign.files.formats.workbooks.sheets import (
    MergedCells,
    SheetCells,
    add_merged,
    check_extent,
)

_INTEGER = re.compile(r"[+-]?\d{1,400}", re.A)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.A)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")

_CONTENT_ELEMENTS: Final = frozenset(("v", "f", "is"))
"""Elements within a cell that is not blank: its value, its formula, or its text."""

TRUE: Final = frozenset(("1", "true", "on"))
"""How an attribute says yes."""


def is_on(attributes: dict[str, str]) -> bool:
    """Whether an element such as `<strike/>` switches something on: without `val`, it does."""
    return attributes.get("val", "1") in TRUE


@dataclass(frozen=True)
class StruckOut:
    """What is struck out in every cell that has it.

    Attributes:
        styles: The numbers of styles that strike a cell out.
        texts: The numbers of shared texts of which at least a part is struck out.
    """

    styles: Set[int]
    texts: Set[int]


class SheetParser(PartParser):
    """Reads the cells of one sheet, once.

    Args:
        shared_texts: Texts that cells refer to by their numbers.
        to_value: Makes a value of a cell's number and the number of its style.
        struck_out: The styles and shared texts that are struck out.
    """

    def __init__(
        self,
        shared_texts: Sequence[str],
        to_value: Callable[[int | float, int], object],
        struck_out: StruckOut,
    ) -> None:
        super().__init__()
        self._parser.StartElementHandler = self._start_element
        self._parser.EndElementHandler = self._end_element
        self._parser.CharacterDataHandler = self._add_text
        self._shared_texts = shared_texts
        self._to_value = to_value
        self._struck_out = struck_out
        # What was read so far, as in `SheetCells`, and how far the sheet reaches.
        self._rows: dict[int, dict[int, Any]] = {}
        self._hidden_rows: set[int] = set()
        self._unsaved: list[tuple[int, int]] = []
        self._widths: dict[int, float] = {}
        self._merged: list[MergedCells] = []
        self._struck_rows: set[int] = set()
        self._last_row = self._last_column = 0
        # Where the reading is: the row and column, counted from 1, and what is known of the cell.
        self._row = self._column = 0
        self._is_in_rows = self._is_in_cell = self._is_phonetic = self._is_struck = False
        self._data_type, self._style = "n", 0
        self._content_elements: set[str] = set()
        self._texts: list[str] = []
        self._open_text_element = ""
        self._local_names: dict[str, str] = {}

    def read_cells(self, stream: IO[bytes]) -> SheetCells:
        """Reads a sheet's XML.

        Raises:
            SpreadsheetError: They are more than are read.
            expat.ExpatError: It is no XML, or ends too early.
        """
        self.read_whole(stream)
        check_extent(self._last_row, self._last_column)
        widths = {n: w for n, w in self._widths.items() if n <= self._last_column}
        return SheetCells(
            self._rows,
            frozenset(self._hidden_rows),
            tuple(self._unsaved),
            widths,
            tuple(self._merged),
            frozenset(self._struck_rows),
        )

    def _local_name(self, name: str) -> str:
        """An element's name without its prefix; kept, for it is asked of every cell."""
        local = self._local_names.get(name)
        if local is None:
            local = self._local_names[name] = name.rpartition(":")[2]
        return local

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        """Adds a column's width or merged cells, or begins a row, a cell or an element in it."""
        name = self._local_name(name)
        if self._is_in_cell:
            if name in _CONTENT_ELEMENTS:
                self._content_elements.add(name)
            if name in ("v", "t"):
                self._open_text_element = name
            elif name == "rPh":
                self._is_phonetic = True
            elif name == "strike":
                self._is_struck |= is_on(attributes)
        elif not self._is_in_rows:
            if name == "col":
                self._add_width(attributes)
            elif name == "mergeCell":
                self._add_merged(attributes.get("ref", ""))
            self._is_in_rows = name == "sheetData"
        elif name == "c":
            self._row, self._column = cell_position(
                attributes.get("r", ""), self._row, self._column + 1
            )
            self._is_in_cell = True
            self._data_type = attributes.get("t", "n")
            self._style = _integer_or_default(attributes.get("s"), 0)
            self._is_struck = self._style in self._struck_out.styles
            self._content_elements, self._texts = set(), []
        elif name == "row":
            self._row = _integer_or_default(attributes.get("r"), self._row + 1)
            self._column = 0
            if attributes.get("hidden") in TRUE:
                self._hidden_rows.add(self._row)

    def _add_width(self, attributes: dict[str, str]) -> None:
        """Adds the width of the columns of a `col` to `_widths`, if somebody chose it."""
        if attributes.get("customWidth") not in TRUE or attributes.get("hidden") in TRUE:
            return
        width = attributes.get("width", "")
        first, last = (
            _integer_or_default(attributes.get("min"), 0),
            _integer_or_default(attributes.get("max"), 0),
        )
        if _NUMBER.fullmatch(width) and len(self._widths) < TABLE_COLUMNS:
            for column in range(max(1, first), min(last, TABLE_COLUMNS) + 1):
                self._widths[column] = _width_in_characters(float(width))

    def _add_merged(self, reference: str) -> None:
        """Adds merged cells, such as `B2:C3`; a reference that is none adds nothing.

        Raises:
            SpreadsheetError: They are more than are read.
        """
        first, _, last = reference.partition(":")
        (row, column), (last_row, last_column) = (cell_position(r, 0, 0) for r in (first, last))
        add_merged(self._merged, (row, last_row), (column, last_column))

    def _add_text(self, text: str) -> None:
        """Adds characters to those of the cell, if they are its value or text."""
        if self._open_text_element and not self._is_phonetic:
            self._texts.append(text)

    def _end_element(self, name: str) -> None:
        """Ends an element; of a cell that is not blank, its value is stored."""
        name = self._local_name(name)
        if name == self._open_text_element:
            self._open_text_element = ""
        elif name == "rPh":
            self._is_phonetic = False
        elif name == "c" and self._is_in_cell:
            self._is_in_cell = False
            if self._content_elements:
                self._store_cell()
        elif name == "sheetData":
            self._is_in_rows = False

    def _store_cell(self) -> None:
        """Stores the value of the cell that ends, or that its formula's value was never saved, and
        has the sheet reach to it at least."""
        row, column = self._row, self._column
        self._last_row, self._last_column = max(self._last_row, row), max(self._last_column, column)
        text = "".join(self._texts)
        if text:
            value = self._value_of_text(text)
            if value is not None and value != "":
                self._rows.setdefault(row, {})[column] = value
                if self._is_struck:
                    self._struck_rows.add(row)
        elif "f" in self._content_elements and self._data_type == "n":
            self._unsaved.append((row, column))

    def _value_of_text(self, text: str) -> object:
        """What a cell's text stands for, by the type that its element has (ECMA-376, part 1,
        18.18.11): `s` is the number of a shared text, and none is a number, which its style may
        make a date. Sets `_is_struck` if the shared text is struck out.

        Returns:
            None for the number of a shared text that there is not.
        """
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
                return _iso_date_or_time(text.strip())
            case _:
                number_read = _number_or_none(text.strip())
                return text if number_read is None else self._to_value(number_read, self._style)


def unescaped(text: str) -> str:
    """A text with the characters that were written as `_x000D_`, as XML cannot hold them (ECMA-376,
    part 1, 22.9.2.19)."""
    if "_x" not in text:
        return text
    text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _number_or_none(text: str) -> int | float | None:
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else None


def _iso_date_or_time(text: str) -> date | datetime | time | str:
    """A date or a time in ISO 8601, without its zone; the text itself if it is none."""
    for read in (datetime.fromisoformat, time.fromisoformat):
        try:
            moment: datetime | time = read(text)
        except ValueError:
            continue
        return moment.replace(tzinfo=None)
    return text


def _integer_or_default(text: str | None, default: int) -> int:
    """The whole number that an attribute has; the default if it has none, or one of too many
    digits."""
    digits = text and text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if text and digits else default


_MOST_DIGITS: Final = 9


def cell_position(reference: str, row: int, column: int) -> tuple[int, int]:
    """The row and column of a reference such as `B7`, counted from 1.

    Args:
        reference: As the sheet has it.
        row, column: What is returned if it is no reference.
    """
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


_DIGIT_PIXELS: Final = 7
"""The width of a digit in Excel's own font, by which it counts a column's width."""

_PADDING_PIXELS: Final = 5
"""What a column has beside its characters."""


def _width_in_characters(width: float) -> float:
    """A column's width in characters, as Excel shows it, given that in the file, in which there is
    a padding (ECMA-376, part 1, 18.3.1.13)."""
    pixels = round(_DIGIT_PIXELS * width)
    padded = _DIGIT_PIXELS + _PADDING_PIXELS
    return pixels / padded if pixels < padded else (pixels - _PADDING_PIXELS) / _DIGIT_PIXELS
