"""Image ads, their versions and their jobs."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from prefect_staticadslab.simulator.model.resources.base import (
    Answer,
    AudienceId,
    AudienceRef,
    Body,
    BrandId,
    BrandRef,
    ImageAdId,
    JobId,
    JsonObject,
    Moment,
    Pixels,
    ProductId,
    ProductRef,
    TemplateId,
    TemplateRef,
    Url,
    VariantId,
    VariantRef,
    VersionId,
)
from prefect_staticadslab.simulator.model.resources.design_templates import (
    EntireTree,
    JobError,
    JobState,
)

MOST_SYNC_ITEMS: Final = 10
"""Of one Figma sync."""

Sku = Literal["flat_image_ad", "editable_image_ad"]


class Progress(Answer):
    """What a job does at this moment; a hint for people."""

    step: str
    message: str
    percentage: Annotated[float, Field(ge=0, le=1)]


class Options(Answer):
    """What the pipeline may invent by itself."""

    generate_ai_images: bool
    generate_copy: bool


class NewOptions(Body):
    """What the pipeline may invent by itself; what is left open, it may."""

    generate_ai_images: bool | None = None
    generate_copy: bool | None = None


class ImageAd(Answer):
    """An image ad; its picture is there once it is `completed`."""

    id: ImageAdId
    job_id: JobId
    design_template_id: TemplateId
    brand_id: BrandId
    product_id: ProductId
    audience_id: AudienceId
    product_variant_id: VariantId | None
    prompt: str | None
    options: Options | None
    editable: bool
    sku_code: Sku
    status: JobState
    progress: Progress | None
    image_url: Url | None
    width: Pixels | None
    height: Pixels | None
    current_json_tree: JsonObject | None
    figma_render_url: Url | None
    initial_figma_render_url: Url | None
    error: JobError | None
    duration_ms: int | None
    batch_id: str | None
    created_at: Moment
    completed_at: Moment | None


class ImageAdVersion(Answer):
    """One rendering of an editable ad."""

    id: VersionId
    image_ad_id: ImageAdId
    version: Annotated[int, Field(ge=1)]
    image_url: Url
    current_json_tree: JsonObject | None
    created_at: Moment


class Job(Answer):
    """What makes a rendering, as the queue sees it."""

    job_id: JobId
    type: str
    status: Literal["pending", "processing", "completed", "failed", "cancelled"]
    progress: Annotated[float, Field(ge=0, le=1)]
    result: JsonObject | None
    error: str | None
    created_at: Moment
    started_at: Moment | None
    completed_at: Moment | None
    updated_at: Moment


class SyncResult(Answer):
    """What became of one item of a Figma sync: a version, or an error."""

    id: str
    success: bool
    version_id: VersionId | None
    error: JobError | None


class SyncResults(Answer):
    """What became of each item, in the order in which they were sent."""

    results: list[SyncResult]


class NewImageAd(Body):
    """An image ad to make."""

    design_template_id: TemplateRef
    brand_id: BrandRef
    product_id: ProductRef
    audience_id: AudienceRef
    product_variant_id: VariantRef | None = None
    prompt: str | None = None
    editable: bool | None = None
    options: NewOptions | None = None
    node_overrides: JsonObject | None = None


class ImageAdChange(Body):
    """Another tree for an editable ad, which is rendered anew."""

    current_json_tree: EntireTree


class SyncItem(Body):
    """An ad as it is in Figma now. What is wrong with its tree or picture is in its result."""

    id: str
    current_json_tree: Annotated[Any, Field(json_schema_extra={"type": "object"})]
    figma_render_base64: Annotated[
        Any, Field(json_schema_extra={"type": "string", "contentEncoding": "base64"})
    ]


class Sync(Body):
    """What was changed in Figma."""

    items: Annotated[list[SyncItem], Field(min_length=1, max_length=MOST_SYNC_ITEMS)]
