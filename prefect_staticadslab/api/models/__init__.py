"""Accounts, jobs and image ads, as far as we read them, and the fields that all resources have."""

from prefect_staticadslab.api.models.account import Account
from prefect_staticadslab.api.models.fields import (
    Identifier,
    JsonTree,
    Maybe,
    Moment,
    Pixels,
    Resource,
    Text,
    Url,
    in_utc,
)
from prefect_staticadslab.api.models.figma import (
    MAX_FIGMA_BYTES,
    MAX_FIGMA_ITEMS,
    FigmaRender,
    FigmaSyncResult,
    figma_batches,
)
from prefect_staticadslab.api.models.image_ads import (
    EDITABLE_IMAGE_AD,
    FLAT_IMAGE_AD,
    MAX_IDS_PER_READ,
    PRICE_USD,
    CreatedImageAd,
    ImageAd,
    ImageAdOptions,
    ImageAdRequest,
    ImageAdVersion,
)
from prefect_staticadslab.api.models.jobs import Job, JobError, JobProgress, JobRecord

__all__ = [
    "EDITABLE_IMAGE_AD",
    "FLAT_IMAGE_AD",
    "MAX_FIGMA_BYTES",
    "MAX_FIGMA_ITEMS",
    "MAX_IDS_PER_READ",
    "PRICE_USD",
    "Account",
    "CreatedImageAd",
    "FigmaRender",
    "FigmaSyncResult",
    "Identifier",
    "ImageAd",
    "ImageAdOptions",
    "ImageAdRequest",
    "ImageAdVersion",
    "Job",
    "JobError",
    "JobProgress",
    "JobRecord",
    "JsonTree",
    "Maybe",
    "Moment",
    "Pixels",
    "Resource",
    "Text",
    "Url",
    "figma_batches",
    "in_utc",
]
