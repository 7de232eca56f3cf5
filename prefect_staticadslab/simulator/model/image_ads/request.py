"""What the body of a create must hold for an image ad to begin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from prefect_staticadslab.simulator.model.catalogue.catalog import Catalog
from prefect_staticadslab.simulator.model.errors import APIError, not_valid
from prefect_staticadslab.simulator.model.trees import check_overrides, check_tree

REQUIRED_IDS: Final = ("design_template_id", "brand_id", "product_id", "audience_id")

OPTIONAL: Final[Mapping[str, type]] = {
    "prompt": str,
    "product_variant_id": str,
    "editable": bool,
    "options": dict,
    "node_overrides": dict,
}


def check_fields(body: Any) -> None:
    """Raises a 400 for fields that are missing or of another type."""
    details: list[tuple[str, str]] = []
    if not isinstance(body, dict):
        raise not_valid(("body", "must be a JSON object"))
    for name in REQUIRED_IDS:
        if not isinstance(body.get(name), str) or not body[name]:
            details.append((name, "is required"))
    for name, type_ in OPTIONAL.items():
        if body.get(name) is not None and not isinstance(body[name], type_):
            details.append((name, f"must be a {type_.__name__}"))
    if details:
        raise not_valid(*details)


def check_relations(body: dict[str, Any], template: Mapping[str, Any], catalog: Catalog) -> None:
    """Checks that what the ids name exists and belongs together, and that the template is ready.

    Raises:
        APIError: 404 for what does not exist, 422 for what does not belong together, 400 for
            overrides that do not fit the template.
    """
    catalog.get("brands", body["brand_id"])
    product = catalog.get("products", body["product_id"])
    audience = catalog.get("audiences", body["audience_id"])
    related = [
        (product["brand_id"] == body["brand_id"], "The product belongs to another brand."),
        (audience["product_id"] == product["id"], "The audience belongs to another product."),
        (template["status"] == "completed", "The design template is not completed."),
    ]
    if body.get("product_variant_id"):
        variant = catalog.get("product_variants", body["product_variant_id"])
        related.append(
            (variant["product_id"] == product["id"], "The variant is of another product.")
        )
    for fits, message in related:
        if not fits:
            raise APIError(422, "RELATIONSHIP_ERROR", message)
    if body.get("node_overrides"):
        check_overrides(body["node_overrides"], template["current_json_tree"])


def tree_of_revision(body: object) -> dict[str, Any]:
    """The tree that a revision holds.

    Raises:
        APIError: 400.
    """
    if not isinstance(body, dict) or set(body) != {"current_json_tree"}:
        raise not_valid(("current_json_tree", "is required, and nothing else"))
    return check_tree(body["current_json_tree"])
