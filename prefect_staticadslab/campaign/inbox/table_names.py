"""What an inbox's files are by their names, and how the tables of its spreadsheets are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from prefect_staticadslab.bounds import PATTERN_LENGTH
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.cells import shortened
from prefect_staticadslab.campaign.files.date_patterns import (
    PatternError,
    fill_in,
    names_made_by,
    placeholders_in,
)
from prefect_staticadslab.campaign.files.spreadsheet import WRITABLE

DEFAULT_PATTERN: Final = "{name}-results.{ending}"

TABLES: Final = (".csv", ".tsv", ".xlsx")
"""The endings of spreadsheets whose tables have the same ending."""

OTHER_WORKBOOKS: Final = (".xlsm", ".xlsb", ".xls", ".ods")
"""Workbooks that are read and never written: their table is an .xlsx."""

SPREADSHEETS: Final = TABLES + OTHER_WORKBOOKS
"""What a campaign's spreadsheet ends in."""

_NOT_OURS: Final = (".", "~$")
"""How hidden files begin, and what spreadsheet programs put beside a file that is open."""

CONFLICT: Final = "conflicted copy"
"""What services that synchronize folders call the second of two files of one name. To run it would
be to pay for the first one again."""

_ANY: Final[Mapping[str, re.Pattern[str]]] = {
    "name": re.compile(r"[^/]+"),
    "ending": re.compile("|".join(ending[1:] for ending in TABLES), re.ASCII),
}
"""What a pattern's placeholders may stand for in the name of any table."""


def is_spreadsheet_name(name: str) -> bool:
    """Whether a file may be a campaign's spreadsheet, as far as its name tells.

    What is still being downloaded ends in something else, such as `.crdownload`.

    Example:
        ```python
        from prefect_staticadslab.campaign.inbox.table_names import is_spreadsheet_name

        assert is_spreadsheet_name("Summer.XLSX")
        assert not is_spreadsheet_name("~$Summer.xlsx")
        assert not is_spreadsheet_name("Summer-results.html")
        ```
    """
    return (
        storage.suffix(name) in SPREADSHEETS
        and not name.startswith(_NOT_OURS)
        and CONFLICT not in name.casefold()
    )


@dataclass(frozen=True)
class TableNames:
    """How the tables of an inbox's spreadsheets are called; make it by `of`.

    Attributes:
        pattern: With `{name}` for the spreadsheet's name without its ending, `{ending}` for its
            ending, or xlsx for other workbooks, and the placeholders of `date_patterns.fill_in` for
            the date.
        moment: The date that new tables get.
    """

    pattern: str
    moment: datetime

    @classmethod
    def of(cls, pattern: str, moment: datetime, *, beside: bool) -> TableNames:
        """The names for a pattern, which is checked.

        Args:
            pattern, moment: See above.
            beside: Whether the tables are in the folder of the spreadsheets.

        Raises:
            PatternError: Tables cannot be called like that. The message says why, and what to do.

        Example:
            ```python
            from datetime import datetime
            from prefect_staticadslab.campaign.inbox.table_names import TableNames

            names = TableNames.of("{name}-{date}.{ending}", datetime(2026, 11, 25), beside=True)
            assert names.new_table("summer.xlsx") == "summer-2026-11-25.xlsx"
            assert names.is_table("summer-2026-11-03.xlsx")
            ```
        """
        names = cls(pattern, moment)
        label = shortened(pattern, 200)
        if len(pattern) > PATTERN_LENGTH:
            raise PatternError(
                f"The tables' name {label!r} has {len(pattern):,} characters, and "
                f"{PATTERN_LENGTH} are the most."
            )
        if "name" not in placeholders_in(pattern, _ANY):
            raise PatternError(
                f"The tables' name {label!r} lacks {{name}}, so all spreadsheets would have the "
                f"same table. An example: {DEFAULT_PATTERN}"
            )
        example = names.new_table("x.csv")
        if "/" in example or "\\" in example or example.startswith("."):
            raise PatternError(
                f"The tables' name {label!r} is no name of a file. Folders are given separately."
            )
        if storage.suffix(example) not in WRITABLE:
            raise PatternError(
                f"The tables' name {label!r} must end in {{ending}} or one of: "
                f"{', '.join(WRITABLE)}."
            )
        if beside and any(names.is_table(f"x{ending}") for ending in SPREADSHEETS):
            raise PatternError(
                f"With the tables' name {label!r} a spreadsheet cannot be told from a table in the "
                f"same folder. Add a word, as in {DEFAULT_PATTERN}, or choose another folder for "
                "the results."
            )
        return names

    def new_table(self, spreadsheet: str) -> str:
        """The name of the table that a spreadsheet gets if it has none."""
        return fill_in(self.pattern, self.moment, _placeholder_values(spreadsheet))

    def earlier_tables(self, spreadsheet: str, present: Iterable[str]) -> list[str]:
        """Which of these files are called like a spreadsheet's tables, the newest last.

        Args:
            spreadsheet: Its name.
            present: The names of the files in the folder of the tables.
        """
        return names_made_by(self.pattern, present, _placeholder_values(spreadsheet))

    def is_table(self, name: str) -> bool:
        """Whether a file is called like the table of any spreadsheet, of any date."""
        return bool(names_made_by(self.pattern, [name], _ANY))


def _placeholder_values(spreadsheet: str) -> dict[str, str]:
    """What `{name}` and `{ending}` stand for in the name of a spreadsheet's table."""
    ending = storage.suffix(spreadsheet)
    name = spreadsheet[: len(spreadsheet) - len(ending)]
    return {"name": name, "ending": "xlsx" if ending in OTHER_WORKBOOKS else ending[1:]}
