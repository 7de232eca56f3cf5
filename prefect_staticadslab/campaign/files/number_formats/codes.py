"""Number formats, taken apart: their sections, and what each section is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Final

LONGEST: Final = 1000
"""Characters of a number format. Excel writes 255 at most."""


class UnknownFormatError(Exception):
    """A format, or a value under it, of which it is not certain what is shown."""


class Kind(StrEnum):
    """What a part of a format stands for."""

    LITERAL = auto()
    """Itself."""
    CURRENCY = auto()
    """Itself; the symbol of a currency."""
    DIGIT = auto()
    """`0`, `#` or `?`: a digit, or its place."""
    POINT = auto()
    COMMA = auto()
    PERCENT = auto()
    EXPONENT = auto()
    """`E+` or `E-`."""
    GENERAL = auto()
    TEXT = auto()
    """`@`: the cell's text."""
    DATE = auto()
    """Letters for a part of a date or of a time, such as `yyyy` or `AM/PM`."""
    ELAPSED = auto()
    """`[h]`, `[mm]`, `[s]`: hours and so on, without an end at 24 or 60."""
    CONDITION = auto()
    """`[>=1000]`: which values a section is for."""
    LOCALE = auto()
    """`[$-407]`: of which country the names are."""
    SKIPPED = auto()
    """A colour, or room that is left for something."""


@dataclass(frozen=True)
class Part:
    """A part of a number format.

    Attributes:
        kind: What it stands for.
        text: What is shown, or what tells parts of one kind apart, in lower case.
        country: What a currency or a locale says of the country: `407`, `de-DE` or "".
    """

    kind: Kind
    text: str
    country: str = ""


Section = tuple[Part, ...]

_PART: Final = re.compile(
    r"""
      "(?P<quoted>[^"]*)"
    | \\(?P<escaped>.)
    | _(?P<room>.)
    | \*(?P<fill>.)
    | \[\$(?P<symbol>[^\]-]*)(?:-(?P<country>[^\]]*))?\]
    | \[(?P<bracket>[^\]]*)\]
    | (?P<general>general)
    | (?P<noon>am/pm|a/p)
    | (?P<exponent>e[+-])
    | (?P<date>y+|m+|d+|h+|s+)
    | (?P<digit>[0#?])
    | (?P<end>;)
    | (?P<denominator>/[1-9]\d{0,5})
    | (?P<other>.)
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)

_COLOUR: Final = re.compile(
    r"black|blue|cyan|green|magenta|red|white|yellow|color ?\d{1,2}", re.IGNORECASE
)
_ELAPSED: Final = re.compile(r"h+|m+|s+", re.IGNORECASE)
_CONDITION: Final = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?\d+(?:\.\d+)?)")
_CURRENCY_SIGN: Final = re.compile(r"[$€£¥₽₴₺₹₩₫₪₱฿]")

_LITERALS: Final = {
    "quoted": Kind.LITERAL,
    "escaped": Kind.LITERAL,
    "room": Kind.LITERAL,
    "denominator": Kind.LITERAL,
    "fill": Kind.SKIPPED,
}
_OTHER: Final = {".": Kind.POINT, ",": Kind.COMMA, "%": Kind.PERCENT, "@": Kind.TEXT}


def sections_of(number_format: str) -> list[Section]:
    """The sections of a number format, each of which is for some values.

    Raises:
        UnknownFormatError: There is something in it that is not known.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.number_formats.codes import sections_of

        positive, negative = sections_of('0.0" kg";[Red]-0.0')
        assert [part.text for part in positive] == ["0", ".", "0", " kg"]
        ```
    """
    if not number_format or len(number_format) > LONGEST:
        raise UnknownFormatError
    sections: list[list[Part]] = [[]]
    for match in _PART.finditer(number_format):
        if match["end"]:
            sections.append([])
        else:
            sections[-1].append(_part(match))
    return [tuple(section) for section in sections]


def _part(match: re.Match[str]) -> Part:
    """A part of a format, as the groups of the pattern tell it."""
    kind, text = match.lastgroup or "", match[match.lastgroup or 0]
    if kind in _LITERALS:
        return Part(_LITERALS[kind], " " if kind == "room" else _spaces(text))
    if match["symbol"] is not None:
        symbol = _spaces(match["symbol"])
        country = match["country"] or ""
        return Part(Kind.CURRENCY if symbol else Kind.LOCALE, symbol, country)
    if kind == "bracket":
        return _bracket(text)
    if kind == "other":
        return _other(text)
    return Part(Kind.DATE if kind == "noon" else Kind(kind), text.lower())


def _bracket(text: str) -> Part:
    if _COLOUR.fullmatch(text):
        return Part(Kind.SKIPPED, text)
    if _ELAPSED.fullmatch(text):
        return Part(Kind.ELAPSED, text.lower())
    if _CONDITION.fullmatch(text):
        return Part(Kind.CONDITION, text)
    raise UnknownFormatError


def _other(text: str) -> Part:
    if text in _OTHER:
        return Part(_OTHER[text], text)
    if _CURRENCY_SIGN.match(text):
        return Part(Kind.CURRENCY, text)
    # A letter that nobody quoted stands for something: an era, or a calendar's year.
    if text.isascii() and (text.isalnum() or text in '"\\_*['):
        raise UnknownFormatError
    return Part(Kind.LITERAL, _spaces(text))


def _spaces(text: str) -> str:
    """Text with plain spaces, whatever the program took to keep its words together."""
    return re.sub(r"[\u00a0\u2007\u202f]", " ", text)


def condition_of(section: Section) -> tuple[str, float] | None:
    """What a section asks of a value: an operator and a number."""
    found = next((part.text for part in section if part.kind is Kind.CONDITION), "")
    match = _CONDITION.fullmatch(found)
    return (match[1], float(match[2])) if match else None


def shown_parts(sections: Sequence[Section]) -> Iterator[Part]:
    """All parts of all sections that are shown, in order."""
    silent = (Kind.SKIPPED, Kind.CONDITION)
    return (part for section in sections for part in section if part.kind not in silent)


def is_date(section: Section) -> bool:
    """Whether a section shows a date, or a time."""
    return any(part.kind in (Kind.DATE, Kind.ELAPSED) for part in section)


def is_text(section: Section) -> bool:
    """Whether a section is for texts."""
    return any(part.kind is Kind.TEXT for part in section)
