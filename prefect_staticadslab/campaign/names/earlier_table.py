"""A result table as a spreadsheet: what in it is the user's, and what earlier runs wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    Spreadsheet,
    cell_text,
    normalized,
    plain_text,
)
from prefect_staticadslab.campaign.rows.columns import SENT_NAME_COLUMNS
from prefect_staticadslab.campaign.table.job_state import RESULT_COLUMNS, JobState
from prefect_staticadslab.campaign.table.layout import (
    INPUT_PREFIX,
    SENT_PROMPT_COLUMN,
    result_columns_of,
    with_input_names,
    without_columns,
)
from prefect_staticadslab.campaign.table.table_on_disk import missing_message

_NEEDED: Final = ("status", "image_ad_id")
"""Without these nobody can say which rows have an ad."""

WRITTEN_COLUMNS: Final = frozenset(
    (*RESULT_COLUMNS, SENT_PROMPT_COLUMN, *SENT_NAME_COLUMNS.values())
)
"""What we add to a table beside what a spreadsheet may have of its own."""


@dataclass(frozen=True)
class EarlierTable:
    """What earlier runs wrote into a spreadsheet.

    Attributes:
        result_positions: The positions of its result columns, by name; empty if it is no result
            table.
        sent_positions: The positions of the `sent_…` columns, which say what was sent for each ad,
            by the name of the user's column, which may stand for several.
    """

    result_positions: Mapping[str, int]
    sent_positions: Mapping[str, int]

    @classmethod
    def find(cls, spreadsheet: Spreadsheet) -> EarlierTable:
        """Finds the columns that earlier runs wrote into a spreadsheet.

        Raises:
            SpreadsheetError: It is a result table, and lacks the columns that say which rows have
                an ad.
        """
        found = result_columns_of(spreadsheet)
        if not found.is_recognized:
            return cls({}, {})
        if not all(name in found.positions for name in _NEEDED):
            message = (
                f"This looks like a result table, but {missing_message(found)}, so nobody can say "
                "which rows have an ad. Put that back as it was; or, to have all ads made anew, "
                f"delete its other result columns, {', '.join(found.positions)}, as well."
            )
            raise SpreadsheetError([Problem(message, row=1)])
        names = [normalized(name) for name in spreadsheet.header]
        sent = {"prompt": SENT_PROMPT_COLUMN, **SENT_NAME_COLUMNS}
        return cls(
            found.positions,
            {column: names.index(name) for column, name in sent.items() if name in names},
        )

    @property
    def positions(self) -> frozenset[int]:
        """The positions of all columns that earlier runs wrote."""
        return frozenset((*self.result_positions.values(), *self.sent_positions.values()))

    def has_result(self, line: Sequence[Any]) -> bool:
        """Whether a line has a status, so that it is an ad of an earlier run, made or not."""
        return self._result_text(line, "status") != ""

    def may_have_ad(self, line: Sequence[Any]) -> bool:
        """Whether an earlier run made an ad of a line that has not failed, or may have sent it."""
        cells = {name: line[position] for name, position in self.result_positions.items()}
        return JobState.from_cells(cells).may_have_ad

    def has_overwritten_prompt(self, line: Sequence[Any]) -> bool:
        """Whether a line's prompt is the one that was sent: earlier versions of this program wrote
        that over the user's."""
        return self.has_result(line) and self._result_text(line, "request_hash") == ""

    def sent_text(self, line: Sequence[Any], column: str) -> str:
        """The one name that was sent for a line whose name column may stand for several.

        Args:
            line: The line.
            column: The name column.

        Returns:
            The name; "" if the table has none, or the line is no ad of an earlier run.
        """
        if column not in self.sent_positions or not self.has_result(line):
            return ""
        return cell_text(line[self.sent_positions[column]]).strip()

    def sent_prompt(self, line: Sequence[Any]) -> str:
        """The filled-in prompt that was sent for a line; "" if it is not beside the user's own."""
        if "prompt" not in self.sent_positions or not self.has_result(line):
            return ""
        if self.has_overwritten_prompt(line):
            return ""
        return plain_text(cell_text(line[self.sent_positions["prompt"]]))

    def _result_text(self, line: Sequence[Any], column: str) -> str:
        """The text of a line's cell in a result column; "" if there is no such column."""
        if column not in self.result_positions:
            return ""
        return cell_text(line[self.result_positions[column]]).strip()


def own_spreadsheet(spreadsheet: Spreadsheet, earlier: EarlierTable) -> Spreadsheet:
    """A copy of a spreadsheet without the columns that earlier runs wrote.

    If it is no result table, columns of the user's that are called like ours get a prefix.
    """
    if earlier.result_positions:
        return without_columns(spreadsheet, earlier.positions)
    if not WRITTEN_COLUMNS & set(map(normalized, spreadsheet.header)):
        return spreadsheet
    return replace(spreadsheet, header=with_input_names(spreadsheet.header, WRITTEN_COLUMNS))


def placeholder_positions(
    names: Sequence[str], skipped: frozenset[int] = frozenset()
) -> dict[str, int]:
    """The position of each column that a placeholder may name, by its normalized name.

    Args:
        names: The columns' names. One that got a prefix in a result table can also be named
            without it.
        skipped: Positions of columns that no placeholder may name.
    """
    positions: dict[str, int] = {}
    for position, name in enumerate(map(normalized, names)):
        if position not in skipped:
            positions.setdefault(name, position)
    for name, position in list(positions.items()):
        own_name = name.removeprefix(INPUT_PREFIX)
        if own_name in WRITTEN_COLUMNS:
            positions.setdefault(own_name, position)
    return positions
