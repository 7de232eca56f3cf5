"""A lock by Prefect's global concurrency limits, for tables in stores that keep no conditions."""

from __future__ import annotations

import hashlib
import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Final
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.exceptions import ObjectAlreadyExists
from prefect.settings import PREFECT_API_URL

from prefect_staticadslab.campaign.files.locations import redacted

logger = logging.getLogger(__name__)

LOCK_SECONDS: Final = 10.0
"""How long to wait for another run's write, which takes a moment."""

LEASE_SECONDS: Final = 60.0
"""After which the lock of a run that was killed is free again: the least that Prefect takes."""

_PAUSES: Final = (0.05, 0.2)
"""Seconds, from and to, between two tries."""

_not_waited_for: set[str] = set()
"""Locks that could not be had once, and are tried once at a time until they can."""


@contextmanager
def table_lock(location: str) -> Iterator[None]:
    """Keeps other runs with the same Prefect API from writing a table while the body runs.

    Does nothing where no API is configured: a temporary server has one run only. A lock that cannot
    be had in a moment is not waited for any longer, as a campaign must not stop for that: then the
    next checkpoint mends what two runs write at the same instant.

    Args:
        location: Where the table is.
    """
    if not PREFECT_API_URL.value():
        yield
        return
    name = lock_name(location)
    with get_client(sync_client=True) as client:
        lease = _try_to_lock(client, name, location)
        try:
            yield
        finally:
            if lease is not None:
                _unlock(client, lease)


def lock_name(location: str) -> str:
    """What the limit is called in Prefect.

    Example:
        ```python
        from prefect_staticadslab.tasks._table_lock import lock_name

        assert lock_name("sftp://host/ads/out.csv").startswith("static-ads-lab-table-")
        ```
    """
    return f"static-ads-lab-table-{hashlib.sha256(location.encode()).hexdigest()[:16]}"


def _try_to_lock(client: SyncPrefectClient, name: str, location: str) -> str | None:
    """The lease of the lock; None if it cannot be had, which is said the first time."""
    try:
        lease = _lock(client, name)
    except (httpx.HTTPError, TimeoutError) as error:
        if name not in _not_waited_for:
            _not_waited_for.add(name)
            logger.warning(
                "The lock of %s cannot be had from Prefect, and is not waited for: %s",
                redacted(location),
                error,
            )
        return None
    _not_waited_for.discard(name)
    return lease


def _lock(client: SyncPrefectClient, name: str) -> str:
    """Locks, and returns the lease.

    Raises:
        TimeoutError: Somebody keeps it.
        httpx.HTTPError: Prefect's API cannot be asked, or refuses.
    """
    with suppress(ObjectAlreadyExists):
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=1))
    deadline = time.monotonic() + (0.0 if name in _not_waited_for else LOCK_SECONDS)
    while True:
        try:
            answer = client.increment_concurrency_slots_with_lease(
                [name], 1, "concurrency", LEASE_SECONDS
            )
        except httpx.HTTPStatusError as error:
            if error.response.status_code != HTTPStatus.LOCKED:
                raise
        else:
            return str(answer.json()["lease_id"])
        if time.monotonic() >= deadline:
            raise TimeoutError("another run has kept it for too long")
        time.sleep(random.uniform(*_PAUSES))


def _unlock(client: SyncPrefectClient, lease: str) -> None:
    """Gives the lock back; if that cannot be told, it is free after its lease."""
    with suppress(httpx.HTTPError):
        client.release_concurrency_slots_with_lease(UUID(lease))
