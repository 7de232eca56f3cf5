"""Polling many jobs with few requests, on behalf of all that wait for them in an event loop."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from prefect_staticadslab.api.errors import (
    ACCOUNT_ERRORS,
    NotFoundError,
    StaticAdsLabError,
    WaitTimeoutError,
)
from prefect_staticadslab.api.models import MAX_IDS_PER_READ, Job
from prefect_staticadslab.campaign.pipeline.poll_schedule import POLL_SECONDS, JobTimes, next_poll

logger = logging.getLogger(__name__)

J = TypeVar("J", bound=Job)

MISSES_BEFORE_ASKING: Final = 3
"""After how many batch reads that leave an id out it is asked for by itself."""

TIMES_UNKNOWN: Final = 3
"""After how many answers that there is no such job this is believed: a replica may lag behind."""


class Poller(Generic[J]):
    """Polls any number of jobs, up to 100 with one request, as long as anything waits for one.

    Args:
        read: Reads the jobs of these ids; may leave out some that exist.
        read_one: Reads one; `NotFoundError` if there is none.
        seconds_per_read: How far apart reads should be at least; None if nothing waits to be
            created, and requests are not scarce.
        poll_seconds: How often such a job is asked for that may be finished.
    """

    def __init__(
        self,
        read: Callable[[Sequence[str]], Awaitable[list[J]]],
        read_one: Callable[[str], Awaitable[J]],
        seconds_per_read: Callable[[], float | None],
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._read_many = read
        self._read_one = read_one
        self._seconds_per_read = seconds_per_read
        self._poll_seconds = poll_seconds
        # By job id: what is followed, by how many, since when (-inf if it was created before), and
        # how stale answers are told.
        self._followed: dict[str, asyncio.Future[J]] = {}
        self._waiters: Counter[str] = Counter()
        self._created_at: dict[str, float] = {}
        self._is_stale: dict[str, Callable[[J], bool]] = {}
        self._last_poll: float | None = None
        self._job_times = JobTimes(poll_seconds)
        # How often an id was left out of batch reads, and not found by itself.
        self._times_left_out: Counter[str] = Counter()
        self._times_not_found: Counter[str] = Counter()
        self._loop_task: asyncio.Task[None] | None = None

    async def wait_until_finished(
        self,
        job_id: str,
        timeout_seconds: float,
        *,
        is_new: bool = False,
        is_stale: Callable[[J], bool] | None = None,
    ) -> J:
        """Waits until a job is completed or failed, and returns it. Polls if nobody does yet.

        Args:
            job_id: Which job.
            timeout_seconds: How long to follow it.
            is_new: Whether it was created just now, so that its age is known.
            is_stale: Tells whether an answer is from before it was begun; such are ignored.

        Raises:
            WaitTimeoutError: It still runs after `timeout_seconds`.
            NotFoundError: The API does not know it.
            AuthenticationError, PermissionDeniedError: No poll can succeed.
        """
        future = self._followed.get(job_id)
        if future is None:
            future = self._followed[job_id] = asyncio.get_running_loop().create_future()
            self._created_at[job_id] = time.monotonic() if is_new else -math.inf
            if is_stale is not None:
                self._is_stale[job_id] = is_stale
        self._waiters[job_id] += 1
        if self._loop_task is None or self._loop_task.done():
            self._loop_task = asyncio.create_task(self._poll())
            self._loop_task.add_done_callback(self._pass_error_on)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await asyncio.shield(future)
        except TimeoutError:
            raise WaitTimeoutError((job_id,), timeout_seconds) from None
        finally:
            self._waiters[job_id] -= 1
            if not self._waiters[job_id]:
                self._stop_following(job_id)

    async def close(self) -> None:
        """Stops polling. What still waits for a job is not woken."""
        if self._loop_task is not None:
            self._loop_task.cancel()
            await asyncio.gather(self._loop_task, return_exceptions=True)

    def _pass_error_on(self, task: asyncio.Task[None]) -> None:
        """Raises what broke the polling in all that wait for a job."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            for job_id in list(self._followed):
                self._set_outcome(job_id, error)

    async def _poll(self) -> None:
        """Polls, each time when `next_poll` says, until nothing is followed any more."""
        while self._followed:
            span = self._job_times.span
            due = next_poll(
                self._last_poll,
                self._created_at.values(),
                span,
                self._seconds_per_read(),
                self._poll_seconds,
            )
            # In short steps, because it comes sooner once the last ad is created.
            pause = min(due - time.monotonic(), self._poll_seconds / 4)
            if pause > 0:
                await asyncio.sleep(pause)
                continue
            now = time.monotonic()
            first, self._last_poll = self._last_poll is None, now
            ids = [
                job_id
                for job_id, created_at in self._created_at.items()
                if first or created_at + span.shortest <= now
            ]
            for start in range(0, len(ids), MAX_IDS_PER_READ):
                await self._read_batch(ids[start : start + MAX_IDS_PER_READ])
            # A read may have waited for the rate limit: what it told is not asked for at once.
            self._last_poll = time.monotonic()

    async def _read_batch(self, ids: list[str]) -> None:
        """Reads jobs with one request, learns how long jobs take, and hands finished ones out."""
        try:
            ads = {ad.id: ad for ad in await self._read_many(ids)}
        except ACCOUNT_ERRORS as error:
            for job_id in ids:
                self._set_outcome(job_id, error)
            return
        except StaticAdsLabError as error:
            logger.warning("Polling %d jobs: %s", len(ids), error)
            return
        for job_id in ids:
            ad = ads.get(job_id)
            if ad is None:
                await self._handle_left_out(job_id)
            else:
                self._forget_misses(job_id)
                if self._is_stale_answer(ad):
                    continue
                created_at = self._created_at.get(job_id, -math.inf)
                if created_at > -math.inf:
                    self._job_times.learn(ad, time.monotonic() - created_at)
                if ad.is_finished:
                    self._set_outcome(job_id, ad)

    async def _handle_left_out(self, job_id: str) -> None:
        """Counts that a batch read has left a job out. A batch may leave out what exists, so after
        some times the job is read by itself, and counts as gone once that fails repeatedly."""
        self._times_left_out[job_id] += 1
        if self._times_left_out[job_id] < MISSES_BEFORE_ASKING:
            return
        try:
            ad = await self._read_one(job_id)
        except NotFoundError as error:
            self._times_not_found[job_id] += 1
            if self._times_not_found[job_id] >= TIMES_UNKNOWN:
                self._set_outcome(job_id, error)
        except StaticAdsLabError as error:
            logger.warning("Reading %s: %s", job_id, error)
        else:
            self._forget_misses(job_id)
            if ad.is_finished and not self._is_stale_answer(ad):
                self._set_outcome(job_id, ad)

    def _is_stale_answer(self, job: J) -> bool:
        """Whether an answer shows a job from before it was begun."""
        is_stale = self._is_stale.get(job.id)
        return is_stale is not None and is_stale(job)

    def _stop_following(self, job_id: str) -> None:
        """Forgets all of a job that nothing waits for any more."""
        for known in (self._followed, self._waiters, self._created_at, self._is_stale):
            known.pop(job_id, None)
        self._forget_misses(job_id)

    def _forget_misses(self, job_id: str) -> None:
        """Counts anew how often a job is left out, and not found: it is there."""
        self._times_left_out.pop(job_id, None)
        self._times_not_found.pop(job_id, None)

    def _set_outcome(self, job_id: str, outcome: J | BaseException) -> None:
        """Gives all that wait for a job its finished state, or an error; the first one counts."""
        future = self._followed.get(job_id)
        if future is None or future.done():
            return
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
