"""Excel's numbers: which of them are dates, by their number format (ECMA-376, 18.8.30)."""

from __future__ import annotations

import math
import re
from datetime import datetime, time, timedelta
from functools import cache
from typing import Final

from prefect_staticadslab.campaign.files.formats.workbooks.sheets import shown_value
from prefect_staticadslab.campaign.files.number_formats import BUILTIN_FORMATS

_DATE_FORMAT_IDS: Final = frozenset((*range(27, 37), *range(50, 59)))
"""Dates whose format is another one in each of Excel's East Asian editions."""

_GENERAL: Final = 0

EAST_ASIAN_DATE: Final = "\ufffddate"
"""Stands for these."""

_EPOCH_1900: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - a workbook knows no zones
_EPOCH_1904: Final = datetime(1904, 1, 1)  # noqa: DTZ001
_LEAP_DAY: Final = 60
"""Excel's 29 February 1900, which never was."""

_DAY_MILLISECONDS: Final = 86_400_000
"""A serial number has some 15 digits; after the days, they are good for milliseconds."""

_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.I)
_DURATION = re.compile(r"\[(?:h+|m+|s+)\]", re.I)
_DATE_PARTS = re.compile(r"[dmyhs]", re.I)


def built_in_format(number: int) -> str:
    """The format that Excel means by a number; "" is General."""
    if number in _DATE_FORMAT_IDS:
        return EAST_ASIAN_DATE
    return BUILTIN_FORMATS[number] if number in BUILTIN_FORMATS and number != _GENERAL else ""


@cache
def _kind_of(number_format: str) -> str:
    if number_format == EAST_ASIAN_DATE:
        return "date"
    if number_format.casefold() == "general":
        return "number"
    first = _NOT_SHOWN.sub("", number_format).partition(";")[0]
    if _DURATION.search(first):
        return "duration"
    if first.casefold().startswith("general"):
        return "number"
    return "date" if _DATE_PARTS.search(first) else "number"


def number_value(number: int | float, number_format: str, *, epoch_1904: bool) -> object:
    """A number as what its cell means by it: a number, a date, a time, or a duration.

    Args:
        number: What the workbook holds.
        number_format: The cell's; "" is General.
        epoch_1904: Whether the workbook counts days from 1904, as Excel for Mac once did.

    Returns:
        With what the cell shows, if that is known. What is no day of a calendar stays a number.
    """
    if isinstance(number, float) and not math.isfinite(number):
        return number
    kind = _kind_of(number_format)
    value: object = number
    try:
        if kind == "duration":
            value = timedelta(milliseconds=round(number * _DAY_MILLISECONDS))
        elif kind == "date":
            value = _moment(number, epoch_1904=epoch_1904)
    except (OverflowError, ValueError):
        return number
    return shown_value(value, "" if number_format == EAST_ASIAN_DATE else number_format)


def _moment(number: int | float, *, epoch_1904: bool) -> datetime | time | int | float:
    if number < 0:
        return number
    milliseconds = round(number * _DAY_MILLISECONDS)
    if milliseconds < _DAY_MILLISECONDS and not epoch_1904:
        return (_EPOCH_1900 + timedelta(milliseconds=milliseconds)).time()
    epoch = _EPOCH_1904 if epoch_1904 else _EPOCH_1900
    if not epoch_1904 and number < _LEAP_DAY:
        epoch += timedelta(days=1)
    return epoch + timedelta(milliseconds=milliseconds)
