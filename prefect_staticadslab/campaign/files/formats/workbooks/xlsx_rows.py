"""Rows of an .xlsx as XML, for a table that is written again and again while few of them change.

XlsxWriter makes the workbook, all but its rows. These are put into it just as it would write them,
and those that did not change are not made again. The elements are those of a sheet's XML (ECMA-376,
part 1, 18.3).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any, Final, NamedTuple
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

from prefect_staticadslab.campaign.files.cells import FormattedValue, plain_text
from prefect_staticadslab.campaign.files.formats.xlsx_text import can_be_link, cell_string
from prefect_staticadslab.campaign.files.formats.xlsx_values import (
    EXCEL_CELL,
    AllDigitsFloat,
    date_format,
    excel_value,
)

MOST_FORMATS: Final = 1_000
LONGEST_FORMAT: Final = 255
"""Number formats that one workbook gets at most, of which Excel takes some thousands; and a
format's characters, of which it takes no more."""

_SHEET_PART: Final = "xl/worksheets/sheet1.xml"
_RELATIONSHIPS_PART: Final = "xl/worksheets/_rels/sheet1.xml.rels"
"""The parts in which a workbook of one sheet has its cells, and the addresses of its links."""

_HYPERLINK: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink"

_ROWS_AT_ONCE: Final = 500
"""Rows that are handed over to be compressed at once."""

_DATE_LETTERS: Final = frozenset("ymdhs")
"""A number format without any of them shows a date as a number, which is read as one."""

_EDGE_SPACE: Final = re.compile(r"^\s|\s$")

_EPOCH: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet's dates have no zone
"""Day 0 of a sheet, for dates from 1901 on."""

_DAY: Final = timedelta(days=1)


class CellStyle(NamedTuple):
    """How a cell looks.

    Attributes:
        number_format: As Excel writes it; "" is General.
        is_link: Whether it is underlined and coloured as a link is.
    """

    number_format: str
    is_link: bool = False


PLAIN_STYLE: Final = CellStyle("")


class NumberFormats:
    """Chooses the number formats of one sheet's cells, no more than Excel takes."""

    def __init__(self) -> None:
        self._chosen: set[str] = set()

    def choose(self, number_format: str, fallback: str) -> str:
        """The number format that a cell gets, which is counted as one of the sheet's: the fallback,
        if the other is too long or one too many."""
        if number_format not in self._chosen:
            if len(number_format) > LONGEST_FORMAT or len(self._chosen) >= MOST_FORMATS:
                number_format = fallback
            self._chosen.add(number_format)
        return number_format

    def choose_for_date(self, number_format: str, value: date | time | timedelta) -> str:
        """As `choose`, for a date or a time; a format that shows none is not taken."""
        fallback = date_format(value)
        shows_date = not _DATE_LETTERS.isdisjoint(number_format.casefold())
        return self.choose(number_format if shows_date else fallback, fallback)


@dataclass(frozen=True)
class Row:
    """A row of a sheet.

    Attributes:
        xml: Its `row` element; "" without cells.
        links: Its links: for each, the reference of its cell, such as `B7`, and the address.
    """

    xml: str
    links: tuple[tuple[str, str], ...]


class SheetRows:
    """Makes the rows of one sheet, and collects the styles of their cells.

    Attributes:
        styles: The cells' styles but for the plain one, each with the attribute that names it, in
            the order in which they were first needed: XlsxWriter numbers them so, from 2 on, as the
            header's is the first.
    """

    def __init__(self) -> None:
        self.styles: dict[CellStyle, str] = {}
        self._formats = NumberFormats()

    def row(self, number: int, cells: Sequence[Any]) -> Row | None:
        """Makes a row, and adds the styles of its cells to `styles`.

        Args:
            number: Its number, counted from 1.
            cells: What it holds.

        Returns:
            The row; None if a text is so long that `check_text_lengths` must tell whether a cell
            holds it.
        """
        links: list[tuple[str, str]] = []
        parts: list[str] = []
        for position, value in enumerate(cells):
            if value is None:
                continue
            if isinstance(value, str) and len(value) > EXCEL_CELL // 2:
                return None
            parts.append(self._cell_xml(f"{_column_letters(position)}{number}", value, links))
        xml = f'<row r="{number}">{"".join(parts)}</row>' if parts else ""
        return Row(xml, tuple(links))

    def _cell_xml(self, reference: str, value: Any, links: list[tuple[str, str]]) -> str:
        """A cell's `c` element, "" if it is blank. Its link is added to `links`, and its style to
        `styles`."""
        if type(value) is not str:  # and no `CatalogueText`: most cells are
            number_format = ""
            if isinstance(value, FormattedValue):
                value, number_format = value.value, value.number_format
            value = excel_value(value)
            if value is None:
                return ""
            if not isinstance(value, str):
                return self._value_xml(reference, value, number_format)
        if value.startswith("http") and can_be_link(value):
            links.append((reference, value))
            return _text_xml(reference, self._style_attribute(CellStyle("", is_link=True)), value)
        return _text_xml(reference, "", value)

    def _value_xml(self, reference: str, value: Any, number_format: str) -> str:
        """The `c` element of a boolean, a number, a date, a time or a duration; its style is added
        to `styles`."""
        match value:
            case bool():
                return f'<c r="{reference}" t="b"><v>{value:d}</v></c>'
            case int() | float():
                chosen = self._formats.choose(number_format, "")
                digits = f"{value if isinstance(value, int) else AllDigitsFloat(value):.16G}"
            case _:
                chosen = self._formats.choose_for_date(number_format, value)
                digits = f"{days_of(value):.16G}"
        style = self._style_attribute(CellStyle(plain_text(chosen)))
        return f'<c r="{reference}"{style}><v>{digits}</v></c>'

    def _style_attribute(self, style: CellStyle) -> str:
        """The attribute of a `c` element that names this style, "" for the plain one; a new style
        is added to `styles`."""
        if style == PLAIN_STYLE:
            return ""
        return self.styles.setdefault(style, f' s="{len(self.styles) + 2}"')


def _text_xml(reference: str, style: str, text: str) -> str:
    """The `c` element of a text, given the attribute that names its style."""
    text = cell_string(text)
    if text.startswith("<r>") and text.endswith("</r>"):  # it is XML
        return f'<c r="{reference}"{style} t="inlineStr"><is>{text}</is></c>'
    space = ' xml:space="preserve"' if _EDGE_SPACE.search(text) else ""
    return f'<c r="{reference}"{style} t="inlineStr"><is><t{space}>{escape(text)}</t></is></c>'


def days_of(value: date | time | timedelta) -> float:
    """A date, a time or a duration as a sheet holds it: in days (ECMA-376, part 1, 18.17.4.1).

    Example:
        ```python
        from datetime import datetime

        from prefect_staticadslab.campaign.files.formats.workbooks.xlsx_rows import days_of

        assert days_of(datetime(2026, 8, 1, 12)) == 46235.5
        ```
    """
    match value:
        case datetime():
            passed = value - _EPOCH
        case date():
            passed = datetime.combine(value, time()) - _EPOCH
        case time():
            passed = datetime.combine(_EPOCH, value) - _EPOCH
        case _:
            passed = value
    return passed.days + (passed.seconds + passed.microseconds / 1e6) / _DAY.total_seconds()


@cache
def _column_letters(position: int) -> str:
    """A column, counted from 0, as a spreadsheet program calls it: 27 is AB."""
    letters = ""
    position += 1
    while position:
        position, last = divmod(position - 1, 26)
        letters = chr(ord("A") + last) + letters
    return letters


def insert_rows(skeleton: bytes, rows: Sequence[Row], columns: int) -> bytes:
    """A copy of a workbook with these rows below its header, in place of those that it has.

    Args:
        skeleton: The workbook, of one sheet. If `rows` have links, it must have one.
        rows: What is to be below the header.
        columns: How many columns there are.
    """
    out = io.BytesIO()
    links = [link for row in rows for link in row.links]
    with ZipFile(io.BytesIO(skeleton)) as given, ZipFile(out, "w", ZIP_DEFLATED) as book:
        for info in given.infolist():
            content = given.read(info)
            with book.open(info, "w") as file:
                if info.filename == _SHEET_PART:
                    for part in _sheet_xml(content.decode(), rows, columns, links):
                        file.write(part.encode())
                elif info.filename == _RELATIONSHIPS_PART and links:
                    file.write(_relationships_xml(content.decode(), links).encode())
                else:
                    file.write(content)
    return out.getvalue()


def _sheet_xml(
    xml: str, rows: Sequence[Row], columns: int, links: Sequence[tuple[str, str]]
) -> Iterator[str]:
    """A sheet's XML with other rows and links, in pieces to be compressed one after the other.

    Args:
        xml: The sheet's, with its header.
        rows: What is to be below the header.
        columns: How many columns there are.
        links: All links of the rows, as in `Row.links`.
    """
    header_end = xml.index("</row>") + len("</row>")
    data_end = xml.index("</sheetData>", header_end)
    extent = f'<dimension ref="A1:{_column_letters(columns - 1)}{len(rows) + 1}"/>'
    yield re.sub(r'<dimension ref="[^"]*"/>', extent, xml[:header_end], count=1)
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        yield "".join(row.xml for row in rows[first : first + _ROWS_AT_ONCE])
    if not links:
        yield xml[data_end:]
        return
    before, hyperlinks_tag, after_data = xml[data_end:].partition("<hyperlinks>")
    yield before + hyperlinks_tag
    yield "".join(_link_xml(number, *link) for number, link in enumerate(links, 1))
    yield after_data[after_data.index("</hyperlinks>") :]


def _link_xml(number: int, cell: str, address: str) -> str:
    """The `hyperlink` element of a cell, whose relationship has this number."""
    _, _, anchor = address.partition("#")
    location = f' location="{escape(anchor)}"' if anchor else ""
    return f'<hyperlink ref="{cell}" r:id="rId{number}"{location}/>'


def _relationships_xml(xml: str, links: Sequence[tuple[str, str]]) -> str:
    """The XML of a sheet's relationships with those of these links in place of all others."""
    start = xml.index("<Relationship ")
    targets = (escape(address.partition("#")[0]) for _, address in links)
    elements = (
        f'<Relationship Id="rId{number}" Type="{_HYPERLINK}" Target="{target}" '
        'TargetMode="External"/>'
        for number, target in enumerate(targets, 1)
    )
    return f"{xml[:start]}{''.join(elements)}{xml[xml.index('</Relationships>') :]}"
