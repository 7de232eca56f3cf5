"""What is shown for a date, a time or a duration under a number format.

What is not certain, or differs between programs, raises `UnknownFormatError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import Final

from prefect_staticadslab.campaign.files.number_formats.codes import (
    PartType,
    Section,
    UnknownFormatError,
)
from prefect_staticadslab.campaign.files.number_formats.conventions import Conventions

_FIRST_CERTAIN: Final = date(1900, 3, 1)
"""Excel takes 1900 for a leap year, so weekdays and dates before are one off."""

_MOST_SECOND_DECIMALS: Final = 3
"""Digits of a second's fraction: Excel knows no more."""

_DAY: Final = timedelta(days=1)
_MILLISECOND: Final = timedelta(milliseconds=1)

Moment = tuple[datetime | None, timedelta]
"""The midnight at which a day begins, and the time since then; or None, and a time of day or a
duration."""


def date_text(
    section: Section, value: date | time | timedelta | float, conventions: Conventions
) -> str:
    """What is shown for a date, a time or a duration.

    Args:
        section: The number format's, for this value.
        value: A number is a duration in days, never a date: workbooks count dates in two ways.
        conventions: How the format's country writes dates.

    Raises:
        UnknownFormatError: It is not certain.
    """
    letters = _letters_with_minutes(section)
    decimals = _decimals_of_seconds(section)
    day, since = _day_and_time(value)
    unit = timedelta(seconds=1) / 10**decimals if _has_unit(letters, "s") else _MILLISECOND
    day, since = _round_to_unit(day, since, unit)
    twelve_hours = any(text in ("am/pm", "a/p") for text in letters)
    shown, position = [], 0
    while position < len(section):
        part, text = section[position], letters[position]
        if part.type is PartType.DATE:
            shown.append(_letters_text(text, day, since, conventions, twelve_hours=twelve_hours))
        elif part.type is PartType.ELAPSED:
            if day is not None:
                raise UnknownFormatError
            shown.append(_elapsed_text(part.text, since))
        elif part.type is PartType.POINT and _is_zero_at(section, position + 1):
            micro = since.microseconds
            shown.append(conventions.decimal + f"{micro:06}"[:decimals])
            position += decimals
        elif part.type in (PartType.LITERAL, PartType.CURRENCY, PartType.POINT, PartType.COMMA):
            shown.append(conventions.date_separator if part.text == "/" else part.text)
        elif part.type not in (PartType.LOCALE, PartType.SKIPPED):
            raise UnknownFormatError
        position += 1
    return "".join(shown)


def _day_and_time(value: date | time | timedelta | float) -> Moment:
    """A value as the midnight of its day and the time since then; for a time of day, a duration or
    a number of days, the first is None.

    Raises:
        UnknownFormatError: It is before the first day of which all programs think the same, has a
            zone, is negative, or longer than a `timedelta` can be.
    """
    if isinstance(value, datetime):
        if value.tzinfo is not None or value.date() < _FIRST_CERTAIN:
            raise UnknownFormatError
        midnight = datetime.combine(value.date(), time())
        return midnight, value - midnight
    if isinstance(value, date):
        return _day_and_time(datetime.combine(value, time()))
    if isinstance(value, time):
        day = date(2000, 1, 1)
        since = datetime.combine(day, value.replace(tzinfo=None)) - datetime.combine(day, time())
        return None, since
    if not isinstance(value, timedelta):
        try:
            value = timedelta(days=value)
        except (OverflowError, ValueError):
            raise UnknownFormatError from None
    if value < timedelta():
        raise UnknownFormatError
    return None, value


def _round_to_unit(day: datetime | None, since: timedelta, unit: timedelta) -> Moment:
    """A moment rounded to units; one that is rounded up to midnight is of the next day.

    Raises:
        UnknownFormatError: It is beyond the calendar then.
    """
    # No more than milliseconds are known, so what is shown is rounded from these.
    since = _round_half_up(_round_half_up(since, _MILLISECOND), unit)
    if since >= _DAY and day is not None:
        try:
            day += _DAY
        except OverflowError:
            raise UnknownFormatError from None
        since -= _DAY
    return day, since


def _round_half_up(value: timedelta, unit: timedelta) -> timedelta:
    """A time rounded to the nearest multiple of a unit, halves upwards.

    Raises:
        UnknownFormatError: It is longer than a `timedelta` can be then.
    """
    try:
        return (value + unit / 2) // unit * unit
    except OverflowError:
        raise UnknownFormatError from None


def _letters_with_minutes(section: Section) -> list[str]:
    """The texts of a section's parts, with `n` for minutes: an `m` is a month unless it stands
    behind an hour or before a second."""
    positions = [
        i for i, part in enumerate(section) if part.type in (PartType.DATE, PartType.ELAPSED)
    ]
    letters = [part.text for part in section]
    for order, position in enumerate(positions):
        text = letters[position]
        if text not in ("m", "mm") or section[position].type is PartType.ELAPSED:
            continue
        before = letters[positions[order - 1]] if order else ""
        behind = letters[positions[order + 1]] if order + 1 < len(positions) else ""
        if before.startswith("h") or behind.startswith("s"):
            letters[position] = "n" * len(text)
    return letters


def _has_unit(letters: list[str], unit: str) -> bool:
    """Whether one of these is nothing but the unit's letter, as `ss` is for `s`."""
    return any(text.startswith(unit) and not text.strip(unit) for text in letters)


def _decimals_of_seconds(section: Section) -> int:
    """How many digits of a second's fraction are shown: 3 for `ss.000`.

    Raises:
        UnknownFormatError: They are too many, or there are digits for something else.
    """
    counts = []
    for position, part in enumerate(section):
        if part.type is PartType.POINT and _is_zero_at(section, position + 1):
            end = position + 1
            while _is_zero_at(section, end):
                end += 1
            counts.append(end - position - 1)
        elif part.type is PartType.DIGIT and section[position - 1].type not in (
            PartType.POINT,
            PartType.DIGIT,
        ):
            raise UnknownFormatError
    if len(counts) > 1 or max(counts, default=0) > _MOST_SECOND_DECIMALS:
        raise UnknownFormatError
    return counts[0] if counts else 0


def _is_zero_at(section: Section, position: int) -> bool:
    """Whether a part of a section is the place `0`; there is none beyond its end."""
    return (
        position < len(section)
        and section[position].type is PartType.DIGIT
        and section[position].text == "0"
    )


def _elapsed_text(letters: str, since: timedelta) -> str:
    """A duration in whole hours, minutes or seconds, with as many digits at least as letters."""
    unit = {"h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}
    return str(since // unit[letters[0]]).zfill(len(letters))


def _letters_text(
    letters: str,
    day: datetime | None,
    since: timedelta,
    conventions: Conventions,
    *,
    twelve_hours: bool,
) -> str:
    """What the letters of one part, such as `yyyy` or `mm`, show of a moment.

    Args:
        letters: In lower case, minutes as `n`.
        day: The midnight at which its day begins; None for a time of day or a duration.
        since: The time since that midnight, or the duration.
        conventions: How the format's country writes dates.
        twelve_hours: Whether hours go up to 12.

    Raises:
        UnknownFormatError: It is not certain what they show, or a duration has no such part.
    """
    if letters in ("am/pm", "a/p"):
        if not conventions.english:
            raise UnknownFormatError
        half = "PM" if since % _DAY >= _DAY / 2 else "AM"
        return half if letters == "am/pm" else half[0]
    seconds = int(since.total_seconds())
    hour = seconds // 3600 % 24
    time_value = {
        "h": (hour % 12 or 12) if twelve_hours else hour,
        "n": seconds // 60 % 60,
        "s": seconds % 60,
    }.get(letters[0])
    if time_value is not None:
        if len(letters) > len("hh"):
            raise UnknownFormatError
        return str(time_value).zfill(len(letters))
    if day is None or letters not in _DATE_TEXTS:
        raise UnknownFormatError
    return _DATE_TEXTS[letters](day, conventions)


def _month_name(day: datetime, conventions: Conventions) -> str:
    """A day's month in the country's language. Raises `UnknownFormatError` if its names are not
    certain."""
    if not conventions.months:
        raise UnknownFormatError
    return conventions.months[day.month - 1]


def _weekday_name(day: datetime, conventions: Conventions) -> str:
    """A day's weekday in the country's language. Raises `UnknownFormatError` if its names are not
    certain."""
    if not conventions.days:
        raise UnknownFormatError
    return conventions.days[day.weekday()]


def _short_name(name: str, conventions: Conventions) -> str:
    """The first three letters of an English name. Raises `UnknownFormatError` for other languages:
    how these shorten a name differs from program to program."""
    if not conventions.english:
        raise UnknownFormatError
    return name[:3]


_DATE_TEXTS: Final[Mapping[str, Callable[[datetime, Conventions], str]]] = MappingProxyType(
    {
        "d": lambda day, _: str(day.day),
        "dd": lambda day, _: f"{day.day:02}",
        "ddd": lambda day, found: _short_name(_weekday_name(day, found), found),
        "dddd": _weekday_name,
        "m": lambda day, _: str(day.month),
        "mm": lambda day, _: f"{day.month:02}",
        "mmm": lambda day, found: _short_name(_month_name(day, found), found),
        "mmmm": _month_name,
        "mmmmm": lambda day, found: _month_name(day, found)[0],
        "y": lambda day, _: f"{day.year % 100:02}",
        "yy": lambda day, _: f"{day.year % 100:02}",
        "yyy": lambda day, _: f"{day.year:04}",
        "yyyy": lambda day, _: f"{day.year:04}",
    }
)
