"""Whether ids exist and belong together, asked in few requests before the first create."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from prefect_staticadslab.api.errors import NotFoundError, PermissionDeniedError, UnprocessableError
from prefect_staticadslab.api.models import MAX_IDS_PER_READ, PAGE_SIZE, Account, ImageAdRequest
from prefect_staticadslab.api.resources import CatalogueResource, DesignTemplate
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.names.listings import NOTHING_READ, Catalogue
from prefect_staticadslab.campaign.names.preflight import translate_api_errors
from prefect_staticadslab.campaign.rows.ad_defaults import AdDefaults
from prefect_staticadslab.campaign.rows.resource_types import RESOURCE_TYPES, ResourceType

if TYPE_CHECKING:
    from prefect_staticadslab.api.client import StaticAdsLabClient

FEW: Final = 2
"""Up to so many ids are asked for one by one, and the lists of up to so many parents are read; more
are looked for in the list of all resources of the type."""

LEAST_REQUESTS: Final = 10
ROWS_PER_REQUEST: Final = 100
"""How many requests each type of id may cost: ten, and one more per hundred rows. Ids that are not
known by then are left unchecked: the API refuses a row with a wrong one, for free."""

CONFIRMATIONS: Final = 5
"""Ids that are in no list are asked for one by one; if the API does not know the first so many, all
others that are in no list are taken as unknown."""


@dataclass(frozen=True)
class CheckedIds:
    """What came of looking up rows' ids.

    Attributes:
        problems: What is wrong with rows' ids.
        unchecked: How many distinct ids were not looked up, as too many requests were used by then.
        resources: The resources that were found, each with its type.
    """

    problems: tuple[Problem, ...] = ()
    unchecked: int = 0
    resources: tuple[tuple[ResourceType, CatalogueResource], ...] = ()


class RowOfIds(Protocol):
    """A row of which the ids are looked up."""

    @property
    def number(self) -> int:
        """Its row number, for messages."""

    @property
    def request(self) -> ImageAdRequest | AdDefaults:
        """What has the ids, a field for each type."""


async def check_ids(
    client: StaticAdsLabClient,
    account: Account,
    rows: Sequence[RowOfIds],
    catalogue: Catalogue = NOTHING_READ,
) -> CheckedIds:
    """Looks up every distinct id of the rows in few requests, and raises if any is wrong.

    Types that the key has no scope to read are left out.

    Args:
        client: Whom to ask.
        account: The key's scopes.
        rows: The rows whose ads are to be created.
        catalogue: What was read already, and is not asked for again.

    Returns:
        What was found; `problems` is empty.

    Raises:
        SpreadsheetError: Ids that do not exist, do not belong together, or name a design template
            that is not completed; all of them.
        KeyRefusedError: The API does not accept the key, or did not answer.
    """
    with translate_api_errors(client, " Ids can be left unchecked: --no-preflight."):
        checked = await look_up_ids(client, account, rows, catalogue)
    if checked.problems:
        raise SpreadsheetError(checked.problems)
    return checked


async def look_up_ids(
    client: StaticAdsLabClient,
    account: Account,
    rows: Sequence[RowOfIds],
    catalogue: Catalogue = NOTHING_READ,
) -> CheckedIds:
    """Looks up the rows' ids as `check_ids` does, but returns what is wrong instead of raising it.

    Raises:
        StaticAdsLabError: The API does not accept the key, or did not answer.
    """
    if not rows:
        return CheckedIds()
    resources_by_column: dict[str, dict[str, CatalogueResource | None]] = {}
    unchecked = 0
    for resource_type in RESOURCE_TYPES:
        resources_by_column[resource_type.id_column] = {}
        if account.scopes and resource_type.scope not in account.scopes:
            continue
        lookup = _IdLookup(client, resource_type, rows, catalogue)
        try:
            resources_by_column[resource_type.id_column] = await lookup.look_up()
        except PermissionDeniedError:
            continue
        unchecked += len(lookup.unresolved)
    problems = (problem for row in rows for problem in _row_problems(row, resources_by_column))
    found = (
        (resource_type, resource)
        for resource_type in RESOURCE_TYPES
        for resource in resources_by_column[resource_type.id_column].values()
        if resource is not None
    )
    return CheckedIds(tuple(problems), unchecked, tuple(found))


class _IdLookup:
    """Looks up the distinct ids of one type with few requests; see `LEAST_REQUESTS`.

    Args:
        client: Whom to ask.
        resource_type: The type.
        rows: The rows that have the ids.
        catalogue: What was read already, and is not asked for again.
    """

    def __init__(
        self,
        client: StaticAdsLabClient,
        resource_type: ResourceType,
        rows: Sequence[RowOfIds],
        catalogue: Catalogue,
    ) -> None:
        self._client = client
        self._resource_type = resource_type
        self._ids = {
            i: None for row in rows if (i := getattr(row.request, resource_type.id_column))
        }
        parent = resource_type.parent_column
        parents = {getattr(row.request, parent) for row in rows} if parent else set()
        self._parents = sorted(filter(None, parents))
        self._requests_left = LEAST_REQUESTS + len(rows) // ROWS_PER_REQUEST
        self._resources: dict[str, CatalogueResource | None] = {
            i: found for i in self._ids if (found := catalogue.find(resource_type, i))
        }

    @property
    def unresolved(self) -> list[str]:
        """The ids that were not looked up yet."""
        return [i for i in self._ids if i not in self._resources]

    async def look_up(self) -> dict[str, CatalogueResource | None]:
        """Looks up the ids in as few requests as it can.

        Returns:
            The resource of each id, or None if there is no such resource. Ids that could not be
            looked up within the allowed requests are left out.

        Raises:
            StaticAdsLabError: The API refused a request, or did not answer.
        """
        list_is_complete = False
        if self._resource_type.resource is DesignTemplate:
            await self._read_templates()
        elif len(self.unresolved) > FEW:
            if self._resource_type.parent and len(self._parents) <= FEW:
                for parent in self._parents:
                    await self._read_list(**{self._resource_type.parent_column: parent})
            if len(self.unresolved) > FEW:
                list_is_complete = await self._read_list()
        await self._ask_for_each(list_is_complete)
        return self._resources

    async def _read_templates(self) -> None:
        """Reads the unresolved design templates, many ids per request; keeps those that exist."""
        ids = self.unresolved
        for start in range(0, len(ids), MAX_IDS_PER_READ):
            if not self._spend_request():
                return
            batch = ids[start : start + MAX_IDS_PER_READ]
            for template in await self._client.get_design_templates(batch):
                self._resources[template.id] = template

    async def _read_list(self, **filters: str) -> bool:
        """Reads a list page by page and keeps the resources whose ids are looked up.

        Stops where the requests are used up, or once all ids are resolved.

        Returns:
            Whether it was read to its end, so that an id that is still unresolved is not in it.
        """
        if not self._spend_request():
            return False
        count = 0
        async for item in self._client.list_resources(self._resource_type.resource, **filters):
            count += 1
            if item.id in self._ids:
                self._resources[item.id] = item
            # The next item may be on another page.
            if not self.unresolved or (count % PAGE_SIZE == 0 and not self._spend_request()):
                return False
        return True

    async def _ask_for_each(self, list_is_complete: bool) -> None:
        """Requests each unresolved id: one that a list left out may exist all the same.

        Args:
            list_is_complete: Whether the type's list was read to its end: then, once
                `CONFIRMATIONS` ids turned out to be unknown, all others are recorded as unknown
                without being asked for.
        """
        unknown = 0
        for identifier in self.unresolved:
            if list_is_complete and unknown == CONFIRMATIONS:
                self._resources |= dict.fromkeys(self.unresolved)
            if identifier in self._resources or not self._spend_request():
                return
            try:
                resource = await self._client.get_resource(self._resource_type.resource, identifier)
                self._resources[identifier] = resource
                list_is_complete = False
            except (NotFoundError, UnprocessableError):
                self._resources[identifier] = None
                unknown += 1

    def _spend_request(self) -> bool:
        """Takes one request off those that are left. Returns whether it may still be sent."""
        self._requests_left -= 1
        return self._requests_left >= 0


def _row_problems(
    row: RowOfIds, resources_by_column: dict[str, dict[str, CatalogueResource | None]]
) -> Iterator[Problem]:
    """What is wrong with a row's ids: unknown, not completed, or of another parent than the row's.

    Args:
        row: The row.
        resources_by_column: What was looked up, by id column and id; None for an unknown id. Ids
            that are missing in it were not looked up.
    """
    for resource_type in RESOURCE_TYPES:
        identifier = getattr(row.request, resource_type.id_column)
        if identifier not in resources_by_column[resource_type.id_column]:
            continue
        resource = resources_by_column[resource_type.id_column][identifier]
        if resource is None:
            message = f"There is no {resource_type.thing} {identifier} in this organization."
            yield Problem(message, row.number, resource_type.id_column)
            continue
        if isinstance(resource, DesignTemplate) and resource.status != "completed":
            message = (
                f"{identifier} is {resource.status}; only a completed design template can be used."
            )
            yield Problem(message, row.number, resource_type.id_column)
        if resource_type.parent:
            parent = getattr(resource, resource_type.parent_column)
            parent_of_row = getattr(row.request, resource_type.parent_column)
            if parent and parent_of_row and parent != parent_of_row:
                message = (
                    f"{identifier} ({resource.name}) belongs to the {resource_type.parent} "
                    f"{parent}, not to {parent_of_row}."
                )
                yield Problem(message, row.number, resource_type.id_column)
