"""What each type of catalogue resource is made of, and what belongs to what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from prefect_staticadslab.simulator.model.resources import catalogue, queries
from prefect_staticadslab.simulator.model.resources.base import Answer, Body


@dataclass(frozen=True)
class Rules:
    """The rules of a type of resource.

    Attributes:
        prefix: What its ids begin with.
        answer: How it is answered.
        new: What creates one.
        change: What changes one.
        query: What lists can be asked for.
        parent: The field that holds its parent's id, and the parent's type.
        children: The types of what belongs to it, and their field that holds its id.
    """

    prefix: str
    answer: type[Answer]
    new: type[Body]
    change: type[Body]
    query: type[queries.List]
    parent: tuple[str, str] | None = None
    children: tuple[tuple[str, str], ...] = ()


RULES: Final[Mapping[str, Rules]] = {
    "brands": Rules(
        "brand",
        catalogue.Brand,
        catalogue.NewBrand,
        catalogue.BrandChange,
        queries.Brands,
        children=(("products", "brand_id"),),
    ),
    "products": Rules(
        "prod",
        catalogue.Product,
        catalogue.NewProduct,
        catalogue.ProductChange,
        queries.Products,
        parent=("brand_id", "brands"),
        children=(("product_variants", "product_id"), ("audiences", "product_id")),
    ),
    "product_variants": Rules(
        "pv",
        catalogue.ProductVariant,
        catalogue.NewProductVariant,
        catalogue.ProductVariantChange,
        queries.ProductVariants,
        parent=("product_id", "products"),
    ),
    "audiences": Rules(
        "aud",
        catalogue.Audience,
        catalogue.NewAudience,
        catalogue.AudienceChange,
        queries.Audiences,
        parent=("product_id", "products"),
    ),
}
