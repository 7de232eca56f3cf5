"""What is shown for a date, a time or a duration under a number format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import Final

from prefect_staticadslab.campaign.files.number_formats.codes import (
    Kind,
    Section,
    UnknownFormatError,
)
from prefect_staticadslab.campaign.files.number_formats.conventions import Conventions

_FIRST_CERTAIN: Final = date(1900, 3, 1)
"""Excel takes 1900 for a leap year, so weekdays and dates before are one off."""

_MOST_DECIMALS: Final = 3
"""Of a second: Excel knows no more."""

_DAY: Final = timedelta(days=1)
_MILLISECOND: Final = timedelta(milliseconds=1)

Moment = tuple[datetime | None, timedelta]
"""A date, if there is one, and the time since its beginning, or a duration."""


def date_text(
    section: Section, value: date | time | timedelta | float, conventions: Conventions
) -> str:
    """What is shown for a date, a time or a duration.

    Args:
        section: The part of the number format to show it in.
        value: A number is a length in days, never a date: workbooks count dates in two ways.
        conventions: How the format's country writes dates.

    Raises:
        UnknownFormatError: The format holds what is not known for certain.
    """
    letters = _letters_of(section)
    decimals = _decimals_of_seconds(section)
    day, since = _moment(value)
    unit = timedelta(seconds=1) / 10**decimals if _shows(letters, "s") else _MILLISECOND
    # No more than milliseconds are known, so what is shown is rounded from these.
    since = _rounded(_rounded(since, _MILLISECOND), unit)
    if since >= _DAY and day is not None:
        try:
            day += _DAY
        except OverflowError:
            raise UnknownFormatError from None
        since -= _DAY
    twelve_hours = any(text in ("am/pm", "a/p") for text in letters)
    shown, place = [], 0
    while place < len(section):
        part, text = section[place], letters[place]
        if part.kind is Kind.DATE:
            shown.append(_letters_text(text, day, since, conventions, twelve_hours=twelve_hours))
        elif part.kind is Kind.ELAPSED:
            if day is not None:
                raise UnknownFormatError
            shown.append(_elapsed(part.text, since))
        elif part.kind is Kind.POINT and _digit_at(section, place + 1):
            micro = since.microseconds
            shown.append(conventions.decimal + f"{micro:06}"[:decimals])
            place += decimals
        elif part.kind in (Kind.LITERAL, Kind.CURRENCY, Kind.POINT, Kind.COMMA):
            shown.append(conventions.date_separator if part.text == "/" else part.text)
        elif part.kind not in (Kind.LOCALE, Kind.SKIPPED):
            raise UnknownFormatError
        place += 1
    return "".join(shown)


def _moment(value: date | time | timedelta | float) -> Moment:
    """A value as the midnight of its day, None for one of no day, and the time since then.

    Raises:
        UnknownFormatError: It is before the first day of which every program thinks the same, has a
            zone, or is negative.
    """
    if isinstance(value, datetime):
        if value.tzinfo is not None or value.date() < _FIRST_CERTAIN:
            raise UnknownFormatError
        midnight = datetime.combine(value.date(), time())
        return midnight, value - midnight
    if isinstance(value, date):
        return _moment(datetime.combine(value, time()))
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


def _rounded(value: timedelta, unit: timedelta) -> timedelta:
    """A time to the nearest of units, halves upwards."""
    try:
        return (value + unit / 2) // unit * unit
    except OverflowError:
        raise UnknownFormatError from None


def _letters_of(section: Section) -> list[str]:
    """The parts' letters, with `n` for minutes: an `m` behind an hour or before a second."""
    places = [i for i, part in enumerate(section) if part.kind in (Kind.DATE, Kind.ELAPSED)]
    letters = [part.text for part in section]
    for order, place in enumerate(places):
        text = letters[place]
        if text not in ("m", "mm") or section[place].kind is Kind.ELAPSED:
            continue
        before = letters[places[order - 1]] if order else ""
        behind = letters[places[order + 1]] if order + 1 < len(places) else ""
        if before.startswith("h") or behind.startswith("s"):
            letters[place] = "n" * len(text)
    return letters


def _shows(letters: list[str], unit: str) -> bool:
    return any(text.startswith(unit) and not text.strip(unit) for text in letters)


def _decimals_of_seconds(section: Section) -> int:
    """How many digits of a second's fraction are shown: 3 for `ss.000`."""
    counts = []
    for place, part in enumerate(section):
        if part.kind is Kind.POINT and _digit_at(section, place + 1):
            end = place + 1
            while _digit_at(section, end):
                end += 1
            counts.append(end - place - 1)
        elif part.kind is Kind.DIGIT and section[place - 1].kind not in (Kind.POINT, Kind.DIGIT):
            raise UnknownFormatError
    if len(counts) > 1 or max(counts, default=0) > _MOST_DECIMALS:
        raise UnknownFormatError
    return counts[0] if counts else 0


def _digit_at(section: Section, place: int) -> bool:
    return place < len(section) and section[place].kind is Kind.DIGIT and section[place].text == "0"


def _elapsed(letters: str, since: timedelta) -> str:
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
    """What a date's or a time's letters, such as `yyyy` or `mm`, show.

    Args:
        letters: In lower case, minutes as `n`.
        day: Its midnight; None for a time of day, a duration or a number.
        since: The time since that midnight, or the duration.
        conventions: How the format's country writes dates.
        twelve_hours: Whether hours go up to 12.

    Raises:
        UnknownFormatError: Nobody is sure what they show.
    """
    if letters in ("am/pm", "a/p"):
        if not conventions.english:
            raise UnknownFormatError
        half = "PM" if since % _DAY >= _DAY / 2 else "AM"
        return half if letters == "am/pm" else half[0]
    seconds = int(since.total_seconds())
    hour = seconds // 3600 % 24
    of_time = {
        "h": (hour % 12 or 12) if twelve_hours else hour,
        "n": seconds // 60 % 60,
        "s": seconds % 60,
    }.get(letters[0])
    if of_time is not None:
        if len(letters) > len("hh"):
            raise UnknownFormatError
        return str(of_time).zfill(len(letters))
    if day is None or letters not in _OF_DATE:
        raise UnknownFormatError
    return _OF_DATE[letters](day, conventions)


def _month(day: datetime, conventions: Conventions) -> str:
    if not conventions.months:
        raise UnknownFormatError
    return conventions.months[day.month - 1]


def _weekday(day: datetime, conventions: Conventions) -> str:
    if not conventions.days:
        raise UnknownFormatError
    return conventions.days[day.weekday()]


def _short(name: str, conventions: Conventions) -> str:
    """Three letters. How other languages shorten a name differs from program to program."""
    if not conventions.english:
        raise UnknownFormatError
    return name[:3]


_OF_DATE: Final[Mapping[str, Callable[[datetime, Conventions], str]]] = MappingProxyType(
    {
        "d": lambda day, _: str(day.day),
        "dd": lambda day, _: f"{day.day:02}",
        "ddd": lambda day, found: _short(_weekday(day, found), found),
        "dddd": _weekday,
        "m": lambda day, _: str(day.month),
        "mm": lambda day, _: f"{day.month:02}",
        "mmm": lambda day, found: _short(_month(day, found), found),
        "mmmm": _month,
        "mmmmm": lambda day, found: _month(day, found)[0],
        "y": lambda day, _: f"{day.year % 100:02}",
        "yy": lambda day, _: f"{day.year % 100:02}",
        "yyy": lambda day, _: f"{day.year:04}",
        "yyyy": lambda day, _: f"{day.year:04}",
    }
)
