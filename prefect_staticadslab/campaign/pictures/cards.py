"""The cards of a contact sheet: what each row of a table says, and by what it can be found."""

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
from prefect_staticadslab.campaign.job_types.image_ads import ResultTable
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
"""What cards are filtered and grouped by, and what people call it."""

_UNTOLD: Final = frozenset({*KEY_COLUMNS, "image_path", "status"})
"""Result columns that are no part of a page that may be mailed, or are on the card anyway."""

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
        text: What was asked for.
        before: A picture to compare the job's picture with, if there is one.
        labels: What to call the two pictures then.
        facets: What it can be found by, save its status; see `FACETS`.
        made_of: What rows have in common that are variants of one another; "" if none can be.
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
        name: Which one.
        ads: How many rows.
        completed: How many of them have a picture.
        cost_usd: What they have cost, in USD.
    """

    name: str
    ads: int
    completed: int
    cost_usd: Decimal


def card_texts(table: JobTable[Any]) -> Iterator[CardText]:
    """The texts of each row's card, in the rows' order."""
    if isinstance(table, ResultTable):
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


def _ad_texts(table: ResultTable) -> Iterator[CardText]:
    audiences, formats = texts_of(table, "audience"), _formats(table)
    brands = _first_of(table, "brand", "brand_name")
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


def _first_of(table: ResultTable, *columns: str) -> list[str]:
    """What each row has in the first of these columns that has something in that row."""
    texts = (texts_of(table, column) for column in columns)
    return [next(filter(None, cells), "") for cells in zip(*texts, strict=True)]


def _formats(table: ResultTable) -> list[str]:
    """Each row's ad format and aspect ratio, as far as the table tells: from its picture's size.

    A row that has no picture has the ratio of its design template, if another row's picture tells.
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
    """What a picture's format is called; "" if its size is not known.

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
    """The table's columns, and each row's cells in them as text, for search and for whoever asks.

    What is long is cut; see `bounds.SHEET_CELL_LENGTH`.
    """
    kept = {n: held for n, held in table.job_type.columns.items() if n not in _UNTOLD}
    names = [*map(str, table.frame.columns), *kept]
    lines = table.frame.itertuples(index=False, name=None)
    cells = (
        [cell_text(cell)[:SHEET_CELL_LENGTH] for cell in (*line, *state.cells(kept))]
        for line, state in zip(lines, table.states, strict=True)
    )
    return names, cells


def amounts(values: Sequence[str], states: Sequence[JobState]) -> list[Amount]:
    """What the rows of each value come to, the dearest first.

    Args:
        values: Each row's brand, say.
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
    """The values that rows can be chosen by, with how many have each; none if all have one."""
    counts = Counter(values)
    return sorted(counts.items(), key=lambda one: _in_order(one[0])) if len(counts) > 1 else []


def _in_order(text: str) -> tuple[bool, list[tuple[int, str]]]:
    """Sorts as people do, `Tea 2` before `Tea 10`, and what is not known last."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+", text.casefold())
    return not text, [(int(p), "") if p.isdecimal() and p.isascii() else (-1, p) for p in parts]
