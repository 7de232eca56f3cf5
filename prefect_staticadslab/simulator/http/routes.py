"""The table of all calls: what answers them, the scope that they need, and their models."""

from __future__ import annotations

from starlette.routing import Route

from prefect_staticadslab.simulator.http.calls import (
    account,
    catalogue,
    design_templates,
    figma_sync,
    image_ads,
    jobs,
)
from prefect_staticadslab.simulator.http.endpoint import endpoint
from prefect_staticadslab.simulator.http.operation import Operation
from prefect_staticadslab.simulator.model.catalogue.rules import RULES
from prefect_staticadslab.simulator.model.resources import account as account_models
from prefect_staticadslab.simulator.model.resources import catalogue as catalogue_models
from prefect_staticadslab.simulator.model.resources import design_templates as template_models
from prefect_staticadslab.simulator.model.resources import image_ads as ad_models
from prefect_staticadslab.simulator.model.resources import queries
from prefect_staticadslab.simulator.model.resources.envelopes import Deleted
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI


def operations() -> list[Operation]:
    """All calls under `/v1`."""
    return [
        Operation("GET", "account", account.get_account, None, account_models.Account),
        *_image_ads(),
        Operation("GET", "jobs/{id}", jobs.get_job, "image_ads:read", ad_models.Job),
        *_design_templates(),
        *_images(),
        *_catalogue("brands", "brands", "brands"),
        *_catalogue("products", "products", "products"),
        *_catalogue("product-variants", "product_variants", "products"),
        *_catalogue("audiences", "audiences", "audiences"),
    ]


def api_routes(api: SimulatedAPI) -> list[Route]:
    """What answers them."""
    return [endpoint(api, operation) for operation in operations()]


def _image_ads() -> list[Operation]:
    read, write = "image_ads:read", "image_ads:write"
    ad, version = ad_models.ImageAd, ad_models.ImageAdVersion
    return [
        Operation(
            "POST",
            "image-ads",
            image_ads.create_image_ad,
            write,
            ad,
            json=ad_models.NewImageAd,
            status=202,
        ),
        Operation("GET", "image-ads", image_ads.list_image_ads, read, ad, queries.ImageAds),
        Operation(
            "POST",
            "image-ads/sync",
            figma_sync.sync_image_ads,
            write,
            ad_models.SyncResults,
            json=ad_models.Sync,
        ),
        Operation("GET", "image-ads/{id}", image_ads.get_image_ad, read, ad, streams=True),
        Operation(
            "PATCH",
            "image-ads/{id}",
            image_ads.revise_image_ad,
            write,
            ad,
            json=ad_models.ImageAdChange,
        ),
        Operation("DELETE", "image-ads/{id}", image_ads.delete_image_ad, write, Deleted),
        Operation(
            "GET",
            "image-ads/{id}/versions",
            image_ads.list_versions,
            read,
            version,
            queries.Versions,
        ),
        Operation("GET", "image-ads/{id}/versions/{version}", image_ads.get_version, read, version),
    ]


def _design_templates() -> list[Operation]:
    read, write = "design_templates:read", "design_templates:write"
    path, template = "design-templates", template_models.DesignTemplate
    return [
        Operation(
            "POST",
            path,
            design_templates.create_template,
            write,
            template,
            json=template_models.NewDesignTemplateFromUrl,
            form=template_models.NewDesignTemplate,
            status=202,
        ),
        Operation(
            "GET", path, design_templates.list_templates, read, template, queries.DesignTemplates
        ),
        Operation("GET", f"{path}/{{id}}", design_templates.get_template, read, template),
        Operation(
            "PATCH",
            f"{path}/{{id}}",
            design_templates.update_template,
            write,
            template,
            json=template_models.DesignTemplateChange,
        ),
        Operation("DELETE", f"{path}/{{id}}", design_templates.delete_template, write, Deleted),
        Operation(
            "POST", f"{path}/{{id}}/restore", design_templates.restore_template, write, template
        ),
    ]


def _images() -> list[Operation]:
    image = catalogue_models.Image
    return [
        Operation(
            "POST",
            "images",
            catalogue.upload_image,
            "images:write",
            image,
            form=catalogue_models.NewImage,
            status=201,
        ),
        Operation(
            "GET", "images", catalogue.list_all("images"), "images:read", image, queries.Images
        ),
        Operation("GET", "images/{id}", catalogue.get("images"), "images:read", image),
        Operation("DELETE", "images/{id}", catalogue.delete("images"), "images:write", Deleted),
    ]


def _catalogue(path: str, resource_type: str, scope: str) -> list[Operation]:
    rules, read, write = RULES[resource_type], f"{scope}:read", f"{scope}:write"
    one, answer = f"{path}/{{id}}", rules.answer
    return [
        Operation(
            "POST", path, catalogue.create(resource_type), write, answer, json=rules.new, status=201
        ),
        Operation("GET", path, catalogue.list_all(resource_type), read, answer, rules.query),
        Operation("GET", one, catalogue.get(resource_type), read, answer),
        Operation("PATCH", one, catalogue.update(resource_type), write, answer, json=rules.change),
        Operation("DELETE", one, catalogue.delete(resource_type), write, Deleted),
    ]
