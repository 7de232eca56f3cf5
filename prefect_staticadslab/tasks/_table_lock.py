"""A lock by Prefect's global concurrency limits, for tables in stores that keep no conditions."""

from __future__ import annotations

import hashlib
import logging
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
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

RENEWAL_SECONDS: Final = 20.0
"""How often a write that takes long renews its lease; two of three renewals may fail."""

_RETRY_PAUSES: Final = (0.05, 0.2)
"""The shortest and the longest pause between two tries to lock, in seconds."""

_unavailable_locks: set[str] = set()
"""Names of locks that could not be had when they were last tried. They are tried without waiting
until they can be had."""


@contextmanager
def table_lock(location: str) -> Iterator[None]:
    """Keeps other runs with the same Prefect API from writing a table while the body runs.

    However long the body takes, its lease is renewed.

    Does nothing where no API is configured: a temporary server has one run only. If the lock cannot
    be had within `LOCK_SECONDS`, the body runs without it, with a warning in the log the first
    time, as a campaign must not stop for that: then the next checkpoint mends what two runs write
    at the same instant.

    Args:
        location: Where the table is.
    """
    if not PREFECT_API_URL.value():
        yield
        return
    name = lock_name(location)
    with get_client(sync_client=True) as client:
        lease = _try_to_lock(client, name, location)
        if lease is None:
            yield
            return
        try:
            with _renewed(lease, location):
                yield
        finally:
            _release(client, lease)


def lock_name(location: str) -> str:
    """The name of the global concurrency limit that is a table's lock; of no other table's.

    Example:
        ```python
        from prefect_staticadslab.tasks._table_lock import lock_name

        assert lock_name("sftp://host/ads/out.csv").startswith("static-ads-lab-table-")
        ```
    """
    return f"static-ads-lab-table-{hashlib.sha256(location.encode()).hexdigest()[:16]}"


def _try_to_lock(client: SyncPrefectClient, name: str, location: str) -> str | None:
    """Takes a lock, and returns the id of its lease.

    None if it cannot be had: then it logs a warning, unless the last try failed as well, and the
    next try does not wait.

    Args:
        client: Of Prefect's API.
        name: The lock's; see `lock_name`.
        location: The table's, for the warning.
    """
    try:
        lease = _lock(client, name)
    except (httpx.HTTPError, TimeoutError) as error:
        if name not in _unavailable_locks:
            _unavailable_locks.add(name)
            logger.warning(
                "The lock of %s cannot be had from Prefect, and is not waited for: %s",
                redacted(location),
                error,
            )
        return None
    _unavailable_locks.discard(name)
    return lease


def _lock(client: SyncPrefectClient, name: str) -> str:
    """Takes a lock, and returns the id of its lease. Creates the limit first if there is none.

    Waits for up to `LOCK_SECONDS`; not at all if the lock could not be had the last time.

    Raises:
        TimeoutError: Another run has it.
        httpx.HTTPError: Prefect's API cannot be asked, or refuses.
    """
    with suppress(ObjectAlreadyExists):
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=1))
    deadline = time.monotonic() + (0.0 if name in _unavailable_locks else LOCK_SECONDS)
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
        time.sleep(random.uniform(*_RETRY_PAUSES))


@contextmanager
def _renewed(lease: str, location: str) -> Iterator[None]:
    """Renews a lease every `RENEWAL_SECONDS` while the body runs, from a thread of its own.

    If that fails, it logs a warning, and tries again.

    Args:
        lease: Its id.
        location: The table's, for the warning.
    """
    is_done = threading.Event()

    def renew() -> None:
        while not is_done.wait(RENEWAL_SECONDS):
            try:
                with get_client(sync_client=True) as client:
                    client.renew_concurrency_lease(UUID(lease), LEASE_SECONDS)
            except httpx.HTTPError as error:
                logger.warning("The lock of %s cannot be renewed: %s", redacted(location), error)

    # The settings that name the server are this context's.
    thread = threading.Thread(target=copy_context().run, args=(renew,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_done.set()
        thread.join()


def _release(client: SyncPrefectClient, lease: str) -> None:
    """Gives a lock back. If Prefect's API cannot be told, nothing is raised: the lock is free
    `LEASE_SECONDS` after it was taken."""
    with suppress(httpx.HTTPError):
        client.release_concurrency_slots_with_lease(UUID(lease))
