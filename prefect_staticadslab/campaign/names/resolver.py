"""From what a row says to the ads that it means, given what the API has. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from prefect_staticadslab.api.resources import CatalogueResource
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.names import suggestions as candidates
from prefect_staticadslab.campaign.names.cell_syntax import (
    ByFilter,
    ById,
    ByName,
    Everything,
    Selector,
    Value,
    parts_of,
)
from prefect_staticadslab.campaign.names.listings import (
    AUDIENCE,
    BRAND,
    PRODUCT,
    TEMPLATE,
    VARIANT,
    Catalogue,
    Chosen,
    Listing,
    ListKey,
    ResourceType,
    folded,
)
from prefect_staticadslab.campaign.names.prompt_templates import PromptTemplate

MOST_ADS: Final = 50_000
"""More than that from one spreadsheet with `*` and `|` is a mistake."""


@dataclass(frozen=True)
class BriefLine:
    """What one row of a spreadsheet asks for.

    Attributes:
        number: The row's number as a spreadsheet program shows it.
        selectors: What it says of each kind that the spreadsheet has a column for.
        prompt: Its prompt, if that is to be filled in.
    """

    number: int
    selectors: Mapping[ResourceType, Selector]
    prompt: PromptTemplate | None = None

    @cached_property
    def named(self) -> frozenset[ResourceType]:
        """The kinds whose names the prompt needs."""
        columns = self.prompt.columns if self.prompt else ()
        return frozenset(
            kind for kind in self.selectors if kind is not TEMPLATE and kind.name in columns
        )


Combination = Mapping[ResourceType, Chosen | None]
"""What one ad is made of."""


@dataclass(frozen=True)
class _Branch:
    brand: Chosen
    product: Chosen
    variants: tuple[Chosen | None, ...]
    audiences: tuple[Chosen | None, ...]


@dataclass(frozen=True)
class RowAds:
    """The ads that one row makes: every combination of what it asks for."""

    templates: tuple[Chosen | None, ...] = ()
    branches: tuple[_Branch, ...] = ()

    def __len__(self) -> int:
        pairs = sum(len(branch.variants) * len(branch.audiences) for branch in self.branches)
        return pairs * len(self.templates)

    def __iter__(self) -> Iterator[Combination]:
        for branch in self.branches:
            for variant in branch.variants:
                for audience in branch.audiences:
                    for template in self.templates:
                        yield {
                            BRAND: branch.brand,
                            PRODUCT: branch.product,
                            VARIANT: variant,
                            AUDIENCE: audience,
                            TEMPLATE: template,
                        }


@dataclass
class Resolver:
    """Looks up what rows say in a catalogue, and notes what is wrong and what is missing.

    Attributes:
        catalogue: What the API has, as far as it was read.
        rows: How many rows the spreadsheet has.
        checks: Whether names beside ids are checked.
        wanted: Lists that are not in the catalogue, with whether it cannot do without.
        problems: What is wrong, in the order in which rows were asked for.
    """

    catalogue: Catalogue
    rows: int
    checks: bool = True
    wanted: dict[ListKey, bool] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._known: dict[
            tuple[Selector, ListKey, bool], tuple[tuple[Chosen | None, ...], list[str]]
        ] = {}
        self._ads = 0

    def ads(self, line: BriefLine) -> RowAds:
        """The ads that a row makes, as far as that can be said.

        Raises:
            SpreadsheetError: The rows up to this one make more ads than a campaign may have.
        """
        templates = self.choose(line, TEMPLATE, None)
        branches = tuple(
            _Branch(
                brand,
                product,
                self.choose(line, VARIANT, product),
                self.choose(line, AUDIENCE, product),
            )
            for brand in self.choose(line, BRAND, None)
            if brand is not None
            for product in self.choose(line, PRODUCT, brand)
            if product is not None
        )
        made = RowAds(templates, branches)
        self._ads += max(len(made), len(branches))
        if self._ads > max(MOST_ADS, self.rows):
            raise SpreadsheetError(
                [
                    Problem(
                        f"With this row the spreadsheet makes {self._ads:,} ads, and a campaign "
                        f"has {MOST_ADS:,} at most. Take out a *, or split the spreadsheet.",
                        line.number,
                    )
                ]
            )
        return made

    def choose(
        self, line: BriefLine, kind: ResourceType, parent: Chosen | None
    ) -> tuple[Chosen | None, ...]:
        """What a row means of one kind, as far as that can be said.

        Args:
            line: The row.
            kind: Of which kind.
            parent: What it belongs to; None if it belongs to nothing, or that is not told.

        Returns:
            Just None if the row says nothing of it; nothing, if that is wrong, or not read yet.
        """
        selector = line.selectors.get(kind)
        if selector is None or not selector.values:
            return (None,)
        key = ListKey(kind, parent.id if parent else "")
        needed = selector.needs_list or kind in line.named
        known = self._known.get((selector, key, needed))
        if known is None:
            known = self._look_up(selector, key, parent, needed=needed)
            self._known[selector, key, needed] = known
        chosen, messages = known
        self.problems += [Problem(message, line.number, selector.column) for message in messages]
        return chosen

    def _look_up(
        self, selector: Selector, key: ListKey, parent: Chosen | None, *, needed: bool
    ) -> tuple[tuple[Chosen | None, ...], list[str]]:
        checked = bool(selector.claim) and self.checks and key.kind not in self.catalogue.unreadable
        listing = self.catalogue.lists.get(key)
        if needed or checked:
            if listing is not None:
                return _picked(selector, key.kind, listing, parent)
            self.wanted[key] = self.wanted.get(key, False) or needed
        if needed:
            return (), []
        ids = dict.fromkeys(value.id for value in selector.values if isinstance(value, ById))
        return tuple(Chosen(identifier) for identifier in ids), []


def _picked(
    selector: Selector, kind: ResourceType, listing: Listing, parent: Chosen | None
) -> tuple[tuple[Chosen | None, ...], list[str]]:
    """What a selector means among all that there is, each once; and what is wrong with it."""
    values = selector.values
    if len(values) > 1 and selector.whole and listing.called(selector.whole):
        values = (ByName(selector.whole),)
    found: dict[str, Chosen | None] = {}
    messages: list[str] = []
    for value in values:
        matches = _matches(value, listing)
        if isinstance(value, ByName) and len(matches) > 1:
            messages.append(candidates.ambiguous(kind, value, matches))
        elif matches:
            found.update((match.id, Chosen(match.id, match.name)) for match in matches)
        elif kind is VARIANT and isinstance(value, Everything):
            found[""] = None
        elif kind is TEMPLATE and isinstance(value, ById):
            # The list has only those that are completed; the others are told of by their status.
            found[value.id] = Chosen(value.id)
        else:
            messages.append(candidates.nothing(kind, value, listing, parent))
    meant = [listing.by_id[identifier] for identifier in found if identifier in listing.by_id]
    if selector.claim and meant and not messages and not _fits(selector.claim, meant):
        messages.append(candidates.contradiction(kind, meant, selector.claim))
    return tuple(found.values()), messages


def _matches(value: Value, listing: Listing) -> Sequence[CatalogueResource]:
    match value:
        case ByName(name):
            return listing.called(name)
        case ById(identifier):
            return [found for found in [listing.by_id.get(identifier)] if found]
        case ByFilter(conditions):
            having = [listing.having(key, wanted) for key, wanted in conditions]
            if not having:
                return listing.resources
            fitting = [{resource.id for resource in each} for each in having]
            return [r for r in min(having, key=len) if all(r.id in ids for ids in fitting)]
        case Everything():
            return listing.resources


def _fits(claim: str, meant: Sequence[CatalogueResource]) -> bool:
    """Whether names are those of these resources, no more and no fewer."""
    said = {folded(name) for name in parts_of(claim)}
    theirs = [{folded(resource.name), folded(resource.id)} for resource in meant]
    if len(meant) == 1 and folded(claim) in theirs[0]:
        return True
    return all(said & names for names in theirs) and said <= set().union(*theirs)
