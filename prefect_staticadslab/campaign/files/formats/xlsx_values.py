"""What an .xlsx holds of a value: a number or a date only if it is read again as what it was."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import FIRST_ROW, cell_text, is_blank
from prefect_staticadslab.campaign.files.formats.xlsx_text import length_in_excel
from prefect_staticadslab.campaign.files.formulas import CatalogueText, escape_apostrophe

if TYPE_CHECKING:
    import pandas as pd

EXCEL_CELL: Final = 32_767
"""Characters that a cell of an .xlsx holds, as `length_in_excel` counts them."""

LARGEST_INTEGER: Final = 10**15
"""Excel keeps 15 digits of a number; a longer one, such as an id, is text."""

FIRST_YEAR: Final = 1901
"""Dates from this year on are written as dates: Excel's 1900 has a day too many, and earlier years
there are none. Others are text."""


class AllDigitsFloat(float):
    """A number that is formatted with all of its digits, however many are asked for: XlsxWriter
    asks for 16, and another number might be read."""

    def __format__(self, _: str) -> str:
        return float.__repr__(self)


def date_format(value: date | time | timedelta) -> str:
    """The number format that shows all of a date, a time, both, or a duration, to the second."""
    match value:
        case datetime():
            return "yyyy-mm-dd hh:mm:ss"
        case date():
            return "yyyy-mm-dd"
        case time():
            return "hh:mm:ss"
        case _:
            return "[hh]:mm:ss"


def excel_value(value: Any) -> Any:
    """A cell's value as it is written to an .xlsx.

    Returns:
        None for a blank one, a text (one of the catalogue's so that it is no formula), or the value
        itself: a boolean, a number, a date, a time or a duration. If another value would be read
        again, it is the text of it.
    """
    if isinstance(value, str):
        return escape_apostrophe(value) if isinstance(value, CatalogueText) else value
    if is_blank(value):
        return None
    if isinstance(value, Decimal) and cell_text(float(value)) == cell_text(value):
        return float(value)
    is_lost = (
        isinstance(value, Decimal)
        or (isinstance(value, int) and abs(value) > LARGEST_INTEGER)
        or (isinstance(value, float) and not math.isfinite(value))
        or (isinstance(value, date) and value.year < FIRST_YEAR)
        or (isinstance(value, timedelta) and value < timedelta())
    )
    return cell_text(value) if is_lost else value


def check_text_lengths(frame: pd.DataFrame) -> None:
    """Raises if a text is longer than an .xlsx holds.

    Raises:
        SpreadsheetError: The message lists all such cells.
    """
    if not any(_may_have_long_text(frame.iloc[:, position]) for position in range(frame.shape[1])):
        return
    # They would be cut, and a row read back would not be the same row.
    problems = [
        Problem(
            f"has {length_in_excel(value):,} characters, and an .xlsx holds {EXCEL_CELL:,}. "
            "Choose a .csv as the output.",
            row=number,
            column=str(name),
        )
        for number, line in enumerate(frame.itertuples(index=False), FIRST_ROW)
        for name, value in zip(frame.columns, line, strict=True)
        if isinstance(value, str)
        and len(value) > EXCEL_CELL // 2
        and length_in_excel(value) > EXCEL_CELL
    ]
    if problems:
        raise SpreadsheetError(problems)


def _may_have_long_text(column: pd.Series[Any]) -> bool:
    """Whether a text may be too long for a cell, which is quicker to tell than whether it is."""
    return any(len(v) > EXCEL_CELL // 2 for v in column.tolist() if isinstance(v, str))
