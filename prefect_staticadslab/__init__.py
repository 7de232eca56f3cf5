"""Prefect blocks, tasks and flows for the Static Ads Lab API: spreadsheets in, image ads out."""

from prefect_staticadslab._version import __version__
from prefect_staticadslab.api.client import StaticAdsLabClient
from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.api.events import (
    Complete,
    Failed,
    Heartbeat,
    ImageAdEvent,
    Progress,
    Started,
)
from prefect_staticadslab.api.models import ImageAd, ImageAdOptions, ImageAdRequest
from prefect_staticadslab.campaign.planned import ImageAdResult, PlannedAd
from prefect_staticadslab.campaign.states import AdState, RowStatus
from prefect_staticadslab.credentials import StaticAdsLabCredentials
from prefect_staticadslab.tasks import (
    create_image_ad,
    generate_image_ads,
    get_image_ad,
    wait_for_image_ad,
    wait_for_image_ads,
    watch_image_ad,
)

__all__ = [
    "AdState",
    "Complete",
    "Failed",
    "Heartbeat",
    "ImageAd",
    "ImageAdEvent",
    "ImageAdOptions",
    "ImageAdRequest",
    "ImageAdResult",
    "PlannedAd",
    "Progress",
    "RowStatus",
    "Started",
    "StaticAdsLabClient",
    "StaticAdsLabCredentials",
    "StaticAdsLabError",
    "__version__",
    "create_image_ad",
    "generate_image_ads",
    "get_image_ad",
    "wait_for_image_ad",
    "wait_for_image_ads",
    "watch_image_ad",
]
