"""Creating the resources of a table that the catalogue does not have yet, parents first."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from prefect_staticadslab.api.errors import ACCOUNT_ERRORS, NotFoundError, StaticAdsLabError
from prefect_staticadslab.campaign.catalogue_tables.report import CatalogueContent
from prefect_staticadslab.campaign.catalogue_tables.rows import ResourceRow
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import shortened
from prefect_staticadslab.campaign.names.listings import Listing, fold_name
from prefect_staticadslab.campaign.rows.resource_types import BRAND, PRODUCT, ResourceType

if TYPE_CHECKING:
    from prefect_staticadslab.api.client import StaticAdsLabClient

Parent: TypeAlias = "str | Addition"
"""What a resource belongs to: the id of what exists, or an addition that will be created before."""

FRESH_KEYS: Final = 3
"""How many idempotency keys an addition has; a key is used up for a day once what it created is
deleted."""


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


@dataclass
class AdditionsOutcome:
    """Which additions were created, and which failed.

    Attributes:
        created: What was created, each with its id.
        failed: What was not created, each with the reason.
    """

    created: list[tuple[Addition, str]] = field(default_factory=list)
    failed: list[tuple[Addition, str]] = field(default_factory=list)


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
        present_ids = [
            resource.id
            for resource in self._listings[row.resource_type].with_value("name", row.name)
            if not row.resource_type.parent
            or getattr(resource, row.resource_type.parent_column) == parent
        ]
        if present_ids:
            self.present.append((row, present_ids[0]))
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
        if len(parents) == 1:
            return parents[0]
        if parents:
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


async def create_additions(client: StaticAdsLabClient, additions: Additions) -> AdditionsOutcome:
    """Creates the additions one after another. If one fails, only what belongs to it is left out.

    The idempotency keys come from type, parent and name, so that two runs at once, or a run after
    an interrupted one, create nothing twice. What a key created before is read: if it was deleted
    or renamed since, it is created anew with the next key.

    Raises:
        AuthenticationError, PermissionDeniedError, InsufficientBalanceError: Nothing more can be
            created with this API key. The next run finds what was created.
    """
    outcome = AdditionsOutcome()
    ids: dict[Addition, str] = {}
    for each in additions.new:
        parent = each.parent if isinstance(each.parent, str) else ids.get(each.parent)
        if parent is None:
            outcome.failed.append((each, f"the {each.parent} was not created"))
            continue
        resource_type, fields = each.row.resource_type, dict(each.row.fields)
        if resource_type.parent:
            fields[resource_type.parent_column] = parent
        try:
            resource_id = await _create_or_find(
                client, resource_type, parent, each.row.name, fields
            )
        except ACCOUNT_ERRORS:
            raise
        except StaticAdsLabError as error:
            outcome.failed.append((each, str(error)))
            continue
        if resource_id is None:
            outcome.failed.append((each, _DELETED_EACH_TIME))
            continue
        ids[each] = resource_id
        outcome.created.append((each, resource_id))
    return outcome


async def _create_or_find(
    client: StaticAdsLabClient,
    resource_type: ResourceType,
    parent: str,
    name: str,
    fields: Mapping[str, Any],
) -> str | None:
    """Creates a resource, or finds what an earlier request with the same key created.

    Args:
        client: The client of the API key to create it with.
        resource_type: Its type.
        parent: The id of what it belongs to; "" for a brand.
        name: Its name.
        fields: Its other fields, as the API takes them.

    Returns:
        Its id; None if what every key created was deleted or renamed since.

    Raises:
        StaticAdsLabError: It could not be created.
    """
    for key_number in range(1, FRESH_KEYS + 1):
        sent = await client.send_resource(
            resource_type.resource,
            idempotency_key=addition_key(resource_type, parent, name, key_number),
            name=name,
            **fields,
        )
        if not sent.replayed:
            return sent.resource.id
        try:
            # A replayed answer says what the resource was like then.
            present = await client.get_resource(resource_type.resource, sent.resource.id)
        except NotFoundError:
            continue
        if fold_name(present.name) == fold_name(name):
            return present.id
    return None


_DELETED_EACH_TIME: Final = (
    f"it was added {FRESH_KEYS} times within a day, and deleted or renamed each time. "
    "Add it again tomorrow, or by hand"
)


def addition_key(resource_type: ResourceType, parent: str, name: str, key_number: int = 1) -> str:
    """The idempotency key of an addition.

    Args:
        resource_type: Its type.
        parent: The id of what it belongs to; "" for a brand.
        name: Its name.
        key_number: Which of its keys, from 1 to `FRESH_KEYS`: the next one is used once what the
            ones before have created is deleted or renamed.
    """
    key_parts: list[str | int] = [resource_type.name, parent, fold_name(name)]
    if key_number > 1:
        key_parts.append(key_number)
    return f"catalogue-{hashlib.sha256(json.dumps(key_parts).encode()).hexdigest()[:40]}"


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
