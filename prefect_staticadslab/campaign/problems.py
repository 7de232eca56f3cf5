"""What is wrong with a campaign before it starts, in words for people with spreadsheets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class CampaignError(Exception):
    """The base of what a campaign can be refused for. The message is meant for the user."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        message: What is wrong, and what to do.
        row: The row's number as a spreadsheet program shows it (the header is row 1), or None.
        column: The column's name, or None.
    """

    message: str
    row: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        places = []
        if self.row is not None:
            places.append(f"row {self.row}")
        if self.column is not None:
            places.append(f"column {self.column}")
        place = ", ".join(places)
        return f"{place[:1].upper()}{place[1:]}: {self.message}" if place else self.message


class SpreadsheetError(CampaignError):
    """The spreadsheet cannot be used as it is.

    Attributes:
        problems: All that is wrong, in the order of the rows.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.problems,)
