"""A small catalogue for tests that need no simulator, and spreadsheets that are written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd

from prefect_staticadslab.api.resources import (
    Audience,
    Brand,
    CatalogueResource,
    DesignTemplate,
    Product,
    ProductVariant,
)
from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.expand import expand
from prefect_staticadslab.campaign.names.listings import Catalogue, Listing, ListKey
from prefect_staticadslab.campaign.rows.resource_types import (
    AUDIENCE,
    BRAND,
    PRODUCT,
    TEMPLATE,
    VARIANT,
    ResourceType,
)


def _lists(kind: ResourceType, *resources: CatalogueResource) -> dict[ListKey, Listing]:
    by_parent: dict[str, list[CatalogueResource]] = {}
    for resource in resources:
        parent = getattr(resource, kind.parent_column) if kind.parent else ""
        by_parent.setdefault(parent, []).append(resource)
    return {ListKey(kind, p): Listing(tuple(found)) for p, found in by_parent.items()}


_PRODUCTS: Final = (
    Product(id="prod_tea", name="Tea", brand_id="brand_a"),
    Product(id="prod_jam", name="Jam | Marmalade", brand_id="brand_a"),
    Product(id="prod_other_tea", name="Tea", brand_id="brand_b"),
)

SHOP: Final = Catalogue(
    {
        **_lists(
            BRAND,
            Brand(id="brand_a", name="Alder & Co"),
            Brand(id="brand_b", name="Birch"),
            Brand(id="brand_c", name="Twin"),
            Brand(id="brand_d", name="Twin"),
            Brand(id="brand_e", name="TWIN"),
        ),
        **{ListKey(PRODUCT, brand): Listing() for brand in ("brand_c", "brand_d", "brand_e")},
        **_lists(PRODUCT, *_PRODUCTS),
        **{ListKey(VARIANT, product.id): Listing() for product in _PRODUCTS},
        **_lists(
            VARIANT,
            ProductVariant(id="pv_s", name="Small", product_id="prod_tea"),
            ProductVariant(id="pv_l", name="Large", product_id="prod_tea"),
        ),
        **_lists(
            AUDIENCE,
            *(
                Audience(id=f"aud_{name.lower()}_{product.id}", name=name, product_id=product.id)
                for product in _PRODUCTS
                for name in ("Early", "Late", "Guests")
            ),
        ),
        **_lists(
            TEMPLATE,
            *(
                DesignTemplate(
                    id=f"dt_{number}", status="completed", ad_format=f, aspect_ratio=a, industry=i
                )
                for number, (f, a, i) in enumerate(
                    [("Sale", "4:5", "food"), ("Sale", "1:1", "food"), ("Bold", "1:1", "beauty")]
                )
            ),
        ),
    }
)
"""Two brands with a product of the same name each, and three brands called much the same."""

NAMES: Final = {
    "brand": "Alder & Co",
    "product": "Tea",
    "audience": "Early",
    "design_template": "dt_0",
}
IDS: Final = {
    "brand_id": "brand_a",
    "product_id": "prod_tea",
    "audience_id": "aud_early_prod_tea",
    "design_template_id": "dt_0",
}


def sheet(*rows: Mapping[str, object]) -> Spreadsheet:
    """A spreadsheet of these rows, under all columns that any of them has."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [[row.get(name, "") for name in columns] for row in rows]
    frame = pd.DataFrame(lines, columns=columns, dtype=object)
    return Spreadsheet.from_frame(frame, tuple(range(2, 2 + len(rows))))


def expanded(*rows: Mapping[str, object]) -> Spreadsheet:
    """What these rows become, given the shop."""
    return expand(Brief.read(sheet(*rows)), SHOP)


def lines(*rows: Mapping[str, object]) -> list[dict[str, str]]:
    """The lines that these rows become, given the shop."""
    return [
        {str(name): value for name, value in line.items()}
        for line in expanded(*rows).frame.to_dict("records")
    ]
