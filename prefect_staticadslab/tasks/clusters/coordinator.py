"""The run's side of a cluster's mailboxes: it has the table, and answers the workers' reports."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.pipeline.job_outcome import AD_OF_ANOTHER_ROW
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult
from prefect_staticadslab.campaign.table.background import in_background
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus
from prefect_staticadslab.campaign.table.other_runs import merge_states
from prefect_staticadslab.campaign.table.result_table import JobTable
from prefect_staticadslab.tasks.clusters.chunk_contact import ChunkContact, Question
from prefect_staticadslab.tasks.clusters.messages import (
    CANCELLED,
    PAUSE_SECONDS,
    TAKEN_OVER,
    Answer,
    Mailboxes,
    Report,
    Stop,
    decode,
    encode,
)
from prefect_staticadslab.tasks.clusters.worker_journal import JournalLink

logger = logging.getLogger(__name__)

UNREACHABLE_SECONDS: Final = 60.0
"""How long a cluster may be out of reach; its clients connect again by themselves."""

SILENT_SECONDS: Final = 300.0
"""After how long without a report a worker that had begun counts as lost."""

UNBEGUN_SECONDS: Final = 3600.0
"""How long chunks wait for a worker while none reports. Machines take minutes to come, and other
people's work on a cluster may come first."""

STOP_SECONDS: Final = 12.0
"""How long a cancelled run waits for its workers: they wait twice five seconds for answers to what
they have sent, which usually takes none."""


class ClusterLostError(Exception):
    """A chunk's worker, or the cluster, is not heard of any more. The message says which."""


class Coordinator:
    """Takes what workers report into the table, and answers when they ask whether they may send.

    A row that a worker asks to send is marked on disk before the answer, so that one which may be
    paid for is known with its key, whatever happens to the worker and its messages. A chunk that
    the cluster begins anew, because its worker was lost, gets what is known of its rows by then:
    those that the lost worker may have sent count as sent, as if another run had done it.

    Args:
        mailboxes: The cluster's.
        table: The campaign's table.
        clock: Seconds that only go on.
    """

    def __init__(
        self,
        mailboxes: Mailboxes,
        table: JobTable[Any],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mailboxes = mailboxes
        self._table = table
        self._clock = clock
        self._own_box = uuid4().hex
        self._chunks: dict[str, ChunkContact] = {}  # by chunk id
        self._take_lock = asyncio.Lock()
        self._answer_tasks: set[asyncio.Task[None]] = set()  # what is being sent to workers
        # When the mailbox was last read, and when a report was last in it.
        self._box_read_at = self._last_report_at = clock()
        self._unreachable_since: float | None = None  # None while the mailbox can be read
        self._last_error = ""  # why the mailbox could not be read
        self._is_stopping = False  # whether the run is cancelled

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Takes in and answers workers' reports while the body runs, then closes the mailbox."""
        try:
            async with in_background(self._listen()):
                yield
        finally:
            for task in self._answer_tasks:
                task.cancel()
            with suppress(Exception):
                async with asyncio.timeout(PAUSE_SECONDS):
                    await asyncio.to_thread(self._mailboxes.close, self._own_box)

    def begin_chunk(self) -> JournalLink:
        """Registers one more chunk, and returns what its worker is to be given as its journal."""
        chunk_id = uuid4().hex
        self._chunks[chunk_id] = ChunkContact(self._clock())
        return JournalLink(self._mailboxes, self._own_box, chunk_id)

    async def wait_for_result(
        self, journal: JournalLink, result: asyncio.Future[list[ImageAdResult]]
    ) -> list[ImageAdResult]:
        """Waits for a chunk's result, and returns it with what the table knows beyond it.

        If this is cancelled, so is the work of all workers, and what they know by then is in the
        table when it ends.

        Args:
            journal: What `begin_chunk` gave for the chunk.
            result: Its result, as the cluster gives it.

        Raises:
            ClusterLostError: The worker or the cluster is not heard of any more.
            Exception: What the cluster raises in place of the result.
        """
        chunk = self._chunks[journal.chunk_id]
        try:
            while not result.done():
                await asyncio.wait({result}, timeout=PAUSE_SECONDS)
                if not result.done() and (reason := self._loss_reason(chunk)):
                    raise ClusterLostError(reason)
        except asyncio.CancelledError:
            await self._stop_workers(chunk, result)
            raise
        finally:
            chunk.is_ended = True
        return [self._reconciled_result(each) for each in result.result()]

    def _reconciled_result(self, result: ImageAdResult) -> ImageAdResult:
        """A worker's result with its state as `_reconciled_state` gives it."""
        return replace(result, state=self._reconciled_state(result.position, result.state))

    async def _listen(self) -> None:
        """Takes in reports every `PAUSE_SECONDS`, until it is cancelled."""
        while True:
            await self._take_reports()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _take_reports(self) -> None:
        """Handles the reports that are in this run's mailbox by now. If it cannot be read, nothing
        is raised: the error is kept, and since when there is one."""
        # One at a time: reports are handled in the order in which they were put in.
        async with self._take_lock:
            try:
                messages = await asyncio.to_thread(self._mailboxes.take, self._own_box)
            except Exception as error:
                # A cluster's libraries raise whatever they like.
                self._last_error = repr(error)
                if self._unreachable_since is None:
                    self._unreachable_since = self._clock()
                return
            self._unreachable_since = None
            self._box_read_at = self._clock()
            for message in map(decode, messages):
                if isinstance(message, Report):
                    self._handle_report(message)

    def _handle_report(self, report: Report) -> None:
        """Takes a report's states into the table, and starts to send the answer to its question.

        A worker whose chunk has ended, or that another one has replaced, is answered that it may
        send nothing more, and only ids of ads are taken from it. A report of an unknown chunk, or
        one that a later report has overtaken, is ignored. If the run is cancelled and the worker
        has not heard of it, it is sent `Stop`. A question that comes again is answered again.
        """
        chunk = self._chunks.get(report.chunk_id)
        if chunk is None:
            return
        self._last_report_at = self._box_read_at
        if is_late := chunk.is_late(report.box):
            self._take_ids_only(report.states)
        elif report.number > chunk.last_report_number:
            chunk.last_report_number, chunk.last_report_at = report.number, self._last_report_at
            for position, state in report.states.items():
                self._table.update(position, self._reconciled_state(position, state))
        else:
            return
        if self._is_stopping and not report.is_stopping:
            self._start_in_background(self._send(report.box, Stop()))
        if is_late and report.question:
            self._start_in_background(
                self._send(report.box, Answer(report.question, refusal=TAKEN_OVER))
            )
        elif is_late:
            return
        elif (question := chunk.note_question(report)) is not None:
            self._start_in_background(self._answer_question(question, chunk))
        elif (question := chunk.questions.get(report.question)) is not None:
            self._start_in_background(self._send_answer(question, chunk))

    def _take_ids_only(self, states: Mapping[int, JobState]) -> None:
        """Takes states with an ad's id into the table, where they are further than what it knows.

        They are of a worker that was replaced, or that nobody waits for: what it did not send says
        nothing of what its successor may send.
        """
        for position, state in states.items():
            told, known = self._reconciled_state(position, state), self._table.states[position]
            if told.job_id and told is not known and merge_states(told, known) is told:
                self._table.update(position, told)

    def _reconciled_state(self, position: int, state: JobState) -> JobState:
        """A worker's state of a row. The table's instead if only that has an ad, of this attempt or
        a later one; or, with an error that says so, if the worker's ad is another row's.

        An ad that was a removed row's becomes this row's; see `JobTable.assign_job`.
        """
        known = self._table.states[position]
        if state.job_id is None:
            return known if known.job_id and known.attempts >= state.attempts else state
        if self._table.assign_job(position, state.job_id):
            return state
        return replace(known, error=AD_OF_ANOTHER_ROW.format(state.job_id))

    async def _answer_question(self, question: Question, chunk: ChunkContact) -> None:
        """Looks up or marks the rows that a worker asks for, and sends it what is known of them, or
        why it must send nothing."""
        report = question.report
        try:
            if report.to_look:
                async with chunk.look_lock:
                    news = await self._table.look(report.to_look)
                    question.to_tell = {*news, *chunk.unheard_news(report)}
            else:
                await self._mark_rows(question, chunk)
                question.to_tell = set(report.to_send)
        except CampaignError as error:
            question.to_tell, question.refusal = set(), str(error)
        await self._send_answer(question, chunk)

    async def _send_answer(self, question: Question, chunk: ChunkContact) -> None:
        """Sends a worker the answer to its question, if there is one by now, with the states that
        its rows have by now; or why it must send nothing by now."""
        if question.to_tell is None:
            return
        report, known = question.report, {p: self._table.states[p] for p in question.to_tell}
        known |= {p: _marked_by_lost_worker(known[p]) for p in question.perhaps_sent}
        known |= {p: s for p, s in question.held_back.items() if not known[p].has_ad}
        refusal = question.refusal or self._refusal_reason(report, chunk)
        await self._send(report.box, Answer(report.question, {} if refusal else known, refusal))

    def _refusal_reason(self, report: Report, chunk: ChunkContact) -> str:
        """Why a worker must not send what was marked for it; "" if it may."""
        if self._is_stopping or chunk.is_ended:
            return CANCELLED
        return TAKEN_OVER if chunk.worker_box != report.box else ""

    async def _mark_rows(self, question: Question, chunk: ChunkContact) -> None:
        """Marks the rows on disk that a worker is about to send, and notes in its question which of
        them it does not mark anew, as a lost worker of this chunk may have sent them, and which it
        leaves to another run.

        Raises:
            CampaignError: They cannot be written, so nothing must be sent.
        """
        box, to_send, states = question.report.box, question.report.to_send, self._table.states
        question.perhaps_sent = {
            position
            for position in to_send
            if chunk.asked_from.get(position, box) != box
            and states[position].status is not RowStatus.PENDING
        }
        changes = {p: state for p, state in to_send.items() if p not in question.perhaps_sent}
        chunk.asked_from |= dict.fromkeys(to_send, box)
        # Also without changes: what the lost worker had asked for may not be on disk yet.
        known = await self._table.before_send(changes)
        question.held_back = {p: s for p, s in known.items() if s.status is RowStatus.PENDING}

    async def _stop_workers(
        self, chunk: ChunkContact, result: asyncio.Future[list[ImageAdResult]]
    ) -> None:
        """Has all workers stop: this chunk's at once, others when they report next.

        If a worker has begun with this chunk, waits up to `STOP_SECONDS` for its end, and takes in
        reports meanwhile. A result that is there then goes into the table.
        """
        self._is_stopping = True
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                if chunk.worker_box:
                    await self._send(chunk.worker_box, Stop())
                while chunk.worker_box and not result.done():
                    await asyncio.wait({result}, timeout=PAUSE_SECONDS)
                    # A loop that shuts down has cancelled `_listen`, too.
                    await self._take_reports()
                await self._take_reports()
        if result.done() and not result.cancelled() and result.exception() is None:
            for each in map(self._reconciled_result, result.result()):
                self._table.update(each.position, each.state)

    async def _send(self, box: str, message: Answer | Stop) -> None:
        """Puts a message into a worker's mailbox. If that fails, it is logged, and not raised."""
        try:
            await asyncio.to_thread(self._mailboxes.put, box, encode(message))
        except Exception as error:
            # The worker sends nothing without an answer, and asks again.
            logger.warning("A worker cannot be reached: %r", error)

    def _start_in_background(self, sending: Coroutine[Any, Any, None]) -> None:
        """Starts to send something to a worker, and does not wait for it."""
        task = asyncio.create_task(sending)
        self._answer_tasks.add(task)
        task.add_done_callback(self._answer_tasks.discard)

    def _loss_reason(self, chunk: ChunkContact) -> str:
        """Why a chunk's result will not come any more; "" if it may."""
        failing_since = self._unreachable_since
        if failing_since is not None and self._clock() - failing_since > UNREACHABLE_SECONDS:
            return f"the cluster cannot be reached: {self._last_error}"
        # As of the last time that it was read: in the mailbox of a program that was held up there
        # may be reports.
        now = self._box_read_at
        if chunk.worker_box and now - chunk.last_report_at > SILENT_SECONDS:
            return f"not heard of for {SILENT_SECONDS / 60:.0f} minutes"
        waiting_since = max(self._last_report_at, chunk.registered_at)
        if not chunk.worker_box and now - waiting_since > UNBEGUN_SECONDS:
            return f"no worker was heard of for {UNBEGUN_SECONDS / 60:.0f} minutes"
        return ""


def _marked_by_lost_worker(state: JobState) -> JobState:
    """What is known of a row that a lost worker had asked for; with a note in `error` if it is
    `submitting`, by which its successor sees that the mark is not its own."""
    if state.status is not RowStatus.SUBMITTING:
        return state
    return replace(state, error="Its first worker was lost.")
