"""What tells the rows of a table apart, and what each brand has cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple

from prefect_staticadslab.campaign.files.cells import shortened
from prefect_staticadslab.campaign.job_types.image_ads import ResultTable
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
"""What is said below a picture, of what tells it from the others."""


@dataclass(frozen=True)
class RowFacts:
    """What is said of a row, by what that is called, in the order in which people look for it.

    Attributes:
        differing: What is not the same for all rows; all of it, if nothing differs.
        same: The rest.
        caption: What of it tells the row from all others, as far as that can be told.
    """

    differing: dict[str, str]
    same: dict[str, str]
    caption: tuple[str, ...]


def row_facts(table: JobTable[Any]) -> list[RowFacts]:
    """What is said of each row of a table."""
    columns = _columns(table)
    differing = [name for name, texts in columns.items() if len(set(texts)) > 1] or list(columns)
    telling = _telling({name: columns[name] for name in differing})
    return [
        RowFacts(
            {name: columns[name][line] for name in columns if name in differing},
            {name: columns[name][line] for name in columns if name not in differing},
            tuple(shortened(columns[name][line], LONGEST_FACT) for name in telling),
        )
        for line in range(len(table.rows))
    ]


def _telling(columns: Mapping[str, Sequence[str]]) -> list[str]:
    """The few columns by which most rows can be told apart, in their order.

    A prompt that is filled in with the product tells no more than the product does; a template
    does, and so comes before it if there is no room for both.
    """
    kinds: list[tuple[str, ...]] = [()] * len(next(iter(columns.values()), ()))
    telling: list[str] = []
    for name, texts in columns.items():
        split = [(*kind, text[:LONGEST_FACT]) for kind, text in zip(kinds, texts, strict=True)]
        if len(set(split)) > len(set(kinds)):
            telling.append(name)
            kinds = split
    others = (name for name in columns if name not in telling)
    chosen = [*telling, *others][:CAPTION_FACTS]
    return [name for name in columns if name in chosen]


def _columns(table: JobTable[Any]) -> dict[str, Sequence[str]]:
    if not isinstance(table, ResultTable):
        return {"title": titles(table)}
    columns = {
        "product": captions(table),
        "audience": _names(table, AUDIENCE),
        "prompt": [row.request.prompt or "" for row in table.rows],
        "template": _names(table, TEMPLATE),
        "variant": _names(table, VARIANT),
        "brand": _names(table, BRAND),
    }
    return {name: texts for name, texts in columns.items() if any(texts)}


def _names(table: ResultTable, kind: ResourceType) -> list[str]:
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
    if not isinstance(table, ResultTable):
        return []
    costs: dict[str, BrandCost] = {}
    for row, state, name in zip(table.rows, table.states, _names(table, BRAND), strict=True):
        known = costs.get(row.request.brand_id, BrandCost(name, 0, Decimal(0)))
        costs[row.request.brand_id] = BrandCost(
            known.brand,
            known.completed + state.is_completed,
            known.cost_usd + (state.cost_usd or 0),
        )
    return sorted(costs.values(), key=lambda cost: -cost.cost_usd)
