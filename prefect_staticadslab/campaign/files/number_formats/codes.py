"""Number formats, taken apart: their sections, and what each section is made of (ECMA-376, part 1,
18.8.31). What is not certain is not guessed, but raises `UnknownFormatError`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import Final

LONGEST_READ: Final = 1000
"""Characters of a number format that are taken apart at most. Excel writes 255."""


class UnknownFormatError(Exception):
    """A format, or a value under it, of which it is not certain what is shown."""


class PartType(StrEnum):
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
    """A colour, or a character that fills the cell's width."""


@dataclass(frozen=True)
class Part:
    """A part of a number format.

    Attributes:
        type: What it stands for.
        text: What is shown, or the code itself, in lower case.
        country: What a currency or a locale says of the country: `407`, `de-DE` or "".
    """

    type: PartType
    text: str
    country: str = ""


Section = tuple[Part, ...]
"""What a format says of some values, such as negative numbers; sections are divided by `;`."""

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

_TYPE_OF_GROUP: Final = {
    "quoted": PartType.LITERAL,
    "escaped": PartType.LITERAL,
    "room": PartType.LITERAL,
    "denominator": PartType.LITERAL,
    "fill": PartType.SKIPPED,
}
_TYPE_OF_CHARACTER: Final = {
    ".": PartType.POINT,
    ",": PartType.COMMA,
    "%": PartType.PERCENT,
    "@": PartType.TEXT,
}


def sections_of(number_format: str) -> list[Section]:
    """Takes a number format apart into its sections.

    Raises:
        UnknownFormatError: It is empty or too long, or something in it is not known.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.number_formats.codes import sections_of

        positive, negative = sections_of('0.0" kg";[Red]-0.0')
        assert [part.text for part in positive] == ["0", ".", "0", " kg"]
        ```
    """
    if not number_format or len(number_format) > LONGEST_READ:
        raise UnknownFormatError
    sections: list[list[Part]] = [[]]
    for match in _PART.finditer(number_format):
        if match["end"]:
            sections.append([])
        else:
            sections[-1].append(_part_of_match(match))
    return [tuple(section) for section in sections]


def _part_of_match(match: re.Match[str]) -> Part:
    """The part that a match of `_PART` is. Raises `UnknownFormatError` if it is not known."""
    group, text = match.lastgroup or "", match[match.lastgroup or 0]
    if group in _TYPE_OF_GROUP:
        return Part(_TYPE_OF_GROUP[group], " " if group == "room" else _with_plain_spaces(text))
    if match["symbol"] is not None:
        symbol = _with_plain_spaces(match["symbol"])
        country = match["country"] or ""
        return Part(PartType.CURRENCY if symbol else PartType.LOCALE, symbol, country)
    if group == "bracket":
        return _bracket_part(text)
    if group == "other":
        return _other_part(text)
    return Part(PartType.DATE if group == "noon" else PartType(group), text.lower())


def _bracket_part(text: str) -> Part:
    """The part that stands in brackets. Raises `UnknownFormatError` if it is not known."""
    if _COLOUR.fullmatch(text):
        return Part(PartType.SKIPPED, text)
    if _ELAPSED.fullmatch(text):
        return Part(PartType.ELAPSED, text.lower())
    if _CONDITION.fullmatch(text):
        return Part(PartType.CONDITION, text)
    raise UnknownFormatError


def _other_part(text: str) -> Part:
    """The part that is a character of no other group. Raises `UnknownFormatError` for a letter or a
    digit, and for the beginning of a code that does not end."""
    if text in _TYPE_OF_CHARACTER:
        return Part(_TYPE_OF_CHARACTER[text], text)
    if _CURRENCY_SIGN.match(text):
        return Part(PartType.CURRENCY, text)
    # A letter that nobody quoted stands for something: an era, or a calendar's year.
    if text.isascii() and (text.isalnum() or text in '"\\_*['):
        raise UnknownFormatError
    return Part(PartType.LITERAL, _with_plain_spaces(text))


def _with_plain_spaces(text: str) -> str:
    """A text with plain spaces in place of those that keep words together."""
    return re.sub(r"[\u00a0\u2007\u202f]", " ", text)


def condition_of(section: Section) -> tuple[str, float] | None:
    """Which values a section is for: an operator, such as `>=`, and a number; None if it does not
    say."""
    found = next((part.text for part in section if part.type is PartType.CONDITION), "")
    match = _CONDITION.fullmatch(found)
    return (match[1], float(match[2])) if match else None


def shown_parts(sections: Sequence[Section]) -> Iterator[Part]:
    """The parts of all sections, in order, but for colours, fillings and conditions."""
    unshown_types = (PartType.SKIPPED, PartType.CONDITION)
    return (part for section in sections for part in section if part.type not in unshown_types)


def is_date_section(section: Section) -> bool:
    """Whether a section shows a date, or a time."""
    return any(part.type in (PartType.DATE, PartType.ELAPSED) for part in section)


def is_text_section(section: Section) -> bool:
    """Whether a section is for texts."""
    return any(part.type is PartType.TEXT for part in section)
