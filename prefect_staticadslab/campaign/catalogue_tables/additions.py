"""What a table adds to the catalogue: its rows that have no resource there yet. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from prefect_staticadslab.campaign.catalogue_tables.report import CatalogueContent
from prefect_staticadslab.campaign.catalogue_tables.rows import ResourceRow
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import shortened
from prefect_staticadslab.campaign.names.listings import Listing, fold_name
from prefect_staticadslab.campaign.rows.resource_types import BRAND, PRODUCT, ResourceType

Parent: TypeAlias = "str | Addition"
"""What a resource belongs to: the id of what exists, or an addition that will be created before."""


@dataclass(frozen=True, eq=False)
class Addition:
    """A resource to create.

    Attributes:
        row: The row that asks for it.
        parent: What it belongs to; "" for a brand.
    """

    row: ResourceRow
    parent: Parent = ""

    def __str__(self) -> str:
        """Its type and name, for people."""
        return f"{self.row.resource_type.thing} {self.row.name!r}"


@dataclass(frozen=True)
class Additions:
    """What is to be done for a table's rows.

    Attributes:
        new: What is to be created, parents first.
        present: The rows whose resources exist already, each with its id; they are left alone.
    """

    new: tuple[Addition, ...]
    present: tuple[tuple[ResourceRow, str], ...]

    def describe(self) -> str:
        """What would be created and what exists already, for people, in several lines."""
        lines = [f"To create: {count_by_type([each.row.resource_type for each in self.new])}"]
        lines += [f"  row {each.row.row_number}: {each}{_of_parent(each)}" for each in self.new]
        if self.present:
            resource_types = [row.resource_type for row, _ in self.present]
            lines.append(f"There already, and left alone: {count_by_type(resource_types)}")
        return "\n".join(lines)


def types_to_read(rows: Sequence[ResourceRow]) -> list[ResourceType]:
    """The types of resources to read before `plan_additions`: the rows' and their parents', which
    come first."""
    resource_types = {row.resource_type for row in rows}
    if resource_types - {BRAND}:
        resource_types |= {BRAND}
    if resource_types - {BRAND, PRODUCT}:
        resource_types |= {PRODUCT}
    return sorted(
        resource_types,
        key=lambda each: each.name != "brand" and 1 + (each is not PRODUCT),
    )


def plan_additions(rows: Sequence[ResourceRow], content: CatalogueContent) -> Additions:
    """Splits rows into those whose resources exist already and those to create. No I/O.

    Args:
        rows: The rows, parents first.
        content: All resources of the types that `types_to_read` gives.

    Raises:
        SpreadsheetError: Rows name parents that do not exist or that may be several, or two rows
            ask for the same; the message lists all of them.
    """
    planner = _AdditionsPlanner(content)
    for row in rows:
        planner.plan_row(row)
    if planner.problems:
        raise SpreadsheetError(planner.problems)
    return Additions(tuple(planner.new), tuple(planner.present))


class _AdditionsPlanner:
    """Plans what is to be done for rows, one by one, parents first.

    Args:
        content: What the catalogue has.

    Attributes:
        new: The additions that were planned by now.
        present: The rows whose resources exist already, each with its id.
        problems: What is wrong with rows.
    """

    def __init__(self, content: CatalogueContent) -> None:
        self._listings = {
            resource_type: Listing(resources)
            for resource_type, resources in content.resources.items()
        }
        self._rows: dict[tuple[ResourceType, Parent, str], ResourceRow] = {}
        self.new: list[Addition] = []
        self.present: list[tuple[ResourceRow, str]] = []
        self.problems: list[Problem] = []

    def plan_row(self, row: ResourceRow) -> None:
        """Adds a row to `new` or `present`, or what is wrong with it to `problems`.

        Rows come after those that they belong to.
        """
        parent: Parent | None = ""
        if row.resource_type.parent:
            parent = self._resolve_parent(row, BRAND if row.resource_type is PRODUCT else PRODUCT)
        if parent is None:
            return
        first = self._rows.setdefault((row.resource_type, parent, fold_name(row.name)), row)
        if first is not row:
            message = f"{shortened(row.name)!r} is also in row {first.row_number}."
            self.problems.append(row.problem(message, "name"))
            return
        listing = self._listings[row.resource_type]
        present_id = find_present(listing, row.resource_type, parent, row.name)
        if present_id:
            self.present.append((row, present_id))
        else:
            self.new.append(Addition(row, parent))

    def _resolve_parent(self, row: ResourceRow, resource_type: ResourceType) -> Parent | None:
        """Finds what a row belongs to.

        Args:
            row: The row.
            resource_type: The type of what it belongs to.

        Returns:
            The parent; None if there is none or several: then that is added to `problems`.
        """
        identifier = row.parents.get(resource_type.id_column)
        name = row.parents.get(resource_type.name, "")
        column = resource_type.id_column if identifier else resource_type.name
        within: Parent | None = None
        if identifier:
            parents: list[Parent] = (
                [identifier] if identifier in self._listings[resource_type].by_id else []
            )
        else:
            if resource_type is PRODUCT and row.parents.keys() & {"brand", "brand_id"}:
                within = self._resolve_parent(row, BRAND)
                if within is None:
                    return None
            parents = self._find_parents(resource_type, name, within)
        contradiction = self._contradiction(row, resource_type, identifier) if identifier else ""
        if len(parents) == 1 and not contradiction:
            return parents[0]
        if contradiction:
            message = contradiction
        elif parents:
            message = (
                f"There are {len(parents)} {resource_type.thing}s called {shortened(name)!r}. "
                "Say which: "
                + ("name the brand, or " if resource_type is PRODUCT and within is None else "")
                + f"put an id into {resource_type.id_column}."
            )
        else:
            nearest = (
                self._listings[resource_type].nearest(name)[:1] if name and not identifier else []
            )
            hint = f" Did you mean {nearest[0].name!r}?" if nearest else ""
            missing = f"There is no {resource_type.thing} {shortened(identifier or name)!r}"
            message = f"{missing}, neither in the catalogue nor in this file.{hint}"
        self.problems.append(row.problem(message, column))
        return None

    def _contradiction(self, row: ResourceRow, resource_type: ResourceType, identifier: str) -> str:
        """What is wrong with a row that names another parent, or parent's brand, than that of the
        id that it gives; "" if nothing is, or nothing has this id.

        Args:
            row: The row.
            resource_type: The parent's type.
            identifier: Its id.
        """
        resource = self._listings.get(resource_type, Listing()).by_id.get(identifier)
        if resource is None:
            return ""
        own = {fold_name(resource.id), fold_name(resource.name)}
        for column in resource_type.columns:
            stated = row.parents.get(column, "")
            if stated and fold_name(stated) not in own:
                return (
                    f"is of the {resource_type.thing} {shortened(resource.name or resource.id)!r}, "
                    f"but {column} says {shortened(stated)!r}. Clear one of them."
                )
        brand_id = getattr(resource, "brand_id", None)
        return self._contradiction(row, BRAND, brand_id) if brand_id else ""

    def _find_parents(
        self, resource_type: ResourceType, name: str, within: Parent | None
    ) -> list[Parent]:
        """All resources and additions that a row may mean as its parent.

        Args:
            resource_type: The parent's type.
            name: The parent's name in the row.
            within: What the parent belongs to itself; None if the row does not say.
        """
        present_ids: list[Parent] = [
            resource.id
            for resource in self._listings[resource_type].find_by_name(name)
            if within is None or getattr(resource, resource_type.parent_column) == within
        ]
        additions: list[Parent] = [
            each
            for each in self.new
            if each.row.resource_type is resource_type
            and fold_name(each.row.name) == fold_name(name)
            and (within is None or each.parent == within)
        ]
        return present_ids + additions


def find_present(
    listing: Listing, resource_type: ResourceType, parent: Parent, name: str
) -> str | None:
    """The id of the resource of this parent and name, if it is there already; else None.

    Args:
        listing: All resources of its type.
        resource_type: Its type.
        parent: What it belongs to; "" for a brand.
        name: Its name.
    """
    column = resource_type.parent_column
    same = listing.with_value("name", name)
    return next((each.id for each in same if not column or getattr(each, column) == parent), None)


def count_by_type(resource_types: Sequence[ResourceType]) -> str:
    """How many there are of each type, for people: `1 brand, 2 products`."""
    counts = Counter(resource_types).items()
    parts = [f"{count} {resource_type.thing}{'s' * (count > 1)}" for resource_type, count in counts]
    return ", ".join(parts) or "nothing"


def _of_parent(each: Addition) -> str:
    """What follows an addition in a message: ` of brand 'Harbor Roast'`; "" if it is a brand."""
    if not isinstance(each.parent, str):
        return f" of {each.parent}"
    # As the row has it: its name, if it was not given as an id.
    parent_type = each.row.resource_type.parent
    name = each.row.parents.get(parent_type)
    if name and not each.row.parents.get(f"{parent_type}_id"):
        return f" of {parent_type} {name!r}"
    return f" of {each.parent}" if each.parent else ""
