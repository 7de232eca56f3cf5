"""A campaign's chunks as task runs: in this event loop, or on a task runner's workers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar, cast

from prefect import Task
from prefect.context import FlowRunContext
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.utilities.annotations import quote

from prefect_staticadslab.campaign.campaign import Prepared, run
from prefect_staticadslab.campaign.pipeline.batch import Batch
from prefect_staticadslab.campaign.pipeline.chunks import Chunk
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult
from prefect_staticadslab.campaign.runs.credentials import limiters_of
from prefect_staticadslab.credentials import StaticAdsLabCredentials
from prefect_staticadslab.tasks import generate_image_ads
from prefect_staticadslab.tasks.clusters.task_runners import open_mailboxes
from prefect_staticadslab.tasks.clusters.worker_journal import JournalLink
from prefect_staticadslab.tasks.clusters.worker_tasks import WorkerTasks

T = TypeVar("T")

ChunkTask: TypeAlias = Task[..., Coroutine[Any, Any, list[ImageAdResult]]]


def opaque(argument: T) -> T:
    """Wraps an argument of a task in Prefect's `quote`; the task's function gets it as it was.

    Otherwise Prefect would look for task runs in every cell of the table, for every chunk.
    """
    return cast(T, quote(argument))


MOST_TASK_RUNS: Final = 50
"""About how many task runs a round of chunks may have in this event loop. Each costs the server's
database 13 kB, in states and events, which are to stay few however long a campaign is."""


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

    async def run(self) -> list[ImageAdResult]:
        """Runs all chunks, writes their results into the table, and returns them: one for each
        row that was to be created or followed."""
        keys = limiters_of(self.credentials)
        context = FlowRunContext.get()
        if context is None or isinstance(context.task_runner, ThreadPoolTaskRunner):
            return await run(
                self.prepared,
                self._run_in_event_loop,
                weights=keys.weights(),
                most_chunks=MOST_TASK_RUNS,
            )
        mailboxes = open_mailboxes(context.task_runner)
        workers = WorkerTasks(self.prepared, self._submit_chunk, keys, self.attempts, mailboxes)
        async with workers.running() as run_chunk:
            return await run(self.prepared, run_chunk, weights=keys.weights())

    async def _run_in_event_loop(self, chunk: Chunk) -> list[ImageAdResult]:
        """Runs a chunk as a task run in the flow's own event loop."""
        return await self.task(
            self.credentials[chunk.api_key_hash],
            opaque(chunk.jobs),
            self.attempts,
            self.timeout_seconds,
            self.wait,
            opaque(self.prepared.batch.table),
        )

    def _submit_chunk(
        self, chunk: Chunk, attempts: int, journal: JournalLink | None
    ) -> Callable[[], list[ImageAdResult]]:
        """Gives a chunk to the task runner, and returns what blocks until its result; see
        `SubmitChunk`."""
        future = self.task.submit(
            self.credentials[chunk.api_key_hash],
            # Not opaque: Prefect's quotes do not survive pickling.
            chunk.jobs,
            attempts,
            self.timeout_seconds,
            self.wait,
            journal,
        )
        # Typed as the coroutine that the task's function is; it gives what that returns.
        return cast(Callable[[], list[ImageAdResult]], future.result)
