"""One task per step of the API, and `generate_image_ads` for a chunk of image ads.

`await` them in async flows, and call them without in others; `.submit()` or `.map()` them in either
kind (with `prefect.unmapped(credentials)`). None is cached, because two equal requests are two ads.
"""

from prefect_staticadslab.tasks.catalogue import (
    create_audience,
    create_brand,
    create_product,
    create_product_variant,
    delete_resource,
    get_resource,
    list_audiences,
    list_brands,
    list_design_templates,
    list_images,
    list_product_variants,
    list_products,
    update_resource,
)
from prefect_staticadslab.tasks.chunks import generate_image_ads
from prefect_staticadslab.tasks.design_templates import (
    create_design_template,
    get_design_template,
    make_design_templates,
    restore_design_template,
    update_design_template,
    wait_for_design_template,
)
from prefect_staticadslab.tasks.image_ads import (
    create_image_ad,
    delete_image_ad,
    get_account,
    get_image_ad,
    list_image_ads,
    wait_for_image_ad,
    wait_for_image_ads,
    watch_image_ad,
)
from prefect_staticadslab.tasks.images import upload_image, upload_images
from prefect_staticadslab.tasks.revisions import revise_image_ad, revise_image_ads
from prefect_staticadslab.tasks.versions import (
    get_image_ad_version,
    list_image_ad_versions,
    sync_image_ads,
)

__all__ = [
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
]
