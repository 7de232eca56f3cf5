"""The cards of a contact sheet: what the card of each row says, and how it can be found."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from prefect_staticadslab.bounds import SHEET_CELL_LENGTH
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.cells import cell_text
from prefect_staticadslab.campaign.files.locations import Location
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
from prefect_staticadslab.campaign.job_types.revision_rows import Change
from prefect_staticadslab.campaign.pictures.captions import captions, texts_of
from prefect_staticadslab.campaign.pictures.picture_links import web_address
from prefect_staticadslab.campaign.pipeline.requests import DesignTemplateRequest
from prefect_staticadslab.campaign.table.job_state import KEY_COLUMNS, JobState, RowStatus
from prefect_staticadslab.campaign.table.result_table import JobTable

FACETS: Final[Mapping[str, str]] = {
    "brand": "Brand",
    "product": "Product",
    "template": "Design template",
    "format": "Format",
    "status": "Status",
}
"""What cards are filtered and grouped by, and the label of each on the page."""

_HIDDEN_COLUMNS: Final = frozenset({*KEY_COLUMNS, "image_path", "status"})
"""Result columns that a page must not have, as it may be mailed, or has on its cards anyway."""

_RATIOS: Final = ((1, 1), (4, 5), (5, 4), (2, 3), (3, 2), (3, 4), (4, 3), (9, 16), (16, 9))
"""The formats that ads are made in; 1.91:1 is the one that is called by a fraction."""
_LINK_RATIO: Final = 1.91
_RATIO_TOLERANCE: Final = 0.015

_AD_FORMAT = re.compile(r"(?:^|;)\s*ad_format\s*=\s*([^;|*]+?)\s*(?:;|$)", re.IGNORECASE)
"""One format, in the filter that somebody wrote for a design template."""


@dataclass(frozen=True)
class CardText:
    """What a card says of its row's request.

    Attributes:
        caption: What the row is called.
        text: What was asked for, such as the prompt.
        before: A picture to compare the job's picture with; None if there is none.
        labels: What to call the two pictures then: that one, and the job's.
        facets: The row's values of `FACETS`, save its status, which may be missing or "".
        made_of: The same for rows that are variants of one another, and a text that is not shown;
            "" if the row can have no variants.
    """

    caption: str
    text: str
    before: Location | None = None
    labels: tuple[str, str] = ("", "")
    facets: Mapping[str, str] = field(default_factory=dict)
    made_of: str = ""


@dataclass(frozen=True)
class Amount:
    """What the ads of one brand, or of one design template, come to.

    Attributes:
        name: The brand or the template.
        ads: How many rows it has.
        completed: How many of them have a picture.
        cost_usd: What they have cost, in USD.
    """

    name: str
    ads: int
    completed: int
    cost_usd: Decimal


def card_texts(table: JobTable[Any]) -> Iterator[CardText]:
    """The texts of each row's card, in the rows' order."""
    if isinstance(table, ImageAdTable):
        yield from _ad_texts(table)
        return
    for row, state in zip(table.rows, table.states, strict=True):
        match row.request:
            case DesignTemplateRequest(reference=reference):
                names = ("aspect_ratio", "ad_format", "industry")
                ratio, ad_format, industry = (state.facts.get(name, "") for name in names)
                yield CardText(
                    storage.name(reference.text),
                    " · ".join(filter(None, (ratio, ad_format, industry))),
                    reference,
                    ("Reference", "Preview"),
                    {"format": " · ".join(filter(None, (ad_format, ratio)))},
                )
            case Change() as change:
                previous = web_address(state.facts.get("previous_image_url"))
                before = Location.typed(previous) if previous else None
                ratio = aspect_ratio(state.width, state.height)
                yield CardText(
                    change.image_ad_id,
                    change.summary,
                    before,
                    ("Before", "After"),
                    {"format": ratio},
                )


def _ad_texts(table: ImageAdTable) -> Iterator[CardText]:
    """The texts of each image ad's card, in the rows' order."""
    audiences, formats = texts_of(table, "audience"), _formats(table)
    brands = _first_filled(table, "brand", "brand_name")
    lines = zip(table.rows, captions(table), audiences, brands, formats, strict=True)
    for row, caption, audience, brand, ad_format in lines:
        request = row.request
        yield CardText(
            f"{caption} · {audience}" if audience else caption,
            request.prompt or "",
            facets={
                "brand": brand or request.brand_id,
                "product": caption,
                "template": request.design_template_id,
                "format": ad_format,
            },
            made_of="\n".join(
                (request.brand_id, request.product_id, audience, request.prompt or "")
            ),
        )


def _first_filled(table: ImageAdTable, *columns: str) -> list[str]:
    """What each row has in the first of these columns that is filled in that row; "" if none is."""
    texts = (texts_of(table, column) for column in columns)
    return [next(filter(None, cells), "") for cells in zip(*texts, strict=True)]


def _formats(table: ImageAdTable) -> list[str]:
    """Each row's ad format and aspect ratio, as far as the table tells; "" if it tells neither.

    The format is in the user's columns. The ratio is that of the row's picture, or of another row's
    picture of the same design template.
    """
    templates = [row.request.design_template_id for row in table.rows]
    ratios = [aspect_ratio(state.width, state.height) for state in table.states]
    by_template = {t: ratio for t, ratio in zip(templates, ratios, strict=True) if ratio}
    kinds = (
        own or (found[1] if (found := _AD_FORMAT.search(words)) else "")
        for own, words in zip(
            texts_of(table, "ad_format"), texts_of(table, "design_template"), strict=True
        )
    )
    return [
        " · ".join(filter(None, (kind, ratio or by_template.get(template, ""))))
        for kind, ratio, template in zip(kinds, ratios, templates, strict=True)
    ]


def aspect_ratio(width: int | None, height: int | None) -> str:
    """What the format of a picture of this size, in pixels, is called; "" if that is not known.

    Example:
        ```python
        from prefect_staticadslab.campaign.pictures.cards import aspect_ratio

        assert aspect_ratio(1080, 1350) == "4:5"
        assert aspect_ratio(1200, 628) == "1.91:1"
        assert aspect_ratio(1000, 300) == "10:3"
        ```
    """
    if not width or not height:
        return ""
    ratio = width / height
    for across, down in _RATIOS:
        if math.isclose(ratio, across / down, rel_tol=_RATIO_TOLERANCE):
            return f"{across}:{down}"
    if math.isclose(ratio, _LINK_RATIO, rel_tol=_RATIO_TOLERANCE):
        return f"{_LINK_RATIO}:1"
    divisor = math.gcd(width, height)
    return f"{width // divisor}:{height // divisor}"


def searched_columns(table: JobTable[Any]) -> tuple[list[str], Iterator[list[str]]]:
    """What the page's search looks into, besides what is on the cards.

    Returns:
        The names of the columns, the user's first; and each row's cells in these, as texts of at
        most `SHEET_CELL_LENGTH` characters.
    """
    kept = {n: held for n, held in table.job_type.columns.items() if n not in _HIDDEN_COLUMNS}
    names = [*map(str, table.frame.columns), *kept]
    lines = table.frame.itertuples(index=False, name=None)
    cells = (
        [cell_text(cell)[:SHEET_CELL_LENGTH] for cell in (*line, *state.cells(kept))]
        for line, state in zip(lines, table.states, strict=True)
    )
    return names, cells


def amounts(values: Sequence[str], states: Sequence[JobState]) -> list[Amount]:
    """How many rows each value has, and what they have cost, the dearest first.

    Args:
        values: Each row's brand, say, in the states' order.
        states: What is known of each row.
    """
    ads, completed = Counter(values), Counter[str]()
    costs = dict.fromkeys(ads, Decimal(0))
    for value, state in zip(values, states, strict=True):
        completed[value] += state.status is RowStatus.COMPLETED
        costs[value] += state.cost_usd or 0
    found = [Amount(name, ads[name], completed[name], costs[name]) for name in ads]
    return sorted(found, key=lambda amount: (-amount.cost_usd, amount.name))


def choices(values: Sequence[str]) -> list[tuple[str, int]]:
    """Each value that rows can be filtered by, and how many rows have it, in natural order.

    Empty if all rows have the same value.
    """
    counts = Counter(values)
    return sorted(counts.items(), key=lambda one: _natural_order(one[0])) if len(counts) > 1 else []


def _natural_order(text: str) -> tuple[bool, list[tuple[int, str]]]:
    """A key that sorts texts as people do: `Tea 2` before `Tea 10`, and "" last."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+", text.casefold())
    return not text, [(int(p), "") if p.isdecimal() and p.isascii() else (-1, p) for p in parts]
