"""What people call a row's product: on the contact sheet, and in the names of picture files."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Any, Final

from prefect_staticadslab.bounds import NAME_LENGTH
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.cells import cell_text, column_key, normalized
from prefect_staticadslab.campaign.job_types.image_ads import ResultTable
from prefect_staticadslab.campaign.pipeline.requests import DesignTemplateRequest
from prefect_staticadslab.campaign.rows.columns import SENT_PREFIX
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

STEM_BYTES: Final = 90
"""File systems take names of 255 bytes, and the row, the id and people's own folders want some."""


def captions(table: ResultTable) -> list[str]:
    """What the user calls each row's product, if a column looks like it; else the product's id."""
    positions = {column_key(str(name)): i for i, name in enumerate(table.frame.columns)}
    keys = map(column_key, CAPTION_COLUMNS)
    columns = [positions[key] for key in keys if key in positions]
    product_names = []
    for row, line in zip(table.rows, table.frame.itertuples(index=False, name=None), strict=True):
        cells = (cell_text(line[column]).strip() for column in columns)
        product_names.append(next(filter(None, cells), row.request.product_id))
    return product_names


def titles(table: JobTable[Any]) -> list[str]:
    """What each row is called: by the user, or by what it is made of."""
    if isinstance(table, ResultTable):
        return captions(table)
    return [
        PurePosixPath(storage.name(row.request.reference.text)).stem
        if isinstance(row.request, DesignTemplateRequest)
        else str(row.request.image_ad_id)
        for row in table.rows
    ]


def labels(table: JobTable[Any]) -> list[str]:
    """What to call each row in a list: its title, or its prompt if that is no more than an id."""
    return [
        getattr(row.request, "prompt", None) or title
        if title == getattr(row.request, "product_id", None)
        else title
        for row, title in zip(table.rows, titles(table), strict=True)
    ]


def texts_of(table: ResultTable, column: str) -> list[str]:
    """What each row has in a column of the user's; nothing if there is no such column.

    Where the column's cells name several things, each row has the one that its ad is of.
    """
    names = [normalized(str(name)) for name in table.frame.columns]
    texts = [""] * len(table.rows)
    for name in (column, f"{SENT_PREFIX}{column}"):
        if name in names:
            cells = table.frame.iloc[:, names.index(name)]
            texts = [
                cell_text(cell).strip() or text for cell, text in zip(cells, texts, strict=True)
            ]
    return texts


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
