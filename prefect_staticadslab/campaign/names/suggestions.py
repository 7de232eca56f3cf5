"""Messages about names, filters and ids that match no resource, or more than one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from prefect_staticadslab.api.resources import CatalogueResource
from prefect_staticadslab.bounds import NAME_LENGTH
from prefect_staticadslab.campaign.files.cells import shortened
from prefect_staticadslab.campaign.names.cell_syntax import (
    FILTER_KEYS,
    SEPARATOR,
    ByFilter,
    ById,
    ByName,
    Everything,
    Value,
)
from prefect_staticadslab.campaign.names.listings import ChosenResource, Listing
from prefect_staticadslab.campaign.rows.resource_types import TEMPLATE, ResourceType

_VALUE_SEPARATORS: Final = re.compile(r"[,;\n\r\t、，；]")
"""What people put between values; ours is `|`."""

SHOWN: Final = 8
"""So many values are shown in a message; the rest is counted."""


def ambiguous_message(
    resource_type: ResourceType, value: ByName, matches: Sequence[CatalogueResource]
) -> str:
    """The message for a name that several resources have."""
    ids = join_first([f"{match.id} ({match.name})" for match in matches])
    return (
        f"{len(matches)} {_plural(resource_type)} are called {shortened(value.name)!r}: {ids}. "
        f"Put the id of the one you mean here or into {resource_type.id_column}."
    )


def no_match_message(
    resource_type: ResourceType, value: Value, listing: Listing, parent: ChosenResource | None
) -> str:
    """The message for a value that no resource matches.

    Args:
        resource_type: The type that was looked for.
        value: The cell's value that matches nothing.
        listing: The resources that it was looked for among.
        parent: What they belong to; None for types that belong to nothing.
    """
    of_parent = f" of {parent}" if parent else ""
    match value:
        case Everything() if resource_type is TEMPLATE:
            return "There are no completed design templates."
        case Everything():
            return f"{parent} has no {_plural(resource_type)}."
        case ByFilter(conditions):
            return _no_template_message(conditions, listing)
        case ById(identifier):
            missing = f"There is no {resource_type.thing} {shortened(identifier)}"
            return f"{missing}{of_parent or ' in this organization'}."
        case ByName(name):
            missing = f"There is no {resource_type.thing} {shortened(name)!r}{of_parent}."
            return f"{missing} {_suggestion_sentence(name, listing, parent)}"


def _suggestion_sentence(name: str, listing: Listing, parent: ChosenResource | None) -> str:
    """What to write instead of a name that no resource has, as a sentence.

    The names that the cell lists with other signs than `|` between them; else the most similar
    names; else the first ones that there are.
    """
    parts = [part.strip() for part in _VALUE_SEPARATORS.split(name[:NAME_LENGTH]) if part.strip()]
    if len(parts) > 1 and all(map(listing.find_by_name, parts)):
        return f"Did you mean {shortened(f' {SEPARATOR} '.join(parts))!r}?"
    if nearest := listing.nearest(name):
        names = [resource.name for resource in nearest]
        choices = [
            f"{name!r}" if names.count(name) == 1 else f"{name!r} ({resource.id})"
            for name, resource in zip(names, nearest, strict=True)
        ]
        return f"Did you mean {' or '.join(choices)}?"
    if listing.resources:
        resources = listing.resources
        names = [repr(resource.name) for resource in resources[:SHOWN]]
        return (
            f"There {'is' if len(resources) == 1 else 'are'}: {join_first(names, len(resources))}."
        )
    if parent is None:
        return "There are none."
    return "It has none." if parent.name else "It has none; is its id right?"


def contradiction_message(
    resource_type: ResourceType, resources: Sequence[CatalogueResource], stated_names: str
) -> str:
    """The message for an id cell whose resources are not those that the name cell states."""
    names = join_first([resource.name or resource.id for resource in resources])
    stated = shortened(stated_names)
    return f"is of {names}, but {resource_type.name} says {stated!r}. Clear one of them."


def _no_template_message(conditions: Sequence[tuple[str, str]], listing: Listing) -> str:
    """The message for a filter that no template matches, with the values there are instead."""
    filter_text = "; ".join(f"{key}={condition}" for key, condition in conditions)
    for key, condition in conditions:
        if not listing.with_value(key, condition):
            values = listing.distinct_values(key)
            return (
                f"No completed design template has {key}={shortened(condition)}. There are: "
                f"{join_first(values) if values else 'nothing'}."
            )
    combinations = listing.distinct_combinations(FILTER_KEYS)
    return (
        f"No completed design template has {shortened(filter_text)}. "
        f"There are: {join_first(combinations)}."
    )


def join_first(values: Sequence[str], count: int = 0) -> str:
    """The first `SHOWN` values in a row, and how many more there are, for a message.

    Args:
        values: The values.
        count: How many there are in all, if `values` are only the first of them; else 0.
    """
    count = count or len(values)
    more = f" and {count - SHOWN} more" if count > SHOWN else ""
    return ", ".join(shortened(value) for value in values[:SHOWN]) + more


def _plural(resource_type: ResourceType) -> str:
    """What several resources of a type are called in a sentence."""
    return f"{resource_type.thing}s"
