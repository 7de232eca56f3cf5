"""What is wrong with a campaign before it starts, in words for people with spreadsheets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from prefect_staticadslab.bounds import TOLD_PROBLEMS


class CampaignError(Exception):
    """The base of what a campaign can be refused for. The message is meant for the user."""


class StorageError(CampaignError):
    """A file that cannot be read or written. The message says which, why, and what to do."""


@dataclass(frozen=True)
class Words:
    """What people call the parts of what they wrote."""

    row: str = "row"
    rows: str = "rows"
    column: Callable[[str], str] = "column {}".format


SPREADSHEET_WORDS: Final = Words()


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
        row = None if self.row is None else f"{SPREADSHEET_WORDS.row} {self.row}"
        return self.message_in(row, SPREADSHEET_WORDS)

    def message_in(self, rows: str | None, words: Words) -> str:
        """The problem in people's words.

        Args:
            rows: Which rows have it.
            words: What people call the parts.
        """
        column = None if self.column is None else words.column(self.column)
        place = ", ".join(part for part in (rows, column) if part)
        return f"{place[:1].upper()}{place[1:]}: {self.message}" if place else self.message


class SpreadsheetError(CampaignError):
    """The spreadsheet cannot be used as it is.

    Attributes:
        problems: All that is wrong, in the order of the rows.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.message_in(SPREADSHEET_WORDS))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.problems,)

    def message_in(self, words: Words) -> str:
        """A line per problem, where one that many rows have is a single line for all of them."""
        rows: dict[Problem, list[int]] = {}
        for problem in self.problems:
            rows.setdefault(replace(problem, row=None), []).extend(
                () if problem.row is None else (problem.row,)
            )
        lines = []
        for problem, given in islice(rows.items(), TOLD_PROBLEMS):
            # The ads that one row makes have its problems each.
            numbers = sorted(set(given))
            several = f"{words.rows} {_some_of(ranges(numbers))}" if len(numbers) > 1 else None
            one = f"{words.row} {numbers[0]}" if numbers else None
            lines.append(problem.message_in(several or one, words))
        if more := len(rows) - len(lines):
            lines.append(f"And {more:,} more problems. Mend these, and run it again.")
        return "\n".join(lines)


def _some_of(numbers: str) -> str:
    if len(numbers) <= _LONGEST_RANGES:
        return numbers
    return f"{numbers[:_LONGEST_RANGES].rpartition(', ')[0]} and others"


_LONGEST_RANGES: Final = 1_000
"""Characters of the numbers of rows that have one problem."""


def ranges(numbers: Sequence[int]) -> str:
    """Row numbers as people write them: `2-5, 9`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else str(r[0]) for r in runs)
