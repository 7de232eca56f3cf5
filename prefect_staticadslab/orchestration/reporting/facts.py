"""What tells the rows of a table apart, and what each brand has cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

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


@dataclass(frozen=True)
class RowFacts:
    """What is said of a row, by what that is called, in the order in which people look for it.

    Attributes:
        differing: What is not the same for all rows; all of it, if nothing differs.
        same: The rest.
    """

    differing: dict[str, str]
    same: dict[str, str]


def row_facts(table: JobTable[Any]) -> list[RowFacts]:
    """What is said of each row of a table."""
    columns = _columns(table)
    differing = {name for name, texts in columns.items() if len(set(texts)) > 1} or set(columns)
    return [
        RowFacts(
            {name: columns[name][line] for name in columns if name in differing},
            {name: columns[name][line] for name in columns if name not in differing},
        )
        for line in range(len(table.rows))
    ]


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
