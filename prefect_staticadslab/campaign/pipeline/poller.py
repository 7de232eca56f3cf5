"""Following many ads with few requests, on behalf of everyone in an event loop."""

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
"""Batch reads that leave an id out before it is asked for by itself."""

TIMES_UNKNOWN: Final = 3
"""Answers in a row that there is no such ad before that is believed: a replica may lag behind."""


class Poller(Generic[J]):
    """Follows any number of jobs, up to 100 with one request, on behalf of everyone in its loop.

    Args:
        read: Reads the jobs of these ids; may leave out some that exist.
        read_one: Reads one.
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
        self._followed: dict[str, asyncio.Future[J]] = {}
        self._waiting: Counter[str] = Counter()
        self._since: dict[str, float] = {}
        self._is_stale: dict[str, Callable[[J], bool]] = {}
        self._last_poll: float | None = None
        self._job_times = JobTimes(poll_seconds)
        self._misses: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()
        self._loop_task: asyncio.Task[None] | None = None

    async def finished(
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
            is_new: Whether it was created just now, and will take its time.
            is_stale: Tells whether an answer is from before it was begun; such are ignored.

        Raises:
            WaitTimeoutError: It still runs after `timeout_seconds`.
            NotFoundError: The API does not know it.
            AuthenticationError, PermissionDeniedError: No poll can succeed.
        """
        future = self._followed.get(job_id)
        if future is None:
            future = self._followed[job_id] = asyncio.get_running_loop().create_future()
            self._since[job_id] = time.monotonic() if is_new else -math.inf
            if is_stale is not None:
                self._is_stale[job_id] = is_stale
        self._waiting[job_id] += 1
        if self._loop_task is None or self._loop_task.done():
            self._loop_task = asyncio.create_task(self._poll())
            self._loop_task.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await asyncio.shield(future)
        except TimeoutError:
            raise WaitTimeoutError((job_id,), timeout_seconds) from None
        finally:
            self._waiting[job_id] -= 1
            if not self._waiting[job_id]:
                self._forget(job_id)

    async def close(self) -> None:
        """Stops polling."""
        if self._loop_task is not None:
            self._loop_task.cancel()
            await asyncio.gather(self._loop_task, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Whatever broke the polling breaks the waiting, too."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            for job_id in list(self._followed):
                self._settle(job_id, error)

    async def _poll(self) -> None:
        while self._followed:
            span = self._job_times.span
            due = next_poll(
                self._last_poll,
                self._since.values(),
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
            ids = [i for i, since in self._since.items() if first or since + span.shortest <= now]
            for start in range(0, len(ids), MAX_IDS_PER_READ):
                await self._read(ids[start : start + MAX_IDS_PER_READ])
            # A read may have waited for the rate limit: what it told is not asked for at once.
            self._last_poll = time.monotonic()

    async def _read(self, ids: list[str]) -> None:
        try:
            ads = {ad.id: ad for ad in await self._read_many(ids)}
        except ACCOUNT_ERRORS as error:
            for job_id in ids:
                self._settle(job_id, error)
            return
        except StaticAdsLabError as error:
            logger.warning("Polling %d jobs: %s", len(ids), error)
            return
        for job_id in ids:
            ad = ads.get(job_id)
            if ad is None:
                await self._missed(job_id)
            else:
                self._forget_misses(job_id)
                if self._shows_the_past(ad):
                    continue
                since = self._since.get(job_id, -math.inf)
                if since > -math.inf:
                    self._job_times.saw(ad, time.monotonic() - since)
                if ad.is_finished:
                    self._settle(job_id, ad)

    async def _missed(self, job_id: str) -> None:
        """A batch read may leave out what exists; only being asked for it alone is an answer."""
        self._misses[job_id] += 1
        if self._misses[job_id] < MISSES_BEFORE_ASKING:
            return
        try:
            ad = await self._read_one(job_id)
        except NotFoundError as error:
            self._unknown[job_id] += 1
            if self._unknown[job_id] >= TIMES_UNKNOWN:
                self._settle(job_id, error)
        except StaticAdsLabError as error:
            logger.warning("Reading %s: %s", job_id, error)
        else:
            self._forget_misses(job_id)
            if ad.is_finished and not self._shows_the_past(ad):
                self._settle(job_id, ad)

    def _shows_the_past(self, job: J) -> bool:
        is_stale = self._is_stale.get(job.id)
        return is_stale is not None and is_stale(job)

    def _forget(self, job_id: str) -> None:
        """Nobody waits for it any more."""
        for known in (self._followed, self._waiting, self._since, self._is_stale):
            known.pop(job_id, None)
        self._forget_misses(job_id)

    def _forget_misses(self, job_id: str) -> None:
        self._misses.pop(job_id, None)
        self._unknown.pop(job_id, None)

    def _settle(self, job_id: str, outcome: J | BaseException) -> None:
        future = self._followed.get(job_id)
        if future is None or future.done():
            return
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
