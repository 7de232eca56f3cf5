"""Reads .ods, the workbooks of LibreOffice (OpenDocument 1.3, part 3).

Rows and cells that are alike are written once there, with the number of repetitions, a million
perhaps. So cells are counted as if each were written, and a row that is repeated is kept once.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import datetime, time, timedelta
from typing import IO, Any, Final

from prefect_staticadslab import bounds
from prefect_staticadslab.campaign.files.cells import CellError, FormattedValue, cell_text
from prefect_staticadslab.campaign.files.formats.workbook_bounds import PartParser, workbook_error
from prefect_staticadslab.campaign.files.formats.workbooks.sheets import (
    MergedCells,
    Sheet,
    SheetCells,
    add_merged,
    check_extent,
)

_DURATION = re.compile(
    r"(-?)P(?:(\d+)D)?T?(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,](\d{1,9})\d*)?S)?", re.A
)
_ERROR = re.compile(r"#[A-Z0-9/_]+[!?]?|Err:\d+", re.A)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.A)
_CELL_ELEMENTS: Final = frozenset(("table-cell", "covered-table-cell"))
"""A covered cell lies under another one with which it is merged."""

_ELEMENTS_WITH_OTHER_TEXT: Final = frozenset(
    ("annotation", "shape", "frame", "note", "ruby-text", "table")
)
"""Elements within a cell whose text is not the cell's."""

_MOST_DIGITS: Final = 9
_HIDDEN_VISIBILITIES: Final = frozenset(("collapse", "filter"))
_DAY: Final = timedelta(days=1)
_MIDNIGHT: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - a workbook knows no zones


def ods_sheets(stream: IO[bytes]) -> list[Sheet]:
    """The sheets of an .ods or a .fods. All cells are read here; `Sheet.read` gives them.

    Args:
        stream: The `content.xml` of an .ods, or the whole of a .fods.

    Raises:
        SpreadsheetError: They hold more than is read.
        expat.ExpatError: It is no XML, or ends too early.
    """
    parser = _ContentParser()
    parser.read_whole(stream)
    return [builder.sheet(parser.hidden_styles) for builder in parser.sheets]


class _SheetBuilder:
    """A sheet while it is read.

    Args:
        name: The sheet's.
        style: The name of its style, which may hide it.

    Attributes:
        rows, hidden_rows, unsaved, merged, struck_rows: As in `SheetCells`.
        last_row, last_column: How far it reaches, counted from 1; 0 without cells.
    """

    def __init__(self, name: str, style: str) -> None:
        self._name, self._style = name, style
        self.rows: dict[int, dict[int, Any]] = {}
        self.hidden_rows: set[int] = set()
        self.unsaved: list[tuple[int, int]] = []
        self.merged: list[MergedCells] = []
        self.struck_rows: set[int] = set()
        self.last_row = self.last_column = 0

    def sheet(self, hidden_styles: set[str]) -> Sheet:
        """The sheet, given the names of the styles that hide one."""
        return Sheet(self._name, self._style not in hidden_styles, self._cells)

    def _cells(self) -> SheetCells:
        """What was read. Raises `SpreadsheetError` if that is more cells than are read."""
        check_extent(self.last_row, self.last_column)
        return SheetCells(
            self.rows,
            frozenset(self.hidden_rows),
            tuple(self.unsaved),
            merged=tuple(self.merged),
            struck_rows=frozenset(self.struck_rows),
        )


class _ContentParser(PartParser):
    """Reads all sheets of a workbook, whose cells together may not be more than one table has.

    Attributes:
        sheets: The sheets that have begun, in order; the last one is read.
        hidden_styles: The names of the styles that hide a sheet.
    """

    def __init__(self) -> None:
        super().__init__()
        self._parser.StartElementHandler = self._start_element
        self._parser.EndElementHandler = self._end_element
        self._parser.CharacterDataHandler = self._add_text
        self.sheets: list[_SheetBuilder] = []
        self.hidden_styles: set[str] = set()
        self._style = ""  # the name of the one that is read
        self._struck_styles: set[str] = set()
        # The last column of each run of columns that have a style in common, and its name.
        self._column_styles: list[tuple[int, str]] = []
        self._kept_count = 0
        self._rows_ended = self._columns_ended = 0  # of the sheet, and of its row; with repetitions
        # Of the row that is read, and of the cell, whose attributes are None between cells.
        self._row_attributes: dict[str, str] = {}
        self._row_cells: dict[int, Any] = {}
        self._row_unsaved: list[int] = []
        self._cell: dict[str, str] | None = None
        self._cell_texts: list[str] = []
        self._paragraphs = 0
        self._skipped: list[str] = []  # the open elements whose text is not the cell's
        self._is_text = self._is_cell_struck = self._is_row_struck = False

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        """Begins a sheet, a row, a cell or an element within it, or adds what a style says."""
        name = name.rpartition(":")[2]
        if self._skipped or (self._cell is not None and name in _ELEMENTS_WITH_OTHER_TEXT):
            self._skipped.append(name)
        elif self._cell is not None:
            self._start_element_in_cell(name, attributes)
        elif name in _CELL_ELEMENTS:
            self._cell = _local_attributes(attributes)
            self._cell_texts, self._paragraphs = [], 0
            self._is_cell_struck = self._cell_style(self._cell) in self._struck_styles
        elif name == "table-row":
            self._row_attributes = _local_attributes(attributes)
            self._columns_ended, self._row_cells, self._row_unsaved = 0, {}, []
            self._is_row_struck = False
        elif name == "table-column":
            self._add_column_style(_local_attributes(attributes))
        elif name == "table":
            table = _local_attributes(attributes)
            self.sheets.append(_SheetBuilder(table.get("name", ""), table.get("style-name", "")))
            self._rows_ended, self._column_styles = 0, []
        elif name in ("style", "default-style"):
            self._style = _local_attributes(attributes).get("name", "")
        elif name == "text-properties":
            if _is_line_through(_local_attributes(attributes)):
                self._struck_styles.add(self._style)
        elif name == "table-properties" and _local_attributes(attributes).get("display") == "false":
            self.hidden_styles.add(self._style)

    def _add_column_style(self, column: dict[str, str]) -> None:
        """Adds the style that cells of these columns have if they and their row name none."""
        last = self._column_styles[-1][0] if self._column_styles else 0
        last += _count_in(column.get("number-columns-repeated"))
        self._column_styles.append((last, column.get("default-cell-style-name", "")))

    def _cell_style(self, cell: dict[str, str]) -> str:
        """The name of the style of the cell that begins: its own, its row's, its column's or ""."""
        style = cell.get("style-name") or self._row_attributes.get("default-cell-style-name")
        if style is None:
            run = bisect_left(self._column_styles, (self._columns_ended + 1, ""))
            style = self._column_styles[run][1] if run < len(self._column_styles) else ""
        return style

    def _start_element_in_cell(self, name: str, attributes: dict[str, str]) -> None:
        """Begins a paragraph of the cell's text, or adds the spaces or the break that an element
        stands for; a part that is struck out makes the cell struck out."""
        match name:
            case "p" | "h":
                if self._paragraphs:
                    self._cell_texts.append("\n")
                self._paragraphs += 1
                self._is_text = True
            case "s":
                self._cell_texts.append(
                    " " * min(_count_in(_local_attributes(attributes).get("c")), 1000)
                )
            case "span":
                self._is_cell_struck |= (
                    _local_attributes(attributes).get("style-name") in self._struck_styles
                )
            case "tab":
                self._cell_texts.append("\t")
            case "line-break":
                self._cell_texts.append("\n")

    def _add_text(self, text: str) -> None:
        """Adds characters to the cell's text, if they are of one of its paragraphs."""
        if self._is_text and not self._skipped:
            self._cell_texts.append(text)

    def _end_element(self, name: str) -> None:
        """Ends an element; a cell is added to its row, and a row to its sheet."""
        name = name.rpartition(":")[2]
        if self._skipped:
            self._skipped.pop()
        elif self._cell is not None:
            if name in ("p", "h"):
                self._is_text = False
            elif name in _CELL_ELEMENTS:
                self._end_cell(self._cell)
                self._cell = None
        elif name == "table-row" and self.sheets:
            self._end_row(self.sheets[-1])

    def _end_cell(self, cell: dict[str, str]) -> None:
        """Adds the cell that ends to its row, as often as it is said to be repeated; or, if a
        formula's value was never saved, its column to those of the row. Raises `SpreadsheetError`
        if these are more cells, or more merged ones, than are read."""
        first, repeated = self._columns_ended + 1, _count_in(cell.get("number-columns-repeated"))
        self._columns_ended += repeated
        self._add_merged(cell, first)
        value = _cell_value(cell, "".join(self._cell_texts))
        if value is None or value == "":
            if "formula" in cell and "value-type" not in cell:
                self._row_unsaved.append(first)
            return
        self._count_kept(repeated)
        self._is_row_struck |= self._is_cell_struck
        for column in range(first, self._columns_ended + 1):
            self._row_cells[column] = value

    def _add_merged(self, cell: dict[str, str], column: int) -> None:
        """Adds the cells that one spans to the sheet's merged cells, if they are more than one."""
        rows = _count_in(cell.get("number-rows-spanned"))
        columns = _count_in(cell.get("number-columns-spanned"))
        if rows * columns > 1 and self.sheets:
            row = self._rows_ended + 1
            last_row, last_column = row + rows - 1, column + columns - 1
            add_merged(self.sheets[-1].merged, (row, last_row), (column, last_column))

    def _end_row(self, builder: _SheetBuilder) -> None:
        """Adds the row that ends to its sheet, as often as it is said to be repeated. Raises
        `SpreadsheetError` if these are more than are read."""
        first = self._rows_ended + 1
        repeated = _count_in(self._row_attributes.get("number-rows-repeated"))
        self._rows_ended += repeated
        builder.unsaved += [(first, column) for column in self._row_unsaved]
        if self._row_cells:
            self._count_kept(repeated)
            rows = range(first, self._rows_ended + 1)
            builder.rows.update(dict.fromkeys(rows, self._row_cells))
            builder.last_row = self._rows_ended
            builder.last_column = max(builder.last_column, *self._row_cells)
            if self._row_attributes.get("visibility") in _HIDDEN_VISIBILITIES:
                builder.hidden_rows.update(rows)
            if self._is_row_struck:
                builder.struck_rows.update(rows)

    def _count_kept(self, cells: int) -> None:
        """Adds to the number of cells, and of repeated rows, that are kept of all sheets. Raises
        `SpreadsheetError` if they are more than are read."""
        self._kept_count += cells
        if self._kept_count > bounds.TABLE_CELLS:
            raise workbook_error(
                f"has more than {bounds.TABLE_CELLS:,} cells, the most that is read. Delete the "
                "rows and columns beyond the table"
            )


def _local_attributes(attributes: dict[str, str]) -> dict[str, str]:
    """Attributes by their local names, without those of LibreOffice's own `calcext`, of which only
    a `value-type` "error" is taken."""
    made = {n.rpartition(":")[2]: v for n, v in attributes.items() if not n.startswith("calcext:")}
    if attributes.get("calcext:value-type") == "error":
        made["value-type"] = "error"
    return made


def _is_line_through(text: dict[str, str]) -> bool:
    """Whether a style's properties of text strike it out."""
    lines = (text.get(f"text-line-through-{name}", "none") for name in ("style", "type"))
    return any(line != "none" for line in lines)


def _count_in(text: str | None) -> int:
    """The number in an attribute, of which nine digits are read: more than any bound allows. 1 if
    it has none."""
    is_number = text is not None and text.isascii() and text.isdigit()
    return int(text[:_MOST_DIGITS]) if text and is_number else 1


def _cell_value(cell: dict[str, str], text: str) -> Any:
    """A cell's value, given its attributes and the text that it shows.

    Returns:
        A text, which may be empty, `CellError`, a boolean, a number, a date, a time or a duration;
        the last four as a `FormattedValue` if what the cell shows is not plainly the value.
    """
    value_type = cell.get("value-type", "")
    if value_type == "error" or ("formula" in cell and _ERROR.fullmatch(text)):
        return CellError(text)
    if value_type == "boolean":
        return cell.get("boolean-value") == "true"
    value: int | float | datetime | time | timedelta | None = None
    if value_type in ("float", "percentage", "currency"):
        value = _number_or_none(cell.get("value", ""))
    elif value_type == "date":
        value = _date_or_none(cell.get("date-value", ""))
    elif value_type == "time":
        value = _time_or_duration(cell.get("time-value", ""))
    if value is None:
        return text or cell.get("string-value", "")
    return value if not text or text == cell_text(value) else FormattedValue(value, text)


def _number_or_none(text: str) -> int | float | None:
    if not _NUMBER.fullmatch(text):
        return None
    is_whole = len(text) <= _LONGEST_INTEGER and text.lstrip("+-").isdigit()
    return int(text) if is_whole else float(text)


_LONGEST_INTEGER: Final = 300
"""Characters of a whole number that is read as an `int`; a longer one is read as a `float`."""


def _date_or_none(text: str) -> datetime | None:
    """The date in ISO 8601, without its zone; None if it is none."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None


def _time_or_duration(text: str) -> time | timedelta | None:
    """A duration such as `PT08H30M00S`, as a time of day if it is shorter than a day and not
    negative; None if it is none."""
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
