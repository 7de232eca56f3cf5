"""What tells the rows of a table apart, and what each brand has cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple

from prefect_staticadslab.campaign.files.cells import shortened
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
from prefect_staticadslab.campaign.pictures.captions import captions, texts_of, titles
from prefect_staticadslab.campaign.rows.resource_types import (
    AUDIENCE,
    BRAND,
    TEMPLATE,
    VARIANT,
    ResourceType,
)
from prefect_staticadslab.campaign.table.result_table import JobTable

LONGEST_FACT: Final = 40
"""Characters of a prompt or a name where it stands beside others, and beside a picture."""

CAPTION_FACTS: Final = 3
"""The most facts that are said below a picture."""


@dataclass(frozen=True)
class RowFacts:
    """What is said of a row: its product, audience, prompt and so on, in that order.

    Attributes:
        differing: The facts that are not the same for all rows, or all of them if nothing differs:
            texts by what they are called, such as `product`.
        same: The other facts, in the same form.
        caption: The texts, cut to `LONGEST_FACT`, that best tell the row from all others.
    """

    differing: dict[str, str]
    same: dict[str, str]
    caption: tuple[str, ...]


def row_facts(table: JobTable[Any]) -> list[RowFacts]:
    """What is said of each row of a table, in the table's order."""
    columns = _texts_by_column(table)
    differing = [name for name, texts in columns.items() if len(set(texts)) > 1] or list(columns)
    in_caption = _caption_columns({name: columns[name] for name in differing})
    return [
        RowFacts(
            {name: columns[name][position] for name in columns if name in differing},
            {name: columns[name][position] for name in columns if name not in differing},
            tuple(shortened(columns[name][position], LONGEST_FACT) for name in in_caption),
        )
        for position in range(len(table.rows))
    ]


def _caption_columns(columns: Mapping[str, Sequence[str]]) -> list[str]:
    """The names of up to `CAPTION_FACTS` columns by which most rows can be told apart, in order.

    Those come first that tell rows apart which the columns before them do not. A prompt that is
    filled in with the product does not; a template does, and so is chosen before such a prompt.

    Args:
        columns: The texts of all rows, by the column's name.
    """
    groups: list[tuple[str, ...]] = [()] * len(next(iter(columns.values()), ()))
    telling: list[str] = []
    for name, texts in columns.items():
        split = [(*group, text[:LONGEST_FACT]) for group, text in zip(groups, texts, strict=True)]
        if len(set(split)) > len(set(groups)):
            telling.append(name)
            groups = split
    others = (name for name in columns if name not in telling)
    chosen = [*telling, *others][:CAPTION_FACTS]
    return [name for name in columns if name in chosen]


def _texts_by_column(table: JobTable[Any]) -> dict[str, Sequence[str]]:
    """What is said of all rows, by what it is called: a text for each row. What is "" for all rows
    is left out; of jobs that are no image ads there is the title alone."""
    if not isinstance(table, ImageAdTable):
        return {"title": titles(table)}
    columns = {
        "product": captions(table),
        "audience": _resource_names(table, AUDIENCE),
        "prompt": [row.request.prompt or "" for row in table.rows],
        "template": _resource_names(table, TEMPLATE),
        "variant": _resource_names(table, VARIANT),
        "brand": _resource_names(table, BRAND),
    }
    return {name: texts for name, texts in columns.items() if any(texts)}


def _resource_names(table: ImageAdTable, kind: ResourceType) -> list[str]:
    """What the user calls each row's resource of a kind; its id, if that is all there is."""
    return [
        name or getattr(row.request, kind.id_column) or ""
        for row, name in zip(table.rows, texts_of(table, kind.name), strict=True)
    ]


class BrandCost(NamedTuple):
    """What a brand's ads have cost.

    Attributes:
        brand: What the user calls it, or its id.
        completed: How many of its ads are completed.
        cost_usd: What they have cost, in USD.
    """

    brand: str
    completed: int
    cost_usd: Decimal


def costs_by_brand(table: JobTable[Any]) -> list[BrandCost]:
    """What each brand's ads have cost, the dearest first; nothing, if these are no image ads."""
    if not isinstance(table, ImageAdTable):
        return []
    costs: dict[str, BrandCost] = {}
    for row, state, name in zip(
        table.rows, table.states, _resource_names(table, BRAND), strict=True
    ):
        known = costs.get(row.request.brand_id, BrandCost(name, 0, Decimal(0)))
        costs[row.request.brand_id] = BrandCost(
            known.brand,
            known.completed + state.is_completed,
            known.cost_usd + (state.cost_usd or 0),
        )
    return sorted(costs.values(), key=lambda cost: -cost.cost_usd)
