"""A spreadsheet to start from: the campaign, a page to read, the templates, and the lists."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, zip_longest
from typing import Any, Final

from prefect_staticadslab.campaign.catalogue_tables.starter import (
    Starter,
    StarterError,
    TemplateChoice,
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

CAMPAIGN: Final = "Campaign"
READ_ME: Final = "Read me"
TEMPLATES: Final = "Templates"
LISTS: Final = "Lists"

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
"""Rows with drop-downs."""

PREVIEW_SIDE: Final = 160
"""The longest side of a template's picture, in pixels of a screen."""

LONGEST_FORMULA: Final = 255
"""Characters of a drop-down's formula; with a longer one Excel calls the file broken."""

_FIRST: Final = 3
"""Where the lists begin: below their header, and a blank row that is offered if nothing fits."""

_TEMPLATE_COLUMNS: Final[Mapping[str, float]] = {
    "Picture": 0.0,
    "Write this into design_template": 52.0,
    "Or its id": 24.0,
    "Format": 18.0,
    "Aspect ratio": 14.0,
    "Industry": 18.0,
    "Pixels": 14.0,
}

_TEXT: Final = (
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
"""What the page says: a step's number, and a text."""


def check_starter(place: str) -> None:
    """Raises if no spreadsheet to start from can be written there.

    It is meant to be filled in, so one that is there is never overwritten.

    Raises:
        StarterError: It is no .xlsx, or there is a file already.
        StorageError: The place cannot be read or written to.
    """
    if storage.suffix(place) != ".xlsx":
        raise StarterError(
            f"The spreadsheet to start from, {locations.redacted(place)}, must end in .xlsx."
        )
    storage.check_target(place)
    if storage.exists(place):
        raise StarterError(
            f"There is a {locations.redacted(place)} already, and somebody may have filled it in. "
            "It is left alone; choose another name."
        )


def write_starter(
    place: str, starter: Starter, previews: Mapping[str, CellPicture], *, day: str
) -> None:
    """Writes the workbook.

    Args:
        place: Where to, as `check_starter` takes it.
        starter: What the drop-downs offer.
        previews: Pictures of templates, by their ids.
        day: Today, for people.

    Raises:
        StarterError, StorageError: See `check_starter`.
    """
    check_starter(place)
    storage.write_bytes(place, encode_starter(starter, previews, name=storage.name(place), day=day))


def encode_starter(
    starter: Starter, previews: Mapping[str, CellPicture], *, name: str, day: str
) -> bytes:
    """The workbook's bytes. The campaign is its first sheet, so that it is read without asking."""
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
    # As texts: a name such as 007 or 1/2 would become a number or a date when it is chosen.
    text = book.add_format({"num_format": "@", "valign": "top"})
    prompt = book.add_format({"num_format": "@", "valign": "top", "text_wrap": True})
    for place, width in enumerate(COLUMNS.values()):
        sheet.set_column(place, place, width, prompt if place == len(COLUMNS) - 1 else text)
    _write_header(book, sheet, COLUMNS)
    for row, cells in enumerate(starter.examples(), 1):
        for place, cell in enumerate(cells):
            if cell:
                kept = prompt if place == len(COLUMNS) - 1 else text
                sheet.write_string(row, place, cell_string(cell), kept)
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
        place = list(COLUMNS).index(column)
        options = {
            "validate": "list",
            "source": formula,
            "input_title": column,
            "input_message": hints[column],
            # A campaign understands more than the lists: * and |, ids, and what is new.
            "show_error": False,
        }
        sheet.data_validation(1, place, ROWS, place, options)


def drop_downs(starter: Starter) -> dict[str, str]:
    """The formulas that give the row 2 of the campaign its choices, by column.

    They compare as people do, without case; functions such as MATCH and COUNTIF would take a name
    with `*`, `?` or `>` for a pattern.

    Example:
        ```python
        from prefect_staticadslab.campaign.catalogue_tables.starter import Starter
        from prefect_staticadslab.campaign.catalogue_tables.starter_workbook import drop_downs

        assert drop_downs(Starter(("Tea", "Coffee"), (), ()))["brand"] == "=Lists!$A$3:$A$4"
        ```
    """
    brands, products = (max(1, len(each)) for each in (starter.brands, starter.products))
    brand = _one_of("A", brands, "$B2")
    product = f"{_one_of('E', products, '$B2')}*{_one_of('D', products, '$C2')}"
    formulas = {
        "design_template": f"={_cells('L', max(1, len(starter.templates)))}",
        "brand": f"={_cells('A', brands)}",
        "product": _part_of("D", brand, "B", "C", brands),
        "product_variant": _part_of("K", product, "H", "I", products),
        "audience": _part_of("J", product, "F", "G", products),
    }
    assert all(len(formula) <= LONGEST_FORMULA for formula in formulas.values())  # noqa: S101
    return formulas


def _cells(column: str, count: int) -> str:
    return f"{LISTS}!${column}${_FIRST}:${column}${_FIRST + count - 1}"


def _one_of(column: str, count: int, cell: str) -> str:
    return f"({_cells(column, count)}={cell})"


def _part_of(column: str, condition: str, begins: str, counts: str, rows: int) -> str:
    """The part of a list that belongs to what a row says; the blank cell above it if none does."""
    begin = f"SUMPRODUCT({condition}*{_cells(begins, rows)})"
    count = f"SUMPRODUCT({condition}*{_cells(counts, rows)})"
    return f"=OFFSET({LISTS}!${column}${_FIRST - 1},{begin},0,MAX(1,{count}),1)"


def _write_lists(book: Any, sheet: Any, starter: Starter) -> None:
    """The lists behind the drop-downs, each part of a list beside where it begins and how long it
    is."""
    of_brand = Counter(product.brand for product in starter.products)
    brand_parts = _parts([of_brand[brand] for brand in starter.brands])
    audience_parts = _parts([len(p.audiences) for p in starter.products])
    variant_parts = _parts([len(p.variants) for p in starter.products])
    columns: dict[str, Iterable[Any]] = {
        "brand": starter.brands,
        "its products from": [begin for begin, _ in brand_parts],
        "how many": [count for _, count in brand_parts],
        "product": [p.label for p in starter.products],
        "of the brand": [p.brand for p in starter.products],
        "its audiences from": [begin for begin, _ in audience_parts],
        "how many audiences": [count for _, count in audience_parts],
        "its variants from": [begin for begin, _ in variant_parts],
        "how many variants": [count for _, count in variant_parts],
        "audience": [label for p in starter.products for label in p.audiences],
        "variant": [label for p in starter.products for label in p.variants],
        "design template": [choice.label for choice in starter.templates],
    }
    _write_header(book, sheet, columns)
    for row, cells in enumerate(zip_longest(*columns.values()), _FIRST - 1):
        for place, cell in enumerate(cells):
            if isinstance(cell, str):
                sheet.write_string(row, place, cell_string(cell))
            elif cell is not None:
                sheet.write_number(row, place, cell)
    sheet.set_column(0, len(columns) - 1, 22)
    sheet.hide()


def _parts(counts: Sequence[int]) -> list[tuple[int, int]]:
    """Where each part of a list begins, counted from 1, and its length; (0, 0) for an empty one."""
    begins = accumulate(counts, initial=1)
    return [
        (begin, count) if count else (0, 0) for begin, count in zip(begins, counts, strict=False)
    ]


def _write_read_me(book: Any, sheet: Any, name: str, day: str) -> None:
    title = book.add_format({"bold": True, "font_size": 14, "valign": "top"})
    text = book.add_format({"text_wrap": True, "valign": "top"})
    number = book.add_format({"bold": True, "valign": "top", "align": "center"})
    sheet.set_column(0, 0, 5)
    sheet.set_column(1, 1, 100)
    sheet.hide_gridlines(2)
    for row, (step, line) in enumerate(_TEXT):
        is_title = line in (_TEXT[0][1], "Good to know")
        filled = line.replace("{file}", _as_argument(name)).replace("{day}", day)
        lines = 1 + len(filled) // 95
        sheet.set_row_pixels(row, 34 if is_title else 20 * lines + 6)
        if step:
            sheet.write_string(row, 0, step, number)
        sheet.write_string(row, 1, cell_string(filled), title if is_title else text)
    sheet.set_portrait()
    sheet.fit_to_pages(1, 0)


def _as_argument(name: str) -> str:
    return f'"{name}"' if " " in name else name


def _write_templates(
    book: Any,
    sheet: Any,
    choices: Sequence[TemplateChoice],
    previews: Mapping[str, CellPicture],
) -> None:
    side = PREVIEW_SIDE + 8
    text = book.add_format({"num_format": "@", "valign": "vcenter", "text_wrap": True})
    sheet.set_column_pixels(0, 0, side)
    for place, width in enumerate(_TEMPLATE_COLUMNS.values()):
        if place:
            sheet.set_column(place, place, width)
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
        for place, cell in enumerate(cells, 1):
            if cell:
                sheet.write_string(row, place, cell_string(str(cell)), text)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(1, len(choices)), len(_TEMPLATE_COLUMNS) - 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)


def _write_header(book: Any, sheet: Any, names: Iterable[str]) -> None:
    header = book.add_format(HEADER)
    for place, name in enumerate(names):
        sheet.write_string(0, place, name, header)
