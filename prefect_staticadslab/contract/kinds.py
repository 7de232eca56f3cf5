"""The kinds of resources that the API lists, and what we read each as."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from prefect_staticadslab.api.models import ImageAd, ImageAdVersion, Resource
from prefect_staticadslab.api.resources import (
    Audience,
    Brand,
    DesignTemplate,
    Image,
    Product,
    ProductVariant,
)


@dataclass(frozen=True)
class Kind:
    """A kind of resources.

    Attributes:
        name: What the path calls it.
        model: What the client reads it as.
        prefix: How its ids begin.
    """

    name: str
    model: type[Resource]
    prefix: str

    @property
    def path(self) -> str:
        """Where the API lists it."""
        return f"/v1/{self.name}"

    def unknown_id(self) -> str:
        """An id of the right form that nothing has.

        Example:
            ```python
            from prefect_staticadslab.contract.kinds import BRANDS

            assert len(BRANDS.unknown_id()) == len("brand_") + 16
            assert BRANDS.unknown_id() != BRANDS.unknown_id()
            ```
        """
        return f"{self.prefix}{secrets.token_hex(8)}"


IMAGE_ADS: Final = Kind("image-ads", ImageAd, "ia_")
DESIGN_TEMPLATES: Final = Kind("design-templates", DesignTemplate, "dt_")
BRANDS: Final = Kind("brands", Brand, "brand_")
PRODUCTS: Final = Kind("products", Product, "prod_")
PRODUCT_VARIANTS: Final = Kind("product-variants", ProductVariant, "pv_")
AUDIENCES: Final = Kind("audiences", Audience, "aud_")
IMAGES: Final = Kind("images", Image, "img_")

KINDS: Final = (
    IMAGE_ADS,
    DESIGN_TEMPLATES,
    BRANDS,
    PRODUCTS,
    PRODUCT_VARIANTS,
    AUDIENCES,
    IMAGES,
)

UNDOCUMENTED: Final[Mapping[type[Resource], frozenset[str]]] = {
    ImageAd: frozenset(("job_id",)),
    DesignTemplate: frozenset(("name", "progress", "completed_at", "error", "job_id")),
    Image: frozenset(("name",)),
    ImageAdVersion: frozenset(ImageAdVersion.model_fields) - {"id"},
}
"""Fields that the models read in case they are there: no page of the API's promises them."""


def documented_fields(model: type[Resource]) -> frozenset[str]:
    """The fields that a model reads, and that the API's pages promise."""
    return frozenset(model.model_fields) - UNDOCUMENTED.get(model, frozenset())
