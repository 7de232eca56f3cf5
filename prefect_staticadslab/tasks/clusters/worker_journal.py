"""The journal of a worker, which has no table: it reports to the run that has it, and asks it."""

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

LAST_REPORT_SECONDS: Final = 5.0
"""How long a worker tries to report what it knows in the end; its result says the same."""

NO_ROWS: Final[Mapping[int, JobState]] = {}


class RunSilentError(CampaignError):
    """The run that has the table did not answer in time, so nothing may be sent."""


@dataclass(frozen=True)
class JournalLink:
    """What links a worker to the run that has the table, and is pickled on its way to the worker.

    It is the worker's `RemoteJournal`.

    Attributes:
        mailboxes: What carries messages between the run and the worker.
        run_box: The mailbox of the run.
        chunk_id: By which the run knows the worker's chunk.
    """

    mailboxes: Mailboxes
    run_box: str
    chunk_id: str

    async def run_with_journal(
        self,
        planned: Sequence[PlannedJob],
        work: Callable[[Journal], Awaitable[list[ImageAdResult]]],
    ) -> list[ImageAdResult]:
        """Does `work` with a journal that tells the run of everything; see `RemoteJournal`."""
        return await _WorkerJournal(self).run_work(planned, work)


class _WorkerJournal:
    """A `Journal` that reports a chunk's states to the run that has the table, and asks it.

    Args:
        link: What the run gave the worker of the chunk.
    """

    def __init__(self, link: JournalLink) -> None:
        self._link = link
        self._box = uuid4().hex
        self._next_report_number = self._last_question = 0
        self._unreported: dict[int, JobState] = {}  # what the run is not told yet, by position
        self._known: dict[int, JobState] = {}  # what is known of each row, by position
        self._awaited_answers: dict[int, asyncio.Future[Answer]] = {}  # by question
        self._unheard_looks: set[int] = set()  # looks whose answers have not arrived
        self._report_lock = asyncio.Lock()
        self._reported_at = time.monotonic()
        self._unreachable_since: float | None = None  # None while the run can be reached
        self._report_is_due = True  # a report is to be sent even without news
        self._is_stopping = False  # the work was cancelled: nothing more is sent to the API
        self._is_cut_off = False  # it was, because the run could not be reached

    async def run_work(
        self,
        planned: Sequence[PlannedJob],
        work: Callable[[Journal], Awaitable[list[ImageAdResult]]],
    ) -> list[ImageAdResult]:
        """Does `work`, in contact with the run that has the table, and returns its results.

        If the run stops it or is out of reach, the results are what is known of each job by then.
        Whatever ends it, what is known is reported once more, and the mailboxes are closed.
        """
        working = asyncio.ensure_future(work(self))
        exchanging = asyncio.create_task(self._exchange_messages(working))
        try:
            return await working
        except asyncio.CancelledError:
            own = asyncio.current_task()
            if not self._is_stopping or (own is not None and own.cancelling()):
                raise
            return [self._result_if_stopped(job) for job in planned]
        finally:
            exchanging.cancel()
            with contextlib.suppress(Exception):
                async with asyncio.timeout(LAST_REPORT_SECONDS):
                    await self._send_report()
                    for box in (self._box, self._link.run_box):
                        await asyncio.to_thread(self._link.mailboxes.close, box)

    async def before_send(self, changes: Mapping[int, JobState]) -> Mapping[int, JobState]:
        """Asks the run to mark these rows. Returns what it knows of them once that is on disk.

        Raises:
            RunSilentError: It does not answer within ANSWER_SECONDS, so nothing may be sent.
            CampaignError: It refuses; the message says why.
        """
        self._known |= changes
        try:
            known = await self._ask_run(ANSWER_SECONDS, to_send=changes)
        except TimeoutError:
            raise RunSilentError(
                "The run that keeps the table did not answer its worker, so nothing was sent."
            ) from None
        self._known |= known
        return known

    async def look(self, positions: Collection[int]) -> Mapping[int, JobState]:
        """Asks the run, which alone has the table, what other runs have written of these rows.

        Raises:
            RunSilentError: It does not answer within LOOK_ANSWER_SECONDS.
            CampaignError: It refuses; the message says why.
        """
        try:
            return await self._ask_run(LOOK_ANSWER_SECONDS, to_look=tuple(positions))
        except TimeoutError:
            raise RunSilentError(
                "The run that keeps the table does not tell its worker what others have written."
            ) from None

    def update(self, position: int, state: JobState) -> None:
        """Notes what is now known of a row; it is reported within PAUSE_SECONDS."""
        self._known[position] = self._unreported[position] = state

    def assign_job(self, position: int, image_ad_id: str) -> bool:
        """Always true here: the run, which knows the other rows' ads, checks it in the report."""
        return True

    async def _ask_run(
        self,
        seconds: float,
        *,
        to_send: Mapping[int, JobState] = NO_ROWS,
        to_look: Collection[int] = (),
    ) -> Mapping[int, JobState]:
        """Asks the run one thing, again every HEARTBEAT_SECONDS until it answers, and returns the
        rows' states of its answer, by position.

        Args:
            seconds: How long to wait for the answer.
            to_send, to_look: What to ask, one of them; see `Report`.

        Raises:
            TimeoutError: There is no answer by then.
            CampaignError: The run refuses; the message says why.
        """
        self._last_question += 1
        question = self._last_question
        awaited: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._awaited_answers[question] = awaited
        # What the run finds for a look it finds once: the next look's answer is to have it, too.
        unheard_before = set(self._unheard_looks)
        if to_look:
            self._unheard_looks.add(question)
        try:
            async with asyncio.timeout(seconds):
                while not awaited.done():
                    await self._report_until_sent(question, to_send, to_look)
                    await asyncio.wait({awaited}, timeout=HEARTBEAT_SECONDS)
        finally:
            self._awaited_answers.pop(question, None)
        answer = awaited.result()
        if answer.refusal:
            raise CampaignError(answer.refusal)
        if to_look:
            self._unheard_looks -= {*unheard_before, question} - self._awaited_answers.keys()
        return answer.known

    async def _report_until_sent(
        self, question: int, to_send: Mapping[int, JobState], to_look: Collection[int]
    ) -> None:
        """Sends a report with a question, again and again until that does not fail."""
        while True:
            try:
                await self._send_report(question, to_send, to_look)
            except Exception:
                # `_exchange_messages` logs it, which does not reach the run either.
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return

    async def _exchange_messages(self, working: asyncio.Future[list[ImageAdResult]]) -> None:
        """Every PAUSE_SECONDS reports what is new, and handles what is in the worker's mailbox.

        Without news it reports every HEARTBEAT_SECONDS. If the run cannot be reached for
        UNREACHABLE_SECONDS, the work is stopped. Goes on until it is cancelled.
        """
        while True:
            try:
                if self._unreported or self._report_is_due:
                    await self._send_report()
                for message in await asyncio.to_thread(self._link.mailboxes.take, self._box):
                    self._handle_message(decode(message), working)
                self._unreachable_since = None
            except Exception as error:
                # A cluster's libraries raise whatever they like.
                logger.warning("The run that keeps the table cannot be reached: %r", error)
                if self._unreachable_since is None:
                    self._unreachable_since = time.monotonic()
                if time.monotonic() - self._unreachable_since >= UNREACHABLE_SECONDS:
                    self._is_cut_off = True
                    self._stop_work(working)
            await asyncio.sleep(PAUSE_SECONDS)
            self._report_is_due |= time.monotonic() - self._reported_at >= HEARTBEAT_SECONDS

    def _result_if_stopped(self, job: PlannedJob) -> ImageAdResult:
        """What is known of a job whose work was stopped; with an error if that was because the run
        could not be reached."""
        state = self._known.get(job.position, job.state)
        if self._is_cut_off and (state.is_unsent or state.is_processing):
            state = replace(state, error=UNREACHABLE)
        return ImageAdResult(job.position, state)

    def _handle_message(
        self, message: Report | Answer | Stop, working: asyncio.Future[list[ImageAdResult]]
    ) -> None:
        """Passes an answer on to who asked, or stops the work if that is what the run says."""
        if isinstance(message, Answer):
            awaited = self._awaited_answers.pop(message.question, None)
            if awaited is not None and not awaited.done():
                awaited.set_result(message)
        elif isinstance(message, Stop):
            self._stop_work(working)

    def _stop_work(self, working: asyncio.Future[list[ImageAdResult]]) -> None:
        """Cancels the work, once, and has that reported."""
        if not self._is_stopping:
            self._is_stopping = True
            self._report_is_due = True
            working.cancel()

    async def _send_report(
        self,
        question: int = 0,
        to_send: Mapping[int, JobState] = NO_ROWS,
        to_look: Collection[int] = (),
    ) -> None:
        """Puts a report into the run's mailbox, with all that is new, and perhaps with a question,
        whose number, `to_send` and `to_look` are as in `Report`.

        If that fails, what is new is kept for the next report, and the error is raised.
        """
        # One after another, with all that is known by then: what is asked for must not be
        # overtaken by what was known of the same row before.
        async with self._report_lock:
            news, self._unreported = self._unreported, {}
            # One that fails may arrive all the same, later: its number tells that it is old.
            report = Report(
                chunk_id=self._link.chunk_id,
                box=self._box,
                number=self._next_report_number,
                states=news,
                question=question,
                to_send=to_send,
                to_look=to_look,
                unanswered=(*self._awaited_answers, *self._unheard_looks),
                is_stopping=self._is_stopping,
            )
            self._next_report_number += 1
            self._report_is_due = False
            try:
                await asyncio.to_thread(
                    self._link.mailboxes.put, self._link.run_box, encode(report)
                )
            except BaseException:
                self._unreported = news | self._unreported
                self._report_is_due = True
                raise
            self._reported_at = time.monotonic()
