"""Chunks as tasks on the workers of a cluster, which have no table."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from prefect.logging import get_run_logger

from prefect_staticadslab.campaign.campaign import Prepared, RunChunk
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.pipeline.batch import Batch, mark_chunk
from prefect_staticadslab.campaign.pipeline.chunks import CHUNK_JOBS, Chunk, KeyLimiters
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult
from prefect_staticadslab.tasks.clusters.coordinator import (
    ClusterLostError,
    Coordinator,
    unfinished,
)
from prefect_staticadslab.tasks.clusters.messages import Mailboxes
from prefect_staticadslab.tasks.clusters.worker_journal import WorkerJournal

JOB_SECONDS: Final = 60.0
"""For so long the ads of a chunk are rendered after its last create."""


class Submit(Protocol):
    """Gives a chunk to the cluster."""

    def __call__(
        self, chunk: Chunk, attempts: int, journal: WorkerJournal | None
    ) -> Callable[[], list[ImageAdResult]]:
        """Returns what waits for the result, which blocks.

        Args:
            chunk: The chunk.
            attempts: How many jobs to try for an ad.
            journal: The worker's way to the table; None if it has none.
        """


class WorkerTasks:
    """Runs chunks on workers, as many at once as the keys' limits keep busy.

    Where the cluster has mailboxes, a worker reports what it knows as it learns it, asks before it
    sends anything, and hears of a cancellation. Where it has none, a chunk is marked as sent before
    it is given away, an attempt at a time, and the table learns of it at its end.

    Args:
        prepared: What is to be run; its table is on disk.
        submit: Gives a chunk to the cluster.
        keys: The limiters of the keys that share it.
        attempts: How many jobs to try for an ad.
        mailboxes: The cluster's, if it has any.
    """

    def __init__(
        self,
        prepared: Prepared[Batch[Any]],
        submit: Submit,
        keys: KeyLimiters,
        attempts: int,
        mailboxes: Mailboxes | None,
    ) -> None:
        self._prepared = prepared
        self._table = prepared.batch.table
        self._submit = submit
        self._attempts = attempts
        self._coordinator = Coordinator(mailboxes, self._table) if mailboxes is not None else None
        at_once = {
            api_key_hash: 2 + math.ceil(limiter.creates_within(JOB_SECONDS) / CHUNK_JOBS)
            for api_key_hash, limiter in keys.limiters.items()
        }
        self._slots = {key: asyncio.Semaphore(count) for key, count in at_once.items()}
        self._threads = ThreadPoolExecutor(sum(at_once.values()))
        self._stop_reasons: dict[str, str] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[RunChunk]:
        """A function that brings a chunk to its end, while the body runs."""
        try:
            if self._coordinator is None:
                yield self._run_unheard
            else:
                async with self._coordinator.listening():
                    yield self._run_reporting
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run_reporting(self, chunk: Chunk) -> list[ImageAdResult]:
        """Runs a chunk whose worker asks and tells as it goes."""
        assert self._coordinator is not None  # noqa: S101
        async with self._slots[chunk.api_key_hash]:
            chunk, unsent = self._without_unsendable(chunk)
            if not chunk.jobs:
                return unsent
            journal = self._coordinator.begin_chunk()
            try:
                result = self._result(self._submit(chunk, self._attempts, journal))
                done = await self._coordinator.result_of(journal, result)
            except Exception as error:
                done = self._lost(chunk, error)
        self._note_stops(chunk.api_key_hash, done)
        return [*unsent, *done]

    async def _run_unheard(self, chunk: Chunk) -> list[ImageAdResult]:
        """Runs a chunk whose worker says nothing before its end."""
        results: dict[int, ImageAdResult] = {}
        # An attempt at a time: the next one's key must be in the table before it is used.
        for _ in range(self._attempts):
            async with self._slots[chunk.api_key_hash]:
                attempt = await self._attempt(chunk)
            results |= {result.position: result for result in attempt}
            self._note_stops(chunk.api_key_hash, attempt)
            chunk = _ads_to_retry(chunk, results)
            if not chunk.jobs:
                break
            await self._prepared.batch.collect(attempt)
        return list(results.values())

    async def _attempt(self, chunk: Chunk) -> list[ImageAdResult]:
        """Has a worker try a chunk once, after all that it may send was marked on disk. Returns
        what became of each row, also if the worker is lost."""
        chunk, unsent = self._without_unsendable(chunk)
        if not unsent:
            try:
                now = datetime.now(UTC) + self._prepared.clock_ahead
                chunk = await mark_chunk(self._table, chunk, now)
            except CampaignError as error:
                chunk, unsent = _without_creates(chunk, str(error))
        if not chunk.jobs:
            return unsent
        try:
            done = await self._result(self._submit(chunk, 1, None))
        except Exception as error:
            done = self._lost(chunk, error)
        return [*unsent, *done]

    def _without_unsendable(self, chunk: Chunk) -> tuple[Chunk, list[ImageAdResult]]:
        reason = self._stop_reasons.get(chunk.api_key_hash)
        return (chunk, []) if reason is None else _without_creates(chunk, reason)

    def _note_stops(self, api_key_hash: str, results: list[ImageAdResult]) -> None:
        for result in results:
            if result.stopped_by:
                self._stop_reasons.setdefault(api_key_hash, result.stopped_by)

    def _result(
        self, wait: Callable[[], list[ImageAdResult]]
    ) -> asyncio.Future[list[ImageAdResult]]:
        return asyncio.get_running_loop().run_in_executor(self._threads, _waited, wait)

    def _lost(self, chunk: Chunk, error: Exception) -> list[ImageAdResult]:
        # A worker can die of anything, and the other chunks go on.
        get_run_logger().error("A chunk of %d rows was lost: %r", len(chunk.jobs), error)
        message = f"Its worker was lost ({type(error).__name__}); run it again."
        return unfinished(self._table, [ad.position for ad in chunk.jobs], message)


def _waited(wait: Callable[[], list[ImageAdResult]]) -> list[ImageAdResult]:
    """A chunk's result. That its cluster cancelled it does not mean that the run is cancelled."""
    try:
        return wait()
    except asyncio.CancelledError as error:
        raise ClusterLostError(f"its cluster has given it up: {error}") from error


def _without_creates(chunk: Chunk, reason: str) -> tuple[Chunk, list[ImageAdResult]]:
    """A chunk of what was created before, which is still collected; and the rest, unsent."""
    running = [ad for ad in chunk.jobs if ad.state.is_processing]
    unsent = [
        ImageAdResult(ad.position, ad.state, stopped_by=reason)
        for ad in chunk.jobs
        if not ad.state.is_processing
    ]
    return replace(chunk, jobs=running), unsent


def _ads_to_retry(chunk: Chunk, results: Mapping[int, ImageAdResult]) -> Chunk:
    """The ads of a chunk that are to be tried once more."""
    ads = [
        replace(ad, state=results[ad.position].state, persisted_elsewhere=False)
        for ad in chunk.jobs
        if ad.may_create and results[ad.position].state.job_failed
    ]
    return replace(chunk, jobs=ads)
