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
from prefect_staticadslab.campaign.table.job_state import RESULT_COLUMNS
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
        results: Where its result columns are; none if it is no result table.
        sent: Where it says what was sent, by the column that stood for that.
    """

    results: Mapping[str, int]
    sent: Mapping[str, int]

    @classmethod
    def of(cls, spreadsheet: Spreadsheet) -> EarlierTable:
        """Looks for it.

        Raises:
            SpreadsheetError: It is a result table, and lacks what says which rows have an ad.
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
        """Where what we wrote is."""
        return frozenset((*self.results.values(), *self.sent.values()))

    def has_result(self, line: Sequence[Any]) -> bool:
        """Whether a line stands for an ad of an earlier run, made or not."""
        return self._text(line, "status") != ""

    def is_filled_in(self, line: Sequence[Any]) -> bool:
        """Whether a line's prompt is what was sent: earlier versions wrote that over the user's."""
        return self.has_result(line) and self._text(line, "request_hash") == ""

    def sent_text(self, line: Sequence[Any], column: str) -> str:
        """What an ad is of, where a column named several; or ""."""
        if column not in self.sent or not self.has_result(line):
            return ""
        return cell_text(line[self.sent[column]]).strip()

    def sent_prompt(self, line: Sequence[Any]) -> str:
        """The prompt that was sent, if it was filled in and stands beside the user's; or ""."""
        if "prompt" not in self.sent or not self.has_result(line) or self.is_filled_in(line):
            return ""
        return plain_text(cell_text(line[self.sent["prompt"]]))

    def _text(self, line: Sequence[Any], column: str) -> str:
        return cell_text(line[self.results[column]]).strip() if column in self.results else ""


def own_spreadsheet(spreadsheet: Spreadsheet, earlier: EarlierTable) -> Spreadsheet:
    """A spreadsheet without what earlier runs wrote into it.

    A column of the user's that is called like one that says what was sent gets a prefix.
    """
    if earlier.results:
        return without_columns(spreadsheet, earlier.positions)
    if not WRITTEN_COLUMNS & set(map(normalized, spreadsheet.header)):
        return spreadsheet
    return replace(spreadsheet, header=with_input_names(spreadsheet.header, WRITTEN_COLUMNS))


def placeholder_positions(
    names: Sequence[str], skipped: frozenset[int] = frozenset()
) -> dict[str, int]:
    """Where each column is that a placeholder may name, as people call it in their spreadsheet.

    Args:
        names: The columns' names; one that got a prefix in a result table goes by its own.
        skipped: Positions of columns that are none of theirs.
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
