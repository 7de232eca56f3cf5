"""Rows of an .xlsx as XML, for a table that is written again and again while few of them change.

XlsxWriter makes the workbook, all but its rows. These are put into it just as it would write them,
and those that did not change are not made again.
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
from prefect_staticadslab.campaign.files.formats.xlsx_text import cell_string, is_web_address
from prefect_staticadslab.campaign.files.formats.xlsx_values import (
    EXCEL_CELL,
    Digits,
    date_format,
    excel_value,
)

MOST_FORMATS: Final = 1_000
LONGEST_FORMAT: Final = 255
"""Number formats of one workbook, of which Excel takes some thousands; and a format's characters,
of which it takes no more."""

SHEET: Final = "xl/worksheets/sheet1.xml"
RELATIONS: Final = "xl/worksheets/_rels/sheet1.xml.rels"
"""Where a workbook of one sheet has its cells, and the addresses of its links."""

_HYPERLINK: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink"

_ROWS_AT_ONCE: Final = 500
"""So many rows are handed over to be compressed at once."""

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
        is_link: Whether it looks like a link.
    """

    number_format: str
    is_link: bool = False


PLAIN_STYLE: Final = CellStyle("")


class NumberFormats:
    """The number formats of one sheet, of which Excel takes so many."""

    def __init__(self) -> None:
        self._chosen: set[str] = set()

    def choose(self, wanted: str, usual: str) -> str:
        """The number format that a cell gets; the usual one, if Excel cannot have it."""
        if wanted not in self._chosen:
            if len(wanted) > LONGEST_FORMAT or len(self._chosen) >= MOST_FORMATS:
                wanted = usual
            self._chosen.add(wanted)
        return wanted

    def choose_for_date(self, wanted: str, value: date | time | timedelta) -> str:
        """The number format of a date or a time, which must show one."""
        usual = date_format(value)
        shows_date = not _DATE_LETTERS.isdisjoint(wanted.casefold())
        return self.choose(wanted if shows_date else usual, usual)


@dataclass(frozen=True)
class Row:
    """A row of a sheet.

    Attributes:
        xml: Its element.
        links: Its links: each one's cell and address.
    """

    xml: str
    links: tuple[tuple[str, str], ...]


class SheetRows:
    """Makes the rows of one sheet.

    Attributes:
        styles: The cells' styles but for the plain one, in the order in which they were first
            needed: XlsxWriter numbers them so, from 2 on, as the header's is the first.
    """

    def __init__(self) -> None:
        self.styles: dict[CellStyle, str] = {}
        self._formats = NumberFormats()

    def row(self, number: int, cells: Sequence[Any]) -> Row | None:
        """A row.

        Args:
            number: Its number, from 1 on.
            cells: What it holds.

        Returns:
            None, if a cell is so long that it must be looked at whether a sheet holds it.
        """
        links: list[tuple[str, str]] = []
        parts: list[str] = []
        for place, value in enumerate(cells):
            if value is None:
                continue
            if isinstance(value, str) and len(value) > EXCEL_CELL // 2:
                return None
            parts.append(self._cell(f"{_letters(place)}{number}", value, links))
        xml = f'<row r="{number}">{"".join(parts)}</row>' if parts else ""
        return Row(xml, tuple(links))

    def _cell(self, where: str, value: Any, links: list[tuple[str, str]]) -> str:
        """A cell's element; its link is added to `links`."""
        if type(value) is not str:  # and no `CatalogueText`: most cells are
            number_format = ""
            if isinstance(value, FormattedValue):
                value, number_format = value.value, value.number_format
            value = excel_value(value)
            if value is None:
                return ""
            if not isinstance(value, str):
                return self._value(where, value, number_format)
        if value.startswith("http") and is_web_address(value):
            links.append((where, value))
            return _text(where, self._style(CellStyle("", is_link=True)), value)
        return _text(where, "", value)

    def _value(self, where: str, value: Any, number_format: str) -> str:
        match value:
            case bool():
                return f'<c r="{where}" t="b"><v>{value:d}</v></c>'
            case int() | float():
                chosen = self._formats.choose(number_format, "")
                shown = f"{value if isinstance(value, int) else Digits(value):.16G}"
            case _:
                chosen = self._formats.choose_for_date(number_format, value)
                shown = f"{days_of(value):.16G}"
        return f'<c r="{where}"{self._style(CellStyle(plain_text(chosen)))}><v>{shown}</v></c>'

    def _style(self, style: CellStyle) -> str:
        """A style as a cell's attribute."""
        if style == PLAIN_STYLE:
            return ""
        return self.styles.setdefault(style, f' s="{len(self.styles) + 2}"')


def _text(where: str, style: str, text: str) -> str:
    text = cell_string(text)
    if text.startswith("<r>") and text.endswith("</r>"):  # it is XML
        return f'<c r="{where}"{style} t="inlineStr"><is>{text}</is></c>'
    space = ' xml:space="preserve"' if _EDGE_SPACE.search(text) else ""
    return f'<c r="{where}"{style} t="inlineStr"><is><t{space}>{escape(text)}</t></is></c>'


def days_of(value: date | time | timedelta) -> float:
    """A date, a time or a duration as a sheet holds it: in days.

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
def _letters(place: int) -> str:
    letters = ""
    place += 1
    while place:
        place, last = divmod(place - 1, 26)
        letters = chr(ord("A") + last) + letters
    return letters


def with_rows(skeleton: bytes, rows: Sequence[Row], columns: int) -> bytes:
    """A workbook with these rows below its header.

    Args:
        skeleton: The workbook, of one sheet, with rows in their place. If `rows` have links, then
            it has one.
        rows: What is below the header.
        columns: How many columns there are.
    """
    out = io.BytesIO()
    links = [link for row in rows for link in row.links]
    with ZipFile(io.BytesIO(skeleton)) as given, ZipFile(out, "w", ZIP_DEFLATED) as book:
        for info in given.infolist():
            content = given.read(info)
            with book.open(info, "w") as file:
                if info.filename == SHEET:
                    for part in _sheet(content.decode(), rows, columns, links):
                        file.write(part.encode())
                elif info.filename == RELATIONS and links:
                    file.write(_relations(content.decode(), links).encode())
                else:
                    file.write(content)
    return out.getvalue()


def _sheet(
    xml: str, rows: Sequence[Row], columns: int, links: Sequence[tuple[str, str]]
) -> Iterator[str]:
    """A sheet's XML, part by part."""
    header_end = xml.index("</row>") + len("</row>")
    data_end = xml.index("</sheetData>", header_end)
    extent = f'<dimension ref="A1:{_letters(columns - 1)}{len(rows) + 1}"/>'
    yield re.sub(r'<dimension ref="[^"]*"/>', extent, xml[:header_end], count=1)
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        yield "".join(row.xml for row in rows[first : first + _ROWS_AT_ONCE])
    if not links:
        yield xml[data_end:]
        return
    before, found, rest = xml[data_end:].partition("<hyperlinks>")
    yield before + found
    yield "".join(_link(number, *link) for number, link in enumerate(links, 1))
    yield rest[rest.index("</hyperlinks>") :]


def _link(number: int, cell: str, address: str) -> str:
    _, _, anchor = address.partition("#")
    location = f' location="{escape(anchor)}"' if anchor else ""
    return f'<hyperlink ref="{cell}" r:id="rId{number}"{location}/>'


def _relations(xml: str, links: Sequence[tuple[str, str]]) -> str:
    start = xml.index("<Relationship ")
    targets = (escape(address.partition("#")[0]) for _, address in links)
    lines = (
        f'<Relationship Id="rId{number}" Type="{_HYPERLINK}" Target="{target}" '
        'TargetMode="External"/>'
        for number, target in enumerate(targets, 1)
    )
    return f"{xml[:start]}{''.join(lines)}{xml[xml.index('</Relationships>') :]}"
