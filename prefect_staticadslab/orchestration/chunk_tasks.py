"""Fanning a campaign out into task runs: in this event loop, or on a task runner's workers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar, cast

from prefect import Task
from prefect.context import FlowRunContext
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.utilities.annotations import quote

from prefect_staticadslab.api.client import StaticAdsLabClient
from prefect_staticadslab.api.connection import hash_api_key
from prefect_staticadslab.api.rate_limit import shared_limiter
from prefect_staticadslab.campaign.campaign import Prepared, run
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.pipeline.api_keys import Chunk, KeyLimiters
from prefect_staticadslab.campaign.pipeline.batch import Batch
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult
from prefect_staticadslab.credentials import StaticAdsLabCredentials
from prefect_staticadslab.tasks import generate_image_ads
from prefect_staticadslab.tasks.clusters.task_runners import mailboxes_of
from prefect_staticadslab.tasks.clusters.worker_journal import WorkerJournal
from prefect_staticadslab.tasks.clusters.worker_tasks import WorkerTasks

T = TypeVar("T")

ChunkTask: TypeAlias = Task[..., Coroutine[Any, Any, list[ImageAdResult]]]


def by_api_key_hash(*credentials: StaticAdsLabCredentials) -> dict[str, StaticAdsLabCredentials]:
    """Credentials by the hash of their API key, each key once.

    Raises:
        CampaignError: They are for different APIs.
    """
    if len({each.base_url for each in credentials}) > 1:
        raise CampaignError("The credentials are for different base URLs; a campaign has one.")
    return {hash_api_key(each.api_key.get_secret_value()): each for each in credentials}


def keys_of(credentials: Mapping[str, StaticAdsLabCredentials]) -> KeyLimiters:
    """The limiters of these credentials."""
    return KeyLimiters(
        {
            api_key_hash: shared_limiter(each.base_url, api_key_hash)
            for api_key_hash, each in credentials.items()
        }
    )


@contextlib.asynccontextmanager
async def clients_of(
    credentials: Mapping[str, StaticAdsLabCredentials],
) -> AsyncIterator[list[StaticAdsLabClient]]:
    """A client for each of these credentials, for what comes before the first create."""
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(each.get_client(max_tries=3))
            for each in credentials.values()
        ]


def opaque(argument: T) -> T:
    """An argument that Prefect passes on as it is. It would look for task runs in every cell of the
    table, for every chunk; the task gets it without the quotes."""
    return cast(T, quote(argument))


MOST_TASK_RUNS: Final = 50
"""Each costs the server's database 13 kB, in states and events, which are to stay few however long
a campaign is."""


@dataclass(frozen=True)
class ChunkTasks:
    """How a campaign's chunks become task runs.

    With Prefect's default task runner they are awaited in the flow's own event loop: they share
    clients, limits and polls, and the table learns of each ad as it happens. Any other task runner
    gets them to run wherever it likes, and what a lost worker had sent is asked for again with the
    same keys. On Dask and Ray the table learns of each ad as its worker tells, elsewhere of a chunk
    at its end; see `WorkerTasks`.

    Attributes:
        prepared: What is to be run; its table is on disk.
        credentials: The keys that share it, by the API key's hash.
        attempts, timeout_seconds, wait: See `generate_image_ads`.
        task: The task that takes a chunk.
    """

    prepared: Prepared[Batch[Any]]
    credentials: Mapping[str, StaticAdsLabCredentials]
    attempts: int
    timeout_seconds: float
    wait: bool
    task: ChunkTask = generate_image_ads

    @property
    def _batch(self) -> Batch[Any]:
        return self.prepared.batch

    async def run(self) -> list[ImageAdResult]:
        """Runs all chunks, and writes their results into the table. Returns them, one per row."""
        keys = keys_of(self.credentials)
        context = FlowRunContext.get()
        if context is None or isinstance(context.task_runner, ThreadPoolTaskRunner):
            return await run(
                self.prepared,
                self._run_in_event_loop,
                weights=keys.weights(),
                most_chunks=MOST_TASK_RUNS,
            )
        mailboxes = mailboxes_of(context.task_runner)
        workers = WorkerTasks(self.prepared, self._submit, keys, self.attempts, mailboxes)
        async with workers.running() as run_chunk:
            return await run(self.prepared, run_chunk, weights=keys.weights())

    async def _run_in_event_loop(self, chunk: Chunk) -> list[ImageAdResult]:
        """Runs a chunk as a task run in the flow's own event loop."""
        return await self.task(
            self.credentials[chunk.api_key_hash],
            opaque(chunk.ads),
            self.attempts,
            self.timeout_seconds,
            self.wait,
            opaque(self._batch.table),
        )

    def _submit(
        self, chunk: Chunk, attempts: int, journal: WorkerJournal | None
    ) -> Callable[[], list[ImageAdResult]]:
        """Gives a chunk to the task runner; see `Submit`."""
        future = self.task.submit(
            self.credentials[chunk.api_key_hash],
            # Not opaque: Prefect's quotes do not survive pickling.
            chunk.ads,
            attempts,
            self.timeout_seconds,
            self.wait,
            journal,
        )
        # Typed as the coroutine that the task's function is; it gives what that returns.
        return cast(Callable[[], list[ImageAdResult]], future.result)
