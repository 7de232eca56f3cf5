"""A spreadsheet to start from: the campaign, a page to read, the templates, and the lists."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

from prefect_staticadslab.campaign.catalogue_tables.starter import (
    Starter,
    StarterError,
    TemplateChoice,
)
from prefect_staticadslab.campaign.catalogue_tables.starter_lists import (
    FIRST_LIST_ROW,
    LISTS,
    drop_downs,
    list_columns,
)
from prefect_staticadslab.campaign.files import locations, storage
from prefect_staticadslab.campaign.files.formats.cell_pictures import CellPicture
from prefect_staticadslab.campaign.files.formats.xlsx_text import cell_string
from prefect_staticadslab.campaign.files.formats.xlsx_writer import (
    HEADER,
    insert_picture,
    new_workbook,
)

STARTER_CREATOR: Final = "prefect-staticadslab starter"
"""The program that the workbook names as its creator."""

CAMPAIGN: Final = "Campaign"
READ_ME: Final = "Read me"
TEMPLATES: Final = "Templates"

COLUMNS: Final[Mapping[str, float]] = {
    "design_template": 52.0,
    "brand": 24.0,
    "product": 28.0,
    "product_variant": 20.0,
    "audience": 26.0,
    "prompt": 70.0,
}
"""The campaign's columns and their widths in characters."""

ROWS: Final = 2_000
"""How many rows have drop-downs."""

PREVIEW_SIDE: Final = 160
"""The longest side of a template's picture, in pixels of a screen."""

_TEMPLATE_COLUMNS: Final[Mapping[str, float]] = {
    "Picture": 0.0,
    "Write this into design_template": 52.0,
    "Or its id": 24.0,
    "Format": 18.0,
    "Aspect ratio": 14.0,
    "Industry": 18.0,
    "Pixels": 14.0,
}
"""The columns of the templates' sheet and their widths in characters; a picture's is in pixels."""

_READ_ME_LINES: Final = (
    ("", "A campaign of image ads"),
    ("", "Each row of the sheet Campaign is one ad. The two rows that are there are examples: "
         "change them, or delete them."),
    ("1", "Choose a brand. The arrow in the cell shows those of your account."),
    ("2", "Choose a product: the arrow shows the products of that brand."),
    ("3", "Choose an audience, and a variant if the product has any. A row may do without a "
          "variant, but not without an audience."),
    ("4", "Choose a design template. The sheet Templates shows what each looks like."),
    ("5", "Write what the picture should be like under prompt. {product}, {brand}, {audience} "
          "and the names of your own columns stand for what the row has there."),
    ("6", "See what it would cost, and pay nothing: "
          "staticadslab campaign {file} results.xlsx --dry-run"),
    ("7", "Make the ads: staticadslab campaign {file} results.xlsx --download-images pictures. "
          "What it costs is told before anything is made, and asked."),
    ("", "Good to know"),
    ("", "Your own columns are welcome, wherever you like; they come through to the results."),
    ("", "Several in one cell, with | between them, or * for all, make an ad for each of them: "
         "every audience of the product, say."),
    ("", "A template's words, such as ad_format=Sale; aspect_ratio=4:5, stand for all templates "
         "that are like this. There is one now; for that one and no other, whatever is added "
         "later, write its id, which is beside it on the sheet Templates."),
    ("", "The drop-downs know what the account had on {day}. What was added since can be typed."),
    ("", "The same command with the same results file goes on where it stopped, and pays for no "
         "ad twice."),
)  # fmt: skip
"""The lines of the page to read: a step's number or "", and a text."""


def check_starter(location: str) -> None:
    """Raises if no spreadsheet to start from can be written there: it overwrites no file.

    Raises:
        StarterError: It is no .xlsx, or there is a file already.
        StorageError: It cannot be read or written to.
    """
    if storage.suffix(location) != ".xlsx":
        raise StarterError(
            f"The spreadsheet to start from, {locations.redacted(location)}, must end in .xlsx."
        )
    storage.check_target(location)
    if storage.exists(location):
        raise StarterError(
            f"There is a {locations.redacted(location)} already, and somebody may have filled it "
            "in. It is left alone; choose another name."
        )


def write_starter(
    location: str, starter: Starter, previews: Mapping[str, CellPicture], *, day: str
) -> None:
    """Writes the spreadsheet to start from, a workbook.

    Args:
        location: Where to, as `check_starter` takes it.
        starter: What the drop-downs offer.
        previews: Small pictures of templates, by the templates' ids.
        day: Today's date, for people.

    Raises:
        StarterError, StorageError: See `check_starter`.
    """
    check_starter(location)
    storage.write_bytes(
        location, encode_starter(starter, previews, name=storage.name(location), day=day)
    )


def encode_starter(
    starter: Starter, previews: Mapping[str, CellPicture], *, name: str, day: str
) -> bytes:
    """The workbook's bytes. The campaign is its first sheet, so that it is read without asking.

    Args:
        starter: What the drop-downs offer.
        previews: Small pictures of templates, by the templates' ids.
        name: The file's name, for the commands on the page to read.
        day: Today's date, for people.
    """
    out = io.BytesIO()
    book = new_workbook(out, creator=STARTER_CREATOR)
    sheets = {title: book.add_worksheet(title) for title in (CAMPAIGN, READ_ME, TEMPLATES, LISTS)}
    _write_campaign(book, sheets[CAMPAIGN], starter)
    _write_read_me(book, sheets[READ_ME], name, day)
    _write_templates(book, sheets[TEMPLATES], starter.templates, previews)
    _write_lists(book, sheets[LISTS], starter)
    book.close()
    return out.getvalue()


def _write_campaign(book: Any, sheet: Any, starter: Starter) -> None:
    """Writes the sheet to fill in: its header, two examples, and the rows with drop-downs."""
    # As texts: a name such as 007 or 1/2 would become a number or a date when it is chosen.
    text = book.add_format({"num_format": "@", "valign": "top"})
    prompt = book.add_format({"num_format": "@", "valign": "top", "text_wrap": True})
    for position, width in enumerate(COLUMNS.values()):
        sheet.set_column(
            position, position, width, prompt if position == len(COLUMNS) - 1 else text
        )
    _write_header(book, sheet, COLUMNS)
    for row, cells in enumerate(starter.examples(), 1):
        for position, cell in enumerate(cells):
            if cell:
                cell_format = prompt if position == len(COLUMNS) - 1 else text
                sheet.write_string(row, position, cell_string(cell), cell_format)
    sheet.freeze_panes(1, 0)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    hints = {
        "brand": "Choose a brand first of all.",
        "product": "The products of the brand in this row.",
        "product_variant": "May stay empty.",
        "audience": "The audiences of the product in this row.",
        "design_template": "The sheet Templates shows what each looks like.",
    }
    for column, formula in drop_downs(starter).items():
        position = list(COLUMNS).index(column)
        options = {
            "validate": "list",
            "source": formula,
            "input_title": column,
            "input_message": hints[column],
            # A campaign understands more than the lists: * and |, ids, and what is new.
            "show_error": False,
        }
        sheet.data_validation(1, position, ROWS, position, options)


def _write_lists(book: Any, sheet: Any, starter: Starter) -> None:
    """Writes the lists behind the drop-downs, and hides their sheet."""
    columns = list_columns(starter)
    _write_header(book, sheet, columns)
    for row, cells in enumerate(zip_longest(*columns.values()), FIRST_LIST_ROW - 1):
        for position, cell in enumerate(cells):
            if isinstance(cell, str):
                sheet.write_string(row, position, cell_string(cell))
            elif cell is not None:
                sheet.write_number(row, position, cell)
    sheet.set_column(0, len(columns) - 1, 22)
    sheet.hide()


def _write_read_me(book: Any, sheet: Any, name: str, day: str) -> None:
    """Writes the page to read, with the file's name and today's date in its lines."""
    title = book.add_format({"bold": True, "font_size": 14, "valign": "top"})
    text = book.add_format({"text_wrap": True, "valign": "top"})
    number = book.add_format({"bold": True, "valign": "top", "align": "center"})
    sheet.set_column(0, 0, 5)
    sheet.set_column(1, 1, 100)
    sheet.hide_gridlines(2)
    for row, (step, line) in enumerate(_READ_ME_LINES):
        is_title = line in (_READ_ME_LINES[0][1], "Good to know")
        filled = line.replace("{file}", _as_argument(name)).replace("{day}", day)
        lines = 1 + len(filled) // 95
        sheet.set_row_pixels(row, 34 if is_title else 20 * lines + 6)
        if step:
            sheet.write_string(row, 0, step, number)
        sheet.write_string(row, 1, cell_string(filled), title if is_title else text)
    sheet.set_portrait()
    sheet.fit_to_pages(1, 0)


def _as_argument(name: str) -> str:
    """A file's name as it is typed in a command: in quotes if it has a space."""
    return f'"{name}"' if " " in name else name


def _write_templates(
    book: Any,
    sheet: Any,
    choices: Sequence[TemplateChoice],
    previews: Mapping[str, CellPicture],
) -> None:
    """Writes the sheet of templates: their pictures, and what is written into a cell for each."""
    side = PREVIEW_SIDE + 8
    text = book.add_format({"num_format": "@", "valign": "vcenter", "text_wrap": True})
    sheet.set_column_pixels(0, 0, side)
    for position, width in enumerate(_TEMPLATE_COLUMNS.values()):
        if position:
            sheet.set_column(position, position, width)
    _write_header(book, sheet, _TEMPLATE_COLUMNS)
    for row, choice in enumerate(choices, 1):
        template = choice.template
        picture = previews.get(template.id)
        if picture is not None:
            sheet.set_row_pixels(row, side)
            insert_picture(sheet, row, 0, picture, (side, side))
        size = f"{template.width} × {template.height}" if template.width else ""
        cells = (
            choice.label,
            template.id,
            template.ad_format,
            template.aspect_ratio,
            template.industry,
            size,
        )
        for position, cell in enumerate(cells, 1):
            if cell:
                sheet.write_string(row, position, cell_string(str(cell)), text)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(1, len(choices)), len(_TEMPLATE_COLUMNS) - 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)


def _write_header(book: Any, sheet: Any, names: Iterable[str]) -> None:
    """Writes a sheet's first row."""
    header = book.add_format(HEADER)
    for position, name in enumerate(names):
        sheet.write_string(0, position, name, header)
