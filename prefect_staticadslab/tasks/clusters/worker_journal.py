"""The journal of a worker, which writes nothing: it asks and tells the run that has the table."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import uuid4

from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult, Journal, PlannedJob
from prefect_staticadslab.campaign.table.job_state import JobState
from prefect_staticadslab.tasks.clusters.messages import (
    HEARTBEAT_SECONDS,
    PAUSE_SECONDS,
    Answer,
    Mailboxes,
    Report,
    Stop,
    decode,
    encode,
)

logger = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 900.0
"""How long a worker waits to hear that its rows are on disk. The run itself waits ten minutes for a
table that somebody has open."""

LOOK_ANSWER_SECONDS: Final = 60.0
"""How long a worker waits to hear what other runs have written."""

UNREACHABLE_SECONDS: Final = 60.0
"""After so long without reaching its run a worker creates nothing more: nobody would know of it."""

UNREACHABLE: Final = "Its worker did not reach the run any more; run it again."

LAST_WORD_SECONDS: Final = 5.0
"""How long a worker tries to tell what it knows in the end; its result says the same."""

NOTHING: Final[Mapping[int, JobState]] = {}


class NoAnswerError(CampaignError):
    """The run that has the table did not answer in time, so nothing may be sent."""


@dataclass(frozen=True)
class WorkerJournal:
    """The way to a campaign's table, for a worker that has none; see `RemoteJournal`.

    Attributes:
        mailboxes: What carries messages between them.
        run_box: The box of the run that has the table.
        chunk: What stands for the worker's chunk.
    """

    mailboxes: Mailboxes
    run_box: str
    chunk: str

    async def run_with_journal(
        self,
        planned: Sequence[PlannedJob],
        work: Callable[[Journal], Awaitable[list[ImageAdResult]]],
    ) -> list[ImageAdResult]:
        """Does `work` with a journal that tells the run of everything; see `RemoteJournal`."""
        return await _Contact(self).keep(planned, work)


class _Contact:
    """A worker's contact with its run, for one chunk."""

    def __init__(self, way: WorkerJournal) -> None:
        self._way = way
        self._box = uuid4().hex
        self._number = self._asks = 0
        self._news: dict[int, JobState] = {}
        self._known: dict[int, JobState] = {}
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._in_order = asyncio.Lock()
        self._reported_at = time.monotonic()
        self._failing_since: float | None = None
        self._report_is_due = True
        self._is_stopping = False
        self._is_cut_off = False

    async def keep(
        self,
        planned: Sequence[PlannedJob],
        work: Callable[[Journal], Awaitable[list[ImageAdResult]]],
    ) -> list[ImageAdResult]:
        """Does `work`, in contact with the run that keeps the table; see `RemoteJournal`. What
        it knows at its end is told, whatever ends it."""
        working = asyncio.ensure_future(work(self))
        listening = asyncio.create_task(self._exchange(working))
        try:
            return await working
        except asyncio.CancelledError:
            own = asyncio.current_task()
            if not self._is_stopping or (own is not None and own.cancelling()):
                raise
            return [self._result(plan) for plan in planned]
        finally:
            listening.cancel()
            with contextlib.suppress(Exception):
                async with asyncio.timeout(LAST_WORD_SECONDS):
                    await self._report()
                    for box in (self._box, self._way.run_box):
                        await asyncio.to_thread(self._way.mailboxes.close, box)

    async def before_send(self, changes: Mapping[int, JobState]) -> Mapping[int, JobState]:
        """Asks whether these may be sent. Returns once the run has written them down.

        Raises:
            NoAnswerError: It does not say so.
            CampaignError: It says why not.
        """
        self._known |= changes
        try:
            known = await self._answered(ANSWER_SECONDS, to_send=changes)
        except TimeoutError:
            raise NoAnswerError(
                "The run that keeps the table did not answer its worker, so nothing was sent."
            ) from None
        self._known |= known
        return known

    async def look(self, positions: Collection[int]) -> Mapping[int, JobState]:
        """Asks the run, which alone has the table, what other runs have written of these rows.

        Raises:
            NoAnswerError: It does not answer within LOOK_ANSWER_SECONDS.
            CampaignError: It refuses; the message says why.
        """
        try:
            return await self._answered(LOOK_ANSWER_SECONDS, to_look=tuple(positions))
        except TimeoutError:
            raise NoAnswerError(
                "The run that keeps the table does not tell its worker what others have written."
            ) from None

    def update(self, position: int, state: JobState) -> None:
        """Notes what is now known; it is told at the next look into the mailbox."""
        self._known[position] = self._news[position] = state

    def assign_job(self, position: int, image_ad_id: str) -> bool:
        """Only the run knows the other rows' ads, and checks that."""
        return True

    async def _answered(
        self,
        seconds: float,
        *,
        to_send: Mapping[int, JobState] = NOTHING,
        to_look: Collection[int] = (),
    ) -> Mapping[int, JobState]:
        """What the run answers.

        Raises:
            TimeoutError: Nothing, for so many seconds.
            CampaignError: It says why not.
        """
        self._asks += 1
        ask = self._asks
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[ask] = waiting
        try:
            async with asyncio.timeout(seconds):
                await self._ask(ask, to_send, to_look)
                answer = await waiting
        finally:
            self._answers.pop(ask, None)
        if answer.refusal:
            raise CampaignError(answer.refusal)
        return answer.known

    async def _ask(
        self, ask: int, to_send: Mapping[int, JobState], to_look: Collection[int]
    ) -> None:
        while True:
            try:
                await self._report(ask, to_send, to_look)
            except Exception:
                # It is told by `_exchange`, which does not reach the run either.
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return

    async def _exchange(self, working: asyncio.Future[list[ImageAdResult]]) -> None:
        """Takes what has come every PAUSE_SECONDS, and reports news, or that this worker is alive.

        If that fails for UNREACHABLE_SECONDS, the work is stopped. Runs until it is cancelled.
        """
        while True:
            try:
                if self._news or self._report_is_due:
                    await self._report()
                for message in await asyncio.to_thread(self._way.mailboxes.take, self._box):
                    self._hear(decode(message), working)
                self._failing_since = None
            except Exception as error:
                # A cluster's libraries raise whatever they like.
                logger.warning("The run that keeps the table cannot be reached: %r", error)
                if self._failing_since is None:
                    self._failing_since = time.monotonic()
                if time.monotonic() - self._failing_since >= UNREACHABLE_SECONDS:
                    self._is_cut_off = True
                    self._stop(working)
            await asyncio.sleep(PAUSE_SECONDS)
            self._report_is_due |= time.monotonic() - self._reported_at >= HEARTBEAT_SECONDS

    def _result(self, plan: PlannedJob) -> ImageAdResult:
        state = self._known.get(plan.position, plan.state)
        if self._is_cut_off and (state.is_unsent or state.is_processing):
            state = replace(state, error=UNREACHABLE)
        return ImageAdResult(plan.position, state)

    def _hear(
        self, message: Report | Answer | Stop, working: asyncio.Future[list[ImageAdResult]]
    ) -> None:
        if isinstance(message, Answer):
            waiting = self._answers.pop(message.ask, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
        elif isinstance(message, Stop):
            self._stop(working)

    def _stop(self, working: asyncio.Future[list[ImageAdResult]]) -> None:
        if not self._is_stopping:
            self._is_stopping = True
            self._report_is_due = True
            working.cancel()

    async def _report(
        self,
        ask: int = 0,
        to_send: Mapping[int, JobState] = NOTHING,
        to_look: Collection[int] = (),
    ) -> None:
        # One after another, with all that is known by then: what is asked for must not be
        # overtaken by what was known of the same row before.
        async with self._in_order:
            news, self._news = self._news, {}
            # One that fails may arrive all the same, later: its number tells that it is old.
            report = Report(
                chunk=self._way.chunk,
                box=self._box,
                number=self._number,
                states=news,
                ask=ask,
                to_send=to_send,
                to_look=to_look,
                is_stopping=self._is_stopping,
            )
            self._number += 1
            self._report_is_due = False
            try:
                await asyncio.to_thread(self._way.mailboxes.put, self._way.run_box, encode(report))
            except BaseException:
                self._news = news | self._news
                self._report_is_due = True
                raise
            self._reported_at = time.monotonic()
