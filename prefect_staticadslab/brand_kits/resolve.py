"""Looks up what brand kits name, and checks the ids: from what people wrote to what is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from prefect_staticadslab.api.client import StaticAdsLabClient
from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.api.models import Account
from prefect_staticadslab.api.resources import CatalogueResource, DesignTemplate
from prefect_staticadslab.brand_kits.kit import BrandKit, KitProblem, described
from prefect_staticadslab.brand_kits.kit_file import WrittenKit
from prefect_staticadslab.campaign.errors import Problem
from prefect_staticadslab.campaign.names.cell_syntax import FILTER_KEYS
from prefect_staticadslab.campaign.names.id_check import find_wrong_ids
from prefect_staticadslab.campaign.names.listings import (
    KINDS,
    TEMPLATE,
    Catalogue,
    Chosen,
    ListKey,
    ResourceType,
)
from prefect_staticadslab.campaign.names.lookup import look_up
from prefect_staticadslab.campaign.names.resolver import BriefLine, Resolver
from prefect_staticadslab.campaign.preflight import no_answer

LISTED: Final = 5
"""Of more than so many, the rest is counted."""


@dataclass(frozen=True)
class LookedUp:
    """What brand kits are, in ids.

    Attributes:
        kits: In the order in which they were written.
        problems: What is wrong with them; then the kits are not to be used.
        names: The names of the ids, as far as they were read.
    """

    kits: tuple[BrandKit, ...] = ()
    problems: tuple[KitProblem, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


async def look_up_kits(
    client: StaticAdsLabClient, account: Account, kits: Sequence[WrittenKit]
) -> LookedUp:
    """Looks up kits, with a key that may see what they name.

    Args:
        client: Whom to ask.
        account: Whose key it is.
        kits: What was written.

    Raises:
        KeyRefusedError: The key lacks a scope, or the API did not answer.
    """
    written = WrittenKits(tuple(kits))
    catalogue = await look_up(client, written)
    found = written.resolve(catalogue)
    rows = [KitRow(number, kit) for number, kit in enumerate(found.kits)]
    try:
        wrong, _ = await find_wrong_ids(client, account, rows, catalogue)
    except StaticAdsLabError as error:
        raise no_answer(client, error) from error
    problems = {*found.problems, *written.in_file(wrong)}
    order = {kit.name: number for number, kit in enumerate(kits)}
    return replace(found, problems=tuple(sorted(problems, key=lambda p: (order[p.kit], p.field))))


@dataclass(frozen=True)
class KitRow:
    """A kit as a row whose ids are checked."""

    number: int
    request: BrandKit


@dataclass(frozen=True)
class WrittenKits:
    """Kits that are to be looked up. Pure: what there is, it is told."""

    kits: tuple[WrittenKit, ...]

    def wanted(self, catalogue: Catalogue, *, checks: bool = True) -> Mapping[ListKey, bool]:
        """The lists that are to be read next, with whether it makes no sense without them."""
        resolver = Resolver(catalogue, rows=len(self.kits), checks=checks)
        for line in self._lines():
            _choose(resolver, line)
        return resolver.wanted

    def resolve(self, catalogue: Catalogue) -> LookedUp:
        """The kits in ids, and what is wrong with the names, given all lists that are wanted."""
        resolver = Resolver(catalogue, rows=len(self.kits))
        problems: list[Problem] = []
        kits = []
        for written, line in zip(self.kits, self._lines(), strict=True):
            chosen, several = _choose(resolver, line)
            problems += several
            kits.append(_in_ids(written, chosen))
        names = {
            resource.id: _name(resource)
            for listing in catalogue.lists.values()
            for resource in listing.resources
        }
        return LookedUp(tuple(kits), tuple(self.in_file([*resolver.problems, *problems])), names)

    def in_file(self, problems: Sequence[Problem]) -> list[KitProblem]:
        """Problems of lines as those of kits."""
        told = []
        for problem in problems:
            kit = self.kits[problem.row or 0]
            column = problem.column or ""
            # What was looked up by its name is told of by that.
            by_name = {k.id_column: s.column for k, s in kit.selectors.items()}
            told.append(KitProblem(problem.message, kit.name, by_name.get(column, column)))
        return told

    def _lines(self) -> list[BriefLine]:
        return [BriefLine(number, kit.selectors) for number, kit in enumerate(self.kits)]


def _choose(
    resolver: Resolver, line: BriefLine
) -> tuple[dict[ResourceType, Chosen], list[Problem]]:
    """What a kit means of each kind, as far as that can be said, and where that is too much."""
    chosen: dict[ResourceType, Chosen] = {}
    problems: list[Problem] = []
    parents = {kind.name: kind for kind in KINDS}
    for kind in KINDS:
        if kind not in line.selectors:
            continue
        parent = parents[kind.parent] if kind.parent else None
        needs_parent = parent in line.selectors or line.selectors[kind].needs_list
        if parent and parent not in chosen and needs_parent:
            continue  # what is wrong with the parent is told; or it is not known yet
        found = resolver.choose(line, kind, chosen.get(parent) if parent else None)
        if len(found) == 1 and found[0] is not None:
            chosen[kind] = found[0]
        elif len(found) > 1:
            message = _several(kind, [f for f in found if f], resolver.catalogue)
            problems.append(Problem(message, line.number, line.selectors[kind].column))
    return chosen, problems


def _several(kind: ResourceType, found: Sequence[Chosen], catalogue: Catalogue) -> str:
    names = {f.id: f.name for f in found}
    if kind is TEMPLATE:
        templates = [catalogue.find(kind, f.id) for f in found]
        names = {template.id: _name(template) for template in templates if template}
    listed = ", ".join(described(identifier, names) for identifier in list(names)[:LISTED])
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    what = "completed design template" if kind is TEMPLATE else kind.thing
    return (
        f"fits {len(names)} {what}s, and a brand kit has one: {listed}{more}. "
        "Put the id of the one you mean here."
    )


def _in_ids(written: WrittenKit, chosen: Mapping[ResourceType, Chosen]) -> BrandKit:
    ids = {kind.id_column: found.id for kind, found in chosen.items()}
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


def _name(resource: CatalogueResource) -> str:
    if isinstance(resource, DesignTemplate):
        # It has no name, and an id says nothing to people.
        return " ".join(filter(None, (getattr(resource, key) for key in FILTER_KEYS)))
    return resource.name
