"""The table of all calls: path, what answers it, the scope that it needs, and its method."""

from __future__ import annotations

from typing import Final

from starlette.routing import Route

from prefect_staticadslab.simulator.http.calls import account, catalogue, figma_sync, image_ads
from prefect_staticadslab.simulator.http.calls import design_templates as templates
from prefect_staticadslab.simulator.http.endpoint import Handler, endpoint
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI

CATALOGUE_PATHS: Final = {
    "brands": ("brands", "brands"),
    "products": ("products", "products"),
    "product-variants": ("product_variants", "products"),
    "audiences": ("audiences", "audiences"),
}
"""By path: the resource type, and the resource whose scope it needs."""


def api_routes(api: SimulatedAPI) -> list[Route]:
    """All calls under `/v1`."""

    def call(path: str, handler: Handler, scope: str | None, method: str = "GET") -> Route:
        return endpoint(api, f"/v1/{path}", handler, scope, method)

    routes = [
        call("account", account.get_account, None),
        call("image-ads", image_ads.create_image_ad, "image_ads:write", "POST"),
        call("image-ads", image_ads.list_image_ads, "image_ads:read"),
        call("image-ads/sync", figma_sync.sync_image_ads, "image_ads:write", "POST"),
        call("image-ads/{id}", image_ads.get_image_ad, "image_ads:read"),
        call("image-ads/{id}", image_ads.revise_image_ad, "image_ads:write", "PATCH"),
        call("image-ads/{id}", image_ads.delete_image_ad, "image_ads:write", "DELETE"),
        call("image-ads/{id}/versions", image_ads.list_versions, "image_ads:read"),
        call("image-ads/{id}/versions/{version}", image_ads.get_version, "image_ads:read"),
        call("design-templates", templates.create_template, "design_templates:write", "POST"),
        call("design-templates", templates.list_templates, "design_templates:read"),
        call("design-templates/{id}", templates.get_template, "design_templates:read"),
        call(
            "design-templates/{id}",
            templates.update_template,
            "design_templates:write",
            "PATCH",
        ),
        call(
            "design-templates/{id}",
            templates.delete_template,
            "design_templates:write",
            "DELETE",
        ),
        call(
            "design-templates/{id}/restore",
            templates.restore_template,
            "design_templates:write",
            "POST",
        ),
        call("images", catalogue.upload_image, "images:write", "POST"),
        call("images", catalogue.list_all("images"), "images:read"),
        call("images/{id}", catalogue.get("images"), "images:read"),
        call("images/{id}", catalogue.delete("images"), "images:write", "DELETE"),
    ]
    for path, (resource_type, scope) in CATALOGUE_PATHS.items():
        routes += [
            call(path, catalogue.create(resource_type), f"{scope}:write", "POST"),
            call(path, catalogue.list_all(resource_type), f"{scope}:read"),
            call(f"{path}/{{id}}", catalogue.get(resource_type), f"{scope}:read"),
            call(f"{path}/{{id}}", catalogue.update(resource_type), f"{scope}:write", "PATCH"),
            call(f"{path}/{{id}}", catalogue.delete(resource_type), f"{scope}:write", "DELETE"),
        ]
    return routes
