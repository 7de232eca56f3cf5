"""What is wrong with the cells of a sheet's table, each problem with its row and column."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence, Set
from itertools import islice
from typing import Any, Final

from prefect_staticadslab.bounds import LONGEST_CELL
from prefect_staticadslab.campaign.errors import Problem
from prefect_staticadslab.campaign.files.cells import header_problems
from prefect_staticadslab.campaign.files.formats.table_layout import known_names
from prefect_staticadslab.campaign.files.formats.workbooks.sheets import (
    SheetCells,
    column_letters,
)

_MOST_MERGED_PROBLEMS: Final = 1_000
"""Merged cells that a message names at most."""


def table_problems(
    cells: SheetCells,
    header_row: int,
    header: Sequence[str],
    lines: Sequence[Sequence[Any]],
    row_numbers: Sequence[int],
    known_columns: Set[str],
) -> list[Problem]:
    """What is wrong with a table's names and cells, but for having no rows.

    Args:
        cells: The sheet.
        header_row: The number of the row with the columns' names.
        header: The columns' names.
        lines: The rows that are taken.
        row_numbers: For each of them, its number.
        known_columns: Names of columns that are read.
    """
    problems = header_problems(header, header_row)
    problems += _unsaved_problems(cells, header_row, row_numbers)
    problems += _length_problems(header, lines, row_numbers)
    read_columns = [n for n, name in enumerate(header, 1) if known_names([name], known_columns)]
    merged_problems = _merged_problems(cells, header, read_columns, row_numbers)
    problems += islice(merged_problems, _MOST_MERGED_PROBLEMS)
    return problems


def _unsaved_problems(
    cells: SheetCells, header_row: int, row_numbers: Sequence[int]
) -> Iterator[Problem]:
    """A problem for each formula in the table of which the file does not say what it gives.

    Args:
        cells: The sheet.
        header_row: The number of the row with the columns' names.
        row_numbers: Those of the table's rows.
    """
    rows = {header_row, *row_numbers}
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
    cells: SheetCells,
    header: Sequence[str],
    read_columns: Sequence[int],
    row_numbers: Sequence[int],
) -> Iterator[Problem]:
    """A problem for each cell that is read, and merged with others of which it is not the first.

    It is shown with a value that is not its own, and would be read, and paid for, as empty.

    Args:
        cells: The sheet.
        header: The columns' names.
        read_columns: The columns that are read, counted from 1.
        row_numbers: Those of the table's rows, in order.
    """
    for merged in cells.merged:
        first, end = (
            bisect_left(row_numbers, merged.first_row),
            bisect_right(row_numbers, merged.last_row),
        )
        for row in row_numbers[first:end]:
            for column in read_columns:
                is_within = merged.first_column <= column <= merged.last_column
                if is_within and (row, column) != (merged.first_row, merged.first_column):
                    yield Problem(
                        f"is merged with other cells ({merged.name}), so it has no value of its "
                        "own. Unmerge them, and write its value into each.",
                        row,
                        header[column - 1],
                    )


def _length_problems(
    header: Sequence[str], lines: Sequence[Sequence[object]], row_numbers: Sequence[int]
) -> Iterator[Problem]:
    """A problem for each text that is longer than a cell's is read."""
    for number, line in zip(row_numbers, lines, strict=True):
        for name, value in zip(header, line, strict=True):
            if isinstance(value, str) and len(value) > LONGEST_CELL:
                yield Problem(f"has more than {LONGEST_CELL:,} characters.", number, name)
