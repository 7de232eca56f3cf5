"""What the readers of all workbook formats give: sheets, each of which can be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from prefect_staticadslab import bounds
from prefect_staticadslab.campaign.files.cells import FormattedValue, cell_text
from prefect_staticadslab.campaign.files.formats.workbook_bounds import workbook_error
from prefect_staticadslab.campaign.files.number_formats import show_number

PLAIN_FORMATS: Final = frozenset(("", "general", "@"))
"""Number formats, in lower case, that show a number as it is."""


class MergedCells(NamedTuple):
    """A rectangle of cells that is shown as one, with the value of its first. Rows and columns are
    counted from 1, and the last ones are within it."""

    first_row: int
    last_row: int
    first_column: int
    last_column: int

    @property
    def name(self) -> str:
        """What a spreadsheet program calls it, such as `G2:G4`."""
        first = f"{column_letters(self.first_column)}{self.first_row}"
        return f"{first}:{column_letters(self.last_column)}{self.last_row}"


@dataclass(frozen=True)
class SheetCells:
    """The cells of a sheet that are not blank. Rows and columns are counted from 1.

    Attributes:
        rows: For each row that has any, its cells by their columns.
        hidden_rows: The numbers of rows that a spreadsheet program hides.
        unsaved: The cells, by row and column, with a formula whose value no program has saved.
        widths: Of columns whose width somebody chose, in characters, as Excel counts it.
        merged: Cells that are shown as one.
        struck_rows: The numbers of rows with a cell that is struck out.
    """

    rows: Mapping[int, Mapping[int, Any]]
    hidden_rows: frozenset[int] = frozenset()
    unsaved: tuple[tuple[int, int], ...] = ()
    widths: Mapping[int, float] = field(default_factory=dict)
    merged: tuple[MergedCells, ...] = ()
    struck_rows: frozenset[int] = frozenset()

    def lines(self) -> list[tuple[int, list[Any]]]:
        """The rows that are not blank, in order: each one's number, and its cells from the first
        column to its last that is not blank, None for those that are."""
        numbered_lines = []
        for number in sorted(self.rows):
            cells = self.rows[number]
            if any(cell_text(value).strip() for value in cells.values()):
                numbered_lines.append((number, [cells.get(n) for n in range(1, max(cells) + 1)]))
        return numbered_lines


@dataclass(frozen=True)
class Sheet:
    """A sheet of a workbook.

    Attributes:
        name: As its tab shows it.
        is_visible: Whether a spreadsheet program shows its tab.
        read: Reads its cells. Raises `SpreadsheetError` if there are more than are read, and any
            exception if the file is broken.
    """

    name: str
    is_visible: bool
    read: Callable[[], SheetCells]


def add_merged(merged: list[MergedCells], rows: tuple[int, int], columns: tuple[int, int]) -> None:
    """Adds a rectangle of cells to `merged`, unless it begins before the first row or column.

    Args:
        merged: The merged cells of a sheet.
        rows: The first row and the last one, counted from 1.
        columns: The first column and the last one, counted from 1.

    Raises:
        SpreadsheetError: `merged` has as many as are read.
    """
    if len(merged) == _MOST_MERGED:
        raise workbook_error(f"has more than {_MOST_MERGED:,} merged cells. Unmerge them")
    if min(rows) > 0 and min(columns) > 0:
        merged.append(MergedCells(*rows, *columns))


_MOST_MERGED: Final = 100_000


def check_extent(rows: int, columns: int) -> None:
    """Raises if a sheet with so many rows and columns has more cells than are read.

    Raises:
        SpreadsheetError: It does; the message says how far it reaches.
    """
    if rows * columns > bounds.TABLE_CELLS:
        raise workbook_error(
            f"reaches to row {rows:,} and column {columns:,}, which makes more than "
            f"{bounds.TABLE_CELLS:,} cells, the most that is read. Delete the rows and columns "
            "beyond the table"
        )


def column_letters(column: int) -> str:
    """A column, counted from 1, as a spreadsheet program calls it: the 28th is AB."""
    letters = ""
    while column:
        column, last = divmod(column - 1, 26)
        letters = chr(ord("A") + last) + letters
    return letters


def with_shown_text(value: Any, number_format: str) -> Any:
    """A cell's value as a `FormattedValue`, with the text that its number format shows; the value
    itself if that is a text or a boolean, has no format, or it is not certain what is shown."""
    if number_format.casefold() in PLAIN_FORMATS or isinstance(value, bool | str):
        return value
    text = show_number(value, number_format)
    return value if text is None else FormattedValue(value, text, number_format)
