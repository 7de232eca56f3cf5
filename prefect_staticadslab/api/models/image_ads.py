"""Image ads: what is asked for, what there is, and its versions."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from prefect_staticadslab.api.models.fields import (
    Identifier,
    JsonTree,
    Maybe,
    Moment,
    Resource,
    Url,
)
from prefect_staticadslab.api.models.jobs import Job

FLAT_IMAGE_AD: Final = "flat_image_ad"
EDITABLE_IMAGE_AD: Final = "editable_image_ad"

PRICE_USD: Final = {FLAT_IMAGE_AD: Decimal("1.00"), EDITABLE_IMAGE_AD: Decimal("4.00")}
"""USD per image ad, billed when it completes. From the vendor's price list."""

PAGE_SIZE: Final = 100
"""Entries of a list in one answer: the largest `limit` that the API takes."""

MAX_IDS_PER_READ: Final = 100
"""Ads in one batch read. Not documented; taken to be the same as the largest `limit`."""

PROMPT: Final = "What the picture and the copy should say."
OPTIONS: Final = "What Static Ads Lab may invent by itself."
INVENT_PICTURES: Final = Field(
    title="Invent pictures", description="Whether pictures may be generated."
)
INVENT_COPY: Final = Field(title="Invent copy", description="Whether texts may be generated.")


def field_title(name: str, _: object = None) -> str:
    """What a field of an ad is called in forms and messages: `Design template` for
    `design_template_id`. The second argument is what pydantic gives a title generator besides."""
    return name.removesuffix("_id").replace("_", " ").capitalize()


@dataclass(frozen=True)
class AdId:
    """An id that an ad is made of, and the fields that hold one.

    Attributes:
        prefix: What it starts with.
        description: What it is, for people; a sentence.
    """

    prefix: str
    description: str

    def field(self, *, or_empty: bool = False) -> Any:
        """A pydantic `Field` for such an id: its pattern and its description.

        Args:
            or_empty: Whether the field takes an empty text, too.
        """
        pattern = f"^({self.prefix}.+)?$" if or_empty else f"^{self.prefix}.+"
        description = f"{self.description} Its id starts with {self.prefix}."
        return Field(description=description, pattern=pattern)


TEMPLATE_ID: Final = AdId("dt_", "The design template that is rendered.")
BRAND_ID: Final = AdId("brand_", "The brand that is advertised.")
PRODUCT_ID: Final = AdId("prod_", "A product of that brand.")
AUDIENCE_ID: Final = AdId("aud_", "An audience of that product.")
VARIANT_ID: Final = AdId("pv_", "A variant of that product.")


class ImageAdOptions(Resource):
    """What the pipeline may invent by itself. None leaves it to the API's default."""

    generate_ai_images: Annotated[bool | None, INVENT_PICTURES] = None
    generate_copy: Annotated[bool | None, INVENT_COPY] = None


class ImageAdRequest(BaseModel):
    """The body of `POST /v1/image-ads`: which ad to make.

    Example:
        ```python
        from prefect_staticadslab import ImageAdRequest

        request = ImageAdRequest(
            design_template_id="dt_3f9a", brand_id="brand_71c0",
            product_id="prod_b2d4", audience_id="aud_58e1",
            prompt="Summer sale, beach at noon",
        )
        assert request.price_usd == 1
        ```
    """

    model_config = ConfigDict(extra="forbid", frozen=True, field_title_generator=field_title)

    design_template_id: Annotated[str, TEMPLATE_ID.field()]
    brand_id: Annotated[str, BRAND_ID.field()]
    product_id: Annotated[str, PRODUCT_ID.field()]
    audience_id: Annotated[str, AUDIENCE_ID.field()]
    product_variant_id: Annotated[str | None, VARIANT_ID.field()] = None
    prompt: str | None = Field(default=None, description=PROMPT)
    editable: bool = Field(
        default=False,
        description="Whether the ad can be revised later. It then costs 4.00 USD, not 1.00.",
    )
    options: ImageAdOptions | None = Field(default=None, description=OPTIONS)
    node_overrides: dict[str, dict[str, Any]] | None = Field(
        default=None,
        description="Texts and pictures by the template's node id: "
        '{"NODE_ID": {"characters": "…"}} or {"NODE_ID": {"imageFillUrl": "…"}}.',
    )

    @property
    def job_name(self) -> str:
        """What people call such an ad, where its price is told: `editable` or `flat`."""
        return "editable" if self.editable else "flat"

    @property
    def price_usd(self) -> Decimal:
        """What the ad costs in USD, if it completes."""
        return PRICE_USD[EDITABLE_IMAGE_AD if self.editable else FLAT_IMAGE_AD]

    def body(self) -> dict[str, Any]:
        """The request's JSON: only fields that are not None, always in the same order."""
        return self.model_dump(mode="json", exclude_none=True)


class ImageAd(Job):
    """An image ad. What the API does not say of it is None.

    Attributes:
        image_url: Where its picture is, once `status` is `completed`.
        width, height: Of its picture, in pixels.
        duration_ms: How long it took to make, in milliseconds.
        current_json_tree: The tree of an editable ad.
        sku_code: What it is billed as: `flat_image_ad` or `editable_image_ad`.
        figma_render_url: Where the picture is that was last handed in from Figma.
        initial_figma_render_url: Where the first one of these is.
        batch_id: What `list_image_ads` can filter by; the API's own.
    """

    design_template_id: Maybe[str] = None
    brand_id: Maybe[str] = None
    product_id: Maybe[str] = None
    audience_id: Maybe[str] = None
    product_variant_id: Maybe[str] = None
    prompt: Maybe[str] = None
    editable: Maybe[bool] = None
    sku_code: Maybe[str] = None
    image_url: Maybe[Url] = None
    figma_render_url: Maybe[Url] = None
    initial_figma_render_url: Maybe[Url] = None
    batch_id: Maybe[str] = None

    @property
    def picture_url(self) -> str | None:
        """The web address of the ad's picture; None until there is one."""
        return self.image_url

    @property
    def is_editable(self) -> bool:
        """Whether it can be revised, by its own word or by what it is billed as."""
        return bool(self.editable) or self.sku_code == EDITABLE_IMAGE_AD

    @property
    def price_usd(self) -> Decimal:
        """What it is billed in USD once it is completed."""
        if self.sku_code in PRICE_USD:
            return PRICE_USD[self.sku_code]
        return PRICE_USD[EDITABLE_IMAGE_AD if self.editable else FLAT_IMAGE_AD]


class CreatedImageAd(Resource):
    """The answer to a create.

    Attributes:
        image_ad: The ad, as it was then.
        replayed: Whether this is the answer that an earlier request with the same key had.
    """

    image_ad: ImageAd
    replayed: bool = False


class ImageAdVersion(Resource):
    """One rendering of an editable ad, `iav_…`. Its fields are not documented beyond the id."""

    id: Identifier
    image_ad_id: Maybe[str] = None
    version: Maybe[int] = None
    status: Maybe[str] = None
    image_url: Maybe[Url] = None
    current_json_tree: Maybe[JsonTree] = None
    created_at: Maybe[Moment] = None
