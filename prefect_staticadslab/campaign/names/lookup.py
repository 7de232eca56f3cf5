"""Reads what a brief needs of the API's catalogue: list by list, and no list more than that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from prefect_staticadslab.api.errors import PermissionDeniedError
from prefect_staticadslab.api.models import PAGE_SIZE
from prefect_staticadslab.api.resources import CatalogueResource, DesignTemplate
from prefect_staticadslab.campaign.names.listings import NOTHING_READ, Catalogue, Listing, ListKey
from prefect_staticadslab.campaign.names.preflight import KeyRefusedError, translate_api_errors
from prefect_staticadslab.campaign.rows.resource_types import ResourceType

if TYPE_CHECKING:
    from prefect_staticadslab.api.client import StaticAdsLabClient

FEW_PARENTS: Final = 10
"""The products of up to so many brands are asked for brand by brand; those of more brands in one
list of all products. Likewise the audiences and variants of products."""


class ResourceNames(Protocol):
    """Something with names of resources to look up: a brief, or brand kits."""

    def missing_lists(self, catalogue: Catalogue, *, checks: bool = True) -> Mapping[ListKey, bool]:
        """Each list that is to be read next, and whether it is needed (True), or only checks names
        that stand beside ids; see `Brief.missing_lists`."""


async def look_up(
    client: StaticAdsLabClient,
    brief: ResourceNames,
    *,
    checks: bool = True,
    known: Catalogue = NOTHING_READ,
) -> Catalogue:
    """Reads the lists that a brief's names, filters and placeholders are looked up in.

    Brands first, then the products of those that are meant, then what belongs to these. A brief
    that says everything in ids costs no request.

    Args:
        client: Whom to ask.
        brief: What was read of the spreadsheet, or whatever else names resources.
        checks: Whether names that stand beside their ids are to be checked. Types that the key may
            not read are left unchecked.
        known: What was read before, and is not asked for again.

    Returns:
        The lists of `known` and those that were read, and the types that the key may not read.

    Raises:
        KeyRefusedError: The key is not accepted or lacks a scope, or the API is out of reach.
        SpreadsheetError: The brief makes more ads than a campaign may have.

    Example:
        ```python
        import asyncio
        import os

        from prefect_staticadslab import StaticAdsLabClient
        from prefect_staticadslab.campaign.names.brief import Brief
        from prefect_staticadslab.campaign.names.expand import expand
        from prefect_staticadslab.campaign.names.lookup import look_up

        async def main():
            brief = Brief.open("examples/names.csv")
            async with StaticAdsLabClient(
                os.environ["SAL_API_KEY"], os.environ["SAL_BASE_URL"]
            ) as client:
                table = expand(brief, await look_up(client, brief))
            print(table.frame[["brand", "brand_id"]])

        asyncio.run(main())
        ```
    """
    lists: dict[ListKey, Listing] = dict(known.lists)
    unreadable: set[ResourceType] = set(known.unreadable)
    with translate_api_errors(client):
        while missing := brief.missing_lists(
            Catalogue(lists, frozenset(unreadable)), checks=checks
        ):
            resource_type = next(iter(missing)).resource_type
            keys = [key for key in missing if key.resource_type == resource_type]
            try:
                lists |= await _read_lists(client, resource_type, [key.parent for key in keys])
            except PermissionDeniedError as error:
                if any(missing[key] for key in keys) or resource_type in unreadable:
                    raise KeyRefusedError(
                        f"The key lacks the scope {resource_type.scope}, which looking up "
                        f"{resource_type.thing}s by name takes: {error}. Give it that "
                        "in the Static Ads Lab dashboard, "
                        f"or put ids into {resource_type.id_column}."
                    ) from error
                unreadable.add(resource_type)
    return Catalogue(lists, frozenset(unreadable))


async def _read_lists(
    client: StaticAdsLabClient, resource_type: ResourceType, parents: Sequence[str]
) -> dict[ListKey, Listing]:
    """Reads the lists of a type, one for each parent; of templates, only those that are completed.

    Of many parents all resources of the type may be read instead; then the lists of other parents
    are returned, too.
    """
    if resource_type.resource is DesignTemplate:
        templates = [t async for t in client.list_resources(DesignTemplate, status="completed")]
        return {
            ListKey(resource_type): Listing.without_repeats(
                t for t in templates if t.status == "completed"
            )
        }
    if not resource_type.parent:
        resources = [r async for r in client.list_resources(resource_type.resource)]
        return {ListKey(resource_type): Listing.without_repeats(resources)}
    if len(parents) > FEW_PARENTS and (
        by_parent := await _read_all_by_parent(client, resource_type, len(parents))
    ):
        return {
            ListKey(resource_type, parent): Listing.without_repeats(by_parent.get(parent, ()))
            for parent in {**by_parent, **dict.fromkeys(parents)}
        }
    lists = {}
    for parent in parents:
        listed = client.list_resources(
            resource_type.resource, **{resource_type.parent_column: parent}
        )
        lists[ListKey(resource_type, parent)] = Listing.without_repeats(
            [r async for r in listed if getattr(r, resource_type.parent_column) in (None, parent)]
        )
    return lists


async def _read_all_by_parent(
    client: StaticAdsLabClient, resource_type: ResourceType, most_pages: int
) -> dict[str, list[CatalogueResource]]:
    """Reads all resources of a type, by the ids of their parents; {} if that takes more pages."""
    by_parent: dict[str, list[CatalogueResource]] = {}
    count = 0
    async for resource in client.list_resources(resource_type.resource):
        if count == most_pages * PAGE_SIZE:
            return {}
        count += 1
        parent = getattr(resource, resource_type.parent_column)
        if parent is not None:
            by_parent.setdefault(parent, []).append(resource)
    return by_parent
