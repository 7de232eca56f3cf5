"""Prefect blocks, tasks and flows for the Static Ads Lab API: spreadsheets in, image ads out.

A module is imported when the first of its names is asked for: who needs the client only does not
wait for Prefect and pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

__version__ = "0.1.0"

if TYPE_CHECKING:
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
    from prefect_staticadslab.api.models import (
        FigmaRender,
        FigmaSyncResult,
        ImageAd,
        ImageAdOptions,
        ImageAdRequest,
        ImageAdVersion,
    )
    from prefect_staticadslab.api.resources import (
        Audience,
        Brand,
        DesignTemplate,
        Image,
        ImageType,
        Product,
        ProductVariant,
    )
    from prefect_staticadslab.brand_kits.image_ad_job import ImageAdJob, ImageAdRun
    from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult, PlannedJob
    from prefect_staticadslab.campaign.rows.form_ads import TypedAd
    from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus
    from prefect_staticadslab.credentials import StaticAdsLabCredentials
    from prefect_staticadslab.orchestration.run_campaign import CampaignResult, run_campaign
    from prefect_staticadslab.tasks import (
        create_audience,
        create_brand,
        create_design_template,
        create_image_ad,
        create_product,
        create_product_variant,
        delete_image_ad,
        delete_resource,
        generate_image_ads,
        get_account,
        get_design_template,
        get_image_ad,
        get_image_ad_version,
        get_resource,
        list_audiences,
        list_brands,
        list_design_templates,
        list_image_ad_versions,
        list_image_ads,
        list_images,
        list_product_variants,
        list_products,
        make_design_templates,
        restore_design_template,
        revise_image_ad,
        revise_image_ads,
        sync_image_ads,
        update_design_template,
        update_resource,
        upload_image,
        upload_images,
        wait_for_design_template,
        wait_for_image_ad,
        wait_for_image_ads,
        watch_image_ad,
    )

__all__ = [
    "Audience",
    "Brand",
    "CampaignResult",
    "Complete",
    "DesignTemplate",
    "Failed",
    "FigmaRender",
    "FigmaSyncResult",
    "Heartbeat",
    "Image",
    "ImageAd",
    "ImageAdEvent",
    "ImageAdJob",
    "ImageAdOptions",
    "ImageAdRequest",
    "ImageAdResult",
    "ImageAdRun",
    "ImageAdVersion",
    "ImageType",
    "JobState",
    "PlannedJob",
    "Product",
    "ProductVariant",
    "Progress",
    "RowStatus",
    "Started",
    "StaticAdsLabClient",
    "StaticAdsLabCredentials",
    "StaticAdsLabError",
    "TypedAd",
    "__version__",
    "create_audience",
    "create_brand",
    "create_design_template",
    "create_image_ad",
    "create_product",
    "create_product_variant",
    "delete_image_ad",
    "delete_resource",
    "generate_image_ads",
    "get_account",
    "get_design_template",
    "get_image_ad",
    "get_image_ad_version",
    "get_resource",
    "list_audiences",
    "list_brands",
    "list_design_templates",
    "list_image_ad_versions",
    "list_image_ads",
    "list_images",
    "list_product_variants",
    "list_products",
    "make_design_templates",
    "restore_design_template",
    "revise_image_ad",
    "revise_image_ads",
    "run_campaign",
    "sync_image_ads",
    "update_design_template",
    "update_resource",
    "upload_image",
    "upload_images",
    "wait_for_design_template",
    "wait_for_image_ad",
    "wait_for_image_ads",
    "watch_image_ad",
]

_NAMES_OF: Final = {
    "api.client": ("StaticAdsLabClient",),
    "api.errors": ("StaticAdsLabError",),
    "api.events": ("Complete", "Failed", "Heartbeat", "ImageAdEvent", "Progress", "Started"),
    "api.models": (
        "FigmaRender",
        "FigmaSyncResult",
        "ImageAd",
        "ImageAdOptions",
        "ImageAdRequest",
        "ImageAdVersion",
    ),
    "api.resources": (
        "Audience",
        "Brand",
        "DesignTemplate",
        "Image",
        "ImageType",
        "Product",
        "ProductVariant",
    ),
    "campaign.pipeline.planned_job": ("ImageAdResult", "PlannedJob"),
    "campaign.rows.form_ads": ("TypedAd",),
    "campaign.table.job_state": ("JobState", "RowStatus"),
    "credentials": ("StaticAdsLabCredentials",),
    "brand_kits.image_ad_job": ("ImageAdJob", "ImageAdRun"),
    "orchestration.run_campaign": ("CampaignResult", "run_campaign"),
    "tasks": (
        "create_audience",
        "create_brand",
        "create_design_template",
        "create_image_ad",
        "create_product",
        "create_product_variant",
        "delete_image_ad",
        "delete_resource",
        "generate_image_ads",
        "get_account",
        "get_design_template",
        "get_image_ad",
        "get_image_ad_version",
        "get_resource",
        "list_audiences",
        "list_brands",
        "list_design_templates",
        "list_image_ad_versions",
        "list_image_ads",
        "list_images",
        "list_product_variants",
        "list_products",
        "make_design_templates",
        "restore_design_template",
        "revise_image_ad",
        "revise_image_ads",
        "sync_image_ads",
        "update_design_template",
        "update_resource",
        "upload_image",
        "upload_images",
        "wait_for_design_template",
        "wait_for_image_ad",
        "wait_for_image_ads",
        "watch_image_ad",
    ),
}
"""The public names by the module that each is from."""

_MODULE_OF: Final = {name: module for module, names in _NAMES_OF.items() for name in names}

if not TYPE_CHECKING:  # mypy would take any name for one that is there

    def __getattr__(name: str) -> object:
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
