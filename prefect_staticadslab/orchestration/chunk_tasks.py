"""Fanning a campaign out into task runs: in this event loop, or on a task runner's workers."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, TypeVar, cast

from prefect import Task
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.utilities.annotations import quote

from prefect_staticadslab.campaign.campaign import Prepared, RunChunk, run
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.pipeline.api_keys import CHUNK_ADS, Chunk, KeyLimiters
from prefect_staticadslab.campaign.pipeline.batch import Batch, mark_as_sent
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult
from prefect_staticadslab.campaign.runs.credentials import keys_of
from prefect_staticadslab.credentials import StaticAdsLabCredentials
from prefect_staticadslab.tasks import generate_image_ads

T = TypeVar("T")

ChunkTask: TypeAlias = Task[..., Coroutine[Any, Any, list[ImageAdResult]]]

JOB_SECONDS: Final = 60.0
"""For so long the ads of a chunk are rendered after its last create."""


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
    (Dask, Ray) gets them to run wherever it likes: there the table learns of a chunk at its end,
    and what a lost worker had sent is asked for again with the same keys.

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
        with self._chunk_runner(keys) as run_chunk:
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

    @contextlib.contextmanager
    def _chunk_runner(self, keys: KeyLimiters) -> Iterator[RunChunk]:
        """A function that runs a chunk on the task runner's workers, while the body runs."""
        # As many at once as the limit keeps busy; the others are not marked as sent before it is
        # their turn.
        at_once = {
            api_key_hash: 2 + math.ceil(limiter.creates_within(JOB_SECONDS) / CHUNK_ADS)
            for api_key_hash, limiter in keys.limiters.items()
        }
        slots = {api_key_hash: asyncio.Semaphore(count) for api_key_hash, count in at_once.items()}
        stop_reasons: dict[str, str] = {}
        threads = ThreadPoolExecutor(sum(at_once.values()))

        async def run_chunk(chunk: Chunk) -> list[ImageAdResult]:
            results: dict[int, ImageAdResult] = {}
            # An attempt at a time: the next one's key must be in the table before it is used.
            for _ in range(self.attempts):
                async with slots[chunk.api_key_hash]:
                    attempt = await self._attempt(
                        chunk, stop_reasons.get(chunk.api_key_hash), threads
                    )
                results |= {result.position: result for result in attempt}
                for result in attempt:
                    if result.stopped_by:
                        stop_reasons.setdefault(chunk.api_key_hash, result.stopped_by)
                chunk = _ads_to_retry(chunk, results)
                if not chunk.ads:
                    break
                await self._batch.collect(attempt)
            return list(results.values())

        try:
            yield run_chunk
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    async def _attempt(
        self, chunk: Chunk, stopped_by: str | None, threads: ThreadPoolExecutor
    ) -> list[ImageAdResult]:
        """Has a chunk generated by a worker, an attempt for each ad, and waits for the results."""
        if stopped_by is None:
            try:
                now = datetime.now(UTC) + self.prepared.clock_ahead
                chunk = await mark_as_sent(self._batch.table, chunk, now)
            except CampaignError as error:
                stopped_by = str(error)
        unsent: list[ImageAdResult] = []
        if stopped_by is not None:
            # What was created before is still collected.
            running = [ad for ad in chunk.ads if ad.state.is_processing]
            unsent = [
                ImageAdResult(ad.position, ad.state, stopped_by=stopped_by)
                for ad in chunk.ads
                if not ad.state.is_processing
            ]
            chunk = replace(chunk, ads=running)
        return [*unsent, *(await self._submit(chunk, threads) if chunk.ads else [])]

    async def _submit(self, chunk: Chunk, threads: ThreadPoolExecutor) -> list[ImageAdResult]:
        try:
            future = self.task.submit(
                self.credentials[chunk.api_key_hash],
                # Not opaque: Prefect's quotes do not survive pickling.
                chunk.ads,
                1,
                self.timeout_seconds,
                self.wait,
            )
            # Typed as the coroutine that the task's function is; it gives what that returns.
            wait = cast(Callable[[], list[ImageAdResult]], future.result)
            return await asyncio.get_running_loop().run_in_executor(threads, wait)
        except Exception as error:
            # A worker can die of anything, and the other chunks go on.
            get_run_logger().error("A chunk of %d rows was lost: %r", len(chunk.ads), error)
            message = f"Its worker was lost ({type(error).__name__}); run it again."
            states = self._batch.table.states
            return [
                ImageAdResult(ad.position, replace(states[ad.position], error=message))
                for ad in chunk.ads
            ]


def _ads_to_retry(chunk: Chunk, results: Mapping[int, ImageAdResult]) -> Chunk:
    """The ads of a chunk that are to be tried once more."""
    ads = [
        replace(ad, state=results[ad.position].state, persisted_elsewhere=False)
        for ad in chunk.ads
        if ad.may_create and results[ad.position].state.job_failed
    ]
    return replace(chunk, ads=ads)
