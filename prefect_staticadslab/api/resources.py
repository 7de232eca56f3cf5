"""What ads are made of: brands, products, variants, audiences, images and design templates."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, Final, TypeAlias

from prefect_staticadslab.api.models import (
    Identifier,
    Job,
    Maybe,
    Moment,
    Pixels,
    Resource,
    Text,
    Url,
)

TEMPLATE_PRICE_USD: Final = Decimal("0.25")
"""USD per design template, billed when it completes. From the vendor's price list."""

MAX_UPLOAD_BYTES: Final = 15 * 1024 * 1024
"""The largest file that the API takes."""

MAX_SUMMARY_LENGTH: Final = 500
"""Characters of a design template's change summary."""

Details: TypeAlias = dict[str, Any]
"""A free-form object that steers the copy."""


class CatalogueResource(Resource):
    """What ads are made of: all of it has an id, and most of it a name.

    What the API does not say of a resource is None, or empty.
    """

    id: Identifier
    name: Text = ""
    created_at: Maybe[Moment] = None
    updated_at: Maybe[Moment] = None


class Brand(CatalogueResource):
    """A brand: who advertises."""

    description: Maybe[str] = None
    color_palettes: Maybe[dict[str, Any] | list[Any]] = None
    fonts: Maybe[list[Any]] = None
    logo_image_ids: Maybe[list[str]] = None
    details: Maybe[Details] = None


class Product(CatalogueResource):
    """A product of a brand."""

    brand_id: Maybe[str] = None
    description: Maybe[str] = None
    details: Maybe[Details] = None


class ProductVariant(CatalogueResource):
    """A variant of a product, such as "Red / Large"."""

    product_id: Maybe[str] = None
    sort_order: Maybe[int] = None
    image_ids: Maybe[list[str]] = None


class Audience(CatalogueResource):
    """An audience of a product."""

    product_id: Maybe[str] = None
    description: Maybe[str] = None
    details: Maybe[Details] = None


class ImageType(StrEnum):
    """What an uploaded image shows."""

    PRODUCT = "product"
    LIFESTYLE = "lifestyle"
    LOGO = "logo"
    BACKGROUND = "background"
    OTHER = "other"


class Image(CatalogueResource):
    """An uploaded image. It has no name; `width` and `height` are in pixels."""

    src: Maybe[Url] = None
    width: Maybe[Pixels] = None
    height: Maybe[Pixels] = None
    format: Maybe[str] = None
    size_bytes: Maybe[int] = None
    alt_text: Maybe[str] = None
    image_type: Maybe[str] = None
    is_ai_generated: Maybe[bool] = None
    logo_theme: Maybe[str] = None
    product_id: Maybe[str] = None
    thumbnail_small_src: Maybe[Url] = None
    thumbnail_medium_src: Maybe[Url] = None
    thumbnail_large_src: Maybe[Url] = None


class DesignTemplate(CatalogueResource, Job):
    """A design template. Only a `completed` one can be used for an ad. It has no name.

    Attributes:
        reference_image_url: Where the ad is that it was made from.
        preview_url: Where its preview is.
        width, height: Of its picture, in pixels.
        duration_ms: How long it took to make, in milliseconds.
        aspect_ratio: Such as `4:5`.
        json_tree_version: The number of its tree's version.
    """

    reference_image_url: Maybe[Url] = None
    preview_url: Maybe[Url] = None
    aspect_ratio: Maybe[str] = None
    industry: Maybe[str] = None
    ad_format: Maybe[str] = None
    json_tree_version: Maybe[int] = None

    @property
    def picture_url(self) -> str | None:
        """The web address of the template's preview; None until there is one."""
        return self.preview_url

    @property
    def is_completed(self) -> bool:
        """Whether it can be used; a preview is not needed for that."""
        return self.status == "completed"

    @property
    def price_usd(self) -> Decimal:
        """What making it costs, in USD."""
        return TEMPLATE_PRICE_USD


class CreatedDesignTemplate(Resource):
    """The answer to a create.

    Attributes:
        design_template: The template, as it was then.
        replayed: Whether this is the answer that an earlier request with the same key had.
    """

    design_template: DesignTemplate
    replayed: bool = False


@dataclass(frozen=True)
class ImageFile:
    """An image to upload.

    Attributes:
        filename: Its name, without folders.
        content: Its bytes.

    Example:
        ```python
        from prefect_staticadslab.api.resources import ImageFile

        image = ImageFile("logo.png", b"\\x89PNG\\r\\n\\x1a\\n...")
        assert image.media_type == "image/png"
        assert image.problem() is None
        assert ImageFile("notes.txt", b"Hello").problem() == "is no PNG, JPEG, WebP or GIF."
        ```
    """

    filename: str
    content: bytes

    @property
    def media_type(self) -> str | None:
        """Such as `image/png`, by the file's first bytes; None if it is none that the API takes."""
        return media_type(self.content)

    @property
    def digest(self) -> str:
        """The content's SHA-256, 64 hexadecimal digits: it differs as soon as the content does."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def safe_filename(self) -> str:
        """The file's name as it is sent: without folders, and `image` if nothing is left."""
        return PurePosixPath(self.filename.replace("\\", "/")).name or "image"

    def problem(self) -> str | None:
        """Why the API would not take it, as far as its first bytes and its size tell, to be put
        after the file's name; None if nothing speaks against it."""
        if not self.content:
            return "is empty."
        if self.media_type is None:
            return "is no PNG, JPEG, WebP or GIF."
        if len(self.content) > MAX_UPLOAD_BYTES:
            return "has more than 15 MB, the most that the API takes."
        return None


def media_type(content: bytes) -> str | None:
    """The media type of an image by its first 12 bytes; None if it is none that the API takes.

    Example:
        ```python
        from prefect_staticadslab.api.resources import media_type

        assert media_type(b"GIF89a......") == "image/gif"
        assert media_type(b"<html>......") is None
        ```
    """
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return None


ENDPOINTS: Final[Mapping[type[CatalogueResource], str]] = {
    Brand: "/v1/brands",
    Product: "/v1/products",
    ProductVariant: "/v1/product-variants",
    Audience: "/v1/audiences",
    Image: "/v1/images",
    DesignTemplate: "/v1/design-templates",
}
"""Where the API keeps each kind of catalogue resource."""
