"""What the body of a create must hold for an image ad to begin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect_staticadslab.simulator.model.catalogue.catalogue import Catalogue
from prefect_staticadslab.simulator.model.errors import APIError
from prefect_staticadslab.simulator.model.trees import check_overrides


def check_relations(
    body: dict[str, Any], template: Mapping[str, Any], catalogue: Catalogue
) -> None:
    """Checks that what the ids name exists and belongs together, and that the template is ready.

    Raises:
        APIError: 404 for what does not exist, 422 for what does not belong together, 400 for
            overrides that do not fit the template.
    """
    catalogue.get("brands", body["brand_id"])
    product = catalogue.get("products", body["product_id"])
    audience = catalogue.get("audiences", body["audience_id"])
    related = [
        (product["brand_id"] == body["brand_id"], "The product belongs to another brand."),
        (audience["product_id"] == product["id"], "The audience belongs to another product."),
        (template["status"] == "completed", "The design template is not completed."),
    ]
    if body.get("product_variant_id"):
        variant = catalogue.get("product_variants", body["product_variant_id"])
        related.append(
            (variant["product_id"] == product["id"], "The variant is of another product.")
        )
    for fits, message in related:
        if not fits:
            raise APIError(422, "RELATIONSHIP_ERROR", message)
    if body.get("node_overrides"):
        check_overrides(body["node_overrides"], template["current_json_tree"])
