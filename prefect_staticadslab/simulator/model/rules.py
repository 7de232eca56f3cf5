"""What each kind of catalogue resource holds, and what the API takes for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from prefect_staticadslab.simulator.model.admission import APIError, not_valid


@dataclass(frozen=True)
class Rules:
    """A kind of resource.

    Attributes:
        prefix: Of its ids.
        fields: The type of each field, and its default; None in its place for a needed one.
        parent: The field that holds its parent's id, and the parents' kind.
        children: The kinds that hang on it, and their field that holds its id.
    """

    prefix: str
    fields: Mapping[str, tuple[type, Any]]
    parent: tuple[str, str] | None = None
    children: tuple[tuple[str, str], ...] = ()

    def check(self, body: object, *, whole: bool) -> dict[str, Any]:
        """The fields to set.

        Args:
            body: What was sent.
            whole: Whether it is a new resource, and not a change of one.

        Raises:
            APIError: 400 for fields that are missing, unknown, or of another type.
        """
        if not isinstance(body, dict):
            raise not_valid(("body", "must be a JSON object"))
        details = [(name, "is no field of this resource") for name in body.keys() - self.fields]
        for name, (kind, _) in self.fields.items():
            if body.get(name) is None:
                if name in NEEDED and (whole or name in body):
                    details.append((name, "is required"))
            elif not isinstance(body[name], kind):
                details.append((name, f"must be a {kind.__name__}"))
            elif name in NEEDED and not body[name].strip():
                details.append((name, "is required"))
        if details:
            raise not_valid(*sorted(details))
        defaults = {name: default for name, (_, default) in self.fields.items()} if whole else {}
        return {**defaults, **{name: value for name, value in body.items() if value is not None}}

    def check_parent(self, fields: Mapping[str, Any], catalog: Any) -> None:
        """Raises a 422 if there is no such parent."""
        if self.parent is not None and self.parent[0] in fields:
            field, kind = self.parent
            if fields[field] not in getattr(catalog, kind):
                raise APIError(422, "RELATIONSHIP_ERROR", f"There is no {field} {fields[field]}.")


NEEDED: Final = ("name", "brand_id", "product_id")

_TEXTS: Final = {"name": (str, None), "description": (str, "")}

RULES: Final[Mapping[str, Rules]] = {
    "brands": Rules(
        "brand",
        {
            **_TEXTS,
            "color_palettes": (list, []),
            "fonts": (list, []),
            "logo_image_ids": (list, []),
            "details": (dict, {}),
        },
        children=(("products", "brand_id"),),
    ),
    "products": Rules(
        "prod",
        {"brand_id": (str, None), **_TEXTS, "details": (dict, {})},
        parent=("brand_id", "brands"),
        children=(("product_variants", "product_id"), ("audiences", "product_id")),
    ),
    "product_variants": Rules(
        "pv",
        {
            "product_id": (str, None),
            "name": (str, None),
            "sort_order": (int, 0),
            "image_ids": (list, []),
        },
        parent=("product_id", "products"),
    ),
    "audiences": Rules(
        "aud",
        {"product_id": (str, None), **_TEXTS, "details": (dict, {})},
        parent=("product_id", "products"),
    ),
}
