"""The types of resources that an ad is made of: what people call them, and what belongs to what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from prefect_staticadslab.api.models import (
    AUDIENCE_ID,
    BRAND_ID,
    PRODUCT_ID,
    TEMPLATE_ID,
    VARIANT_ID,
)
from prefect_staticadslab.api.resources import (
    Audience,
    Brand,
    CatalogueResource,
    DesignTemplate,
    Product,
    ProductVariant,
)


@dataclass(frozen=True)
class ResourceType:
    """A type of resource, a kind for short.

    Attributes:
        name: Its name, which is also the column of a spreadsheet with names of such resources.
        resource: Its class in the API's models.
        scope: The scope that an API key needs to read such resources.
        parent: The name of the type that it belongs to, and is listed by; "" if there is none.
        prefix: What its ids start with, if an ad is made of it; else "".
    """

    name: str
    resource: type[CatalogueResource]
    scope: str
    parent: str = ""
    prefix: str = ""

    @property
    def id_column(self) -> str:
        """The column of its ids, which is also its field in a request."""
        return f"{self.name}_id"

    @property
    def columns(self) -> tuple[str, str]:
        """The two columns that can say which resource is meant: of names, and of ids."""
        return self.name, self.id_column

    @property
    def parent_column(self) -> str:
        """The column of its parent's ids, which is also the filter of its lists; "" without one."""
        return f"{self.parent}_id" if self.parent else ""

    @property
    def with_article(self) -> str:
        """Its name in a sentence with an article, such as `a brand` or `an audience`."""
        return f"{'an' if self.thing[0] in 'aeiou' else 'a'} {self.thing}"

    @property
    def thing(self) -> str:
        """Its name in a sentence, such as `design template`."""
        return self.name.replace("_", " ")


TEMPLATE: Final = ResourceType(
    "design_template", DesignTemplate, "design_templates:read", prefix=TEMPLATE_ID.prefix
)
BRAND: Final = ResourceType("brand", Brand, "brands:read", prefix=BRAND_ID.prefix)
PRODUCT: Final = ResourceType("product", Product, "products:read", "brand", PRODUCT_ID.prefix)
AUDIENCE: Final = ResourceType(
    "audience", Audience, "audiences:read", "product", AUDIENCE_ID.prefix
)
VARIANT: Final = ResourceType(
    "product_variant", ProductVariant, "products:read", "product", VARIANT_ID.prefix
)
RESOURCE_TYPES: Final = (TEMPLATE, BRAND, PRODUCT, AUDIENCE, VARIANT)
"""All that an ad is made of."""
