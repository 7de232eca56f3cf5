"""What each type of catalogue resource holds, and what the API takes for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from prefect_staticadslab.simulator.model.errors import not_valid


@dataclass(frozen=True)
class Rules:
    """The rules of a type of resource.

    Attributes:
        prefix: What its ids begin with.
        fields: The type of each field, and its default; a field of `REQUIRED` has none.
        parent: The field that holds its parent's id, and the parent's type.
        children: The types of what belongs to it, and their field that holds its id.
    """

    prefix: str
    fields: Mapping[str, tuple[type, Any]]
    parent: tuple[str, str] | None = None
    children: tuple[tuple[str, str], ...] = ()

    def check(self, body: object, *, is_new: bool) -> dict[str, Any]:
        """The fields to set.

        Args:
            body: What was sent.
            is_new: Whether it is a new resource, and not a change of one.

        Raises:
            APIError: 400 for fields that are missing, unknown, or of another type.
        """
        if not isinstance(body, dict):
            raise not_valid(("body", "must be a JSON object"))
        details = [(name, "is no field of this resource") for name in body.keys() - self.fields]
        for name, (type_, _) in self.fields.items():
            if body.get(name) is None:
                if name in REQUIRED and (is_new or name in body):
                    details.append((name, "is required"))
            elif not isinstance(body[name], type_):
                details.append((name, f"must be a {type_.__name__}"))
            elif name in REQUIRED and not body[name].strip():
                details.append((name, "is required"))
        if details:
            raise not_valid(*sorted(details))
        defaults = {name: default for name, (_, default) in self.fields.items()} if is_new else {}
        return {**defaults, **{name: value for name, value in body.items() if value is not None}}


REQUIRED: Final = ("name", "brand_id", "product_id")

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
