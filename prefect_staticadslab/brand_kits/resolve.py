"""Looks up the names in brand kits and checks their ids: from what people wrote to ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from prefect_staticadslab.api.client import StaticAdsLabClient
from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.api.models import Account
from prefect_staticadslab.api.resources import CatalogueResource, DesignTemplate
from prefect_staticadslab.brand_kits.kit import BrandKit, KitProblem, id_with_name
from prefect_staticadslab.brand_kits.kit_file import WrittenKit
from prefect_staticadslab.campaign.errors import Problem
from prefect_staticadslab.campaign.names.cell_syntax import FILTER_KEYS
from prefect_staticadslab.campaign.names.id_check import find_wrong_ids
from prefect_staticadslab.campaign.names.listings import Catalogue, ChosenResource, ListKey
from prefect_staticadslab.campaign.names.lookup import look_up
from prefect_staticadslab.campaign.names.resolver import BriefLine, Resolver
from prefect_staticadslab.campaign.preflight import no_answer
from prefect_staticadslab.campaign.rows.resource_types import KINDS, TEMPLATE, ResourceType

LISTED: Final = 5
"""Resources that a message names; the rest is counted."""


@dataclass(frozen=True)
class ResolvedKits:
    """Brand kits in ids, and the problems found while looking them up.

    Attributes:
        kits: In the order in which they were written.
        problems: What is wrong; if there is any, the kits must not be used.
        names: The names of the resources that were read, by id.
    """

    kits: tuple[BrandKit, ...] = ()
    problems: tuple[KitProblem, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


async def look_up_kits(
    client: StaticAdsLabClient, account: Account, kits: Sequence[WrittenKit]
) -> ResolvedKits:
    """Looks up the names in kits and checks their ids, with one API key.

    Args:
        client: The client of the key.
        account: The key's organization and scopes.
        kits: What was written.

    Raises:
        KeyRefusedError: The key lacks a scope, or the API did not answer.
    """
    written = WrittenKits(tuple(kits))
    catalogue = await look_up(client, written)
    resolved = written.resolve(catalogue)
    rows = [KitRow(number, kit) for number, kit in enumerate(resolved.kits)]
    try:
        wrong, _ = await find_wrong_ids(client, account, rows, catalogue)
    except StaticAdsLabError as error:
        raise no_answer(client, error) from error
    problems = {*resolved.problems, *written.kit_problems(wrong)}
    order = {kit.name: number for number, kit in enumerate(kits)}
    return replace(
        resolved, problems=tuple(sorted(problems, key=lambda p: (order[p.kit], p.field)))
    )


@dataclass(frozen=True)
class KitRow:
    """A kit as `find_wrong_ids` takes it: a row with a number and ids."""

    number: int
    request: BrandKit


@dataclass(frozen=True)
class WrittenKits:
    """Kits whose names are to be looked up. No I/O: it is given the catalogue."""

    kits: tuple[WrittenKit, ...]

    def missing_lists(self, catalogue: Catalogue, *, checks: bool = True) -> Mapping[ListKey, bool]:
        """The lists that must be read next; see `Brief.missing_lists`."""
        resolver = Resolver(catalogue, rows=len(self.kits), checks=checks)
        for line in self._lines():
            _choose(resolver, line)
        return resolver.missing_lists

    def resolve(self, catalogue: Catalogue) -> ResolvedKits:
        """The kits in ids, and what is wrong with their names. All missing lists must be read."""
        resolver = Resolver(catalogue, rows=len(self.kits))
        problems: list[Problem] = []
        kits = []
        for written, line in zip(self.kits, self._lines(), strict=True):
            chosen, ambiguities = _choose(resolver, line)
            problems += ambiguities
            kits.append(_kit_in_ids(written, chosen))
        names = {
            resource.id: _label(resource)
            for listing in catalogue.lists.values()
            for resource in listing.resources
        }
        return ResolvedKits(
            tuple(kits), tuple(self.kit_problems([*resolver.problems, *problems])), names
        )

    def kit_problems(self, problems: Sequence[Problem]) -> list[KitProblem]:
        """Turns problems of rows into problems of kits, by the kit's name and field."""
        kit_problems = []
        for problem in problems:
            kit = self.kits[problem.row or 0]
            column = problem.column or ""
            # A resource that was given by its name is in the field of the name, not of the id.
            by_name = {k.id_column: s.column for k, s in kit.selectors.items()}
            kit_problems.append(KitProblem(problem.message, kit.name, by_name.get(column, column)))
        return kit_problems

    def _lines(self) -> list[BriefLine]:
        return [BriefLine(number, kit.selectors) for number, kit in enumerate(self.kits)]


def _choose(
    resolver: Resolver, line: BriefLine
) -> tuple[dict[ResourceType, ChosenResource], list[Problem]]:
    """The resource of each type that a kit names, and a problem where several match."""
    chosen: dict[ResourceType, ChosenResource] = {}
    problems: list[Problem] = []
    parents = {kind.name: kind for kind in KINDS}
    for kind in KINDS:
        if kind not in line.selectors:
            continue
        parent = parents[kind.parent] if kind.parent else None
        needs_parent = parent in line.selectors or line.selectors[kind].needs_list
        if parent and parent not in chosen and needs_parent:
            continue  # the parent has a problem of its own, or its list is not read yet
        candidates = resolver.choose(line, kind, chosen.get(parent) if parent else None)
        if len(candidates) == 1 and candidates[0] is not None:
            chosen[kind] = candidates[0]
        elif len(candidates) > 1:
            message = _ambiguous_message(kind, [f for f in candidates if f], resolver.catalogue)
            problems.append(Problem(message, line.number, line.selectors[kind].column))
    return chosen, problems


def _ambiguous_message(
    kind: ResourceType, candidates: Sequence[ChosenResource], catalogue: Catalogue
) -> str:
    names = {candidate.id: candidate.name for candidate in candidates}
    if kind is TEMPLATE:
        templates = [catalogue.find(kind, candidate.id) for candidate in candidates]
        names = {template.id: _label(template) for template in templates if template}
    listed = ", ".join(id_with_name(identifier, names) for identifier in list(names)[:LISTED])
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    thing = "completed design template" if kind is TEMPLATE else kind.thing
    return (
        f"fits {len(names)} {thing}s, and a brand kit has one: {listed}{more}. "
        "Put the id of the one you mean here."
    )


def _kit_in_ids(written: WrittenKit, chosen: Mapping[ResourceType, ChosenResource]) -> BrandKit:
    """The kit with the chosen resources' ids; "" where it chose none."""
    ids = {kind.id_column: resource.id for kind, resource in chosen.items()}
    return BrandKit(
        name=written.name,
        credentials=written.credentials,
        design_template_id=ids.get("design_template_id", ""),
        brand_id=ids.get("brand_id", ""),
        product_id=ids.get("product_id", ""),
        audience_id=ids.get("audience_id", ""),
        product_variant_id=ids.get("product_variant_id", ""),
        prompt=written.prompt,
        editable=bool(written.editable),
        generate_ai_images=written.generate_ai_images,
        generate_copy=written.generate_copy,
    )


def _label(resource: CatalogueResource) -> str:
    if isinstance(resource, DesignTemplate):
        # It has no name, and an id says nothing to people.
        return " ".join(filter(None, (getattr(resource, key) for key in FILTER_KEYS)))
    return resource.name
