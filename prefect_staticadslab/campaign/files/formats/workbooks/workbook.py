"""Which sheet of a workbook is meant, and the table that it is."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import islice
from typing import Final

from prefect_staticadslab.bounds import LONGEST_CELL
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    Dialect,
    Spreadsheet,
    cell_text,
    header_problems,
    is_blank,
    shortened,
)
from prefect_staticadslab.campaign.files.formats.table_layout import (
    Layout,
    known_names,
    layout_of,
    rows_named,
)
from prefect_staticadslab.campaign.files.formats.workbooks.kinds import broken, sheets_of
from prefect_staticadslab.campaign.files.formats.workbooks.sheets import (
    Sheet,
    SheetCells,
    column_letters,
)

NeededColumns = Sequence[Set[str]]
"""What a header must have: one name of each of these sets."""

_NAMES_LENGTH: Final = 500
"""Characters of the sheets' names in a message."""

_MERGED_TOLD: Final = 1_000
"""Merged cells that are told at most."""


@dataclass(frozen=True)
class _Table:
    """A sheet that was read."""

    sheet: Sheet
    cells: SheetCells
    layout: Layout
    names: Set[str]

    @property
    def is_empty(self) -> bool:
        return not self.layout.header[1]

    def has(self, needed: NeededColumns) -> bool:
        return all(self.names & alternatives for alternatives in needed)


def read_workbook(
    content: bytes,
    *,
    sheet: str | None = None,
    known_columns: Set[str] = frozenset(),
    needed_columns: NeededColumns = (),
    visible_rows: bool = False,
    may_be_empty: bool = False,
) -> Spreadsheet:
    """Reads a sheet of a workbook of any kind; see `read_spreadsheet`.

    Args:
        content: The file.
        sheet: The sheet's name. Otherwise it is the visible one that has the columns.
        known_columns: Names that its header is likely to have.
        needed_columns: What its header must have.
        visible_rows: Whether hidden rows are left out.
        may_be_empty: Whether a header without rows is a table.

    Raises:
        SpreadsheetError: It cannot be read, or no sheet or several could be meant.
    """
    sheets = sheets_of(content)
    if sheet is None:
        table, notes = _chosen(sheets, known_columns, needed_columns)
    else:
        table, notes = _read(_named(sheets, sheet), known_columns), []
    if table.is_empty:
        raise SpreadsheetError([Problem("The sheet is empty.")])
    hint = "" if sheet or len(sheets) < 2 else f" {_all_names(sheets)}"  # noqa: PLR2004
    return _spreadsheet(table, notes, known_columns, visible_rows, None if may_be_empty else hint)


def sheet_names(content: bytes) -> list[str]:
    """The names of a workbook's sheets, hidden ones as well; none if it is no workbook."""
    return [sheet.name for sheet in sheets_of(content)]


def _named(sheets: Sequence[Sheet], name: str) -> Sheet:
    for same in (str, str.casefold):  # a program does not tell apart what differs in case only
        for sheet in sheets:
            if same(sheet.name) == same(name):
                return sheet
    raise SpreadsheetError([Problem(f"There is no sheet {name!r}. {_all_names(sheets)}")])


def _chosen(
    sheets: Sequence[Sheet], known_columns: Set[str], needed_columns: NeededColumns
) -> tuple[_Table, list[str]]:
    """The visible sheet that is meant, and a note if that was a choice."""
    visible = [sheet for sheet in sheets if sheet.is_visible]
    if not visible:
        what = "All sheets of the workbook are hidden." if sheets else "The workbook has no sheets."
        raise SpreadsheetError([Problem(f"{what} {_all_names(sheets)}".strip())])
    if len(visible) == 1:
        note = [f"sheet {visible[0].name!r}, the visible one"] if len(sheets) > 1 else []
        return _read(visible[0], known_columns), note
    needed = needed_columns or ([known_columns] if known_columns else [])
    found: list[_Table] = []
    first: _Table | None = None
    error: SpreadsheetError | None = None
    for sheet in visible:
        try:
            table = _read(sheet, known_columns)
        except SpreadsheetError as too_large:  # another one may be meant
            error = error or too_large
            continue
        if table.is_empty:
            continue
        first = first or table
        if table.has(needed):
            found.append(table)
            if not needed_columns:
                break
    if len(found) > 1:
        names = ", ".join(shortened(table.sheet.name) for table in found)
        raise SpreadsheetError(
            [
                Problem(
                    f"Several sheets have the columns: {names}. Name one with --sheet NAME, or "
                    "hide the others."
                )
            ]
        )
    if found:
        return found[0], [f"sheet {found[0].sheet.name!r}, which has the columns"]
    if error is not None:
        raise error
    if first is None:
        raise SpreadsheetError([Problem(f"All visible sheets are empty. {_all_names(sheets)}")])
    raise SpreadsheetError([Problem(f"{_none_has(needed)} {_all_names(sheets)}", row=None)])


def _none_has(needed: NeededColumns) -> str:
    columns = ", ".join(" or ".join(sorted(names)) for names in needed if len(names) <= 2)  # noqa: PLR2004
    return f"No visible sheet has the columns that are needed{columns and f': {columns}'}."


def _all_names(sheets: Sequence[Sheet]) -> str:
    if not sheets:
        return ""
    names = (f"{s.name}{'' if s.is_visible else ' (hidden)'}" for s in sheets)
    known = shortened(", ".join(names), _NAMES_LENGTH)
    return f"There are: {known}. Name one with --sheet NAME, or hide the others."


def _read(sheet: Sheet, known_columns: Set[str]) -> _Table:
    try:
        cells = sheet.read()
    except SpreadsheetError:
        raise
    except Exception as error:  # a broken file can break its reader anywhere
        raise broken(error) from None
    layout = layout_of(cells.lines(), known_columns)
    return _Table(sheet, cells, layout, known_names(layout.header[1], known_columns))


def _spreadsheet(
    table: _Table,
    notes: Sequence[str],
    known_columns: Set[str],
    visible_rows: bool,
    hint: str | None,
) -> Spreadsheet:
    """A table as a spreadsheet; `hint` is told if it has no rows, which None allows."""
    header_row, header_cells = table.layout.header
    cells = table.cells
    hidden = [n for n, _ in table.layout.lines if n in cells.hidden_rows]
    kept = [
        (number, line)
        for number, line in table.layout.lines
        if not visible_rows or number not in cells.hidden_rows
    ]
    width = max(map(_used_width, (header_cells, *(line for _, line in kept))))
    header = [cell_text(value) for value in header_cells][:width]
    header += [""] * (width - len(header))
    lines = [[*line[:width], *[None] * (width - len(line))] for _, line in kept]
    numbers = tuple(number for number, _ in kept)
    problems = header_problems(header, header_row)
    problems += _unsaved_problems(cells, header_row, numbers)
    problems += _length_problems(header, lines, numbers)
    read = [place for place, name in enumerate(header, 1) if known_names([name], known_columns)]
    problems += islice(_merged_problems(cells, header, read, numbers), _MERGED_TOLD)
    if not lines and not problems and hint is not None:
        problems.append(Problem(_no_rows(table.sheet.name, bool(hidden and visible_rows), hint)))
    if problems:
        raise SpreadsheetError(problems)
    widths = tuple(
        (name, cells.widths[position])
        for position, name in enumerate(header, 1)
        if name and position in cells.widths
    )
    return Spreadsheet(
        tuple(header),
        lines,
        numbers,
        Dialect(column_widths=widths),
        (*notes, *table.layout.notes, *_struck_notes(cells, numbers)),
        0 if visible_rows else len(hidden),
        header_row,
    )


def _struck_notes(cells: SheetCells, numbers: Sequence[int]) -> Iterator[str]:
    """That rows are read which somebody may have struck out to leave them out."""
    if struck := [number for number in numbers if number in cells.struck_rows]:
        yield f"{rows_named(struck)} with struck-out cells, read like the others"


def _used_width(line: Sequence[object]) -> int:
    return max((place for place, value in enumerate(line, 1) if not is_blank(value)), default=0)


def _no_rows(name: str, are_hidden: bool, hint: str) -> str:
    rows = "no rows that are visible" if are_hidden else "no rows"
    return f"The sheet {name} has a header and {rows}.{hint}"


def _unsaved_problems(
    cells: SheetCells, header_row: int, numbers: Sequence[int]
) -> Iterator[Problem]:
    """A problem for each formula in the table of which the file does not say what it gives.

    Args:
        cells: The sheet.
        header_row: The number of the row with the columns' names.
        numbers: Those of the table's rows.
    """
    rows = {header_row, *numbers}
    for row, column in cells.unsaved:
        # A row that has nothing else is one of the table as well; what is above it is not.
        if row in rows or row > header_row:
            yield Problem(
                "holds a formula whose value was never saved. "
                "Open the file in a spreadsheet program, save it, and try again.",
                row,
                column_letters(column),
            )


def _merged_problems(
    cells: SheetCells, header: Sequence[str], read: Sequence[int], numbers: Sequence[int]
) -> Iterator[Problem]:
    """A problem for each cell that is read and lies under another one.

    It is shown with a value that is not its own, and would be read, and paid for, as empty.

    Args:
        cells: The sheet.
        header: The columns' names.
        read: Columns that are read, counted from 1.
        numbers: Those of the table's rows, in order.
    """
    for merged in cells.merged:
        first, end = (
            bisect_left(numbers, merged.first_row),
            bisect_right(numbers, merged.last_row),
        )
        for row in numbers[first:end]:
            for column in read:
                is_within = merged.first_column <= column <= merged.last_column
                if is_within and (row, column) != (merged.first_row, merged.first_column):
                    yield Problem(
                        f"is merged with other cells ({merged.name}), so it has no value of its "
                        "own. Unmerge them, and write its value into each.",
                        row,
                        header[column - 1],
                    )


def _length_problems(
    header: Sequence[str], lines: Sequence[Sequence[object]], numbers: Sequence[int]
) -> Iterator[Problem]:
    for number, line in zip(numbers, lines, strict=True):
        for name, value in zip(header, line, strict=True):
            if isinstance(value, str) and len(value) > LONGEST_CELL:
                yield Problem(f"has more than {LONGEST_CELL:,} characters.", number, name)
