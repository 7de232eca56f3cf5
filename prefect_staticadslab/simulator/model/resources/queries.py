"""What lists can be asked for: pages, filters, and some resources by their ids."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from prefect_staticadslab.simulator.model.resources.base import (
    AudienceRef,
    BrandRef,
    ImageAdRef,
    ImageRef,
    ProductRef,
    Query,
    TemplateRef,
    VariantRef,
    VersionRef,
)
from prefect_staticadslab.simulator.model.resources.catalogue import ImageType
from prefect_staticadslab.simulator.model.resources.design_templates import JobState
from prefect_staticadslab.simulator.model.resources.image_ads import Sku

DEFAULT_LIMIT: Final = 20
LARGEST_LIMIT: Final = 100
"""Of a page, and of the ids of one request."""


def _parse_bool(value: object) -> object:
    """True or False for the text of it; anything else as it is, which is refused then."""
    return {"true": True, "false": False}.get(str(value), value)


def _split_ids(value: object) -> object:
    """The ids between the commas of a text; anything else as it is."""
    return [each for each in value.split(",") if each] if isinstance(value, str) else value


QueryBool = Annotated[bool, Field(strict=True), BeforeValidator(_parse_bool)]
"""`true` or `false`, and no other word for them."""


class List(Query):
    """A page of a list.

    The fields of a subclass are filters, except for those that begin a page, name ids, or choose
    another list.
    """

    limit: Annotated[int, Field(ge=1, le=LARGEST_LIMIT)] = DEFAULT_LIMIT
    starting_after: str | None = None

    def filters(self) -> dict[str, Any]:
        """The values that a resource's fields must have, by the field's name."""
        apart = {"limit", "starting_after", "ids", "deleted"}
        return self.model_dump(exclude=apart, exclude_none=True)


class Versions(List):
    """Of the versions of an ad."""

    starting_after: VersionRef | None = None


class Brands(List):
    """Of the brands."""

    starting_after: BrandRef | None = None


class Products(List):
    """Of the products."""

    starting_after: ProductRef | None = None
    brand_id: BrandRef | None = None


class ProductVariants(List):
    """Of the variants."""

    starting_after: VariantRef | None = None
    product_id: ProductRef | None = None


class Audiences(List):
    """Of the audiences."""

    starting_after: AudienceRef | None = None
    product_id: ProductRef | None = None


class Images(List):
    """Of the images."""

    starting_after: ImageRef | None = None
    product_id: ProductRef | None = None
    image_type: ImageType | None = None


class DesignTemplates(List):
    """Of the design templates, or of those that were deleted."""

    starting_after: TemplateRef | None = None
    ids: Annotated[
        list[TemplateRef] | None, Field(max_length=LARGEST_LIMIT), BeforeValidator(_split_ids)
    ] = None
    status: JobState | None = None
    industry: str | None = None
    ad_format: str | None = None
    deleted: QueryBool = False


class ImageAds(List):
    """Of the image ads."""

    starting_after: ImageAdRef | None = None
    ids: Annotated[
        list[ImageAdRef] | None, Field(max_length=LARGEST_LIMIT), BeforeValidator(_split_ids)
    ] = None
    status: JobState | None = None
    brand_id: BrandRef | None = None
    product_id: ProductRef | None = None
    product_variant_id: VariantRef | None = None
    design_template_id: TemplateRef | None = None
    batch_id: str | None = None
    editable: QueryBool | None = None
    sku_code: Sku | None = None
