"""Chunks as tasks on the workers of a cluster, which have no table."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
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
from prefect_staticadslab.campaign.table.result_table import JobTable
from prefect_staticadslab.tasks.clusters.coordinator import (
    ClusterLostError,
    Coordinator,
)
from prefect_staticadslab.tasks.clusters.messages import Mailboxes
from prefect_staticadslab.tasks.clusters.worker_journal import JournalLink

JOB_SECONDS: Final = 60.0
"""How long a chunk's ads are rendered after its last create; other chunks create meanwhile."""


class SubmitChunk(Protocol):
    """The type of a function that gives a chunk to the cluster."""

    def __call__(
        self, chunk: Chunk, attempts: int, journal: JournalLink | None
    ) -> Callable[[], list[ImageAdResult]]:
        """Gives a chunk to the cluster, and returns a function that blocks until its result.

        Args:
            chunk: The chunk.
            attempts: How many jobs to try for an ad.
            journal: The worker's link to the table; None if the cluster has no mailboxes.
        """


class WorkerTasks:
    """Runs chunks on workers, as many at once as the keys' limits keep busy.

    Where the cluster has mailboxes, a worker reports what it knows as it learns it, asks before it
    sends anything, and hears of a cancellation. Where it has none, a chunk is marked as sent before
    it is given away, an attempt at a time, and the table learns of it at its end.

    Args:
        prepared: What is to be run; its table is on disk.
        submit: Gives a chunk to the cluster.
        keys: The limiters of the keys that share the rows.
        attempts: How many jobs to try for an ad.
        mailboxes: The cluster's, if it has any.
    """

    def __init__(
        self,
        prepared: Prepared[Batch[Any]],
        submit: SubmitChunk,
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
        # Held by each chunk that a worker has, by API key hash.
        self._slots = {key: asyncio.Semaphore(count) for key, count in at_once.items()}
        self._threads = ThreadPoolExecutor(sum(at_once.values()))
        # Why all creates of a key were stopped, by API key hash.
        self._stop_reasons: dict[str, str] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[RunChunk]:
        """Gives what brings a chunk to its end on a worker, and can be called while the body runs.

        What it gives raises nothing if a worker is lost: the results say so. To be entered once.
        """
        try:
            if self._coordinator is None:
                yield self._run_without_reports
            else:
                async with self._coordinator.listening():
                    yield self._run_with_reports
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run_with_reports(self, chunk: Chunk) -> list[ImageAdResult]:
        """Runs a chunk whose worker reports and asks as it goes. Returns a result for each row."""
        assert self._coordinator is not None  # noqa: S101
        async with self._slots[chunk.api_key_hash]:
            chunk, unsent = self._without_creates_if_stopped(chunk)
            if not chunk.jobs:
                return unsent
            journal = self._coordinator.begin_chunk()
            try:
                result = self._result_in_thread(self._submit(chunk, self._attempts, journal))
                done = await self._coordinator.wait_for_result(journal, result)
            except Exception as error:
                done = self._give_up_chunk(chunk, error)
        self._note_stop_reasons(chunk.api_key_hash, done)
        return [*unsent, *done]

    async def _run_without_reports(self, chunk: Chunk) -> list[ImageAdResult]:
        """Runs a chunk whose workers report nothing before their end. Returns a result for each
        row; what an attempt came to is in the table before the next one begins, and what the last
        one came to is the caller's to collect."""
        results: dict[int, ImageAdResult] = {}
        # An attempt at a time: the next one's key must be in the table before it is used.
        for _ in range(self._attempts):
            async with self._slots[chunk.api_key_hash]:
                latest = await self._try_once(chunk)
            results |= {result.position: result for result in latest}
            self._note_stop_reasons(chunk.api_key_hash, latest)
            chunk = _chunk_to_retry(chunk, results)
            if not chunk.jobs:
                break
            await self._prepared.batch.collect(latest)
        return list(results.values())

    async def _try_once(self, chunk: Chunk) -> list[ImageAdResult]:
        """Has a worker try a chunk once, after all that it may send was marked on disk. Returns
        a result for each row, also if the worker is lost."""
        chunk, unsent = self._without_creates_if_stopped(chunk)
        if not unsent:
            try:
                now = datetime.now(UTC) + self._prepared.clock_ahead
                chunk = await mark_chunk(self._table, chunk, now)
            except CampaignError as error:
                chunk, unsent = _without_creates(chunk, str(error))
        if not chunk.jobs:
            return unsent
        try:
            done = await self._result_in_thread(self._submit(chunk, 1, None))
        except Exception as error:
            done = self._give_up_chunk(chunk, error)
        return [*unsent, *done]

    def _without_creates_if_stopped(self, chunk: Chunk) -> tuple[Chunk, list[ImageAdResult]]:
        """A chunk as it is and no results; or, if its key's creates were stopped, both as
        `_without_creates` gives them."""
        reason = self._stop_reasons.get(chunk.api_key_hash)
        return (chunk, []) if reason is None else _without_creates(chunk, reason)

    def _note_stop_reasons(self, api_key_hash: str, results: list[ImageAdResult]) -> None:
        """Notes if something stopped all creates of a key, so that its other chunks create nothing
        more either."""
        for result in results:
            if result.stopped_by:
                self._stop_reasons.setdefault(api_key_hash, result.stopped_by)

    def _result_in_thread(
        self, wait: Callable[[], list[ImageAdResult]]
    ) -> asyncio.Future[list[ImageAdResult]]:
        """What a blocking function will return, called in a thread; see `_wait_for_result`."""
        return asyncio.get_running_loop().run_in_executor(self._threads, _wait_for_result, wait)

    def _give_up_chunk(self, chunk: Chunk, error: Exception) -> list[ImageAdResult]:
        """Logs that a chunk's worker was lost, and returns what the table knows of its rows."""
        # A worker can die of anything, and the other chunks go on.
        get_run_logger().error("A chunk of %d rows was lost: %r", len(chunk.jobs), error)
        message = f"Its worker was lost ({type(error).__name__}); run it again."
        return results_of_lost_chunk(self._table, [ad.position for ad in chunk.jobs], message)


def results_of_lost_chunk(
    table: JobTable[Any], positions: Sequence[int], reason: str
) -> list[ImageAdResult]:
    """What the table knows of these rows, with the reason as an error where that is not final."""
    states = [table.states[position] for position in positions]
    return [
        ImageAdResult(
            position,
            replace(state, error=reason) if state.is_unsent or state.is_processing else state,
        )
        for position, state in zip(positions, states, strict=True)
    ]


def _wait_for_result(wait: Callable[[], list[ImageAdResult]]) -> list[ImageAdResult]:
    """Calls a function that blocks until a chunk's result, and returns that.

    Raises:
        ClusterLostError: The cluster has cancelled it, which does not mean that the run is
            cancelled.
    """
    try:
        return wait()
    except asyncio.CancelledError as error:
        raise ClusterLostError(f"its cluster has given it up: {error}") from error


def _without_creates(chunk: Chunk, reason: str) -> tuple[Chunk, list[ImageAdResult]]:
    """A chunk of the jobs that were created before, which are still followed; and results of the
    others, which are not sent for this reason."""
    processing = [ad for ad in chunk.jobs if ad.state.is_processing]
    unsent = [
        ImageAdResult(ad.position, ad.state, stopped_by=reason)
        for ad in chunk.jobs
        if not ad.state.is_processing
    ]
    return replace(chunk, jobs=processing), unsent


def _chunk_to_retry(chunk: Chunk, results: Mapping[int, ImageAdResult]) -> Chunk:
    """A chunk of those jobs that failed and may be created anew."""
    ads = [
        replace(ad, state=results[ad.position].state, persisted_elsewhere=False)
        for ad in chunk.jobs
        if ad.may_create and results[ad.position].state.job_failed
    ]
    return replace(chunk, jobs=ads)
