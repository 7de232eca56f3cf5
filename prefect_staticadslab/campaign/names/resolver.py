"""From what a row says to the ads that it means, given what the API has. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from prefect_staticadslab.api.resources import CatalogueResource
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.names import suggestions
from prefect_staticadslab.campaign.names.cell_syntax import (
    ByFilter,
    ById,
    ByName,
    Everything,
    Selector,
    Value,
    split_values,
)
from prefect_staticadslab.campaign.names.listings import (
    Catalogue,
    ChosenResource,
    Listing,
    ListKey,
    fold_name,
)
from prefect_staticadslab.campaign.names.prompt_templates import PromptTemplate
from prefect_staticadslab.campaign.rows.resource_types import (
    AUDIENCE,
    BRAND,
    PRODUCT,
    RESOURCE_TYPES,
    TEMPLATE,
    VARIANT,
    ResourceType,
)

MOST_ADS: Final = 50_000
"""More than that from one spreadsheet with `*` and `|` is a mistake."""


@dataclass(frozen=True)
class BriefLine:
    """What one row of a spreadsheet asks for.

    Attributes:
        number: The row's number as a spreadsheet program shows it.
        selectors: What it says of each type that the spreadsheet has a column for.
        prompt: Its prompt, if that is to be filled in.
    """

    number: int
    selectors: Mapping[ResourceType, Selector]
    prompt: PromptTemplate | None = None

    @cached_property
    def types_named_in_prompt(self) -> frozenset[ResourceType]:
        """The types of resources whose names are filled into the prompt."""
        columns = self.prompt.columns if self.prompt else ()
        return frozenset(
            resource_type
            for resource_type in self.selectors
            if resource_type is not TEMPLATE and resource_type.name in columns
        )


Combination = Mapping[ResourceType, ChosenResource | None]
"""What one ad is made of: the chosen resource of each type, None for an ad without one."""


@dataclass(frozen=True)
class _ProductChoices:
    """A product that a row asks for, its brand, and the variants and audiences to combine with it.

    None stands for no variant or no audience.
    """

    brand: ChosenResource
    product: ChosenResource
    variants: tuple[ChosenResource | None, ...]
    audiences: tuple[ChosenResource | None, ...]


@dataclass(frozen=True)
class RowAds:
    """The ads that one row makes: every combination of what it asks for.

    Attributes:
        templates: The design templates that it asks for.
        products: The products that it asks for, each with what can be combined with it.
    """

    templates: tuple[ChosenResource | None, ...] = ()
    products: tuple[_ProductChoices, ...] = ()

    def __len__(self) -> int:
        """How many ads these are."""
        pairs = sum(len(each.variants) * len(each.audiences) for each in self.products)
        return pairs * len(self.templates)

    def __iter__(self) -> Iterator[Combination]:
        """What each ad is made of: every variant of a product with every audience of it and every
        template."""
        for choices in self.products:
            for variant in choices.variants:
                for audience in choices.audiences:
                    for template in self.templates:
                        yield {
                            BRAND: choices.brand,
                            PRODUCT: choices.product,
                            VARIANT: variant,
                            AUDIENCE: audience,
                            TEMPLATE: template,
                        }


def empty_placeholder_problems(
    line: BriefLine, values: Mapping[str, str], ad: Combination
) -> list[Problem]:
    """A problem for each placeholder that is filled in with an empty text for this ad.

    Args:
        line: What the ad's row asks for.
        values: The value of each column that the prompt's placeholders name.
        ad: What the ad is made of.
    """
    types_by_column = {
        name: resource_type for resource_type in RESOURCE_TYPES for name in resource_type.columns
    }
    problems = []
    for column, value in values.items():
        if value:
            continue
        message = f"{{{column}}} stands for nothing here."
        resource_type = types_by_column.get(column)
        if resource_type is not None and ad[resource_type] is None:
            parent = next(
                (str(ad[each]) for each in RESOURCE_TYPES if each.name == resource_type.parent), ""
            )
            message = (
                f"{{{column}}} stands for nothing: {parent} has no {resource_type.thing} in this "
                "row."
            )
        problems.append(Problem(message, line.number, "prompt"))
    return problems


@dataclass
class Resolver:
    """Looks up what rows ask for in a catalogue; collects problems, and the lists that are missing.

    Attributes:
        catalogue: What the API has, as far as it was read.
        rows: How many rows the spreadsheet has.
        checks: Whether names beside ids are checked.
        missing_lists: Lists that are not in the catalogue, each with whether it is needed: True if
            what a row asks for cannot be told without it, False if only names beside ids are
            checked with it.
        problems: What is wrong, in the order in which rows were resolved.
    """

    catalogue: Catalogue
    rows: int
    checks: bool = True
    missing_lists: dict[ListKey, bool] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._choices: dict[
            tuple[Selector, ListKey, bool], tuple[tuple[ChosenResource | None, ...], list[str]]
        ] = {}
        self._ad_count = 0

    def resolve_line(self, line: BriefLine) -> RowAds:
        """Finds the ads that a row makes, as far as the lists were read.

        Adds to `problems` and `missing_lists`, and counts the row's ads: call it once for a row.

        Raises:
            SpreadsheetError: The rows up to this one make more ads than a campaign may have.
        """
        templates = self.choose(line, TEMPLATE, None)
        products = tuple(
            _ProductChoices(
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
        row_ads = RowAds(templates, products)
        self._ad_count += max(len(row_ads), len(products))
        if self._ad_count > max(MOST_ADS, self.rows):
            raise SpreadsheetError(
                [
                    Problem(
                        f"With this row the spreadsheet makes {self._ad_count:,} ads, and a "
                        f"campaign has {MOST_ADS:,} at most. Take out a *, or split the "
                        "spreadsheet.",
                        line.number,
                    )
                ]
            )
        return row_ads

    def choose(
        self, line: BriefLine, resource_type: ResourceType, parent: ChosenResource | None
    ) -> tuple[ChosenResource | None, ...]:
        """Finds the resources of one type that a row asks for.

        Adds to `problems` and `missing_lists`.

        Args:
            line: The row.
            resource_type: The type.
            parent: What they belong to; None if they belong to nothing, or the row does not say.

        Returns:
            Each resource once; `(None,)` if the row asks for none; () if its cell is wrong, or the
            list is missing.
        """
        selector = line.selectors.get(resource_type)
        if selector is None or not selector.values:
            return (None,)
        key = ListKey(resource_type, parent.id if parent else "")
        needed = selector.needs_list or resource_type in line.types_named_in_prompt
        choice = self._choices.get((selector, key, needed))
        if choice is None:
            choice = self._look_up(selector, key, parent, needed=needed)
            self._choices[selector, key, needed] = choice
        chosen, messages = choice
        self.problems += [Problem(message, line.number, selector.column) for message in messages]
        return chosen

    def _look_up(
        self, selector: Selector, key: ListKey, parent: ChosenResource | None, *, needed: bool
    ) -> tuple[tuple[ChosenResource | None, ...], list[str]]:
        """Looks up what a selector asks for; adds its list to `missing_lists` if that is not read.

        Args:
            selector: What a row says of a type.
            key: The list to look in.
            parent: What the list's resources belong to, for messages.
            needed: Whether the list is needed also if the selector names only ids.

        Returns:
            The resources, as `choose` returns them, and what is wrong with the cell.
        """
        has_names_to_check = (
            bool(selector.stated_names)
            and self.checks
            and key.resource_type not in self.catalogue.unreadable
        )
        listing = self.catalogue.lists.get(key)
        if needed or has_names_to_check:
            if listing is not None:
                return _choose_from(selector, key.resource_type, listing, parent)
            self.missing_lists[key] = self.missing_lists.get(key, False) or needed
        if needed:
            return (), []
        ids = dict.fromkeys(value.id for value in selector.values if isinstance(value, ById))
        return tuple(ChosenResource(identifier) for identifier in ids), []


def _choose_from(
    selector: Selector, resource_type: ResourceType, listing: Listing, parent: ChosenResource | None
) -> tuple[tuple[ChosenResource | None, ...], list[str]]:
    """The resources of a list that a selector asks for, each once, and what is wrong with its cell.

    A None among the resources is an ad without a variant: `*` of a product that has no variants.
    """
    values = selector.values
    if len(values) > 1 and selector.whole and listing.find_by_name(selector.whole):
        values = (ByName(selector.whole),)
    chosen: dict[str, ChosenResource | None] = {}
    messages: list[str] = []
    for value in values:
        matches = _matches(value, listing)
        if isinstance(value, ByName) and len(matches) > 1:
            messages.append(suggestions.ambiguous_message(resource_type, value, matches))
        elif matches:
            chosen.update((match.id, ChosenResource(match.id, match.name)) for match in matches)
        elif resource_type is VARIANT and isinstance(value, Everything):
            chosen[""] = None
        elif resource_type is TEMPLATE and isinstance(value, ById):
            # The list has only those that are completed; the others are told of by their status.
            chosen[value.id] = ChosenResource(value.id)
        else:
            messages.append(suggestions.no_match_message(resource_type, value, listing, parent))
    resources = [listing.by_id[identifier] for identifier in chosen if identifier in listing.by_id]
    if (
        selector.stated_names
        and resources
        and not messages
        and not _names_agree(selector.stated_names, resources)
    ):
        messages.append(
            suggestions.contradiction_message(resource_type, resources, selector.stated_names)
        )
    return tuple(chosen.values()), messages


def _matches(value: Value, listing: Listing) -> Sequence[CatalogueResource]:
    """The resources of a list that one value of a cell stands for; empty if there are none."""
    match value:
        case ByName(name):
            return listing.find_by_name(name)
        case ById(identifier):
            return [resource for resource in [listing.by_id.get(identifier)] if resource]
        case ByFilter(conditions):
            matches_by_condition = [listing.with_value(key, text) for key, text in conditions]
            if not matches_by_condition:
                return listing.resources
            id_sets = [{resource.id for resource in each} for each in matches_by_condition]
            return [
                r for r in min(matches_by_condition, key=len) if all(r.id in ids for ids in id_sets)
            ]
        case Everything():
            return listing.resources


def _names_agree(name_text: str, resources: Sequence[CatalogueResource]) -> bool:
    """Whether a cell names just these resources, no more and no fewer, each by its name or id."""
    stated_names = {fold_name(name) for name in split_values(name_text)}
    names_of_each = [{fold_name(resource.name), fold_name(resource.id)} for resource in resources]
    if len(resources) == 1 and fold_name(name_text) in names_of_each[0]:
        return True
    return all(stated_names & names for names in names_of_each) and stated_names <= set().union(
        *names_of_each
    )
