"""What the API has: brands, products and the rest, as far as a campaign needs them. No I/O."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from prefect_staticadslab.api.resources import CatalogueResource
from prefect_staticadslab.bounds import NAME_LENGTH
from prefect_staticadslab.campaign.names.nearest import Nearest
from prefect_staticadslab.campaign.rows.cell_values import INVISIBLE
from prefect_staticadslab.campaign.rows.resource_types import ResourceType

NEAREST: Final = 3
"""Candidates that are named for a name that nothing has."""


@dataclass(frozen=True)
class ListKey:
    """Which list: all of a type, or those that belong to one parent.

    Attributes:
        resource_type: What is listed.
        parent: The id of what they belong to; "" for types that belong to nothing.
    """

    resource_type: ResourceType
    parent: str = ""


@dataclass(frozen=True)
class Listing:
    """All resources of one list, in the API's order."""

    resources: tuple[CatalogueResource, ...] = ()

    @classmethod
    def of(cls, resources: Iterable[CatalogueResource]) -> Listing:
        """A list as it was read, page by page, with each resource once, by its id."""
        # A page may repeat what the page before had, if something was added meanwhile.
        return cls(tuple({resource.id: resource for resource in resources}.values()))

    @cached_property
    def by_id(self) -> dict[str, CatalogueResource]:
        """The resources by their ids."""
        return {resource.id: resource for resource in self.resources}

    def find_by_name(self, name: str) -> Sequence[CatalogueResource]:
        """The resources of this exact name; else of this name in another case; else of this id.

        Example:
            ```python
            from prefect_staticadslab.api.resources import Brand
            from prefect_staticadslab.campaign.names.listings import Listing

            brands = Listing((Brand(id="brand_1", name="Harbor Roast"),))
            assert [b.id for b in brands.find_by_name("HARBOR  roast")] == ["brand_1"]
            assert brands.find_by_name("Harbour Roast") == []
            ```
        """
        return (
            self._by_exact_name.get(name.strip())
            or self.with_value("name", name)
            or [resource for resource in [self.by_id.get(name.strip())] if resource]
        )

    def nearest(self, name: str) -> list[CatalogueResource]:
        """The resources whose names are most similar to this one, at most three names."""
        similar_names = self._nearest.similar(fold_name(name), NEAREST)
        return [resource for each in similar_names for resource in self._by_value("name")[each]]

    def with_value(self, field: str, value: str) -> Sequence[CatalogueResource]:
        """The resources with this value in a field, compared without case and extra spaces."""
        return self._by_value(field).get(fold_name(value), ())

    def values(self, field: str) -> list[str]:
        """The distinct values of a field, sorted."""
        return self.combinations((field,))

    def combinations(self, fields: tuple[str, ...]) -> list[str]:
        """The distinct values of these fields together, `–` for an empty one, sorted."""
        if fields not in self._combinations:
            rows = (
                [str(getattr(resource, field) or "") for field in fields]
                for resource in self.resources
            )
            self._combinations[fields] = sorted(
                {" ".join(value or "–" for value in values) for values in rows if any(values)}
            )
        return self._combinations[fields]

    def _by_value(self, field: str) -> dict[str, list[CatalogueResource]]:
        if field not in self._by_field:
            by_value: dict[str, list[CatalogueResource]] = {}
            for resource in self.resources:
                if value := fold_name(str(getattr(resource, field) or "")):
                    by_value.setdefault(value, []).append(resource)
            self._by_field[field] = by_value
        return self._by_field[field]

    @cached_property
    def _combinations(self) -> dict[tuple[str, ...], list[str]]:
        return {}

    @cached_property
    def _by_field(self) -> dict[str, dict[str, list[CatalogueResource]]]:
        return {}

    @cached_property
    def _nearest(self) -> Nearest:
        return Nearest(self._by_value("name"))

    @cached_property
    def _by_exact_name(self) -> dict[str, list[CatalogueResource]]:
        by_name: dict[str, list[CatalogueResource]] = {}
        for resource in self.resources:
            by_name.setdefault(resource.name.strip(), []).append(resource)
        by_name.pop("", None)
        return by_name


@dataclass(frozen=True)
class Catalogue:
    """What was read of the API's catalogue.

    Attributes:
        lists: The lists that were read, each of them whole.
        unreadable: Types that the key may not read.
        single: Resources that were read by themselves, whose lists may not have been.
    """

    lists: Mapping[ListKey, Listing] = field(default_factory=dict)
    unreadable: frozenset[ResourceType] = frozenset()
    single: tuple[tuple[ResourceType, CatalogueResource], ...] = ()

    def find(self, resource_type: ResourceType, identifier: str) -> CatalogueResource | None:
        """The resource of this id, if it is in one of the lists."""
        return self._by_id.get((resource_type, identifier))

    @cached_property
    def _by_id(self) -> dict[tuple[ResourceType, str], CatalogueResource]:
        """All resources that are known, whether from a list or asked for by themselves."""
        return {
            (resource_type, resource.id): resource for resource_type, resource in self.single
        } | {
            (key.resource_type, resource.id): resource
            for key, listing in self.lists.items()
            for resource in listing.resources
        }


@dataclass(frozen=True)
class ChosenResource:
    """A resource that a row asks for: its id, and its name, or "" if the name was not read."""

    id: str
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.id


NOTHING_READ: Final = Catalogue()


def fold_name(name: str) -> str:
    """A name as it is compared: without case, width, how many spaces there are, and what nobody
    sees.

    Example:
        ```python
        from prefect_staticadslab.campaign.names.listings import fold_name

        assert fold_name(" HARBOR\\u00a0 Roast") == fold_name("Harbor Roast")
        assert fold_name("Harbour Roast") != fold_name("Harbor Roast")
        ```
    """
    if len(name) > NAME_LENGTH:  # which no resource has
        return " ".join(name.casefold().split())
    name = INVISIBLE.sub("", name)
    # Folding the case may leave what NFKC would compose once more.
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(text.split())
