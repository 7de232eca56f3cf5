"""Adding to the catalogue what a table wants and what is not there yet, parents first."""

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

Place: TypeAlias = "str | Addition"
"""A parent: the id of what is there, or what is still to be added."""

FRESH_KEYS: Final = 3
"""How many keys an addition has; each is used up for a day once what it added is gone."""


@dataclass(frozen=True, eq=False)
class Addition:
    """A resource to add.

    Attributes:
        row: What the table says.
        parent: What it belongs to; "" for a brand.
    """

    row: ResourceRow
    parent: Place = ""

    def __str__(self) -> str:
        return f"{self.row.resource_type.thing} {self.row.name!r}"


@dataclass(frozen=True)
class Additions:
    """What a table's rows amount to.

    Attributes:
        new: What is to be added, parents first.
        present: Rows whose name is there already, with its id; they are left alone.
    """

    new: tuple[Addition, ...]
    present: tuple[tuple[ResourceRow, str], ...]

    def describe(self) -> str:
        """What would be added, for people."""
        lines = [f"To create: {count_by_type([each.row.resource_type for each in self.new])}"]
        lines += [f"  row {each.row.row}: {each}{_parent_words(each)}" for each in self.new]
        if self.present:
            resource_types = [row.resource_type for row, _ in self.present]
            lines.append(f"There already, and left alone: {count_by_type(resource_types)}")
        return "\n".join(lines)


@dataclass
class Outcome:
    """Which additions were created, and which failed.

    Attributes:
        created: What was added, with its id.
        failed: What was not, with the reason.
    """

    created: list[tuple[Addition, str]] = field(default_factory=list)
    failed: list[tuple[Addition, str]] = field(default_factory=list)


def types_to_read(rows: Sequence[ResourceRow]) -> list[ResourceType]:
    """The types of resources to read before `plan_additions`: the rows' and their parents'."""
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
    """Splits rows into those that exist already and those to add, with their parents.

    Args:
        rows: The rows, parents first.
        content: All that there is of `types_to_read`.

    Raises:
        SpreadsheetError: Rows name parents that are nowhere or that are several, or say the same
            twice; all of them.
    """
    planner = _Planner(content)
    for row in rows:
        planner.add(row)
    if planner.problems:
        raise SpreadsheetError(planner.problems)
    return Additions(tuple(planner.new), tuple(planner.present))


class _Planner:
    """Takes rows one by one, parents first."""

    def __init__(self, content: CatalogueContent) -> None:
        """Takes what the catalogue has, to tell what exists already."""
        self._listings = {
            resource_type: Listing(resources)
            for resource_type, resources in content.resources.items()
        }
        self._rows: dict[tuple[ResourceType, Place, str], ResourceRow] = {}
        self.new: list[Addition] = []
        self.present: list[tuple[ResourceRow, str]] = []
        self.problems: list[Problem] = []

    def add(self, row: ResourceRow) -> None:
        """Plans what is to be done for a row: nothing if it is there already, or if it is wrong.
        Rows come after those that they belong to."""
        parent: Place | None = ""
        if row.resource_type.parent:
            parent = self._parent(row, BRAND if row.resource_type is PRODUCT else PRODUCT)
        if parent is None:
            return
        first = self._rows.setdefault((row.resource_type, parent, fold_name(row.name)), row)
        if first is not row:
            message = f"{shortened(row.name)!r} is also in row {first.row}."
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

    def _parent(self, row: ResourceRow, resource_type: ResourceType) -> Place | None:
        """What a row belongs to; None, with a problem, if that is nowhere or not clear."""
        identifier = row.parents.get(resource_type.id_column)
        name = row.parents.get(resource_type.name, "")
        column = resource_type.id_column if identifier else resource_type.name
        within: Place | None = None
        if identifier:
            places: list[Place] = (
                [identifier] if identifier in self._listings[resource_type].by_id else []
            )
        else:
            if resource_type is PRODUCT and row.parents.keys() & {"brand", "brand_id"}:
                within = self._parent(row, BRAND)
                if within is None:
                    return None
            places = self._find_parents(resource_type, name, within)
        if len(places) == 1:
            return places[0]
        if places:
            message = (
                f"There are {len(places)} {resource_type.thing}s called {shortened(name)!r}. "
                "Say which: "
                + ("name the brand, or " if resource_type is PRODUCT and within is None else "")
                + f"put an id into {resource_type.id_column}."
            )
        else:
            nearest = (
                self._listings[resource_type].nearest(name)[:1] if name and not identifier else []
            )
            hint = f" Did you mean {nearest[0].name!r}?" if nearest else ""
            article = f"There is no {resource_type.thing} {shortened(identifier or name)!r}"
            message = f"{article}, neither in the catalogue nor in this file.{hint}"
        self.problems.append(row.problem(message, column))
        return None

    def _find_parents(
        self, resource_type: ResourceType, name: str, within: Place | None
    ) -> list[Place]:
        """All that a row may belong to: by their ids if they are there, else as what will be
        created.

        Args:
            resource_type: What it is.
            name: What the row calls it.
            within: What it belongs to itself; None if the row does not say.
        """
        present_ids: list[Place] = [
            resource.id
            for resource in self._listings[resource_type].find_by_name(name)
            if within is None or getattr(resource, resource_type.parent_column) == within
        ]
        additions: list[Place] = [
            each
            for each in self.new
            if each.row.resource_type is resource_type
            and fold_name(each.row.name) == fold_name(name)
            and (within is None or each.parent == within)
        ]
        return present_ids + additions


async def create_additions(client: StaticAdsLabClient, additions: Additions) -> Outcome:
    """Adds what is to be added, one after another; a failed one keeps only its own children out.

    The idempotency keys come from type, parent and name, so that two runs at once, or a run after
    one that was cut, add nothing twice. What a key added before is looked at: if it was deleted or
    renamed since, the next key adds it anew.

    Raises:
        AuthenticationError, PermissionDeniedError: Nothing more can be added with this key. What
            was added is found by the next run.
    """
    outcome = Outcome()
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
            outcome.failed.append((each, _GONE))
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

    Returns its id; None if what every key created was deleted or renamed since.
    """
    for attempt in range(1, FRESH_KEYS + 1):
        sent = await client.send_resource(
            resource_type.resource,
            idempotency_key=addition_key(resource_type, parent, name, attempt),
            name=name,
            **fields,
        )
        if not sent.replayed:
            return sent.resource.id
        try:
            # The answer that is replayed says what was there then.
            present = await client.get_resource(resource_type.resource, sent.resource.id)
        except NotFoundError:
            continue
        if fold_name(present.name) == fold_name(name):
            return present.id
    return None


_GONE: Final = (
    f"it was added {FRESH_KEYS} times within a day, and deleted or renamed each time. "
    "Add it again tomorrow, or by hand"
)


def addition_key(resource_type: ResourceType, parent: str, name: str, attempt: int = 1) -> str:
    """The idempotency key of an addition.

    Args:
        resource_type: Of which type it is.
        parent: The id of what it belongs to; "" for a brand.
        name: Its name.
        attempt: Which of the keys: what the ones before have added is gone.
    """
    key_parts: list[str | int] = [resource_type.name, parent, fold_name(name)]
    if attempt > 1:
        key_parts.append(attempt)
    return f"catalogue-{hashlib.sha256(json.dumps(key_parts).encode()).hexdigest()[:40]}"


def count_by_type(resource_types: Sequence[ResourceType]) -> str:
    """How many there are of each type, for people: `1 brand, 2 products`."""
    counts = Counter(resource_types).items()
    parts = [f"{count} {resource_type.thing}{'s' * (count > 1)}" for resource_type, count in counts]
    return ", ".join(parts) or "nothing"


def _parent_words(each: Addition) -> str:
    """An addition's parent for people, such as ` of brand 'Harbor Roast'`; "" for a brand."""
    if not isinstance(each.parent, str):
        return f" of {each.parent}"
    # As the row has it: its name, if it was not given as an id.
    parent_type = each.row.resource_type.parent
    name = each.row.parents.get(parent_type)
    if name and not each.row.parents.get(f"{parent_type}_id"):
        return f" of {parent_type} {name!r}"
    return f" of {each.parent}" if each.parent else ""
