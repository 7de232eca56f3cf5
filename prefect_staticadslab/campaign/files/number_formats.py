"""What a workbook's cell shows of a number or a date, given its number format."""

from __future__ import annotations

from datetime import date, time, timedelta


def show_number(value: int | float | date | time | timedelta, number_format: str) -> str | None:
    """What a cell shows; None if the format is not known, and the plain value is to stay.

    Args:
        value: What a spreadsheet program computes with.
        number_format: The cell's format, as Excel writes it: `0.00%`.
    """
    return None
