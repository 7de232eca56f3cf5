"""What is shown for a number: digits put into the places that a format has for them.

What is not certain, or differs between programs, raises `UnknownFormatError`. A place is a part of
a section that stands for a digit: `0`, `#` or `?`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Final

from prefect_staticadslab.campaign.files.number_formats.codes import (
    Part,
    PartType,
    Section,
    UnknownFormatError,
)
from prefect_staticadslab.campaign.files.number_formats.conventions import Conventions

SIGNIFICANT_DIGITS: Final = 15
"""What Excel shows of a number at most: 37.8 for 37.800000000000004."""

_MOST_DECIMALS: Final = 30
"""Places behind the decimal point: Excel's own bound."""

_SMALLEST_PLAIN: Final = -10
"""A power of ten. Smaller numbers are written with an exponent, as nobody counts the zeros."""

_ALIKE_EVERYWHERE: Final = 5
"""Digits of a number that is grouped alike everywhere: 12,345; and then 1,23,456."""

_EXACT_CONTEXT: Final = Context(prec=2 * 1000 + 400, Emax=10**6, Emin=-(10**6))
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
        UnknownFormatError: It is not certain.
    """
    number = decimal_of(value)
    types = [part.type for part in section]
    if PartType.DATE in types or PartType.ELAPSED in types:
        raise UnknownFormatError
    if PartType.GENERAL in types or PartType.TEXT in types:
        return _general_text(section, value, conventions)
    if not any(each in (PartType.DIGIT, PartType.POINT) for each in types):
        return "".join(map(_shown_literal, section))
    if fraction := _FRACTION_CODE.fullmatch(_fraction_code(section)):
        return _fraction_text(number, fraction)
    if any(_is_fraction_slash(section, position) for position in range(len(section))):
        raise UnknownFormatError
    number = number.scaleb(2 * types.count(PartType.PERCENT), _EXACT_CONTEXT)
    if PartType.EXPONENT in types:
        return _exponent_text(section, number, conventions)
    return _fill_places(section, number, conventions)


def _general_text(section: Section, value: float, conventions: Conventions) -> str:
    """A number in a section that says General or `@`, with what stands around that.

    Raises:
        UnknownFormatError: It has places for digits, a percent sign or an exponent as well.
    """
    if any(part.type in (PartType.DIGIT, PartType.PERCENT, PartType.EXPONENT) for part in section):
        raise UnknownFormatError
    text = general(value).replace(".", conventions.decimal)
    return "".join(
        text if part.type in (PartType.GENERAL, PartType.TEXT) else _shown_literal(part)
        for part in section
    )


def _shown_literal(part: Part) -> str:
    """What a part shows that is no place for a digit: its text, or nothing."""
    shown = (PartType.LITERAL, PartType.CURRENCY, PartType.PERCENT)
    return part.text if part.type in shown else ""


def _fill_places(section: Section, number: Decimal, conventions: Conventions) -> str:
    """A number's digits in a section's places, with the separators of its country.

    Raises:
        UnknownFormatError: It is not certain what is shown.
    """
    point = _point_position(section)
    thousands, is_grouped = _count_commas(section[:point])
    decimals = [part.text for part in section[point:] if part.type is PartType.DIGIT]
    if len(decimals) > _MOST_DECIMALS or _count_commas(section[point:])[1]:
        raise UnknownFormatError
    number = number.scaleb(-3 * (thousands + _count_commas(section[point:])[0]), _EXACT_CONTEXT)
    whole, fraction = _digits_around_point(number, len(decimals))
    if is_grouped and not conventions.by_thousands and len(whole) > _ALIKE_EVERYWHERE:
        raise UnknownFormatError
    separator = conventions.group if is_grouped else ""
    return (
        _fill_whole_places(section[:point], whole, separator)
        + (conventions.decimal if point < len(section) else "")
        + _fill_decimal_places(section[point:], fraction)
    )


def _point_position(section: Section) -> int:
    """Where in a section its decimal point is; its length if there is none. Raises
    `UnknownFormatError` if there are several."""
    points = [position for position, part in enumerate(section) if part.type is PartType.POINT]
    if len(points) > 1:
        raise UnknownFormatError
    return points[0] if points else len(section)


def _count_commas(parts: Sequence[Part]) -> tuple[int, bool]:
    """How many commas behind the last place divide the number by a thousand each, and whether
    others, between places, group its digits.

    Raises:
        UnknownFormatError: There are commas in other positions.
    """
    marks = "".join(
        "," if part.type is PartType.COMMA else "0" if part.type is PartType.DIGIT else "x"
        for part in parts
        if part.type not in (PartType.SKIPPED, PartType.POINT)
    )
    end = marks.rfind("0") + 1
    dividing = re.match(",*", marks[end:])
    count = len(dividing[0]) if dividing and end else 0
    if "," in marks[end + count :] or marks[: marks.find("0")].count(","):
        raise UnknownFormatError
    return count, "," in marks[:end]


def _digits_around_point(number: Decimal, decimals: int) -> tuple[str, str]:
    """A number's digits before the point, without zeros at their beginning, and so many decimals
    behind it; rounded half up, as Excel does."""
    rounded = number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP, _EXACT_CONTEXT)
    whole, _, fraction = f"{rounded:f}".partition(".")
    return whole.lstrip("0"), fraction


def _fill_whole_places(parts: Sequence[Part], digits: str, separator: str) -> str:
    """Puts the digits before the decimal point into a section's places, from the right. The
    leftmost place takes all that are left, and other parts stay where they are.

    Args:
        parts: Those before the decimal point.
        digits: The digits, without zeros at their beginning.
        separator: What is put between groups of three of them.
    """
    places = [position for position, part in enumerate(parts) if part.type is PartType.DIGIT]
    if not places:
        return "".join(map(_shown_literal, parts)) + digits
    shown = []
    count = 0
    for position in range(len(parts) - 1, -1, -1):
        part = parts[position]
        if part.type is not PartType.DIGIT:
            shown.append(_shown_literal(part))
            continue
        is_leftmost = position == places[0]
        taken = digits[::-1][count:] if is_leftmost else digits[::-1][count : count + 1]
        for digit in taken or ("0" if part.text == "0" else ""):
            if separator and count and count % 3 == 0:
                shown.append(separator)
            shown.append(digit)
            count += 1
    return "".join(reversed(shown))


def _fill_decimal_places(parts: Sequence[Part], digits: str) -> str:
    """Puts the digits behind the decimal point into a section's places, from the left; zeros at the
    end only where the place is `0`."""
    shown, count = [], 0
    for part in parts:
        if part.type is not PartType.DIGIT:
            shown.append(_shown_literal(part))
            continue
        if part.text == "0" or digits[count:].strip("0"):
            shown.append(digits[count])
        count += 1
    return "".join(shown)


def _exponent_text(section: Section, number: Decimal, conventions: Conventions) -> str:
    """A number with an exponent, as in `1.5E+03`, which goes in steps of one or of three.

    Raises:
        UnknownFormatError: Programs differ in what such a format shows.
    """
    position = next(i for i, part in enumerate(section) if part.type is PartType.EXPONENT)
    mantissa, power = section[:position], section[position + 1 :]
    places = "".join(part.text for part in mantissa if part.type is PartType.DIGIT)
    whole = [part for part in mantissa[: _point_position(mantissa)] if part.type is PartType.DIGIT]
    step = 1 if len(whole) == 1 else 3 if "".join(p.text for p in whole) == "##0" else 0
    has_other_parts = any(part.type in (PartType.COMMA, PartType.PERCENT) for part in section)
    if (
        not step
        or has_other_parts
        or len(places) > _MOST_DECIMALS
        or any(p.type is PartType.POINT for p in power)
    ):
        raise UnknownFormatError
    exponent = number.adjusted() // step * step if number else 0
    decimals = len(places) - len(whole)
    if len(_digits_around_point(number.scaleb(-exponent, _EXACT_CONTEXT), decimals)[0]) > step:
        exponent += step
    shown = _fill_places(mantissa, number.scaleb(-exponent, _EXACT_CONTEXT), conventions)
    sign = "-" if exponent < 0 else "+" if section[position].text == "e+" else ""
    return f"{shown}E{sign}{_fill_whole_places(power, str(abs(exponent)).lstrip('0'), '')}"


_FRACTION_CODE: Final = re.compile(
    r"\s*(?:(?P<whole>[#0?]+)\s+)?(?P<top>[?#0]+)/(?:(?P<most>[?#]+)|(?P<bottom>[1-9]\d{0,5}))\s*"
)
"""A format such as `# ??/??` or `# ?/8`: places for a whole number, if there are any, and for a
fraction, whose bottom has so many digits at most, or is given."""


def _fraction_code(section: Section) -> str:
    """A section's code, without what it skips, if it may be a fraction; "" if not."""
    if not any(_is_fraction_slash(section, position) for position in range(len(section))):
        return ""
    return "".join(part.text for part in section if part.type is not PartType.SKIPPED)


def _is_fraction_slash(section: Section, position: int) -> bool:
    """Whether a part is the line of a fraction: a slash beside a place of a digit."""
    part = section[position]
    beside = [section[i].type for i in (position - 1, position + 1) if 0 <= i < len(section)]
    return part.type is PartType.LITERAL and part.text[:1] == "/" and PartType.DIGIT in beside


def _fraction_text(number: Decimal, code_match: re.Match[str]) -> str:
    """A number as a fraction, such as `1 1/2`, in the form of a match of `_FRACTION_CODE`.

    Raises:
        UnknownFormatError: It is none exactly: which one Excel takes then is not certain.
    """
    if number.adjusted() > SIGNIFICANT_DIGITS:
        raise UnknownFormatError
    exact = Fraction(number)
    whole = int(exact) if code_match["whole"] else 0
    rest = exact - whole
    if code_match["bottom"]:
        bottom = int(code_match["bottom"])
        top = rest * bottom
    else:
        nearest = rest.limit_denominator(10 ** min(len(code_match["most"]), 6) - 1)
        bottom, top = nearest.denominator, Fraction(nearest.numerator)
    if top.denominator != 1 or abs(rest - top / bottom) > _FRACTION_TOLERANCE:
        raise UnknownFormatError
    if code_match["whole"] and not top:
        return str(whole)
    return f"{whole or ''} {top.numerator}/{bottom}".strip()


_FRACTION_TOLERANCE: Final = Fraction(1, 10**12)
"""By how much a number may differ from a fraction that it is: a third has 15 digits in a
spreadsheet."""
