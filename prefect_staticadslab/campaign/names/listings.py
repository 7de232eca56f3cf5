"""What the API has: brands, products and the rest, as far as a campaign needs them. No I/O."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from prefect_staticadslab.api.resources import (
    Audience,
    Brand,
    CatalogueResource,
    DesignTemplate,
    Product,
    ProductVariant,
)
from prefect_staticadslab.bounds import NAME_LENGTH
from prefect_staticadslab.campaign.names.nearest import Nearest

NEAREST: Final = 3
"""Candidates that are named for a name that nothing has."""


@dataclass(frozen=True)
class ResourceType:
    """A kind of resource that an ad is made of.

    Attributes:
        name: What it is called in a spreadsheet: its names' column.
        resource: Its type.
        scope: What a key needs to read it.
        parent: What it belongs to, and is looked for in.
    """

    name: str
    resource: type[CatalogueResource]
    scope: str
    parent: str = ""

    @property
    def id_column(self) -> str:
        """Its ids' column, which is also its field in a request."""
        return f"{self.name}_id"

    @property
    def parent_column(self) -> str:
        """The column of what it belongs to, which is also the list's filter; or ""."""
        return f"{self.parent}_id" if self.parent else ""

    @property
    def thing(self) -> str:
        """What it is called in a sentence."""
        return self.name.replace("_", " ")


TEMPLATE: Final = ResourceType("design_template", DesignTemplate, "design_templates:read")
BRAND: Final = ResourceType("brand", Brand, "brands:read")
PRODUCT: Final = ResourceType("product", Product, "products:read", "brand")
AUDIENCE: Final = ResourceType("audience", Audience, "audiences:read", "product")
VARIANT: Final = ResourceType("product_variant", ProductVariant, "products:read", "product")
KINDS: Final = (TEMPLATE, BRAND, PRODUCT, AUDIENCE, VARIANT)


@dataclass(frozen=True)
class ListKey:
    """Which list: all of a kind, or those that belong to one parent.

    Attributes:
        kind: What is listed.
        parent: The id of what they belong to; "" for kinds that belong to nothing.
    """

    kind: ResourceType
    parent: str = ""


@dataclass(frozen=True)
class Listing:
    """All resources of one list, in the API's order."""

    resources: tuple[CatalogueResource, ...] = ()

    @cached_property
    def by_id(self) -> dict[str, CatalogueResource]:
        """Each by its id."""
        return {resource.id: resource for resource in self.resources}

    def called(self, name: str) -> list[CatalogueResource]:
        """Those that a name may mean: of exactly this name, else of much the same, else this id.

        Example:
            ```python
            from prefect_staticadslab.api.resources import Brand
            from prefect_staticadslab.campaign.names.listings import Listing

            brands = Listing((Brand(id="brand_1", name="Harbor Roast"),))
            assert [b.id for b in brands.called("HARBOR  roast")] == ["brand_1"]
            assert brands.called("Harbour Roast") == []
            ```
        """
        return (
            self._exactly.get(name.strip())
            or self._folded.get(folded(name))
            or [resource for resource in [self.by_id.get(name.strip())] if resource]
        )

    def nearest(self, name: str) -> list[CatalogueResource]:
        """Those whose names look most like this one."""
        close = self._nearest.alike(folded(name), NEAREST)
        return [resource for found in close for resource in self._folded[found]]

    def having(self, field: str, value: str) -> Sequence[CatalogueResource]:
        """Those with this value in a field, compared as names are."""
        return self._by_value(field).get(folded(value), ())

    def values(self, field: str) -> list[str]:
        """The values that there are in a field, sorted."""
        return self.combinations((field,))

    def combinations(self, fields: tuple[str, ...]) -> list[str]:
        """What these fields say together, `–` for nothing; each once, sorted."""
        if fields not in self._combinations:
            told = (
                [str(getattr(resource, field) or "") for field in fields]
                for resource in self.resources
            )
            self._combinations[fields] = sorted(
                {" ".join(value or "–" for value in values) for values in told if any(values)}
            )
        return self._combinations[fields]

    def _by_value(self, field: str) -> dict[str, list[CatalogueResource]]:
        if field not in self._by_field:
            found: dict[str, list[CatalogueResource]] = {}
            for resource in self.resources:
                if value := str(getattr(resource, field) or ""):
                    found.setdefault(folded(value), []).append(resource)
            self._by_field[field] = found
        return self._by_field[field]

    @cached_property
    def _combinations(self) -> dict[tuple[str, ...], list[str]]:
        return {}

    @cached_property
    def _by_field(self) -> dict[str, dict[str, list[CatalogueResource]]]:
        return {}

    @cached_property
    def _nearest(self) -> Nearest:
        return Nearest(self._folded)

    @cached_property
    def _exactly(self) -> dict[str, list[CatalogueResource]]:
        found: dict[str, list[CatalogueResource]] = {}
        for resource in self.resources:
            found.setdefault(resource.name.strip(), []).append(resource)
        found.pop("", None)
        return found

    @cached_property
    def _folded(self) -> dict[str, list[CatalogueResource]]:
        found: dict[str, list[CatalogueResource]] = {}
        for resource in self.resources:
            found.setdefault(folded(resource.name), []).append(resource)
        found.pop("", None)
        return found


@dataclass(frozen=True)
class Catalogue:
    """What was read of the API's catalogue.

    Attributes:
        lists: The lists that were read, each of them whole.
        unreadable: Kinds that the key may not read.
    """

    lists: Mapping[ListKey, Listing] = field(default_factory=dict)
    unreadable: frozenset[ResourceType] = frozenset()

    def find(self, kind: ResourceType, identifier: str) -> CatalogueResource | None:
        """The resource of this id, if it is in one of the lists."""
        return self._by_id.get((kind, identifier))

    @cached_property
    def _by_id(self) -> dict[tuple[ResourceType, str], CatalogueResource]:
        return {
            (key.kind, resource.id): resource
            for key, listing in self.lists.items()
            for resource in listing.resources
        }


@dataclass(frozen=True)
class Chosen:
    """A resource that a row means; its name, as far as it is known."""

    id: str
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.id


NOTHING_READ: Final = Catalogue()


def folded(name: str) -> str:
    """A name as it is compared: without case, width, and how many spaces there are.

    Example:
        ```python
        from prefect_staticadslab.campaign.names.listings import folded

        assert folded(" HARBOR\\u00a0 Roast") == folded("Harbor Roast") != folded("Harbour Roast")
        ```
    """
    if len(name) > NAME_LENGTH:  # which no resource has
        return " ".join(name.casefold().split())
    # Folding the case may leave what NFKC would compose once more.
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(text.split())
