"""The side of a cluster's mailboxes that has the table: it answers the workers, and is told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import uuid4

from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.pipeline.job_outcome import AD_OF_ANOTHER_ROW
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult
from prefect_staticadslab.campaign.table.background import in_background
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus
from prefect_staticadslab.campaign.table.other_runs import merge_states
from prefect_staticadslab.campaign.table.result_table import JobTable
from prefect_staticadslab.tasks.clusters.messages import (
    PAUSE_SECONDS,
    Answer,
    Mailboxes,
    Report,
    Stop,
    decode,
    encode,
)
from prefect_staticadslab.tasks.clusters.worker_journal import WorkerJournal

logger = logging.getLogger(__name__)

UNREACHABLE_SECONDS: Final = 60.0
"""So long a cluster may be out of reach; its clients connect again by themselves."""

SILENT_SECONDS: Final = 300.0
"""After so long without a word a worker that had begun is lost, and no other has taken over."""

UNBEGUN_SECONDS: Final = 3600.0
"""So long chunks wait for a worker while none is heard of. Machines take minutes to come, and other
people's work on a cluster may come first."""

STOP_SECONDS: Final = 12.0
"""How long a cancelled run waits for its workers: they wait twice five seconds for answers to what
they have sent, which usually takes none."""


class ClusterLostError(Exception):
    """A chunk's worker, or the cluster, is not heard of any more. The message says which."""


@dataclass
class _Chunk:
    """What is known of a chunk that a worker has, or will have.

    Attributes:
        box: Of the worker that has it; "" before it has begun.
        last_number: The last report from that box.
        last_ask: The last that was asked from there.
        heard_at: When the last report came from that box.
        asked: From which box each row was asked for last.
        is_ended: Whether its result is here, or nobody waits for it any more.
    """

    box: str = ""
    last_number: int = -1
    last_ask: int = 0
    heard_at: float = 0.0
    asked: dict[int, str] = field(default_factory=dict)
    is_ended: bool = False


class Coordinator:
    """Takes what workers tell into the table, and answers when they ask whether they may send.

    What a worker asks for is on disk before it is answered, so that a row which may be paid for is
    known with its key, whatever happens to the worker and its messages. A chunk that the cluster
    begins anew, because its worker was lost, gets what is known of its rows by then: those that
    the lost worker may have sent count as sent, as if another run had done it.

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
        self._box = uuid4().hex
        self._chunks: dict[str, _Chunk] = {}
        self._taking = asyncio.Lock()
        self._answering: set[asyncio.Task[None]] = set()
        self._looked_at = self._heard_at = clock()
        self._failing_since: float | None = None
        self._trouble = ""
        self._is_stopping = False

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Looks into the mailbox while the body runs."""
        try:
            async with in_background(self._listen()):
                yield
        finally:
            for task in self._answering:
                task.cancel()
            with suppress(Exception):
                async with asyncio.timeout(PAUSE_SECONDS):
                    await asyncio.to_thread(self._mailboxes.close, self._box)

    def begin_chunk(self) -> WorkerJournal:
        """A journal for the worker that will get a chunk."""
        chunk = uuid4().hex
        self._chunks[chunk] = _Chunk()
        return WorkerJournal(self._mailboxes, self._box, chunk)

    async def result_of(
        self, journal: WorkerJournal, result: asyncio.Future[list[ImageAdResult]]
    ) -> list[ImageAdResult]:
        """Waits for a chunk's result, with the table's word where that knows more.

        If this is cancelled, so is the work of all workers, and what they know by then is in the
        table when it ends.

        Args:
            journal: What the chunk was given.
            result: Its result, as the cluster gives it.

        Raises:
            ClusterLostError: The result will not come.
            Exception: What the cluster raises in place of the result.
        """
        chunk = self._chunks[journal.chunk]
        try:
            while not result.done():
                await asyncio.wait({result}, timeout=PAUSE_SECONDS)
                if not result.done() and (loss := self._loss_of(chunk)):
                    raise ClusterLostError(loss)
        except asyncio.CancelledError:
            await self._stop(chunk, result)
            raise
        finally:
            chunk.is_ended = True
        return [self._checked(each) for each in result.result()]

    def _checked(self, result: ImageAdResult) -> ImageAdResult:
        return replace(result, state=self._own(result.position, result.state))

    async def _listen(self) -> None:
        while True:
            await self._take()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _take(self) -> None:
        """Takes in what workers have put into this run's box by now; notes how long it cannot be
        had."""
        # One look at a time: messages are taken in the order in which they were put in.
        async with self._taking:
            try:
                messages = await asyncio.to_thread(self._mailboxes.take, self._box)
            except Exception as error:
                # A cluster's libraries raise whatever they like.
                self._trouble = repr(error)
                if self._failing_since is None:
                    self._failing_since = self._clock()
                return
            self._failing_since = None
            self._looked_at = self._clock()
            for message in map(decode, messages):
                if isinstance(message, Report):
                    self._hear(message)

    def _hear(self, report: Report) -> None:
        """Takes in a worker's report: what it knows of its rows goes into the table, and what it
        asks is answered. One that is late, or of a worker that another one has replaced, may send
        nothing more."""
        chunk = self._chunks.get(report.chunk)
        if chunk is None:
            return
        self._heard_at = self._looked_at
        if report.box != chunk.box and report.number == 0:
            chunk.box, chunk.last_number, chunk.last_ask = report.box, -1, 0
        if is_late := chunk.is_ended or report.box != chunk.box:
            self._learn_late(report.states)
        elif report.number > chunk.last_number:
            chunk.last_number, chunk.heard_at = report.number, self._heard_at
            for position, state in report.states.items():
                self._table.update(position, self._own(position, state))
        else:
            return
        if self._is_stopping and not report.is_stopping:
            self._spawn(self._put(report.box, Stop()))
        if is_late and report.ask:
            self._spawn(self._put(report.box, Answer(report.ask, refusal=TAKEN_OVER)))
        elif report.ask > chunk.last_ask:
            chunk.last_ask = report.ask
            self._spawn(self._answer(report, chunk))

    def _learn_late(self, states: Mapping[int, JobState]) -> None:
        """Takes ids from a worker that nobody counts on any more; what it did not send says
        nothing of what its successor may send."""
        for position, state in states.items():
            own, known = self._own(position, state), self._table.states[position]
            if own.job_id and own is not known and merge_states(own, known) is own:
                self._table.update(position, own)

    def _own(self, position: int, state: JobState) -> JobState:
        """What a worker knows of a row, unless more is known, or it is of another row's ad."""
        known = self._table.states[position]
        if state.job_id is None:
            return known if known.job_id and known.attempts >= state.attempts else state
        if self._table.assign_job(position, state.job_id):
            return state
        return replace(known, error=AD_OF_ANOTHER_ROW.format(state.job_id))

    async def _answer(self, report: Report, chunk: _Chunk) -> None:
        known: Mapping[int, JobState] = {}
        try:
            if report.to_look:
                known = await self._table.look(report.to_look)
            else:
                known = await self._mark(report.to_send, report.box, chunk)
        except CampaignError as error:
            refusal = str(error)
        else:
            refusal = self._refusal_of(report, chunk)
        await self._put(report.box, Answer(report.ask, {} if refusal else known, refusal))

    def _refusal_of(self, report: Report, chunk: _Chunk) -> str:
        """Why a worker must not send what is on disk; "" if it may."""
        if self._is_stopping or chunk.is_ended:
            return CANCELLED
        return TAKEN_OVER if chunk.box != report.box else ""

    async def _mark(
        self, to_send: Mapping[int, JobState], box: str, chunk: _Chunk
    ) -> Mapping[int, JobState]:
        """Writes down what a worker is about to send. Returns what is known of it by then.

        Rows that a lost worker of this chunk may have sent are answered as they are on disk.
        """
        states = self._table.states
        perhaps_sent = {
            position: _from_lost_worker(states[position])
            for position in to_send
            if chunk.asked.get(position, box) != box
            and states[position].status is not RowStatus.PENDING
        }
        changes = {p: state for p, state in to_send.items() if p not in perhaps_sent}
        chunk.asked |= dict.fromkeys(to_send, box)
        # Also if all are taken: what the lost worker had asked for may not be on disk yet.
        return {**await self._table.before_send(changes), **perhaps_sent}

    async def _stop(self, chunk: _Chunk, result: asyncio.Future[list[ImageAdResult]]) -> None:
        """Has all workers stop, and waits for a chunk to end, if a worker has begun with it."""
        self._is_stopping = True
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                if chunk.box:
                    await self._put(chunk.box, Stop())
                while chunk.box and not result.done():
                    await asyncio.wait({result}, timeout=PAUSE_SECONDS)
                    # A loop that shuts down has cancelled `_listen`, too.
                    await self._take()
                await self._take()
        if result.done() and not result.cancelled() and result.exception() is None:
            for each in map(self._checked, result.result()):
                self._table.update(each.position, each.state)

    async def _put(self, box: str, message: Answer | Stop) -> None:
        try:
            await asyncio.to_thread(self._mailboxes.put, box, encode(message))
        except Exception as error:
            # The worker sends nothing without an answer.
            logger.warning("A worker cannot be reached: %r", error)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    def _loss_of(self, chunk: _Chunk) -> str:
        """Why a chunk's result will not come; "" if it may."""
        failing_since = self._failing_since
        if failing_since is not None and self._clock() - failing_since > UNREACHABLE_SECONDS:
            return f"the cluster cannot be reached: {self._trouble}"
        # As of the last look: a program that was held up has words waiting for it.
        now = self._looked_at
        if chunk.box and now - chunk.heard_at > SILENT_SECONDS:
            return f"not heard of for {SILENT_SECONDS / 60:.0f} minutes"
        if not chunk.box and now - self._heard_at > UNBEGUN_SECONDS:
            return f"no worker was heard of for {UNBEGUN_SECONDS / 60:.0f} minutes"
        return ""


TAKEN_OVER: Final = "Another worker has taken over, so this one sends nothing more."
CANCELLED: Final = "The run was cancelled, so nothing more is sent."


def _from_lost_worker(state: JobState) -> JobState:
    """What a lost worker was about to send. With a note, so that whoever asks for it anew sees that
    it is not its own word."""
    if state.status is not RowStatus.SUBMITTING:
        return state
    return replace(state, error="Its first worker was lost.")


def unfinished(table: JobTable[Any], positions: Sequence[int], reason: str) -> list[ImageAdResult]:
    """What is known of the rows of a chunk that was lost, with the reason where more is to come."""
    states = [table.states[position] for position in positions]
    return [
        ImageAdResult(
            position,
            replace(state, error=reason) if state.is_unsent or state.is_processing else state,
        )
        for position, state in zip(positions, states, strict=True)
    ]
