"""What is shown for a number: digits put into the places that a format has for them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Final

from prefect_staticadslab.campaign.files.number_formats.codes import (
    Kind,
    Part,
    Section,
    UnknownFormatError,
)
from prefect_staticadslab.campaign.files.number_formats.conventions import Conventions

SIGNIFICANT_DIGITS: Final = 15
"""What Excel shows of a number at most: 37.8 for 37.800000000000004."""

_MOST_DECIMALS: Final = 30
"""Excel's own bound."""

_SMALLEST_PLAIN: Final = -10
"""A power of ten. Smaller numbers are written with an exponent, as nobody counts the zeros."""

_ALIKE_IN_INDIA: Final = 5
"""Digits of a number that is grouped alike everywhere: 12,345; and then 1,23,456."""

_EXACT: Final = Context(prec=2 * 1000 + 400, Emax=10**6, Emin=-(10**6))
"""Enough for the greatest `float`, times 100 for each percent sign of the longest format."""


def decimal_of(value: float) -> Decimal:
    """A number with the 15 digits that Excel knows of it.

    Raises:
        UnknownFormatError: It is infinite, or no number.
    """
    try:
        finite = math.isfinite(value)
        text = format(float(value), f".{SIGNIFICANT_DIGITS}g")
    except OverflowError:
        raise UnknownFormatError from None
    if not finite:
        raise UnknownFormatError
    return Decimal(text)


def general(value: float) -> str:
    """A number without a format: its 15 significant digits, and no exponent unless it is tiny.

    Raises:
        UnknownFormatError: It is infinite, or no number.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.number_formats import general

        assert general(37.800000000000004) == "37.8"
        assert general(0.00001) == "0.00001"
        ```
    """
    number = decimal_of(value)
    if not number:
        return "0"
    if number.adjusted() < _SMALLEST_PLAIN:
        digits = str(number.normalize()).lower().split("e")
        return f"{digits[0]}E{int(digits[1]):+03}"
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def number_text(section: Section, value: float, conventions: Conventions) -> str:
    """What is shown for a number that is not negative.

    Raises:
        UnknownFormatError: The format holds what is not known for certain.
    """
    number = decimal_of(value)
    kinds = [part.kind for part in section]
    if Kind.DATE in kinds or Kind.ELAPSED in kinds:
        raise UnknownFormatError
    if Kind.GENERAL in kinds or Kind.TEXT in kinds:
        return _general_in(section, value, conventions)
    if not any(kind in (Kind.DIGIT, Kind.POINT) for kind in kinds):
        return "".join(map(_literal, section))
    if fraction := _FRACTION.fullmatch(_skeleton(section)):
        return _as_fraction(number, fraction)
    if any(_is_slash(section, place) for place in range(len(section))):
        raise UnknownFormatError
    number = number.scaleb(2 * kinds.count(Kind.PERCENT), _EXACT)
    if Kind.EXPONENT in kinds:
        return _with_exponent(section, number, conventions)
    return _in_places(section, number, conventions)


def _general_in(section: Section, value: float, conventions: Conventions) -> str:
    """A number in a section that says General, with what stands around that.

    Raises:
        UnknownFormatError: It has places for digits as well.
    """
    if any(part.kind in (Kind.DIGIT, Kind.PERCENT, Kind.EXPONENT) for part in section):
        raise UnknownFormatError
    text = general(value).replace(".", conventions.decimal)
    return "".join(
        text if part.kind in (Kind.GENERAL, Kind.TEXT) else _literal(part) for part in section
    )


def _literal(part: Part) -> str:
    shown = (Kind.LITERAL, Kind.CURRENCY, Kind.PERCENT)
    return part.text if part.kind in shown else ""


def _in_places(section: Section, number: Decimal, conventions: Conventions) -> str:
    """Digits in a format's places, from the point outwards; the first place takes what is left."""
    point = _point(section)
    thousands, grouped = _commas(section[:point])
    decimals = [part.text for part in section[point:] if part.kind is Kind.DIGIT]
    if len(decimals) > _MOST_DECIMALS or _commas(section[point:])[1]:
        raise UnknownFormatError
    number = number.scaleb(-3 * (thousands + _commas(section[point:])[0]), _EXACT)
    whole, fraction = _digits(number, len(decimals))
    if grouped and not conventions.by_thousands and len(whole) > _ALIKE_IN_INDIA:
        raise UnknownFormatError
    separator = conventions.group if grouped else ""
    return (
        _whole(section[:point], whole, separator)
        + (conventions.decimal if point < len(section) else "")
        + _decimals(section[point:], fraction)
    )


def _point(section: Section) -> int:
    """Where a section's decimal point is; or its end."""
    points = [place for place, part in enumerate(section) if part.kind is Kind.POINT]
    if len(points) > 1:
        raise UnknownFormatError
    return points[0] if points else len(section)


def _commas(parts: Sequence[Part]) -> tuple[int, bool]:
    """How many commas divide by a thousand, and whether others group the digits."""
    marks = "".join(
        "," if part.kind is Kind.COMMA else "0" if part.kind is Kind.DIGIT else "x"
        for part in parts
        if part.kind not in (Kind.SKIPPED, Kind.POINT)
    )
    places = marks.rfind("0") + 1
    dividing = re.match(",*", marks[places:])
    count = len(dividing[0]) if dividing and places else 0
    if "," in marks[places + count :] or marks[: marks.find("0")].count(","):
        raise UnknownFormatError
    return count, "," in marks[:places]


def _digits(number: Decimal, decimals: int) -> tuple[str, str]:
    """A number's digits before and behind the point, rounded half up as Excel does."""
    rounded = number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP, _EXACT)
    whole, _, fraction = f"{rounded:f}".partition(".")
    return whole.lstrip("0"), fraction


def _whole(parts: Sequence[Part], digits: str, separator: str) -> str:
    """Digits before the decimal point, put into the places of a format from the right. The leftmost
    place takes all that are left, and other parts stay where they are."""
    places = [place for place, part in enumerate(parts) if part.kind is Kind.DIGIT]
    if not places:
        return "".join(map(_literal, parts)) + digits
    shown = []
    count = 0
    for place in range(len(parts) - 1, -1, -1):
        part = parts[place]
        if part.kind is not Kind.DIGIT:
            shown.append(_literal(part))
            continue
        last = place == places[0]
        taken = digits[::-1][count:] if last else digits[::-1][count : count + 1]
        for digit in taken or ("0" if part.text == "0" else ""):
            if separator and count and count % 3 == 0:
                shown.append(separator)
            shown.append(digit)
            count += 1
    return "".join(reversed(shown))


def _decimals(parts: Sequence[Part], digits: str) -> str:
    shown, count = [], 0
    for part in parts:
        if part.kind is not Kind.DIGIT:
            shown.append(_literal(part))
            continue
        if part.text == "0" or digits[count:].strip("0"):
            shown.append(digits[count])
        count += 1
    return "".join(shown)


def _with_exponent(section: Section, number: Decimal, conventions: Conventions) -> str:
    """A number with an exponent, as in `1.5E+03`, which goes in steps of one or of three.

    Raises:
        UnknownFormatError: Programs differ in what such a format shows.
    """
    place = next(i for i, part in enumerate(section) if part.kind is Kind.EXPONENT)
    mantissa, power = section[:place], section[place + 1 :]
    marks = "".join(part.text for part in mantissa if part.kind is Kind.DIGIT)
    whole = [part for part in mantissa[: _point(mantissa)] if part.kind is Kind.DIGIT]
    step = 1 if len(whole) == 1 else 3 if "".join(p.text for p in whole) == "##0" else 0
    strange = any(part.kind in (Kind.COMMA, Kind.PERCENT) for part in section)
    if (
        not step
        or strange
        or len(marks) > _MOST_DECIMALS
        or any(p.kind is Kind.POINT for p in power)
    ):
        raise UnknownFormatError
    exponent = number.adjusted() // step * step if number else 0
    decimals = len(marks) - len(whole)
    if len(_digits(number.scaleb(-exponent, _EXACT), decimals)[0]) > step:
        exponent += step
    shown = _in_places(mantissa, number.scaleb(-exponent, _EXACT), conventions)
    sign = "-" if exponent < 0 else "+" if section[place].text == "e+" else ""
    return f"{shown}E{sign}{_whole(power, str(abs(exponent)).lstrip('0'), '')}"


_FRACTION: Final = re.compile(
    r"\s*(?:(?P<whole>[#0?]+)\s+)?(?P<top>[?#0]+)/(?:(?P<most>[?#]+)|(?P<bottom>[1-9]\d{0,5}))\s*"
)


def _skeleton(section: Section) -> str:
    """What a section looks like, if it may be a fraction."""
    if not any(_is_slash(section, place) for place in range(len(section))):
        return ""
    return "".join(part.text for part in section if part.kind is not Kind.SKIPPED)


def _is_slash(section: Section, place: int) -> bool:
    """Whether a part is the line of a fraction: between places of digits."""
    part = section[place]
    beside = [section[i].kind for i in (place - 1, place + 1) if 0 <= i < len(section)]
    return part.kind is Kind.LITERAL and part.text[:1] == "/" and Kind.DIGIT in beside


def _as_fraction(number: Decimal, form: re.Match[str]) -> str:
    """A number as a fraction, if it is exactly one: which one Excel takes else is not certain."""
    if number.adjusted() > SIGNIFICANT_DIGITS:
        raise UnknownFormatError
    exact = Fraction(number)
    whole = int(exact) if form["whole"] else 0
    rest = exact - whole
    if form["bottom"]:
        bottom = int(form["bottom"])
        top = rest * bottom
    else:
        nearest = rest.limit_denominator(10 ** min(len(form["most"]), 6) - 1)
        bottom, top = nearest.denominator, Fraction(nearest.numerator)
    if top.denominator != 1 or abs(rest - top / bottom) > _SAME_FRACTION:
        raise UnknownFormatError
    if form["whole"] and not top:
        return str(whole)
    return f"{whole or ''} {top.numerator}/{bottom}".strip()


_SAME_FRACTION: Final = Fraction(1, 10**12)
"""A third has 15 digits in a spreadsheet."""
