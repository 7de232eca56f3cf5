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

_LISTED: Final = re.compile(r"[,;\n\r\t、，；]")
"""What people put between values; ours is `|`."""

LISTED: Final = 8
"""Of more than so many, the rest is counted."""


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
        resource_type: What was looked for.
        value: What it was to be.
        listing: All that there are.
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
            return f"{missing} {_suggestion(name, listing, parent)}"


def _suggestion(name: str, listing: Listing, parent: ChosenResource | None) -> str:
    """The names that are listed; else the most similar ones; else the first that there are."""
    parts = [part.strip() for part in _LISTED.split(name[:NAME_LENGTH]) if part.strip()]
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
        names = [repr(resource.name) for resource in resources[:LISTED]]
        return (
            f"There {'is' if len(resources) == 1 else 'are'}: {join_first(names, len(resources))}."
        )
    if parent is None:
        return "There are none."
    return "It has none." if parent.name else "It has none; is its id right?"


def contradiction_message(
    resource_type: ResourceType, resources: Sequence[CatalogueResource], claim: str
) -> str:
    """The message for names that are not those of the ids beside them."""
    names = join_first([resource.name or resource.id for resource in resources])
    return f"is of {names}, but {resource_type.name} says {shortened(claim)!r}. Clear one of them."


def _no_template_message(conditions: Sequence[tuple[str, str]], listing: Listing) -> str:
    """The message for a filter that no template matches, with the values there are instead."""
    filter_text = "; ".join(f"{key}={condition}" for key, condition in conditions)
    for key, condition in conditions:
        if not listing.with_value(key, condition):
            values = listing.values(key)
            return (
                f"No completed design template has {key}={shortened(condition)}. There are: "
                f"{join_first(values) if values else 'nothing'}."
            )
    combinations = listing.combinations(FILTER_KEYS)
    return (
        f"No completed design template has {shortened(filter_text)}. "
        f"There are: {join_first(combinations)}."
    )


def join_first(values: Sequence[str], count: int = 0) -> str:
    """The first `LISTED` values, and how many more there are; `count` if `values` are not all."""
    count = count or len(values)
    more = f" and {count - LISTED} more" if count > LISTED else ""
    return ", ".join(shortened(value) for value in values[:LISTED]) + more


def _plural(resource_type: ResourceType) -> str:
    return f"{resource_type.thing}s"
