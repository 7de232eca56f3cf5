"""How a country writes numbers and dates, and of which country a number format is.

A workbook does not say in which country its numbers are shown: the program takes what the machine
is set to. So it is told by what its formats say: a locale; a currency that only countries with
a decimal comma use; and the place of the euro and of the percent sign. Of Babel's locales that put
a space before the percent sign, all that Excel knows write a decimal comma.
"""

from __future__ import annotations

import locale
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from prefect_staticadslab.campaign.files.number_formats.codes import (
    Part,
    PartType,
    Section,
    UnknownFormatError,
    shown_parts,
)

if TYPE_CHECKING:
    from babel import Locale

ENGLISH_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
ENGLISH_DAYS: Final = (
    *("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
    *("Saturday", "Sunday"),
)


@dataclass(frozen=True)
class Conventions:
    """How a country writes numbers and dates.

    Attributes:
        decimal: What stands between whole digits and the others.
        group: What stands between thousands.
        by_thousands: Whether digits are grouped by three throughout, as they are not in India.
        date_separator: What `/` in a date's format stands for.
        months: Their names in a date; none if they are not certain.
        days: The weekdays' names, from Monday; none if they are not certain.
        english: Whether names are English.
    """

    decimal: str = "."
    group: str = ","
    by_thousands: bool = True
    date_separator: str = "/"
    months: tuple[str, ...] = ENGLISH_MONTHS
    days: tuple[str, ...] = ENGLISH_DAYS
    english: bool = True


_ENGLISH: Final = Conventions()
_ENGLISH_NUMBERS_ONLY: Final = Conventions(months=(), days=(), english=False)

_IDS_OF_NO_COUNTRY: Final = frozenset((0, 1, 2, 0x7F))
"""Microsoft's numbers for no country, and what Excel writes for the euro in no country."""

_COMMA_CURRENCIES: Final[Mapping[str, str]] = {
    "kr": "sv_SE",
    "kr.": "da_DK",
    "zł": "pl_PL",
    "Kč": "cs_CZ",
    "Ft": "hu_HU",
    "₽": "ru_RU",
    "руб.": "ru_RU",
    "₴": "uk_UA",
    "лв.": "bg_BG",
    "lei": "ro_RO",
    "₺": "tr_TR",
    "R$": "pt_BR",
    "₫": "vi_VN",
    "Rp": "id_ID",
}
"""Currencies whose countries all write a decimal comma; and the locale of one of them."""

_EURO: Final = frozenset(("€", "EUR"))

_EURO_LOCALE: Final = "de_DE"
"""One of those that put the euro behind the number, all of which write a decimal comma."""


def conventions_of(sections: Sequence[Section]) -> Conventions:
    """The conventions of the country that a number format is of: one that it names, or that its
    currency or its percent sign tells, or else English ones; but a date with full stops that names
    none has no names of months and days.

    Raises:
        UnknownFormatError: It names two countries, or a country, a calendar or digits that are not
            known.
    """
    parts = list(shown_parts(sections))
    countries = [part.country for part in parts if part.country]
    named = {name for country in countries if (name := _locale_name(country))}
    if len(named) > 1:
        raise UnknownFormatError
    name = next(iter(named), "") or _locale_by_currency(parts) or _locale_by_percent(parts)
    if name:
        return _conventions_of_locale(name)
    return _ENGLISH_NUMBERS_ONLY if _is_date_with_full_stops(parts) else _ENGLISH


def _is_date_with_full_stops(parts: Sequence[Part]) -> bool:
    """Whether parts are a date with full stops, as in `d. mmmm`, which English has not."""
    has_date = any(part.type is PartType.DATE for part in parts)
    return has_date and any(part.text.strip() == "." for part in parts)


def _locale_name(country: str) -> str:
    """The locale that a format names, such as `de_DE`; "" if it names none.

    Args:
        country: As `de-DE`, or as Microsoft's number of a language ([MS-LCID]) in hexadecimal
            digits. Above its 16 bits are the calendar and the shape of the digits.

    Raises:
        UnknownFormatError: It is neither, or a calendar or digits that are not the usual ones.
    """
    if re.fullmatch(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", country, re.IGNORECASE):
        return country.replace("-", "_")
    if not re.fullmatch(r"[0-9a-f]{1,8}", country, re.IGNORECASE):
        raise UnknownFormatError
    number = int(country, 16)
    language, calendar, digits = number & 0xFFFF, number >> 16 & 0xFF, number >> 24
    if calendar > 1 or digits > 1:
        raise UnknownFormatError
    if language in _IDS_OF_NO_COUNTRY:
        return ""
    if language not in locale.windows_locale:
        raise UnknownFormatError
    return locale.windows_locale[language]


def _locale_by_currency(parts: Sequence[Part]) -> str:
    """A locale with a decimal comma, if a currency tells that there is one: those of
    `_COMMA_CURRENCIES`, and a euro behind the number; "" if not."""
    for position, part in enumerate(parts):
        if part.type not in (PartType.LITERAL, PartType.CURRENCY):
            continue
        symbol = part.text.strip()
        if symbol in _COMMA_CURRENCIES:
            return _COMMA_CURRENCIES[symbol]
        behind = any(each.type in (PartType.DIGIT, PartType.GENERAL) for each in parts[:position])
        if symbol in _EURO and behind and not _number_follows(parts[position:]):
            return _EURO_LOCALE
    return ""


def _number_follows(parts: Sequence[Part]) -> bool:
    """Whether the first of these parts, a symbol, stands before a number, if only that of the next
    section. Between them are at most spaces, a minus and a bracket."""
    following = (part for part in parts[1:] if part.text.strip(" -()"))
    return next(following, parts[0]).type is PartType.DIGIT


def _locale_by_percent(parts: Sequence[Part]) -> str:
    """A locale with a decimal comma, if a space before a percent sign tells that; "" if not."""
    spaced = any(
        part.type is PartType.PERCENT
        and before.type is PartType.LITERAL
        and before.text.endswith(" ")
        for before, part in pairwise(parts)
    )
    return _EURO_LOCALE if spaced else ""


@lru_cache(maxsize=64)
def _conventions_of_locale(name: str) -> Conventions:
    """How numbers and dates are written in a locale, such as `de_DE`, as CLDR has it.

    Raises:
        UnknownFormatError: There is no such locale, or it has only digits of its own.
    """
    from babel import Locale, UnknownLocaleError

    try:
        babel_locale = Locale.parse(name)
    except (UnknownLocaleError, ValueError, TypeError):
        raise UnknownFormatError from None
    symbols = babel_locale.number_symbols.get("latn")
    if not symbols:
        raise UnknownFormatError
    english = babel_locale.language == "en"
    return Conventions(
        decimal=symbols["decimal"],
        group=symbols["group"].replace("\u202f", "\u00a0"),
        by_thousands=babel_locale.decimal_formats[None].grouping == (3, 3),
        date_separator=_date_separator(babel_locale),
        months=ENGLISH_MONTHS if english else _certain_names(babel_locale.months, 1, 12),
        days=ENGLISH_DAYS if english else _certain_names(babel_locale.days, 0, 6),
        english=english,
    )


def _date_separator(babel_locale: Locale) -> str:
    """What stands between the parts of a short date; `/` if that is not the same in all places."""
    pattern = babel_locale.date_formats["short"].pattern
    separators = set(re.findall(r"(?<=[A-Za-z])[^A-Za-z]+(?=[A-Za-z])", pattern))
    return separators.pop().strip() if len(separators) == 1 else "/"


def _certain_names(
    names: Mapping[str, Mapping[str, Mapping[int, str]]], first: int, last: int
) -> tuple[str, ...]:
    """The names of months or weekdays, with keys from `first` to `last`, if they are the same in a
    date and by themselves; () if not, as it is not certain then what a program shows."""
    in_dates, alone = names["format"]["wide"], names["stand-alone"]["wide"]
    keys = range(first, last + 1)
    certain = all(in_dates[key] == alone[key] for key in keys)
    return tuple(in_dates[key] for key in keys) if certain else ()
