"""What people call a row's product: on the contact sheet, and in the names of picture files."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any, Final

from prefect_staticadslab.api.web.downloads import ENDINGS
from prefect_staticadslab.bounds import NAME_LENGTH
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.cells import (
    cell_text,
    column_key,
    normalized,
    shortened,
)
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
from prefect_staticadslab.campaign.pipeline.requests import DesignTemplateRequest
from prefect_staticadslab.campaign.rows.columns import SENT_PREFIX, SOURCE_ROW_COLUMN
from prefect_staticadslab.campaign.table.job_state import JobState
from prefect_staticadslab.campaign.table.result_table import JobTable

CAPTION_COLUMNS: Final = (
    "product_name",
    "sent_product",
    "product",
    "title",
    "name",
    "handle",
    "sku",
)
"""The columns that people may have a product's name in, the best first."""

_ROW_DIGITS: Final = 9
"""Digits of a row's number; what has more is no number of a row."""

STEM_BYTES: Final = 90
"""The bytes of a text in a file's name. File systems take 255 for all of it, and the row's number,
the id and the ending need some."""

_RESERVED: Final = frozenset(
    {
        *("con", "prn", "aux", "nul"),
        *(f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"),
    }
)
"""No file of Windows can be called so, whatever its ending."""


def captions(table: ImageAdTable) -> list[str]:
    """What the user calls each row's product: the first filled of `CAPTION_COLUMNS`, or its id.

    In the rows' order.
    """
    positions = {column_key(str(name)): i for i, name in enumerate(table.frame.columns)}
    keys = map(column_key, CAPTION_COLUMNS)
    columns = [positions[key] for key in keys if key in positions]
    product_names = []
    for row, line in zip(table.rows, table.frame.itertuples(index=False, name=None), strict=True):
        cells = (cell_text(line[column]).strip() for column in columns)
        product_names.append(next(filter(None, cells), row.request.product_id))
    return product_names


def titles(table: JobTable[Any]) -> list[str]:
    """What each row is called, in the rows' order.

    An image ad by its product, a design template by its reference's file, a revision by its ad.
    """
    if isinstance(table, ImageAdTable):
        return captions(table)
    return [
        PurePosixPath(storage.name(row.request.reference.text)).stem
        if isinstance(row.request, DesignTemplateRequest)
        else str(row.request.image_ad_id)
        for row in table.rows
    ]


def labels(table: JobTable[Any]) -> list[str]:
    """What to call each row in a list: its title; its prompt if the title is no more than an id."""
    return [
        getattr(row.request, "prompt", None) or title
        if title == getattr(row.request, "product_id", None)
        else title
        for row, title in zip(table.rows, titles(table), strict=True)
    ]


def texts_of(table: JobTable[Any], column: str) -> list[str]:
    """The text that each row has in a column of the user's; "" for all if there is no such column.

    Where the column's cells name several things, each row has the one that its ad is of.

    Args:
        table: The table.
        column: The column's name, in any case.
    """
    names = [normalized(str(name)) for name in table.frame.columns]
    texts = [""] * len(table.rows)
    for name in map(normalized, (column, f"{SENT_PREFIX}{column}")):
        if name in names:
            cells = table.frame.iloc[:, names.index(name)]
            texts = [
                cell_text(cell).strip() or text for cell, text in zip(cells, texts, strict=True)
            ]
    return texts


def row_numbers(table: JobTable[Any]) -> list[int]:
    """The number of each row in the spreadsheet that people wrote, as far as the table tells.

    Where rows of that make several ads, the table has its numbers in a column, as a table that is
    opened again counts its own lines.
    """
    sources = texts_of(table, SOURCE_ROW_COLUMN)
    return [
        int(source) if source.isdecimal() and len(source) <= _ROW_DIGITS else row.number
        for source, row in zip(sources, table.rows, strict=True)
    ]


def file_stem(text: str, longest_bytes: int = STEM_BYTES) -> str:
    """Text as part of a file name: letters of every script and digits, with `-` between words.

    Args:
        text: Any text.
        longest_bytes: What it may take in UTF-8; it is cut between words if it can be.

    Example:
        ```python
        from prefect_staticadslab.campaign.pictures.captions import file_stem

        assert file_stem("Men's Größe-42 / T-Shirt") == "Mens-Größe-42-T-Shirt"
        assert file_stem("../🎁") == ""
        ```
    """
    characters = []
    # Of a whole cell of accents it would take hours, and no more than the beginning is kept.
    for character in unicodedata.normalize("NFC", text[:NAME_LENGTH]):
        category = unicodedata.category(character)
        if category[0] in "LMN" or character == "_":
            characters.append(character)
        elif category != "Cf" and character not in "'’`´":
            characters.append("-")
    stem = re.sub("-+", "-", "".join(characters)).strip("-")
    if len(stem.encode()) <= longest_bytes:
        return stem
    shortened_stem = stem.encode()[:longest_bytes].decode(errors="ignore")
    whole_words = shortened_stem.rpartition("-")[0]
    return (whole_words if len(whole_words) > len(shortened_stem) // 2 else shortened_stem).strip(
        "-"
    )


def check_naming_column(table: JobTable[Any], column: str) -> None:
    """Raises if a table has no column of this name, in any case, to name pictures by.

    Raises:
        CampaignError: The message lists the columns.
    """
    names = list(map(str, table.frame.columns))
    if normalized(column) not in map(normalized, names):
        raise CampaignError(
            f"Pictures cannot be named by {shortened(column, 100)!r}: the table has no such "
            f"column. Its columns are: {shortened(', '.join(filter(None, names)), 300)}."
        )


def picture_stems(table: JobTable[Any], column: str = "") -> list[tuple[str, ...]]:
    """The names, without endings, that each row's picture may have, the best first.

    The first names of no two rows differ only in case, as not every system tells these apart: a
    name that rows share is left out, so that the next one has the row's number, or the picture's id
    as well. The last name of each has the id at any rate.

    Args:
        table: The table.
        column: A column of the user's that pictures are named by; "" for none.
    """
    fallbacks = [
        picture_stem(row.number, title, picture_id_of(state))
        for row, title, state in zip(table.rows, titles(table), table.states, strict=True)
    ]
    if not column:
        return [(stem,) for stem in fallbacks]
    choices = [
        _stem_choices(text, row, picture_id_of(state), stem)
        for text, row, state, stem in zip(
            texts_of(table, column), row_numbers(table), table.states, fallbacks, strict=True
        )
    ]
    for _ in range(max(map(len, choices), default=0)):
        counts = Counter(name_key(stems[0]) for stems in choices)
        choices = [
            stems[1:] if counts[name_key(stems[0])] > 1 and len(stems) > 1 else stems
            for stems in choices
        ]
    return choices


def _stem_choices(text: str, row: int, picture_id: str, fallback: str) -> tuple[str, ...]:
    """The names, without endings, that a picture may have, the best first.

    The text of the user's column, unless Windows forbids it; with the row's number; with the
    picture's id, too; and the fallback, which is the only one if the text has no letters.

    Args:
        text: What the row has in the column that pictures are named by.
        row: The row's number.
        picture_id: See `picture_id_of`.
        fallback: What the picture is called if there is no such column.
    """
    stem = file_stem(text)
    if not stem:
        return (fallback,)
    with_row = f"{stem}-{row:04d}"
    plain = () if stem.casefold() in _RESERVED else (stem,)
    return tuple(dict.fromkeys((*plain, with_row, f"{with_row}-{safe_id(picture_id)}", fallback)))


def has_wanted_name(stem: str, wanted: str, picture_id: str) -> bool:
    """Whether a picture's file is called as it should be.

    The row's number, which may change, and the id that follows it may differ, or be left out.

    Args:
        stem: The file's name without its ending.
        wanted: The best name that the picture may have, without an ending.
        picture_id: See `picture_id_of`.
    """
    escaped_id = re.escape(safe_id(picture_id))
    base = re.sub(rf"-[0-9]{{4,}}(-{escaped_id})?$", "", wanted)
    return bool(re.fullmatch(rf"{re.escape(base)}(-[0-9]{{4,}}(-{escaped_id})?)?", stem))


def name_key(stem: str) -> str:
    """What two file names have in common that some system does not tell apart: by their case, or by
    how an accent is written."""
    return unicodedata.normalize("NFKC", stem.casefold()).casefold()


def picture_stem(row: int, title: str, picture_id: str) -> str:
    """A picture's file name, without its ending: the row's number, the title and the picture's id.

    Example:
        ```python
        from prefect_staticadslab.campaign.pictures.captions import picture_stem

        assert picture_stem(7, "Iced Tea", "ia_91c0") == "0007-Iced-Tea-ia_91c0"
        assert picture_stem(7, "🎁", "ia_91c0") == "0007-ia_91c0"
        ```
    """
    name, own_id = file_stem(title), safe_id(picture_id)
    # A revision is titled after its ad, which its picture's id begins with.
    parts = (f"{row:04d}", "" if f"{own_id}-".startswith(f"{name}-") else name, own_id)
    return "-".join(filter(None, parts))


def picture_id_of(state: JobState) -> str:
    """What tells a row's picture from all others: the job's id, and for a revision its version, as
    an ad that was revised has several pictures. "" if the row has no job."""
    # The version is not enough: two ads may have been given the same tree.
    revision = state.facts.get("image_ad_version_id") or state.facts.get("sent_tree")
    return "-".join(filter(None, (state.job_id, revision)))


def safe_id(picture_id: str) -> str:
    """A picture's id as part of a file name: at most 80 ASCII letters, digits, `_` and `-`."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", picture_id)[:80]


def is_named_by_id(name: str, picture_id: str) -> bool:
    """Whether a file's name ends in this id, as this program names pictures.

    The file is surely this program's then, and may be removed.
    """
    path, own_id = PurePosixPath(name), safe_id(picture_id)
    return path.suffix in ENDINGS and bool(own_id) and f"-{path.stem}".endswith(f"-{own_id}")


def names_by_id(names: Iterable[str]) -> dict[str, str]:
    """The names of picture files by each part of them that may be the picture's id.

    That is every part from a `-` to the ending, as ids may have a `-` in them.
    """
    found: dict[str, str] = {}
    for name in names:
        if PurePosixPath(name).suffix not in ENDINGS:
            continue
        _, *parts = PurePosixPath(name).stem.split("-")
        for start in range(len(parts)):
            found["-".join(parts[start:])] = name
    return found
