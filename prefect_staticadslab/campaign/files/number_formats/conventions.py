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
    Kind,
    Part,
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
        decimal: Between whole digits and the others.
        group: Between thousands.
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
_NAMELESS: Final = Conventions(months=(), days=(), english=False)

_NO_COUNTRY: Final = frozenset((0, 1, 2, 0x7F))
"""What Excel writes for no country, and for the euro in no country."""

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
"""Currencies whose countries all write a decimal comma; and one of them."""

_EURO: Final = frozenset(("€", "EUR"))

_EURO_LOCALE: Final = "de_DE"
"""One of those that put the euro behind the number, all of which write a decimal comma."""


def conventions_of(sections: Sequence[Section]) -> Conventions:
    """The conventions of the country that a number format is of.

    Raises:
        UnknownFormatError: It names a country, a calendar or digits that are not known.
    """
    parts = list(shown_parts(sections))
    named = [part.country for part in parts if part.country]
    found = {name for country in named if (name := _locale_name(country))}
    if len(found) > 1:
        raise UnknownFormatError
    name = next(iter(found), "") or _told_by_currency(parts) or _told_by_percent(parts)
    if name:
        return _conventions(name)
    return _NAMELESS if _has_full_stops(parts) else _ENGLISH


def _has_full_stops(parts: Sequence[Part]) -> bool:
    """Whether a date has full stops, as in `d. mmmm`, which English has not."""
    dated = any(part.kind is Kind.DATE for part in parts)
    return dated and any(part.text.strip() == "." for part in parts)


def _locale_name(country: str) -> str:
    """The locale that a format names: by Microsoft's number, or as `de-DE`; "" for none.

    Above a number's 16 bits are the calendar and the shape of the digits.
    """
    if re.fullmatch(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", country, re.IGNORECASE):
        return country.replace("-", "_")
    if not re.fullmatch(r"[0-9a-f]{1,8}", country, re.IGNORECASE):
        raise UnknownFormatError
    number = int(country, 16)
    language, calendar, digits = number & 0xFFFF, number >> 16 & 0xFF, number >> 24
    if calendar > 1 or digits > 1:
        raise UnknownFormatError
    if language in _NO_COUNTRY:
        return ""
    if language not in locale.windows_locale:
        raise UnknownFormatError
    return locale.windows_locale[language]


def _told_by_currency(parts: Sequence[Part]) -> str:
    for position, part in enumerate(parts):
        if part.kind not in (Kind.LITERAL, Kind.CURRENCY):
            continue
        symbol = part.text.strip()
        if symbol in _COMMA_CURRENCIES:
            return _COMMA_CURRENCIES[symbol]
        behind = any(each.kind in (Kind.DIGIT, Kind.GENERAL) for each in parts[:position])
        if symbol in _EURO and behind and not _number_follows(parts[position:]):
            return _EURO_LOCALE
    return ""


def _number_follows(parts: Sequence[Part]) -> bool:
    """Whether a symbol is before a number, if only of the next section.

    Between them are at most spaces and a minus or a bracket.
    """
    following = (part for part in parts[1:] if part.text.strip(" -()"))
    return next(following, parts[0]).kind is Kind.DIGIT


def _told_by_percent(parts: Sequence[Part]) -> str:
    spaced = any(
        part.kind is Kind.PERCENT and before.kind is Kind.LITERAL and before.text.endswith(" ")
        for before, part in pairwise(parts)
    )
    return _EURO_LOCALE if spaced else ""


@lru_cache(maxsize=64)
def _conventions(name: str) -> Conventions:
    """How numbers and dates are written in a locale, as CLDR has it.

    Raises:
        UnknownFormatError: There is no such locale, or it has digits of its own.
    """
    from babel import Locale, UnknownLocaleError

    try:
        found = Locale.parse(name)
    except (UnknownLocaleError, ValueError, TypeError):
        raise UnknownFormatError from None
    symbols = found.number_symbols.get("latn")
    if not symbols:
        raise UnknownFormatError
    english = found.language == "en"
    return Conventions(
        decimal=symbols["decimal"],
        group=symbols["group"].replace("\u202f", "\u00a0"),
        by_thousands=found.decimal_formats[None].grouping == (3, 3),
        date_separator=_date_separator(found),
        months=ENGLISH_MONTHS if english else _names(found.months, 1, 12),
        days=ENGLISH_DAYS if english else _names(found.days, 0, 6),
        english=english,
    )


def _date_separator(found: Locale) -> str:
    pattern = found.date_formats["short"].pattern
    separators = set(re.findall(r"(?<=[A-Za-z])[^A-Za-z]+(?=[A-Za-z])", pattern))
    return separators.pop().strip() if len(separators) == 1 else "/"


def _names(
    names: Mapping[str, Mapping[str, Mapping[int, str]]], first: int, last: int
) -> tuple[str, ...]:
    """Months or weekdays, if they read alike in a date and by themselves."""
    in_dates, alone = names["format"]["wide"], names["stand-alone"]["wide"]
    keys = range(first, last + 1)
    certain = all(in_dates[key] == alone[key] for key in keys)
    return tuple(in_dates[key] for key in keys) if certain else ()
