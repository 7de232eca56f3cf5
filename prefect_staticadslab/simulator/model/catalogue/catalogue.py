"""All resources of the catalogue, and what calls do to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prefect_staticadslab.simulator.model.catalogue.rules import RULES
from prefect_staticadslab.simulator.model.clock import timestamp
from prefect_staticadslab.simulator.model.errors import APIError
from prefect_staticadslab.simulator.model.resources.ids import check_kind, find, new_id
from prefect_staticadslab.simulator.model.uploads import Upload, image_resource

Resource = dict[str, Any]
"""As the API answers it."""


@dataclass
class Catalogue:
    """All resources by id. A resource type is the name of one of these fields."""

    brands: dict[str, Resource] = field(default_factory=dict)
    products: dict[str, Resource] = field(default_factory=dict)
    product_variants: dict[str, Resource] = field(default_factory=dict)
    audiences: dict[str, Resource] = field(default_factory=dict)
    design_templates: dict[str, Resource] = field(default_factory=dict)
    images: dict[str, Resource] = field(default_factory=dict)

    def all(self, resource_type: str) -> dict[str, Resource]:
        """The resources of a type by id: the dictionary itself, which calls change."""
        resources: dict[str, Resource] = getattr(self, resource_type)
        return resources

    def get(self, resource_type: str, identifier: str) -> Resource:
        """The resource of an id.

        Raises:
            APIError: 404.
        """
        return find(self.all(resource_type), identifier, _noun(resource_type))

    def create(self, resource_type: str, fields: Mapping[str, Any], now: float) -> Resource:
        """Adds a brand, product, variant or audience, and returns it.

        Raises:
            APIError: 409 if its parent has one of this name already, 422 if there is no parent.
        """
        rules = RULES[resource_type]
        self._check_parent(resource_type, fields)
        self._check_name(resource_type, fields)
        created = {
            "id": new_id(rules.prefix),
            **fields,
            "created_at": timestamp(now),
            "updated_at": timestamp(now),
        }
        self.all(resource_type)[created["id"]] = created
        return created

    def update(
        self, resource_type: str, identifier: str, fields: Mapping[str, Any], now: float
    ) -> Resource:
        """Changes fields of a resource, and returns it.

        Raises:
            APIError: 404, 409 if its parent has one of this name already, 422 for no such parent.
        """
        current = self.get(resource_type, identifier)
        self._check_parent(resource_type, fields)
        self._check_name(resource_type, {**current, **fields})
        current |= {**fields, "updated_at": timestamp(now)}
        return current

    def delete(self, resource_type: str, identifier: str) -> None:
        """Deletes a resource.

        Raises:
            APIError: 404, or 409 if other resources belong to it.
        """
        self.get(resource_type, identifier)
        children = RULES[resource_type].children if resource_type in RULES else ()
        for child_type, field_name in children:
            if any(c[field_name] == identifier for c in self.all(child_type).values()):
                raise APIError(409, "CONFLICT", f"There are {child_type} of {identifier}.")
        del self.all(resource_type)[identifier]

    def add_image(self, upload: Upload, fields: Mapping[str, Any], now: float) -> Resource:
        """Adds an uploaded image, and returns it.

        Raises:
            APIError: 422 if there is no such product.
        """
        product = fields.get("product_id")
        if product:
            self._check_exists("products", product, "product_id")
        image = image_resource(new_id("img"), upload, fields)
        dates = {"created_at": timestamp(now), "updated_at": timestamp(now)}
        self.images[image["id"]] = {**image, **dates}
        return self.images[image["id"]]

    def _check_parent(self, resource_type: str, fields: Mapping[str, Any]) -> None:
        """Raises a 422 if the fields name a parent that does not exist."""
        parent = RULES[resource_type].parent
        if parent is not None and parent[0] in fields:
            name, parent_type = parent
            self._check_exists(parent_type, fields[name], name)

    def _check_name(self, resource_type: str, fields: Mapping[str, Any]) -> None:
        """Raises a 409 if another resource below the same parent has the same name."""
        parent = RULES[resource_type].parent
        for other in self.all(resource_type).values():
            if other["name"] != fields["name"] or other["id"] == fields.get("id"):
                continue
            if parent is None or other[parent[0]] == fields[parent[0]]:
                message = f"There is {other['id']} of the name {fields['name'][:80]!r} already."
                raise APIError(409, "CONFLICT", message)

    def _check_exists(self, resource_type: str, identifier: str, field_name: str) -> None:
        """Raises a 422 if a field names what does not exist, or something of another kind."""
        check_kind(identifier, _noun(resource_type), field_name)
        if identifier not in self.all(resource_type):
            raise APIError(422, "RELATIONSHIP_ERROR", f"There is no {field_name} {identifier}.")


def _noun(resource_type: str) -> str:
    """What people call one of a type."""
    return resource_type.replace("_", " ").removesuffix("s")
