"""Creating the resources of a table that the catalogue does not have yet, parents first."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from prefect_staticadslab.api.errors import (
    ACCOUNT_ERRORS,
    IdempotencyConflictError,
    NotFoundError,
    StaticAdsLabError,
)
from prefect_staticadslab.api.retries.elapsed import elapsed
from prefect_staticadslab.campaign.catalogue_tables.additions import (
    Addition,
    Additions,
    find_present,
)
from prefect_staticadslab.campaign.names.listings import Listing, fold_name
from prefect_staticadslab.campaign.rows.resource_types import ResourceType

if TYPE_CHECKING:
    from prefect_staticadslab.api.client import StaticAdsLabClient

FRESH_KEYS: Final = 3
"""How many idempotency keys an addition has; a key is used up for a day once what it created is
deleted."""


@dataclass
class AdditionsOutcome:
    """Which additions were created, and which failed.

    Attributes:
        created: What was created, each with its id.
        failed: What was not created, each with the reason.
    """

    created: list[tuple[Addition, str]] = field(default_factory=list)
    failed: list[tuple[Addition, str]] = field(default_factory=list)


async def create_additions(client: StaticAdsLabClient, additions: Additions) -> AdditionsOutcome:
    """Creates the additions one after another. If one fails, only what belongs to it is left out.

    The idempotency keys come from type, parent and name, so that two runs at once, or a run after
    an interrupted one, create nothing twice. What a key created before is read: if it was deleted
    or renamed since, it is created anew with the next key; also if its other fields were others.

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
        Its id; None if what every key created was deleted or renamed since, or had other fields and
        is not there.

    Raises:
        StaticAdsLabError: It could not be created.
    """
    for key_number in range(1, FRESH_KEYS + 1):
        key = addition_key(resource_type, parent, name, key_number)
        try:
            sent = await client.send_resource(
                resource_type.resource, idempotency_key=key, name=name, **fields
            )
        except IdempotencyConflictError:
            # Either the key was used with other fields, or the first request with it still runs.
            if client.key_lock(key).may_be_at_work(elapsed()):
                raise
            if present_id := await _read_present(client, resource_type, parent, name):
                return present_id
            continue
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


async def _read_present(
    client: StaticAdsLabClient, resource_type: ResourceType, parent: str, name: str
) -> str | None:
    """The id of the resource that has this parent and name by now; None if there is none. `parent`
    is an id, or "" for a brand."""
    filters = {resource_type.parent_column: parent} if parent else {}
    listed = [each async for each in client.list_resources(resource_type.resource, **filters)]
    return find_present(Listing(tuple(listed)), resource_type, parent, name)


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
