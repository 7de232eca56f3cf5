"""Excel's numbers, and which of them are dates: a cell holds a date as a serial number, in days,
and only its number format tells (ECMA-376, part 1, 18.17.4 and 18.8.30)."""

from __future__ import annotations

import math
import re
from datetime import datetime, time, timedelta
from functools import cache
from typing import Final

from prefect_staticadslab.campaign.files.formats.workbooks.sheets import with_shown_text
from prefect_staticadslab.campaign.files.number_formats import BUILTIN_FORMATS

_EAST_ASIAN_DATE_IDS: Final = frozenset((*range(27, 37), *range(50, 59)))
"""Ids of formats that show dates, in another way in each of Excel's East Asian editions."""

_GENERAL_ID: Final = 0

_EAST_ASIAN_DATE: Final = "\ufffddate"
"""Stands for the formats with these ids: what they show is not known, but that it is a date."""

_EPOCH_1900: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - a workbook knows no zones
_EPOCH_1904: Final = datetime(1904, 1, 1)  # noqa: DTZ001
_FALSE_LEAP_DAY: Final = 60
"""The serial number of Excel's 29 February 1900, a day that there was not."""

_DAY_MILLISECONDS: Final = 86_400_000
"""A serial number has some 15 digits; after the days, they are good for milliseconds."""

# What a format has in quotes, escaped, as room, as a filling and in brackets, but for a duration's.
_NOT_DATE_LETTERS = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.I)
_DURATION = re.compile(r"\[(?:h+|m+|s+)\]", re.I)
_DATE_LETTERS = re.compile(r"[dmyhs]", re.I)


def built_in_format(format_id: int) -> str:
    """The number format that Excel means by an id that a workbook does not define; "" is General,
    and also for an id that nobody knows."""
    if format_id in _EAST_ASIAN_DATE_IDS:
        return _EAST_ASIAN_DATE
    return (
        BUILTIN_FORMATS[format_id]
        if format_id in BUILTIN_FORMATS and format_id != _GENERAL_ID
        else ""
    )


@cache
def _value_type_of(number_format: str) -> str:
    """What a number with this format is: "number", "date", which may be a time of day, or
    "duration"."""
    if number_format == _EAST_ASIAN_DATE:
        return "date"
    if number_format.casefold() == "general":
        return "number"
    first = _NOT_DATE_LETTERS.sub("", number_format).partition(";")[0]
    if _DURATION.search(first):
        return "duration"
    if first.casefold().startswith("general"):
        return "number"
    return "date" if _DATE_LETTERS.search(first) else "number"


def number_value(number: int | float, number_format: str, *, epoch_1904: bool) -> object:
    """A number as what its cell means by it.

    Args:
        number: What the workbook holds.
        number_format: The cell's; "" is General.
        epoch_1904: Whether the workbook counts days from 1904, as Excel for Mac once did.

    Returns:
        A number, `datetime`, `time` or `timedelta`, as a `FormattedValue` if the format shows it in
        another way and it is certain how. What is no day of the calendar stays a number.
    """
    if isinstance(number, float) and not math.isfinite(number):
        return number
    value_type = _value_type_of(number_format)
    value: object = number
    try:
        if value_type == "duration":
            value = timedelta(milliseconds=round(number * _DAY_MILLISECONDS))
        elif value_type == "date":
            value = _date_of_serial_number(number, epoch_1904=epoch_1904)
    except (OverflowError, ValueError):
        return number
    return with_shown_text(value, "" if number_format == _EAST_ASIAN_DATE else number_format)


def _date_of_serial_number(
    number: int | float, *, epoch_1904: bool
) -> datetime | time | int | float:
    """The date that a serial number stands for, to the millisecond: a number below 1 is a time of
    day, if days count from 1900. A negative number stands for none, and stays a number.

    Raises:
        OverflowError: It is beyond the calendar.
    """
    if number < 0:
        return number
    milliseconds = round(number * _DAY_MILLISECONDS)
    if milliseconds < _DAY_MILLISECONDS and not epoch_1904:
        return (_EPOCH_1900 + timedelta(milliseconds=milliseconds)).time()
    epoch = _EPOCH_1904 if epoch_1904 else _EPOCH_1900
    if not epoch_1904 and number < _FALSE_LEAP_DAY:
        epoch += timedelta(days=1)
    return epoch + timedelta(milliseconds=milliseconds)
