"""What to say of a name, a filter or an id that means nothing, or too much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prefect_staticadslab.api.models import CatalogueResource
from prefect_staticadslab.campaign.catalogue import TEMPLATE, Kind, Listing, folded
from prefect_staticadslab.campaign.selectors import (
    FILTER_KEYS,
    ByFilter,
    ById,
    ByName,
    Everything,
    Value,
)
from prefect_staticadslab.campaign.sheet import shortened

LISTED = 8
"""How many there are is said of more."""


def ambiguous(kind: Kind, value: ByName, matches: Sequence[CatalogueResource]) -> str:
    """What to say of a name that several resources have."""
    ids = _listed([f"{match.id} ({match.name})" for match in matches])
    return (
        f"{len(matches)} {_plural(kind)} are called {shortened(value.name)!r}: {ids}. "
        f"Put the id of the one you mean here or into {kind.id_column}."
    )


def nothing(kind: Kind, value: Value, listing: Listing, parent: str) -> str:
    """What to say of a value that no resource matches.

    Args:
        kind: What was looked for.
        value: What it was to be.
        listing: All that there are.
        parent: What they belong to; "" for kinds that belong to nothing.
    """
    if isinstance(value, Everything):
        if kind is TEMPLATE:
            return "There are no completed design templates."
        return f"{parent} has no {_plural(kind)}."
    if isinstance(value, ByFilter):
        return _no_template(value, listing)
    of = f" of {parent}" if parent else ""
    if isinstance(value, ById):
        return f"There is no {kind.thing} {value.id}{of or ' in this organization'}."
    missing = f"There is no {kind.thing} {shortened(value.name)!r}{of}."
    if nearest := listing.nearest(value.name):
        names = [resource.name for resource in nearest]
        told = [
            f"{name!r}" if names.count(name) == 1 else f"{name!r} ({resource.id})"
            for name, resource in zip(names, nearest, strict=True)
        ]
        return f"{missing} Did you mean {' or '.join(told)}?"
    there_are = _listed(repr(resource.name) for resource in listing.resources)
    return f"{missing} There {'are: ' + there_are if there_are else 'are none'}."


def contradiction(kind: Kind, meant: Sequence[CatalogueResource], claim: str) -> str:
    """What to say of names that are not those of the ids beside them."""
    names = _listed(resource.name or resource.id for resource in meant)
    return (
        f"{kind.id_column} is of {names}, but {kind.name} says {shortened(claim)!r}. "
        "Clear one of them."
    )


def _no_template(value: ByFilter, listing: Listing) -> str:
    wanted = "; ".join(f"{key}={wanted}" for key, wanted in value.conditions)
    for key, condition in value.conditions:
        values = sorted({str(v) for r in listing.resources if (v := getattr(r, key))})
        if folded(condition) not in map(folded, values):
            return f"No completed design template has {key}={condition}. There is: " + (
                f"{_listed(values)}." if values else "nothing."
            )
    kinds = {
        " ".join(str(getattr(r, key) or "–") for key in FILTER_KEYS) for r in listing.resources
    }
    return f"No completed design template has {wanted}. There is: {_listed(sorted(kinds))}."


def _listed(values: Iterable[str]) -> str:
    given = list(values)
    more = f" and {len(given) - LISTED} more" if len(given) > LISTED else ""
    return ", ".join(given[:LISTED]) + more


def _plural(kind: Kind) -> str:
    return f"{kind.thing}s"
