"""Reads .ods, the workbooks of LibreOffice (OpenDocument 1.3, part 3).

What is alike is written once there, with how often: the last row may stand for a million. So cells
are counted as they would be, and a row that is repeated is kept once.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import datetime, time, timedelta
from typing import IO, Any, Final

from prefect_staticadslab import bounds
from prefect_staticadslab.campaign.files.cells import CellError, FormattedValue, cell_text
from prefect_staticadslab.campaign.files.formats.workbook_bounds import Parser, too_large
from prefect_staticadslab.campaign.files.formats.workbooks.sheets import (
    MergedCells,
    Sheet,
    SheetCells,
    check_extent,
    note_merged,
)

_DURATION = re.compile(
    r"(-?)P(?:(\d+)D)?T?(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,](\d{1,9})\d*)?S)?", re.A
)
_ERROR = re.compile(r"#[A-Z0-9/_]+[!?]?|Err:\d+", re.A)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.A)
_CELLS: Final = frozenset(("table-cell", "covered-table-cell"))
_NO_TEXT_OF_CELL: Final = frozenset(("annotation", "shape", "frame", "note", "ruby-text", "table"))
"""What a cell may have in it whose text is not its own."""

_MOST_DIGITS: Final = 9
_HIDDEN: Final = frozenset(("collapse", "filter"))
_DAY: Final = timedelta(days=1)
_MIDNIGHT: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - a workbook knows no zones


def ods_sheets(stream: IO[bytes]) -> list[Sheet]:
    """The sheets of an .ods, given its `content.xml`; or of the one part of a .fods.

    Raises:
        SpreadsheetError: They hold more than is read.
        expat.ExpatError: It is no XML, or ends too early.
    """
    reader = _Content()
    reader.read_whole(stream)
    return [table.sheet(reader.hidden_styles) for table in reader.tables]


class _Table:
    """A sheet while it is read."""

    def __init__(self, name: str, style: str) -> None:
        self._name, self._style = name, style
        self.rows: dict[int, dict[int, Any]] = {}
        self.hidden: set[int] = set()
        self.unsaved: list[tuple[int, int]] = []
        self.merged: list[MergedCells] = []
        self.struck: set[int] = set()
        self.last_row = self.last_column = 0

    def sheet(self, hidden_styles: set[str]) -> Sheet:
        return Sheet(self._name, self._style not in hidden_styles, self._read)

    def _read(self) -> SheetCells:
        check_extent(self.last_row, self.last_column)
        return SheetCells(
            self.rows,
            frozenset(self.hidden),
            tuple(self.unsaved),
            merged=tuple(self.merged),
            struck_rows=frozenset(self.struck),
        )


class _Content(Parser):
    """Reads all sheets, of which the cells count together."""

    def __init__(self) -> None:
        super().__init__()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self.tables: list[_Table] = []
        self.hidden_styles: set[str] = set()
        self._style = ""
        self._struck_styles: set[str] = set()
        self._column_styles: list[tuple[int, str]] = []
        self._kept = 0
        self._row = self._column = 0
        self._row_attributes: dict[str, str] = {}
        self._cells: dict[int, Any] = {}
        self._unsaved: list[int] = []
        self._cell: dict[str, str] | None = None
        self._texts: list[str] = []
        self._paragraphs = 0
        self._skipped: list[str] = []
        self._is_text = self._is_cell_struck = self._is_row_struck = False

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        """Takes in an element that begins: a table, a row, a cell, or what is within a cell."""
        name = name.rpartition(":")[2]
        if self._skipped or (self._cell is not None and name in _NO_TEXT_OF_CELL):
            self._skipped.append(name)
        elif self._cell is not None:
            self._start_in_cell(name, attributes)
        elif name in _CELLS:
            self._cell, self._texts, self._paragraphs = _local(attributes), [], 0
            self._is_cell_struck = self._style_of(self._cell) in self._struck_styles
        elif name == "table-row":
            self._row_attributes = _local(attributes)
            self._column, self._cells, self._unsaved = 0, {}, []
            self._is_row_struck = False
        elif name == "table-column":
            self._note_column(_local(attributes))
        elif name == "table":
            given = _local(attributes)
            self.tables.append(_Table(given.get("name", ""), given.get("style-name", "")))
            self._row, self._column_styles = 0, []
        elif name in ("style", "default-style"):
            self._style = _local(attributes).get("name", "")
        elif name == "text-properties":
            if _is_line_through(_local(attributes)):
                self._struck_styles.add(self._style)
        elif name == "table-properties" and _local(attributes).get("display") == "false":
            self.hidden_styles.add(self._style)

    def _note_column(self, column: dict[str, str]) -> None:
        """Notes which style its cells have that name none."""
        last = self._column_styles[-1][0] if self._column_styles else 0
        last += _count(column.get("number-columns-repeated"))
        self._column_styles.append((last, column.get("default-cell-style-name", "")))

    def _style_of(self, cell: dict[str, str]) -> str:
        """The style of the cell that begins."""
        style = cell.get("style-name") or self._row_attributes.get("default-cell-style-name")
        if style is None:
            place = bisect_left(self._column_styles, (self._column + 1, ""))
            style = self._column_styles[place][1] if place < len(self._column_styles) else ""
        return style

    def _start_in_cell(self, name: str, attributes: dict[str, str]) -> None:
        """Takes in an element of a cell's text: a paragraph, or what stands for spaces and
        breaks."""
        match name:
            case "p" | "h":
                if self._paragraphs:
                    self._texts.append("\n")
                self._paragraphs += 1
                self._is_text = True
            case "s":
                self._texts.append(" " * min(_count(_local(attributes).get("c")), 1000))
            case "span":
                self._is_cell_struck |= _local(attributes).get("style-name") in self._struck_styles
            case "tab":
                self._texts.append("\t")
            case "line-break":
                self._texts.append("\n")

    def _text(self, text: str) -> None:
        if self._is_text and not self._skipped:
            self._texts.append(text)

    def _end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        if self._skipped:
            self._skipped.pop()
        elif self._cell is not None:
            if name in ("p", "h"):
                self._is_text = False
            elif name in _CELLS:
                self._end_cell(self._cell)
                self._cell = None
        elif name == "table-row" and self.tables:
            self._end_row(self.tables[-1])

    def _end_cell(self, cell: dict[str, str]) -> None:
        first, repeated = self._column + 1, _count(cell.get("number-columns-repeated"))
        self._column += repeated
        self._note_merged(cell, first)
        value = cell_value(cell, "".join(self._texts))
        if value is None or value == "":
            if "formula" in cell and "value-type" not in cell:
                self._unsaved.append(first)
            return
        self._count_kept(repeated)
        self._is_row_struck |= self._is_cell_struck
        for column in range(first, self._column + 1):
            self._cells[column] = value

    def _note_merged(self, cell: dict[str, str], column: int) -> None:
        rows = _count(cell.get("number-rows-spanned"))
        columns = _count(cell.get("number-columns-spanned"))
        if rows * columns > 1 and self.tables:
            row = self._row + 1
            last_row, last_column = row + rows - 1, column + columns - 1
            note_merged(self.tables[-1].merged, (row, last_row), (column, last_column))

    def _end_row(self, table: _Table) -> None:
        """Adds the row that ends to its table, as often as it is said to be repeated."""
        first, repeated = self._row + 1, _count(self._row_attributes.get("number-rows-repeated"))
        self._row += repeated
        table.unsaved += [(first, column) for column in self._unsaved]
        if self._cells:
            self._count_kept(repeated)
            rows = range(first, self._row + 1)
            table.rows.update(dict.fromkeys(rows, self._cells))
            table.last_row = self._row
            table.last_column = max(table.last_column, *self._cells)
            if self._row_attributes.get("visibility") in _HIDDEN:
                table.hidden.update(rows)
            if self._is_row_struck:
                table.struck.update(rows)

    def _count_kept(self, cells: int) -> None:
        self._kept += cells
        if self._kept > bounds.TABLE_CELLS:
            raise too_large(
                f"has more than {bounds.TABLE_CELLS:,} cells, the most that is read. Delete the "
                "rows and columns beyond the table"
            )


def _local(attributes: dict[str, str]) -> dict[str, str]:
    """Attributes by their local names; of `calcext:value-type`, only that it says "error"."""
    made = {n.rpartition(":")[2]: v for n, v in attributes.items() if not n.startswith("calcext:")}
    if attributes.get("calcext:value-type") == "error":
        made["value-type"] = "error"
    return made


def _is_line_through(text: dict[str, str]) -> bool:
    """Whether a style's properties of text strike it out."""
    lines = (text.get(f"text-line-through-{name}", "none") for name in ("style", "type"))
    return any(line != "none" for line in lines)


def _count(text: str | None) -> int:
    is_number = text is not None and text.isascii() and text.isdigit()
    return int(text[:_MOST_DIGITS]) if text and is_number else 1


def cell_value(cell: dict[str, str], text: str) -> Any:
    """A cell's value, given its attributes and what it shows; with that, if that is more."""
    kind = cell.get("value-type", "")
    if kind == "error" or ("formula" in cell and _ERROR.fullmatch(text)):
        return CellError(text)
    if kind == "boolean":
        return cell.get("boolean-value") == "true"
    value: int | float | datetime | time | timedelta | None = None
    if kind in ("float", "percentage", "currency"):
        value = _plain_number(cell.get("value", ""))
    elif kind == "date":
        value = _moment(cell.get("date-value", ""))
    elif kind == "time":
        value = _time_value(cell.get("time-value", ""))
    if value is None:
        return text or cell.get("string-value", "")
    return value if not text or text == cell_text(value) else FormattedValue(value, text)


def _plain_number(text: str) -> int | float | None:
    if not _NUMBER.fullmatch(text):
        return None
    is_whole = len(text) <= _EXACT and text.lstrip("+-").isdigit()
    return int(text) if is_whole else float(text)


_EXACT: Final = 300
"""Digits of a whole number that is no nonsense."""


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None


def _time_value(text: str) -> time | timedelta | None:
    """What a duration such as `PT08H30M00S` is: a time of day, or a length if it is a day or more,
    or negative; None if it is no duration."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    sign, days, hours, minutes, seconds, fraction = match.groups()
    try:
        length = timedelta(
            days=int(days or 0),
            hours=int(hours or 0),
            minutes=int(minutes or 0),
            seconds=int(seconds or 0),
            milliseconds=round(float(f"0.{fraction or 0}") * 1000),
        )
    except (OverflowError, ValueError):
        return None
    if sign:
        return -length
    return (_MIDNIGHT + length).time() if length < _DAY else length
