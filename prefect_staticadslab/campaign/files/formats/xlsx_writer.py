"""Writes .xlsx files whose cells are read again as what they were, and that are good to look at.

XlsxWriter streams the rows. It guesses nothing here: each cell is written as what it is.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from prefect_staticadslab.campaign.files.cells import FormattedValue, cell_text, plain_text
from prefect_staticadslab.campaign.files.formats.cell_pictures import LONGEST_SIDE, CellPicture
from prefect_staticadslab.campaign.files.formats.workbooks.xlsx_rows import (
    CellStyle,
    NumberFormats,
    Row,
    SheetRows,
    insert_rows,
)
from prefect_staticadslab.campaign.files.formats.xlsx_text import (
    can_be_link,
    cell_string,
    sensible_width,
)
from prefect_staticadslab.campaign.files.formats.xlsx_values import (
    AllDigitsFloat,
    check_text_lengths,
    excel_value,
)

if TYPE_CHECKING:
    import pandas as pd

MOST_LINKS: Final = 65_530
"""Links that a sheet of Excel's has at most."""

STATUS_COLOURS: Final[Mapping[str, tuple[str, str]]] = {
    "completed": ("#C6EFCE", "#006100"),
    "failed": ("#FFC7CE", "#9C0006"),
    "processing": ("#FFEB9C", "#7F4F00"),
    "submitting": ("#FFEB9C", "#7F4F00"),
    "pending": ("#EDEDED", "#595959"),
}
"""By a row's status, the colour of the cell and of its text: Excel's own for good, bad, neutral."""

MEASURED_ROWS: Final = 200
"""A column is as wide as what so many first rows hold."""

_PICTURE_MARGIN: Final = 4
_PICTURE_ROW_PIXELS: Final = LONGEST_SIDE + 2 * _PICTURE_MARGIN
_LINK_PROPERTIES: Final = {"font_color": "#0563C1", "underline": 1}
HEADER: Final = {"bold": True, "bg_color": "#E8EDF3", "bottom": 1, "valign": "vcenter"}


@dataclass(frozen=True)
class SheetLook:
    """How a sheet looks.

    Attributes:
        widths: By column name, widths in characters that somebody chose.
        frozen_columns: How many columns at the left stay in view; the header always does.
        status_column: The column that is coloured by its words, `STATUS_COLOURS`; "" for none.
        link_columns: The columns whose web addresses become links even if those of other columns
            would be more than a sheet has.
        folded_columns: The columns that are hidden until somebody unfolds them.
        pictures: A picture for each row, or None for a row that has none; () for a sheet that has
            no column of pictures.
        picture_column: How that column is headed. It is the first one, and its cells are blank:
            the pictures lie on them.
    """

    widths: Mapping[str, float] = field(default_factory=dict)
    frozen_columns: int = 1
    status_column: str = ""
    link_columns: frozenset[str] = frozenset()
    folded_columns: frozenset[str] = frozenset()
    pictures: Sequence[CellPicture | None] = ()
    picture_column: str = "picture"


PLAIN: Final = SheetLook(frozen_columns=0)


def encode_xlsx(frame: pd.DataFrame, look: SheetLook = PLAIN) -> bytes:
    """The bytes of an .xlsx with the sheet `results`; see `encode_workbook`."""
    return encode_workbook({"results": frame}, look=look)


def encode_workbook(
    frames: Mapping[str, pd.DataFrame], *, creator: str | None = None, look: SheetLook = PLAIN
) -> bytes:
    """The bytes of an .xlsx with a sheet for each frame.

    Args:
        frames: By a sheet's name, what it holds.
        creator: What the file's properties name as its author; None for nothing.
        look: How they look.

    Raises:
        SpreadsheetError: A cell is longer than an .xlsx holds.
    """
    for frame in frames.values():
        check_text_lengths(frame)
    out = io.BytesIO()
    book = new_workbook(out, creator=creator)
    for name, frame in frames.items():
        _SheetWriter(book, name, look).write(frame)
    book.close()
    return out.getvalue()


def encode_rows(
    header: Sequence[str],
    rows: Sequence[Row],
    made_by: SheetRows,
    first_lines: Sequence[Sequence[Any]],
    look: SheetLook,
) -> bytes | None:
    """The bytes of an .xlsx whose rows were made before; as `encode_xlsx` would write their cells.

    Args:
        header: The columns' names.
        rows: The rows.
        made_by: What made them, and has collected their styles.
        first_lines: The cells of the first rows, which say how wide the columns are.
        look: How the sheet looks; without pictures.

    Returns:
        The file; None if a sheet cannot have all the links, so that `encode_xlsx` must decide cell
        by cell which of them are left out.
    """
    links = sum(len(row.links) for row in rows)
    if links > MOST_LINKS - len(rows) * len(look.link_columns & set(header)):
        return None
    out = io.BytesIO()
    book = new_workbook(out)
    sheet = _SheetWriter(book, "results", look)
    sheet.write_all_but_rows(header, first_lines[:MEASURED_ROWS], len(rows))
    sheet.write_style_samples(made_by.styles, has_links=links > 0)
    book.close()
    return insert_rows(out.getvalue(), rows, len(header))


def new_workbook(out: io.BytesIO, *, creator: str | None = None, in_rows: bool = True) -> Any:
    """A new workbook of XlsxWriter's, which is written to `out` once it is closed.

    Args:
        out: Where to.
        creator: What the file's properties name as its author; None for nothing.
        in_rows: Whether its cells are written row by row, so that they need not be kept in memory.
    """
    from xlsxwriter import Workbook  # type: ignore[import-untyped]

    book = Workbook(out, {"constant_memory": in_rows})
    if creator is not None:
        book.set_properties({"author": creator})
    return book


class _SheetWriter:
    """Adds a sheet to a workbook and writes it, row by row.

    Args:
        book: XlsxWriter's.
        name: The sheet's.
        look: How it looks.
    """

    def __init__(self, book: Any, name: str, look: SheetLook) -> None:
        self._sheet = book.add_worksheet(name)
        # Longer texts were refused by then, and it would cut those that are handed over as XML.
        self._sheet.xls_strmax = math.inf
        self._look = look
        self._first_column = 1 if look.pictures else 0
        self._common_properties: dict[str, Any] = (
            {"valign": "vcenter", "text_wrap": True, "bottom": 4, "bottom_color": "#BFBFBF"}
            if look.pictures
            else {}
        )
        self._book = book
        self._number_formats = NumberFormats()
        self._format_for = cache(self._new_format)
        self._link_count = 0

    def write(self, frame: pd.DataFrame) -> None:
        """Writes a whole table: its header, its rows, and their pictures if there are any. Of its
        web addresses, as many become links as a sheet has, those of `link_columns` first."""
        names = [str(name) for name in frame.columns]
        first_lines = [*islice(frame.itertuples(index=False, name=None), MEASURED_ROWS)]
        self.write_all_but_rows(names, first_lines, len(frame))
        others = MOST_LINKS - len(frame) * len(self._look.link_columns & set(names))
        most_links = [MOST_LINKS if name in self._look.link_columns else others for name in names]
        for row, line in enumerate(frame.itertuples(index=False, name=None), 1):
            if self._look.pictures:
                self._sheet.set_row_pixels(row, _PICTURE_ROW_PIXELS, self._format_for(""))
                self._insert_picture(row)
            for column, (value, most) in enumerate(
                zip(line, most_links, strict=True), self._first_column
            ):
                self._write_cell(row, column, value, most)

    def write_all_but_rows(
        self, names: Sequence[str], first_lines: Sequence[Sequence[Any]], rows: int
    ) -> None:
        """Writes the header, and how the sheet looks and is printed.

        Args:
            names: The columns' names.
            first_lines: The cells of the first rows, which say how wide the columns are.
            rows: How many rows there will be.
        """
        self._set_columns(first_lines, names)
        header = self._book.add_format(HEADER)
        for column, name in enumerate(names, self._first_column):
            self._sheet.write_string(0, column, cell_string(name), header)
        if self._look.pictures:
            self._sheet.write_string(0, 0, self._look.picture_column, header)
        self._set_view_and_filter(names, rows)

    def write_style_samples(self, styles: Iterable[CellStyle], *, has_links: bool) -> None:
        """Writes a cell of each style, and a link if there are any, in place of rows: XlsxWriter
        numbers styles as it meets them, and declares what links need. `insert_rows` replaces them
        by rows that refer to these numbers."""
        for column, style in enumerate(styles):
            chosen = self._format_for(style.number_format, is_link=style.is_link)
            self._sheet.write_number(1, column, 0, chosen)
        if has_links:
            self._sheet.write_url(2, 0, "http://localhost/", self._format_for("", is_link=True))

    def _set_columns(self, first_lines: Sequence[Sequence[Any]], names: Sequence[str]) -> None:
        """Sets how wide each column is, and folds `folded_columns`."""
        if self._look.pictures:
            self._sheet.set_column_pixels(0, 0, _PICTURE_ROW_PIXELS)
        for position, name in enumerate(names):
            width = self._look.widths.get(name)
            if width is None:
                texts = (cell_text(line[position]) for line in first_lines)
                width = sensible_width(name, texts)
            column = position + self._first_column
            options = {"level": 1, "hidden": True} if name in self._look.folded_columns else {}
            self._sheet.set_column(column, column, width, None, options)

    def _set_view_and_filter(self, names: Sequence[str], rows: int) -> None:
        """Has the header stay in sight and on each printed page, and rows be filtered and coloured
        by their status."""
        from xlsxwriter.utility import xl_range  # type: ignore[import-untyped]

        self._sheet.freeze_panes(1, self._look.frozen_columns)
        if not names or not rows:
            return
        columns = len(names) + self._first_column
        self._sheet.autofilter(0, 0, rows, columns - 1)
        self._sheet.set_landscape()
        self._sheet.repeat_rows(0)
        # An id of digits is a text for good, and no mistake to be marked.
        every_cell = xl_range(0, 0, rows, columns - 1)
        self._sheet.ignore_errors({"number_stored_as_text": every_cell})
        if self._look.status_column in names:
            column = names.index(self._look.status_column) + self._first_column
            colour_by_status(self._book, self._sheet, (1, column, rows, column))

    def _insert_picture(self, row: int) -> None:
        """Puts the picture of a row, counted from 1, into its first cell, if it has one."""
        if picture := self._look.pictures[row - 1]:
            insert_picture(self._sheet, row, 0, picture, (_PICTURE_ROW_PIXELS, _PICTURE_ROW_PIXELS))

    def _write_cell(self, row: int, column: int, value: Any, most_links: int) -> None:
        """Writes a value as what it is. Row and column are counted from 0; for `most_links`, see
        `_write_text`."""
        if value is None:
            return
        if type(value) is str:  # and no `CatalogueText`: most cells are
            self._write_text(row, column, value, most_links)
            return
        number_format = ""
        if isinstance(value, FormattedValue):
            value, number_format = value.value, value.number_format
        value = excel_value(value)
        match value:
            case None:
                return
            case str():
                self._write_text(row, column, value, most_links)
            case bool():
                self._sheet.write_boolean(row, column, value, self._format_for(""))
            case int() | float():
                number = value if isinstance(value, int) else AllDigitsFloat(value)
                chosen = self._number_formats.choose(number_format, "")
                self._sheet.write_number(row, column, number, self._format_for(chosen))
            case _:
                chosen = self._number_formats.choose_for_date(number_format, value)
                self._sheet.write_datetime(row, column, value, self._format_for(chosen))

    def _write_text(self, row: int, column: int, text: str, most_links: int) -> None:
        """Writes a text; a web address as a link, while the sheet has fewer than `most_links`."""
        is_link = text.startswith("http") and can_be_link(text)
        if is_link and self._link_count < most_links:
            self._link_count += 1
            self._sheet.write_url(row, column, text, self._format_for("", is_link=True), text)
        else:
            self._sheet.write_string(row, column, cell_string(text), self._format_for(""))

    def _new_format(self, number_format: str, *, is_link: bool = False) -> Any:
        """Adds a format of cells to the workbook; None if it is the plain one, which needs none."""
        properties = dict(self._common_properties)
        if is_link:
            properties |= _LINK_PROPERTIES
        if number_format:
            properties["num_format"] = plain_text(number_format)
        return self._book.add_format(properties) if properties else None


def insert_picture(
    sheet: Any, row: int, column: int, picture: CellPicture, cell: tuple[int, int]
) -> None:
    """Puts a picture into the middle of a cell; it moves with the cell when rows are sorted, and is
    hidden while its row is filtered out.

    Args:
        sheet: XlsxWriter's.
        row, column: Where, from 0 on.
        picture: The picture.
        cell: The cell's width and height in pixels.
    """
    options = {
        "image_data": io.BytesIO(picture.content),
        "x_offset": max(0, (cell[0] - picture.width) // 2),
        "y_offset": max(0, (cell[1] - picture.height) // 2),
        "object_position": 1,
        "description": picture.description,
    }
    sheet.insert_image(row, column, "picture.jpg", options)


def colour_by_status(book: Any, sheet: Any, cells: tuple[int, int, int, int]) -> None:
    """Has cells coloured by their word, a key of `STATUS_COLOURS`, also if it is typed later.

    Args:
        book, sheet: XlsxWriter's.
        cells: The first row and column and the last ones, from 0 on.
    """
    for word, (ground, ink) in STATUS_COLOURS.items():
        colours = book.add_format({"bg_color": ground, "font_color": ink})
        rule = {"type": "cell", "criteria": "==", "value": f'"{word}"', "format": colours}
        sheet.conditional_format(*cells, rule)
