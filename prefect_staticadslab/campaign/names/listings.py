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
"""Names that are suggested for a name that no resource has."""


@dataclass(frozen=True)
class ListKey:
    """Which list: all of a type, or those that belong to one parent.

    Attributes:
        resource_type: The type of the resources that are listed.
        parent: The id of what they belong to; "" for types that belong to nothing.
    """

    resource_type: ResourceType
    parent: str = ""


@dataclass(frozen=True)
class Listing:
    """All resources of one list, in the API's order."""

    resources: tuple[CatalogueResource, ...] = ()

    @classmethod
    def without_repeats(cls, resources: Iterable[CatalogueResource]) -> Listing:
        """A list as it was read page by page, with each resource once: of two with one id, the
        later one in the place of the first."""
        # A page may repeat what the page before had, if something was added meanwhile.
        return cls(tuple({resource.id: resource for resource in resources}.values()))

    @cached_property
    def by_id(self) -> dict[str, CatalogueResource]:
        """The resources by their ids."""
        return {resource.id: resource for resource in self.resources}

    def find_by_name(self, name: str) -> Sequence[CatalogueResource]:
        """The resources of this exact name; else of a name that differs in case, width or spaces;
        else of this id; else nothing.

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
        """The resources that have one of the three names most similar to this one, the most similar
        first; none if no name is similar."""
        similar_names = self._nearest.similar(fold_name(name), NEAREST)
        return [resource for each in similar_names for resource in self._by_value("name")[each]]

    def with_value(self, field: str, value: str) -> Sequence[CatalogueResource]:
        """The resources with this value in a field, compared without case and extra spaces."""
        return self._by_value(field).get(fold_name(value), ())

    def distinct_values(self, field: str) -> list[str]:
        """The distinct values of a field, sorted."""
        return self.distinct_combinations((field,))

    def distinct_combinations(self, fields: tuple[str, ...]) -> list[str]:
        """The distinct combinations of values of these fields, as texts, sorted.

        The values have spaces between them, and `–` stands for an empty one.
        """
        if fields not in self._combinations_by_fields:
            rows = (
                [str(getattr(resource, field) or "") for field in fields]
                for resource in self.resources
            )
            self._combinations_by_fields[fields] = sorted(
                {" ".join(value or "–" for value in values) for values in rows if any(values)}
            )
        return self._combinations_by_fields[fields]

    def _by_value(self, field: str) -> dict[str, list[CatalogueResource]]:
        """The resources by the folded value of a field, without empty ones; computed once."""
        if field not in self._values_by_field:
            by_value: dict[str, list[CatalogueResource]] = {}
            for resource in self.resources:
                if value := fold_name(str(getattr(resource, field) or "")):
                    by_value.setdefault(value, []).append(resource)
            self._values_by_field[field] = by_value
        return self._values_by_field[field]

    @cached_property
    def _combinations_by_fields(self) -> dict[tuple[str, ...], list[str]]:
        """What `distinct_combinations` has computed by now."""
        return {}

    @cached_property
    def _values_by_field(self) -> dict[str, dict[str, list[CatalogueResource]]]:
        """What `_by_value` has computed by now."""
        return {}

    @cached_property
    def _nearest(self) -> Nearest:
        """Finds the most similar of the folded names."""
        return Nearest(self._by_value("name"))

    @cached_property
    def _by_exact_name(self) -> dict[str, list[CatalogueResource]]:
        """The resources by their names without spaces around them; none of those without one."""
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
        single: Resources that were read one by one, each with its type; their lists may not have
            been read.
    """

    lists: Mapping[ListKey, Listing] = field(default_factory=dict)
    unreadable: frozenset[ResourceType] = frozenset()
    single: tuple[tuple[ResourceType, CatalogueResource], ...] = ()

    def find(self, resource_type: ResourceType, identifier: str) -> CatalogueResource | None:
        """The resource of this id; None if it was not read."""
        return self._by_id.get((resource_type, identifier))

    @cached_property
    def _by_id(self) -> dict[tuple[ResourceType, str], CatalogueResource]:
        """All resources that were read, in lists or one by one, by type and id."""
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
        """The name, or the id if there is no name, for messages."""
        return self.name or self.id


NOTHING_READ: Final = Catalogue()


def fold_name(name: str) -> str:
    """A name in the form in which names are compared: two names that differ only in case, width,
    spaces or invisible characters have the same form.

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
