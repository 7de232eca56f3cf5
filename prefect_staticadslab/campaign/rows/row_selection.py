"""Which rows of a spreadsheet a run is for: all of them, or some now and the others later."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from prefect_staticadslab.campaign.errors import CampaignError, ranges
from prefect_staticadslab.campaign.files.cells import shortened
from prefect_staticadslab.campaign.table.result_table import JobTable

EXAMPLE: Final = "2-10,15"
"""How rows are selected, for texts."""

_LONGEST_RANGES: Final = 80
"""Characters of the row numbers that a message names."""

_PART: Final = re.compile(r"(\d{1,9})(?:\s*[-\N{EN DASH}]\s*(\d{1,9}))?")
"""A row number or a range; many programs make a longer dash of a hyphen."""


class SelectionError(CampaignError):
    """Rows were selected that are not there, or in words that cannot be read. The message says
    which, and what there is or what to write."""


@dataclass(frozen=True)
class RowSelection:
    """The rows that a run is for, which are all of them by default.

    It says nothing about what became of a row: whoever runs the same selection twice gets the same
    ads, and pays for them once.

    Attributes:
        parts: Ranges of row numbers, as pairs of the first and the last; none is all rows.
        first: How many ads, in the spreadsheet's order, of these rows; 0 is all of them.
    """

    parts: tuple[tuple[int, int], ...] = ()
    first: int = 0

    @classmethod
    def parse(cls, rows: str = "", first: int = 0) -> RowSelection:
        """The selection that somebody wrote down.

        Args:
            rows: Row numbers and ranges, such as `2-10,15`; all rows if empty.
            first: How many ads; 0 for all of them.

        Raises:
            SelectionError: It cannot be read.

        Example:
            ```python
            from prefect_staticadslab.campaign.rows.row_selection import RowSelection

            assert RowSelection.parse("2-10, 15").parts == ((2, 10), (15, 15))
            ```
        """
        if first < 0:
            raise SelectionError(f"The first {first} ads are none: 'first' must be 1 or more.")
        parts = tuple(_parse_range(part) for part in rows.split(",")) if rows.strip() else ()
        return cls(parts, first)

    @property
    def option(self) -> str:
        """The options of a command that select, such as `--rows`; "" if all rows are selected."""
        return " and ".join(
            name for name, is_given in (("--rows", self.parts), ("--first", self.first)) if is_given
        )

    def positions(self, numbers: Sequence[int]) -> frozenset[int]:
        """Which ads are selected, as indices of `numbers`.

        Args:
            numbers: The number of each ad's row, in the spreadsheet's order.

        Raises:
            SelectionError: Rows are selected that are not there.

        Example:
            ```python
            from prefect_staticadslab.campaign.rows.row_selection import RowSelection

            numbers = [2, 2, 2, 3, 5]  # of which the first row makes three ads
            assert RowSelection.parse("2-3").positions(numbers) == {0, 1, 2, 3}
            assert RowSelection.parse("2-3", first=2).positions(numbers) == {0, 1}
            ```
        """
        self.check(numbers)
        chosen = [
            position
            for position, number in enumerate(numbers)
            if not self.parts or any(start <= number <= end for start, end in self.parts)
        ]
        return frozenset(chosen[: self.first] if self.first else chosen)

    def check(self, numbers: Iterable[int]) -> None:
        """Raises if rows are selected that are not there; a range may have blank rows in it.

        Args:
            numbers: The numbers of the spreadsheet's rows, in any order.

        Raises:
            SelectionError: A range begins before the first row, ends behind the last, or has no
                row in it.
        """
        existing = sorted(set(numbers))
        for start, end in self.parts:
            is_within = existing and existing[0] <= start and end <= existing[-1]
            if not is_within or not any(start <= number <= end for number in existing):
                what = f"Row {start} is" if start == end else f"Rows {start}-{end} are"
                raise SelectionError(
                    f"{what} not in the spreadsheet, or blank. The rows that it has are "
                    f"{shortened(ranges(existing), _LONGEST_RANGES)}."
                )


ALL_ROWS: Final = RowSelection()


def postpone_unselected(table: JobTable[Any], selection: RowSelection) -> None:
    """Sets `postponed` in the table's rows that are not selected, and the table's `selected_by`.

    Postponed rows stay in the table with what is known of them. What an earlier run has created of
    them is still collected, and nothing is created for them. Nothing is written to disk.

    Raises:
        SelectionError: Rows are selected that are not there.
    """
    current = [position for position, _, _ in table.current_rows]
    chosen = selection.positions([table.rows[position].number for position in current])
    selected = {current[index] for index in chosen}
    for position in current:
        if position not in selected:
            table.rows[position] = replace(table.rows[position], postponed=True)
    table.selected_by = selection.option


def _parse_range(text: str) -> tuple[int, int]:
    """The first and the last row number of a range, which are the same for a single row.

    Raises:
        SelectionError: It is no range, or a reversed one.
    """
    match = _PART.fullmatch(text.strip())
    if match is None:
        raise SelectionError(
            f"{shortened(text.strip())!r} is neither a row nor a range of rows. Rows are selected "
            f"by their numbers in the spreadsheet, like this: {EXAMPLE}."
        )
    start, end = int(match[1]), int(match[2] or match[1])
    if start > end:
        raise SelectionError(f"The range {start}-{end} of rows is reversed; write {end}-{start}.")
    return start, end
