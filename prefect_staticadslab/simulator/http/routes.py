"""The table of all calls: what answers each, and the models of what it takes and answers."""

from __future__ import annotations

from typing import Final

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
from prefect_staticadslab.simulator.model.resources import account as accounts
from prefect_staticadslab.simulator.model.resources import catalogue as resources
from prefect_staticadslab.simulator.model.resources import design_templates as templates
from prefect_staticadslab.simulator.model.resources import image_ads as ads
from prefect_staticadslab.simulator.model.resources import queries
from prefect_staticadslab.simulator.model.resources.envelopes import Deleted
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI

_ADS: Final = "image-ads"
_AD: Final = f"{_ADS}/{{id}}"
_VERSIONS: Final = f"{_AD}/versions"
_VERSION: Final = f"{_VERSIONS}/{{version}}"
_TEMPLATES: Final = "design-templates"
_TEMPLATE: Final = f"{_TEMPLATES}/{{id}}"


def operations() -> list[Operation]:
    """All calls under `/v1`."""
    return [
        Operation("get_account", "GET", "account", account.get_account, accounts.Account),
        *_image_ads(),
        Operation("get_job", "GET", "jobs/{id}", jobs.get_job, ads.Job),
        *_design_templates(),
        *_images(),
        *_catalogue("brand", "brands"),
        *_catalogue("product", "products"),
        *_catalogue("product_variant", "product_variants"),
        *_catalogue("audience", "audiences"),
    ]


def api_routes(api: SimulatedAPI) -> list[Route]:
    """The route of each call, which answers from this simulated API."""
    return [endpoint(api, operation) for operation in operations()]


def _image_ads() -> list[Operation]:
    ad, version, versions = ads.ImageAd, ads.ImageAdVersion, queries.Versions
    return [
        Operation(
            "create_image_ad",
            "POST",
            _ADS,
            image_ads.create_image_ad,
            ad,
            status=202,
            json=ads.NewImageAd,
        ),
        Operation("list_image_ads", "GET", _ADS, image_ads.list_image_ads, ad, queries.ImageAds),
        Operation(
            "sync_image_ads",
            "POST",
            f"{_ADS}/sync",
            figma_sync.sync_image_ads,
            ads.SyncResults,
            json=ads.Sync,
        ),
        Operation("get_image_ad", "GET", _AD, image_ads.get_image_ad, ad, streams=True),
        Operation(
            "update_image_ad", "PATCH", _AD, image_ads.revise_image_ad, ad, json=ads.ImageAdChange
        ),
        Operation("delete_image_ad", "DELETE", _AD, image_ads.delete_image_ad, Deleted),
        Operation(
            "list_image_ad_versions", "GET", _VERSIONS, image_ads.list_versions, version, versions
        ),
        Operation("get_image_ad_version", "GET", _VERSION, image_ads.get_version, version),
    ]


def _design_templates() -> list[Operation]:
    template = templates.DesignTemplate
    return [
        Operation(
            "create_design_template",
            "POST",
            _TEMPLATES,
            design_templates.create_template,
            template,
            status=202,
            json=templates.NewDesignTemplateFromUrl,
            form=templates.NewDesignTemplate,
        ),
        Operation(
            "list_design_templates",
            "GET",
            _TEMPLATES,
            design_templates.list_templates,
            template,
            queries.DesignTemplates,
        ),
        Operation("get_design_template", "GET", _TEMPLATE, design_templates.get_template, template),
        Operation(
            "update_design_template",
            "PATCH",
            _TEMPLATE,
            design_templates.update_template,
            template,
            json=templates.DesignTemplateChange,
        ),
        Operation(
            "delete_design_template", "DELETE", _TEMPLATE, design_templates.delete_template, Deleted
        ),
        Operation(
            "restore_design_template",
            "POST",
            f"{_TEMPLATE}/restore",
            design_templates.restore_template,
            template,
        ),
    ]


def _images() -> list[Operation]:
    image, kind = resources.Image, "images"
    return [
        Operation(
            "upload_image",
            "POST",
            "images",
            catalogue.upload_image,
            image,
            status=201,
            form=resources.NewImage,
        ),
        Operation("list_images", "GET", "images", catalogue.list_all(kind), image, queries.Images),
        Operation("get_image", "GET", "images/{id}", catalogue.get(kind), image),
        Operation("delete_image", "DELETE", "images/{id}", catalogue.delete(kind), Deleted),
    ]


def _catalogue(noun: str, kind: str) -> list[Operation]:
    """The calls for a resource of the catalogue.

    Args:
        noun: What one is called.
        kind: What all of them are called.
    """
    rules, path = RULES[kind], kind.replace("_", "-")
    one, answer = f"{path}/{{id}}", rules.answer
    return [
        Operation(
            f"create_{noun}",
            "POST",
            path,
            catalogue.create(kind),
            answer,
            status=201,
            json=rules.new,
        ),
        Operation(f"list_{kind}", "GET", path, catalogue.list_all(kind), answer, rules.query),
        Operation(f"get_{noun}", "GET", one, catalogue.get(kind), answer),
        Operation(
            f"update_{noun}", "PATCH", one, catalogue.update(kind), answer, json=rules.change
        ),
        Operation(f"delete_{noun}", "DELETE", one, catalogue.delete(kind), Deleted),
    ]
