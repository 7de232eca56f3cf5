"""What makes a row the same row in the next run: its `row_id`, or what it asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from prefect_staticadslab.campaign.errors import Problem
from prefect_staticadslab.campaign.files.cells import cell_text, plain_text, shortened
from prefect_staticadslab.campaign.rows.columns import ROW_ID_COLUMN, SOURCE_ROW_COLUMN
from prefect_staticadslab.campaign.table.idempotency import ID_DIGITS, digest


class RowIds:
    """Which `row_id`s there are, to tell one that two rows of a spreadsheet have."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[int, str]] = {}

    def problem(self, number: int, cells: Mapping[str, Any]) -> Problem | None:
        """What is wrong with a row's `row_id`, if another row has it.

        The ads that one row makes share its `row_id`.
        """
        row_id = row_id_of(cells)
        source = cell_text(cells.get(SOURCE_ROW_COLUMN)).strip() or f"row {number}"
        _, first_source = self._first.setdefault(row_id, (number, source))
        return self.twice(number, row_id) if row_id and source != first_source else None

    def twice(self, number: int, row_id: str) -> Problem:
        """What to say of a `row_id` that is there already."""
        return Problem(
            f"{shortened(row_id)!r} is also in row {self._first[row_id][0]}.", number, "row_id"
        )


class Identities:
    """Tells the rows of a spreadsheet apart: by their `row_id`, or else by counting equal ones."""

    def __init__(self) -> None:
        self._occurrences: Counter[str] = Counter()

    def of(self, cells: Mapping[str, Any], content: str) -> str:
        """What stands for the next row in keys and tables: 16 hexadecimal digits.

        Args:
            cells: The row.
            content: All that makes it ask for what it asks.
        """
        self._occurrences[content] += 1
        row_id = row_id_of(cells)
        which = f"row_id {row_id}" if row_id else f"occurrence {self._occurrences[content]}"
        return digest(which, content)[:ID_DIGITS]


def row_id_of(cells: Mapping[str, Any]) -> str:
    """A row's `row_id`, or ""."""
    return plain_text(cell_text(cells.get(ROW_ID_COLUMN))).strip()
