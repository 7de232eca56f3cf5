"""Brands, products, product variants, audiences and images."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from prefect_staticadslab.simulator.model.resources.base import (
    Answer,
    AudienceId,
    Body,
    BrandId,
    BrandRef,
    ImageId,
    ImageRef,
    JsonObject,
    Moment,
    Name,
    Pixels,
    ProductId,
    ProductRef,
    Url,
    VariantId,
)

ImageType = Literal["product", "lifestyle", "logo", "background", "other"]
LogoTheme = Literal["light", "dark"]
Palettes = JsonObject | list[Any] | None
"""An object or null. A list is taken, too, since no page says what a create may hold."""


class Brand(Answer):
    """Who is advertised."""

    id: BrandId
    name: str
    description: str | None
    color_palettes: Palettes
    fonts: list[JsonObject]
    logo_image_ids: list[str] | None
    details: JsonObject | None
    created_at: Moment
    updated_at: Moment


class Product(Answer):
    """What a brand sells."""

    id: ProductId
    brand_id: BrandId
    name: str
    description: str | None
    details: JsonObject | None
    created_at: Moment
    updated_at: Moment


class ProductVariant(Answer):
    """A size, colour or bundle of a product."""

    id: VariantId
    product_id: ProductId
    name: str
    sort_order: int
    image_ids: list[str]
    created_at: Moment
    updated_at: Moment


class Audience(Answer):
    """Whom a product is advertised to."""

    id: AudienceId
    product_id: ProductId
    name: str
    description: str | None
    details: JsonObject | None
    created_at: Moment
    updated_at: Moment


class Image(Answer):
    """An uploaded picture."""

    id: ImageId
    src: Url
    width: Pixels
    height: Pixels
    format: Literal["png", "jpeg", "webp", "gif"]
    size_bytes: int
    alt_text: str | None
    image_type: ImageType | None
    is_ai_generated: bool
    logo_theme: LogoTheme | None
    product_id: ProductId | None
    thumbnail_small_src: Url | None
    thumbnail_medium_src: Url | None
    thumbnail_large_src: Url | None
    created_at: Moment
    updated_at: Moment


class _Fields(Body):
    """What a resource of the catalogue is made of; a field that it does not have is refused."""

    model_config = ConfigDict(extra="forbid")


def _without_defaults(schema: dict[str, Any]) -> None:
    """Takes the defaults out of the description of a change, where what is left out stays."""
    for field in schema["properties"].values():
        field.pop("default", None)


_CHANGE: Final = ConfigDict(json_schema_extra=_without_defaults)


class _BrandFields(_Fields):
    description: str | None = None
    color_palettes: Palettes = None
    fonts: list[JsonObject] = Field(default_factory=list)
    logo_image_ids: list[ImageRef] | None = None
    details: JsonObject | None = None


class NewBrand(_BrandFields):
    """A brand to create."""

    name: Name


class BrandChange(_BrandFields):
    """What is to change of a brand; what is left out stays."""

    model_config = _CHANGE

    name: Name = ""


class _Described(_Fields):
    description: str | None = None
    details: JsonObject | None = None


class NewProduct(_Described):
    """A product to create."""

    name: Name
    brand_id: BrandRef


class ProductChange(_Described):
    """What is to change of a product; what is left out stays."""

    model_config = _CHANGE

    name: Name = ""
    brand_id: BrandRef = ""


class _VariantFields(_Fields):
    sort_order: int = 0
    image_ids: list[ImageRef] = Field(default_factory=list)


class NewProductVariant(_VariantFields):
    """A variant to create."""

    name: Name
    product_id: ProductRef


class ProductVariantChange(_VariantFields):
    """What is to change of a variant; what is left out stays."""

    model_config = _CHANGE

    name: Name = ""
    product_id: ProductRef = ""


class NewAudience(_Described):
    """An audience to create."""

    name: Name
    product_id: ProductRef


class AudienceChange(_Described):
    """What is to change of an audience; what is left out stays."""

    model_config = _CHANGE

    name: Name = ""
    product_id: ProductRef = ""


class NewImage(Body):
    """An image to upload, beside its file."""

    file: Annotated[bytes, Field(json_schema_extra={"format": "binary"})]
    image_type: ImageType | None = None
    alt_text: str | None = None
    logo_theme: LogoTheme | None = None
    product_id: ProductRef | None = None
