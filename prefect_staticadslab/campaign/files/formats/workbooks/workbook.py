"""Reads the table on the sheet of a workbook that is meant, and what a workbook says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, Final

from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    Dialect,
    Spreadsheet,
    cell_text,
    is_blank,
    shortened,
)
from prefect_staticadslab.campaign.files.formats.table_layout import (
    Layout,
    known_names,
    layout_of,
    rows_in_words,
)
from prefect_staticadslab.campaign.files.formats.workbook_bounds import check_archive
from prefect_staticadslab.campaign.files.formats.workbooks.format_detection import (
    broken_workbook_error,
    open_workbook,
)
from prefect_staticadslab.campaign.files.formats.workbooks.sheets import (
    Sheet,
    SheetCells,
)
from prefect_staticadslab.campaign.files.formats.workbooks.table_problems import table_problems

NeededColumns = Sequence[Set[str]]
"""What a header must have: at least one name of each of these sets."""

_LONGEST_NAMES: Final = 500
"""Characters of the sheets' names in a message."""


@dataclass(frozen=True)
class _Table:
    """A sheet that was read.

    Attributes:
        sheet: The sheet.
        cells: What it holds.
        layout: Where its table is.
        names: The known columns in its header.
    """

    sheet: Sheet
    cells: SheetCells
    layout: Layout
    names: Set[str]

    @property
    def is_empty(self) -> bool:
        """Whether the sheet has not even a header."""
        return not self.layout.header[1]

    def has(self, needed: NeededColumns) -> bool:
        """Whether its header has one known column of each set."""
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
    """Reads a sheet of a workbook of any format; see `read_spreadsheet`.

    Args:
        content: The file.
        sheet: The sheet's name. Otherwise it is the visible one that has the columns.
        known_columns: Names that its header is likely to have.
        needed_columns: What its header must have.
        visible_rows: Whether hidden rows are left out.
        may_be_empty: Whether a header without rows is read as a table without rows. Otherwise it is
            refused.

    Raises:
        SpreadsheetError: It cannot be read, no sheet or several could be meant, or its cells have
            problems, all of which the message lists.
    """
    sheets = open_workbook(content)
    if sheet is None:
        table, notes = _read_meant_sheet(sheets, known_columns, needed_columns)
    else:
        table, notes = _read_table(_sheet_named(sheets, sheet), known_columns), []
    hint = "" if sheet or len(sheets) < 2 else f" {_sheets_hint(sheets)}"  # noqa: PLR2004
    if table.is_empty:
        raise SpreadsheetError([Problem(f"The sheet is empty.{hint}")])
    spreadsheet = _checked_spreadsheet(
        table,
        notes,
        known_columns,
        visible_rows=visible_rows,
        may_be_empty=may_be_empty,
        no_rows_hint=hint,
    )
    others = tuple(each.name for each in sheets if each is not table.sheet)
    return replace(spreadsheet, other_sheets=others)


def sheet_names(content: bytes) -> list[str]:
    """The names of a workbook's sheets, hidden ones as well.

    Raises:
        SpreadsheetError: It is no workbook that can be read.
    """
    return [sheet.name for sheet in open_workbook(content)]


def workbook_creator(content: bytes) -> str | None:
    """The creator that an .xlsx names in its properties; None if it names none, or is no .xlsx.

    Raises:
        SpreadsheetError: It is larger than is read.
    """
    book = _open_with_openpyxl(content)
    if book is None:
        return None
    creator: str | None = book.properties.creator
    book.close()
    return creator


def _open_with_openpyxl(content: bytes) -> Any:
    """An .xlsx as openpyxl's workbook, to be closed; None if it is none, or a broken one.

    Raises:
        SpreadsheetError: It is larger than is read.
    """
    from openpyxl import load_workbook

    try:
        check_archive(content)
        return load_workbook(BytesIO(content), read_only=True)
    except SpreadsheetError:
        raise
    except Exception:  # a broken file can break openpyxl anywhere
        return None


def _sheet_named(sheets: Sequence[Sheet], name: str) -> Sheet:
    """The sheet of exactly this name; otherwise, the one whose name differs in case only.

    Raises:
        SpreadsheetError: There is none; the message lists the sheets.
    """
    for normalize in (str, str.casefold):  # programs do not tell names apart by case
        for sheet in sheets:
            if normalize(sheet.name) == normalize(name):
                return sheet
    raise SpreadsheetError([Problem(f"There is no sheet {name!r}. {_sheets_hint(sheets)}")])


def _read_meant_sheet(
    sheets: Sequence[Sheet], known_columns: Set[str], needed_columns: NeededColumns
) -> tuple[_Table, list[str]]:
    """Reads the visible sheet that is meant: the only one, or the one whose header has the needed
    columns; if none are needed, the first one with a known column.

    To find it, other visible sheets are read, too.

    Returns:
        The sheet, and a list with a note that says why this one; without, if there is no other.

    Raises:
        SpreadsheetError: No sheet is visible, or none has the columns, or several have those that
            are needed; or, if none is found, one that cannot be read.
    """
    visible = [sheet for sheet in sheets if sheet.is_visible]
    if not visible:
        what = "All sheets of the workbook are hidden." if sheets else "The workbook has no sheets."
        raise SpreadsheetError([Problem(f"{what} {_sheets_hint(sheets)}".strip())])
    if len(visible) == 1:
        note = [f"sheet {visible[0].name!r}, the visible one"] if len(sheets) > 1 else []
        return _read_table(visible[0], known_columns), note
    needed = needed_columns or ([known_columns] if known_columns else [])
    found: list[_Table] = []
    first: _Table | None = None
    error: SpreadsheetError | None = None
    for sheet in visible:
        try:
            table = _read_table(sheet, known_columns)
        except SpreadsheetError as unreadable:  # another one may be meant
            error = error or unreadable
            continue
        if table.is_empty:
            continue
        first = first or table
        if table.has(needed):
            found.append(table)
            if not needed_columns:
                break
    if len(found) > 1:
        raise _several_sheets_error(found)
    if found:
        return found[0], [f"sheet {found[0].sheet.name!r}, which has the columns"]
    if error is not None:
        raise error
    if first is None:
        raise SpreadsheetError([Problem(f"All visible sheets are empty. {_sheets_hint(sheets)}")])
    raise SpreadsheetError(
        [Problem(f"{_missing_columns_message(needed)} {_sheets_hint(sheets)}", row=None)]
    )


def _several_sheets_error(tables: Sequence[_Table]) -> SpreadsheetError:
    """The error to raise if all of these sheets could be meant."""
    names = ", ".join(shortened(table.sheet.name) for table in tables)
    return SpreadsheetError(
        [
            Problem(
                f"Several sheets have the columns: {names}. Name one with --sheet NAME, or "
                "hide the others."
            )
        ]
    )


def _missing_columns_message(needed: NeededColumns) -> str:
    """That no sheet has the needed columns, named as far as there are at most two for one."""
    columns = ", ".join(" or ".join(sorted(names)) for names in needed if len(names) <= 2)  # noqa: PLR2004
    return f"No visible sheet has the columns that are needed{columns and f': {columns}'}."


def _sheets_hint(sheets: Sequence[Sheet]) -> str:
    """Which sheets a workbook has, and how to choose one; "" if it has none."""
    if not sheets:
        return ""
    names = (f"{s.name}{'' if s.is_visible else ' (hidden)'}" for s in sheets)
    known = shortened(", ".join(names), _LONGEST_NAMES)
    return f"There are: {known}. Name one with --sheet NAME, or hide the others."


def _read_table(sheet: Sheet, known_columns: Set[str]) -> _Table:
    """Reads a sheet's cells, and finds the table in them.

    Raises:
        SpreadsheetError: It is broken, or has more cells than are read.
    """
    try:
        cells = sheet.read()
    except SpreadsheetError:
        raise
    except Exception as error:  # a broken file can break its reader anywhere
        raise broken_workbook_error(error) from None
    layout = layout_of(cells.lines(), known_columns)
    return _Table(sheet, cells, layout, known_names(layout.header[1], known_columns))


def _checked_spreadsheet(
    table: _Table,
    notes: Sequence[str],
    known_columns: Set[str],
    *,
    visible_rows: bool,
    may_be_empty: bool,
    no_rows_hint: str,
) -> Spreadsheet:
    """A table as a spreadsheet, after a check of its cells.

    Args:
        table: The sheet that was read.
        notes: Why it was this one, for people.
        known_columns: Names of columns that are read.
        visible_rows: Whether hidden rows are left out.
        may_be_empty: Whether it may have no rows.
        no_rows_hint: What is told besides if it has none: which sheets there are, or "".

    Raises:
        SpreadsheetError: Cells have problems, all of which the message lists; or there are no rows.
    """
    cells = table.cells
    hidden = [n for n, _ in table.layout.lines if n in cells.hidden_rows]
    kept = [
        (number, line)
        for number, line in table.layout.lines
        if not visible_rows or number not in cells.hidden_rows
    ]
    header, lines = _with_equal_width(table.layout.header[1], [line for _, line in kept])
    numbers = tuple(number for number, _ in kept)
    problems = table_problems(cells, table.layout.header[0], header, lines, numbers, known_columns)
    if not lines and not problems and not may_be_empty:
        message = _no_rows_message(table.sheet.name, bool(hidden and visible_rows), no_rows_hint)
        problems.append(Problem(message))
    if problems:
        raise SpreadsheetError(problems)
    return Spreadsheet(
        tuple(header),
        lines,
        numbers,
        Dialect(column_widths=_widths_by_name(cells, header)),
        (*notes, *table.layout.notes, *_struck_notes(cells, numbers)),
        0 if visible_rows else len(hidden),
        table.layout.header[0],
    )


def _with_equal_width(
    header_cells: Sequence[Any], lines: Sequence[Sequence[Any]]
) -> tuple[list[str], list[list[Any]]]:
    """The header as texts, and the rows, each as wide as the widest is without blank cells at its
    end: longer ones are cut, and shorter ones filled with "" or None."""
    width = max(map(_used_width, (header_cells, *lines)))
    header = [cell_text(value) for value in header_cells][:width]
    header += [""] * (width - len(header))
    return header, [[*line[:width], *[None] * (width - len(line))] for line in lines]


def _widths_by_name(cells: SheetCells, header: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """The widths that somebody chose, in characters, each with its column's name."""
    return tuple(
        (name, cells.widths[column])
        for column, name in enumerate(header, 1)
        if name and column in cells.widths
    )


def _struck_notes(cells: SheetCells, numbers: Sequence[int]) -> Iterator[str]:
    """A note that rows are read which somebody may have struck out to leave them out, if so."""
    if struck := [number for number in numbers if number in cells.struck_rows]:
        yield f"{rows_in_words(struck)} with struck-out cells, read like the others"


def _used_width(line: Sequence[object]) -> int:
    """How many cells a line has without blank ones at its end."""
    return max((column for column, value in enumerate(line, 1) if not is_blank(value)), default=0)


def _no_rows_message(sheet_name: str, are_hidden: bool, hint: str) -> str:
    rows = "no rows that are visible" if are_hidden else "no rows"
    return f"The sheet {sheet_name} has a header and {rows}.{hint}"
