"""What to say of a name, a filter or an id that means nothing, or too much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from prefect_staticadslab.api.resources import CatalogueResource
from prefect_staticadslab.campaign.files.cells import shortened
from prefect_staticadslab.campaign.names.cell_syntax import (
    FILTER_KEYS,
    ByFilter,
    ById,
    ByName,
    Everything,
    Value,
)
from prefect_staticadslab.campaign.names.listings import TEMPLATE, Chosen, Listing, ResourceType

LISTED: Final = 8
"""Of more than so many, the rest is counted."""


def ambiguous(kind: ResourceType, value: ByName, matches: Sequence[CatalogueResource]) -> str:
    """What to say of a name that several resources have."""
    ids = _listed([f"{match.id} ({match.name})" for match in matches])
    return (
        f"{len(matches)} {_plural(kind)} are called {shortened(value.name)!r}: {ids}. "
        f"Put the id of the one you mean here or into {kind.id_column}."
    )


def nothing(kind: ResourceType, value: Value, listing: Listing, parent: Chosen | None) -> str:
    """What to say of a value that no resource matches.

    Args:
        kind: What was looked for.
        value: What it was to be.
        listing: All that there are.
        parent: What they belong to; None for kinds that belong to nothing.
    """
    of = f" of {parent}" if parent else ""
    match value:
        case Everything() if kind is TEMPLATE:
            return "There are no completed design templates."
        case Everything():
            return f"{parent} has no {_plural(kind)}."
        case ByFilter(conditions):
            return _no_template(conditions, listing)
        case ById(identifier):
            named = shortened(identifier)
            return f"There is no {kind.thing} {named}{of or ' in this organization'}."
        case ByName(name):
            missing = f"There is no {kind.thing} {shortened(name)!r}{of}."
            return f"{missing} {_instead_of(name, listing, parent)}"


def _instead_of(name: str, listing: Listing, parent: Chosen | None) -> str:
    if nearest := listing.nearest(name):
        names = [resource.name for resource in nearest]
        told = [
            f"{name!r}" if names.count(name) == 1 else f"{name!r} ({resource.id})"
            for name, resource in zip(names, nearest, strict=True)
        ]
        return f"Did you mean {' or '.join(told)}?"
    if listing.resources:
        given = listing.resources
        names = [repr(resource.name) for resource in given[:LISTED]]
        return f"There {'is' if len(given) == 1 else 'are'}: {_listed(names, len(given))}."
    if parent is None:
        return "There are none."
    return "It has none." if parent.name else "It has none; is its id right?"


def contradiction(kind: ResourceType, meant: Sequence[CatalogueResource], claim: str) -> str:
    """What to say of names that are not those of the ids beside them."""
    names = _listed([resource.name or resource.id for resource in meant])
    return f"is of {names}, but {kind.name} says {shortened(claim)!r}. Clear one of them."


def _no_template(conditions: Sequence[tuple[str, str]], listing: Listing) -> str:
    wanted = "; ".join(f"{key}={condition}" for key, condition in conditions)
    for key, condition in conditions:
        if not listing.having(key, condition):
            values = listing.values(key)
            return (
                f"No completed design template has {key}={shortened(condition)}. There are: "
                f"{_listed(values) if values else 'nothing'}."
            )
    kinds = listing.combinations(FILTER_KEYS)
    return f"No completed design template has {shortened(wanted)}. There are: {_listed(kinds)}."


def _listed(values: Sequence[str], count: int = 0) -> str:
    """The first of some values; `count` of them, if these are not all."""
    count = count or len(values)
    more = f" and {count - LISTED} more" if count > LISTED else ""
    return ", ".join(shortened(value) for value in values[:LISTED]) + more


def _plural(kind: ResourceType) -> str:
    return f"{kind.thing}s"
