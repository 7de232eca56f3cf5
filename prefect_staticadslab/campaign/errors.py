"""Errors of the user's, and what is wrong with spreadsheets, in words for people who have them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from prefect_staticadslab.bounds import TOLD_PROBLEMS


class CampaignError(Exception):
    """The base of all errors that are the user's to mend. The message is meant for the user."""


class StorageError(CampaignError):
    """A file that cannot be read or written. The message says which, why, and what to do."""


class OpenElsewhereError(StorageError):
    """A file cannot be read or written while another program has it open, as Excel on Windows."""


def ranges(numbers: Sequence[int]) -> str:
    """Ascending row numbers as people write them: `2-5, 9`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else str(r[0]) for r in runs)


@dataclass(frozen=True)
class Words:
    """What messages call the parts of what people wrote: a spreadsheet, a form or a kit.

    Attributes:
        row, rows: The word for one row, and for several.
        column: Makes what a column is called from its name.
        which: Makes what stands after the word for rows from their numbers, such as `2-5, 9`.
    """

    row: str = "row"
    rows: str = "rows"
    column: Callable[[str], str] = "column {}".format
    which: Callable[[Sequence[int]], str] = ranges


SPREADSHEET_WORDS: Final = Words()


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a spreadsheet.

    Attributes:
        message: What is wrong, and what to do.
        row: The row's number as a spreadsheet program shows it (the header is row 1); None if it is
            of no one row.
        column: The column's name; None if it is of no one column.
    """

    message: str
    row: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        return self.message_in([] if self.row is None else [self.row], SPREADSHEET_WORDS)

    def message_in(self, rows: Sequence[int], words: Words) -> str:
        """The message, after the place where the problem is.

        Args:
            rows: The numbers of all rows that have it; its own `row` is not told.
            words: What people call the parts.
        """
        row = words.row if len(rows) == 1 else words.rows
        which = f"{row} {_shortened_list(words.which(rows))}" if rows else ""
        column = "" if self.column is None else words.column(self.column)
        place = ", ".join(part for part in (which, column) if part)
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
        """A line per problem, where one that many rows have is a single line for all of them; of
        TOLD_PROBLEMS at most, and then how many more there are."""
        rows: dict[Problem, list[int]] = {}
        for problem in self.problems:
            rows.setdefault(replace(problem, row=None), []).extend(
                () if problem.row is None else (problem.row,)
            )
        lines = [
            # The ads that one row makes have its problems each.
            problem.message_in(sorted(set(numbers)), words)
            for problem, numbers in islice(rows.items(), TOLD_PROBLEMS)
        ]
        if more := len(rows) - len(lines):
            lines.append(f"And {more:,} more problems. Mend these, and run it again.")
        return "\n".join(lines)


def _shortened_list(rows: str) -> str:
    """A list of rows, or as many of them as fit into _LONGEST_RANGES, and `and others`."""
    if len(rows) <= _LONGEST_RANGES:
        return rows
    return f"{rows[:_LONGEST_RANGES].rpartition(', ')[0]} and others"


_LONGEST_RANGES: Final = 1_000
"""How many characters name the rows that have one problem."""
