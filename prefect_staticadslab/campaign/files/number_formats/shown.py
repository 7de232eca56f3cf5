"""A value under a number format: which section counts, and what it shows."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, time, timedelta
from types import MappingProxyType
from typing import Final

from prefect_staticadslab.campaign.files.number_formats import dates, numbers
from prefect_staticadslab.campaign.files.number_formats.codes import (
    Section,
    UnknownFormatError,
    condition_of,
    is_date_section,
    is_text_section,
    sections_of,
)
from prefect_staticadslab.campaign.files.number_formats.conventions import conventions_of

BUILTIN_FORMATS: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "General",
        1: "0",
        2: "0.00",
        3: "#,##0",
        4: "#,##0.00",
        5: '"$"#,##0_);\\("$"#,##0\\)',
        6: '"$"#,##0_);[Red]\\("$"#,##0\\)',
        7: '"$"#,##0.00_);\\("$"#,##0.00\\)',
        8: '"$"#,##0.00_);[Red]\\("$"#,##0.00\\)',
        9: "0%",
        10: "0.00%",
        11: "0.00E+00",
        12: "# ?/?",
        13: "# ??/??",
        14: "mm-dd-yy",
        15: "d-mmm-yy",
        16: "d-mmm",
        17: "mmm-yy",
        18: "h:mm AM/PM",
        19: "h:mm:ss AM/PM",
        20: "h:mm",
        21: "h:mm:ss",
        22: "m/d/yy h:mm",
        37: "#,##0_);(#,##0)",
        38: "#,##0_);[Red](#,##0)",
        39: "#,##0.00_);(#,##0.00)",
        40: "#,##0.00_);[Red](#,##0.00)",
        41: '_(* #,##0_);_(* (#,##0);_(* "-"_);_(@_)',
        42: '_("$"* #,##0_);_("$"* (#,##0);_("$"* "-"_);_(@_)',
        43: '_(* #,##0.00_);_(* (#,##0.00);_(* "-"??_);_(@_)',
        44: '_("$"* #,##0.00_);_("$"* (#,##0.00);_("$"* "-"??_);_(@_)',
        45: "mm:ss",
        46: "[h]:mm:ss",
        47: "mm:ss.0",
        48: "##0.0E+0",
        49: "@",
    }
)
"""The formats that a workbook has by a number only, as ECMA-376 lists them (part 1, 18.8.30).

Excel writes what 5 to 8 and 41 to 44 are in a workbook's country into the workbook, so what is said
there comes first. What 14 and 22 show is up to the machine that shows it.
"""

_MACHINE_DEPENDENT: Final = frozenset((BUILTIN_FORMATS[14], BUILTIN_FORMATS[22]))


def show_number(value: float | date | time | timedelta, number_format: str) -> str | None:
    """The text that Excel shows for a value under a number format, without padding.

    Args:
        value: A number, or a date, a time or a duration as a workbook's reader made it of one.
        number_format: The code that a workbook holds, such as `#,##0.00 "€"`; never the localised
            one that a dialog shows.

    Returns:
        The text; None if it is not certain, as with a format that depends on the machine's
        settings. Thousands and decimals are separated as the format's country does.

    Example:
        ```python
        from datetime import date
        from prefect_staticadslab.campaign.files.number_formats import show_number

        assert show_number(37.800000000000004, '#,##0.00 "€"') == "37,80 €"
        assert show_number(0.1, "0 %") == "10 %"
        assert show_number(date(2026, 8, 1), "dd.mm.yyyy") == "01.08.2026"
        assert show_number(1234.5, '"$"#,##0.00') == "$1,234.50"
        assert show_number(date(2026, 8, 1), "mm-dd-yy") is None
        ```
    """
    if isinstance(value, bool) or number_format in _MACHINE_DEPENDENT:
        return None
    try:
        text = _text_under_format(value, sections_of(number_format))
    except UnknownFormatError:
        return None
    return re.sub(" {2,}", " ", text).strip(" ")


def _text_under_format(value: float | date | time | timedelta, sections: list[Section]) -> str:
    """What a cell shows of a value under the sections of its format: for numbers above, below and
    equal to 0, and for texts. That for texts, if there is one, is taken off `sections`.

    Raises:
        UnknownFormatError: It is not certain, or differs between programs.
    """
    conventions = conventions_of(sections)
    if len(sections) > _MOST_SECTIONS:
        raise UnknownFormatError
    if len(sections) == _MOST_SECTIONS or (len(sections) > 1 and is_text_section(sections[-1])):
        del sections[-1]
    if is_date_section(sections[0]) or not isinstance(value, int | float):
        if any(condition_of(section) for section in sections) or not is_date_section(sections[0]):
            raise UnknownFormatError
        return dates.date_text(sections[0], value, conventions)
    section, needs_minus = _section_for(float(numbers.decimal_of(value)), sections)
    if not section:
        return ""
    text = numbers.number_text(section, abs(value), conventions)
    if needs_minus and not re.search("[1-9]", text):
        raise UnknownFormatError
    return f"-{text.lstrip(' ')}" if needs_minus else text


_MOST_SECTIONS: Final = 4
"""For numbers that are positive, negative and zero, and for texts."""

_OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "<>": operator.ne,
}


def _section_for(value: float, sections: Sequence[Section]) -> tuple[Section, bool]:
    """The section that is for a number, and whether a minus is put in front of what it shows.

    Raises:
        UnknownFormatError: It is not certain which one is.
    """
    conditions = [condition_of(section) for section in sections]
    if any(conditions):
        return _section_by_condition(value, sections, conditions)
    negative, zero = sections[1:2], sections[2:3]
    if value < 0 and negative:
        return negative[0], False
    if value == 0 and zero:
        return zero[0], False
    return sections[0], value < 0


def _section_by_condition(
    value: float, sections: Sequence[Section], conditions: Sequence[tuple[str, float] | None]
) -> tuple[Section, bool]:
    """As `_section_for`, if there are conditions: the first section whose condition holds; the last
    one, if it has none, is for the rest.

    Args:
        value: The number.
        sections: The format's.
        conditions: For each of them, its operator and number, or None.

    Raises:
        UnknownFormatError: No condition holds, a section before the last has none, or the number is
            negative.
    """
    if value < 0:  # where the minus goes is not certain
        raise UnknownFormatError
    for position, (section, condition) in enumerate(zip(sections, conditions, strict=True)):
        if condition is None and position < len(sections) - 1:
            raise UnknownFormatError
        if condition is None or _OPERATORS[condition[0]](value, condition[1]):
            return section, False
    raise UnknownFormatError
