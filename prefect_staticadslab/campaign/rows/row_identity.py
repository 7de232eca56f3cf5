"""What makes a row the same row in the next run: its `row_id`, or what it asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from prefect_staticadslab.campaign.errors import Problem
from prefect_staticadslab.campaign.files.cells import cell_text, plain_text, shortened
from prefect_staticadslab.campaign.rows.cell_values import clean_id
from prefect_staticadslab.campaign.rows.columns import ROW_ID_COLUMN, SOURCE_ROW_COLUMN
from prefect_staticadslab.campaign.table.idempotency import ID_DIGITS, digest


class RowIds:
    """The `row_id`s of the rows that were added, to find one that two rows have."""

    def __init__(self) -> None:
        # By `row_id`: the number of the first row that has it, and the spreadsheet's row it is of.
        self._first: dict[str, tuple[int, str]] = {}

    def add(self, number: int, cells: Mapping[str, Any]) -> Problem | None:
        """Remembers a row's `row_id`.

        Args:
            number: The row's number.
            cells: Its cells, by their columns.

        Returns:
            A problem if an earlier row has this `row_id`. Rows without one, and the ads of one row
            of the spreadsheet, which share theirs, are no problem.
        """
        row_id = row_id_of(cells)
        source = cell_text(cells.get(SOURCE_ROW_COLUMN)).strip() or f"row {number}"
        _, first_source = self._first.setdefault(row_id, (number, source))
        return self.duplicate_problem(number, row_id) if row_id and source != first_source else None

    def duplicate_problem(self, number: int, row_id: str) -> Problem:
        """The problem of row `number`, whose `row_id` a row has that was added earlier."""
        return Problem(
            f"{shortened(row_id)!r} is also in row {self._first[row_id][0]}.", number, "row_id"
        )


class Identities:
    """Gives each row of a spreadsheet an identity: of its `row_id`, or of how many equal ones came
    before it."""

    def __init__(self) -> None:
        self._occurrences: Counter[str] = Counter()

    def next_identity(self, cells: Mapping[str, Any], content: str) -> str:
        """Counts the next row, and returns its identity for keys and tables: 16 hexadecimal digits.

        It is to be called once for each row, in the spreadsheet's order.

        Args:
            cells: The row's cells, by their columns.
            content: What the row asks for, as one text.
        """
        self._occurrences[content] += 1
        row_id = row_id_of(cells)
        which = f"row_id {row_id}" if row_id else f"occurrence {self._occurrences[content]}"
        return digest(which, content)[:ID_DIGITS]


def row_id_of(cells: Mapping[str, Any]) -> str:
    """What a row's cell `row_id` holds; "" if it has none."""
    return clean_id(plain_text(cell_text(cells.get(ROW_ID_COLUMN))))
