"""Looks up the names in brand kits and checks their ids: from what people wrote to ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from prefect_staticadslab.api.client import StaticAdsLabClient
from prefect_staticadslab.api.models import Account
from prefect_staticadslab.api.resources import CatalogueResource, DesignTemplate
from prefect_staticadslab.brand_kits.kit import BrandKit, id_with_name
from prefect_staticadslab.brand_kits.kit_file import WrittenKit
from prefect_staticadslab.campaign.errors import Problem
from prefect_staticadslab.campaign.names.cell_syntax import FILTER_KEYS
from prefect_staticadslab.campaign.names.id_check import look_up_ids
from prefect_staticadslab.campaign.names.listings import Catalogue, ChosenResource, ListKey
from prefect_staticadslab.campaign.names.lookup import look_up
from prefect_staticadslab.campaign.names.preflight import translate_api_errors
from prefect_staticadslab.campaign.names.resolver import BriefLine, Resolver
from prefect_staticadslab.campaign.names.suggestions import join_first
from prefect_staticadslab.campaign.rows.ad_defaults import AdDefaults
from prefect_staticadslab.campaign.rows.resource_types import RESOURCE_TYPES, TEMPLATE, ResourceType


@dataclass(frozen=True)
class ResolvedKits:
    """Brand kits in ids, and the problems found while looking them up.

    Attributes:
        kits: In the order in which they were written.
        problems: What is wrong; if there is any, the kits must not be used. A row is a kit.
        names: The names of the resources that were read, by id.
    """

    kits: tuple[BrandKit, ...] = ()
    problems: tuple[Problem, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


async def look_up_kits(
    client: StaticAdsLabClient, account: Account, kits: Sequence[WrittenKit]
) -> ResolvedKits:
    """Looks up the names in kits and checks their ids, through the API and with one key.

    Args:
        client: The client of the key.
        account: The key's organization and scopes.
        kits: The kits as they were written.

    Returns:
        The kits in ids, and every problem with a name or an id.

    Raises:
        KeyRefusedError: The key lacks a scope, or the API did not answer.
    """
    written = WrittenKits(tuple(kits))
    catalogue = await look_up(client, written)
    resolved = written.resolve(catalogue)
    rows = [KitRow(each.line.number, kit.ad) for each, kit in zip(kits, resolved.kits, strict=True)]
    with translate_api_errors(client):
        wrong_ids = (await look_up_ids(client, account, rows, catalogue)).problems
    # A resource that was given by its name is in the field of the name, not of the id.
    written_as = {
        (each.line.number, kind.id_column): selector.column
        for each in kits
        for kind, selector in each.line.selectors.items()
    }
    wrong = [
        replace(p, column=written_as.get((p.row or 0, p.column or ""), p.column)) for p in wrong_ids
    ]
    return replace(resolved, problems=(*resolved.problems, *wrong))


@dataclass(frozen=True)
class KitRow:
    """A kit as `look_up_ids` takes it, in place of a spreadsheet's row.

    Attributes:
        number: The kit's number in its file, from 1.
        request: The kit's ids.
    """

    number: int
    request: AdDefaults


@dataclass(frozen=True)
class WrittenKits:
    """Kits as `look_up` takes them, to read the lists that their names need. No I/O of its own."""

    kits: tuple[WrittenKit, ...]

    def missing_lists(self, catalogue: Catalogue, *, checks: bool = True) -> Mapping[ListKey, bool]:
        """The lists of the catalogue that must be read next; see `Brief.missing_lists`."""
        resolver = Resolver(catalogue, rows=len(self.kits), checks=checks)
        for written in self.kits:
            _choose_resources(resolver, written.line)
        return resolver.missing_lists

    def resolve(self, catalogue: Catalogue) -> ResolvedKits:
        """The kits in ids, and what is wrong with their names. All missing lists must be read."""
        resolver = Resolver(catalogue, rows=len(self.kits))
        kits = []
        for written in self.kits:
            ids = {k.id_column: r.id for k, r in _choose_resources(resolver, written.line).items()}
            kits.append(replace(written.kit, ad=written.kit.ad.model_copy(update=ids)))
        names = {
            resource.id: _resource_label(resource)
            for listing in catalogue.lists.values()
            for resource in listing.resources
        }
        return ResolvedKits(tuple(kits), tuple(resolver.problems), names)


def _choose_resources(resolver: Resolver, line: BriefLine) -> dict[ResourceType, ChosenResource]:
    """The resource of each type that a kit names, as far as the lists that were read tell.

    Adds a problem to the resolver's where none matches, or several do.
    """
    chosen: dict[ResourceType, ChosenResource] = {}
    parents = {kind.name: kind for kind in RESOURCE_TYPES}
    for kind in RESOURCE_TYPES:
        if kind not in line.selectors:
            continue
        parent = parents.get(kind.parent)
        needs_parent = parent in line.selectors or line.selectors[kind].needs_list
        if parent and parent not in chosen and needs_parent:
            continue  # the parent has a problem of its own, or its list is not read yet
        candidates = resolver.choose(line, kind, chosen.get(parent) if parent else None)
        if len(candidates) == 1 and candidates[0] is not None:
            chosen[kind] = candidates[0]
        elif len(candidates) > 1:
            message = _ambiguous_message(kind, [c for c in candidates if c], resolver.catalogue)
            resolver.problems.append(Problem(message, line.number, line.selectors[kind].column))
    return chosen


def _ambiguous_message(
    kind: ResourceType, candidates: Sequence[ChosenResource], catalogue: Catalogue
) -> str:
    """What is wrong with a name or filter that several resources match; lists the first of them."""
    resources = [catalogue.find(kind, candidate.id) for candidate in candidates]
    names = {resource.id: _resource_label(resource) for resource in resources if resource}
    listed = join_first([id_with_name(candidate.id, names) for candidate in candidates])
    thing = "completed design template" if kind is TEMPLATE else kind.thing
    return (
        f"fits {len(candidates)} {thing}s, and a brand kit has one: {listed}. "
        "Put the id of the one you mean here."
    )


def _resource_label(resource: CatalogueResource) -> str:
    """What people call a resource: its name, or what a design template looks like."""
    if isinstance(resource, DesignTemplate):
        # It has no name, and an id says nothing to people.
        return " ".join(filter(None, (getattr(resource, key) for key in FILTER_KEYS)))
    return resource.name
