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
    """The `row_id`s of a spreadsheet's rows, to find one that two rows have."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[int, str]] = {}

    def problem(self, number: int, cells: Mapping[str, Any]) -> Problem | None:
        """Remembers a row's `row_id`. Returns a problem if an earlier row has it already.

        The ads that one row makes share its `row_id`.
        """
        row_id = row_id_of(cells)
        source = cell_text(cells.get(SOURCE_ROW_COLUMN)).strip() or f"row {number}"
        _, first_source = self._first.setdefault(row_id, (number, source))
        return self.duplicate_problem(number, row_id) if row_id and source != first_source else None

    def duplicate_problem(self, number: int, row_id: str) -> Problem:
        """The problem of a row whose `row_id` an earlier row has."""
        return Problem(
            f"{shortened(row_id)!r} is also in row {self._first[row_id][0]}.", number, "row_id"
        )


class Identities:
    """Tells the rows of a spreadsheet apart: by their `row_id`, or else by counting equal ones."""

    def __init__(self) -> None:
        self._occurrences: Counter[str] = Counter()

    def next_identity(self, cells: Mapping[str, Any], content: str) -> str:
        """Counts the next row and returns its identity for keys and tables: 16 hexadecimal digits.

        Args:
            cells: The row.
            content: What the row asks for, as one text.
        """
        self._occurrences[content] += 1
        row_id = row_id_of(cells)
        which = f"row_id {row_id}" if row_id else f"occurrence {self._occurrences[content]}"
        return digest(which, content)[:ID_DIGITS]


def row_id_of(cells: Mapping[str, Any]) -> str:
    """A row's `row_id`, or ""."""
    return clean_id(plain_text(cell_text(cells.get(ROW_ID_COLUMN))))
