"""`generate` takes a chunk of planned jobs through a `Session`, which all chunks of a key share:
creates go out as the rate limit allows, and what runs is polled in batches."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.api.retries.elapsed import elapsed
from prefect_staticadslab.api.waiting import BATCH_TIMEOUT_SECONDS
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.pipeline.attempt import Attempt
from prefect_staticadslab.campaign.pipeline.job_outcome import Decision
from prefect_staticadslab.campaign.pipeline.planned_job import (
    ImageAdResult,
    Journal,
    NoJournal,
    PlannedJob,
)
from prefect_staticadslab.campaign.pipeline.requests import is_stale
from prefect_staticadslab.campaign.pipeline.session import Session
from prefect_staticadslab.campaign.pipeline.submit import (
    NotSentError,
    OtherKeyError,
    send,
    share_key_lock,
)
from prefect_staticadslab.campaign.table.background import in_background, wait_or_cancel
from prefect_staticadslab.campaign.table.other_runs import (
    KNOWN_SECONDS,
    LOOK_SECONDS,
    LOOKED_FOR_SECONDS,
)

STOP_CHECK_SECONDS: Final = 1.0
"""How often a create that waits for its moment is looked at: it may not be needed any more."""


async def generate(
    session: Session,
    planned: Sequence[PlannedJob],
    journal: Journal | None = None,
    *,
    attempts: int = 2,
    timeout_seconds: float = BATCH_TIMEOUT_SECONDS,
    wait: bool = True,
) -> list[ImageAdResult]:
    """Brings a chunk of jobs to their ends: creates what is not created, follows what is.

    One job's failure is that job's alone. What no job can survive (a rejected key, an empty wallet)
    stops all creates of the session; what was created before is still collected.

    Args:
        session: The shared session.
        planned: The jobs.
        journal: Where to write down what becomes known; by default nowhere.
        attempts: How many jobs to begin for a row in this run; a failed job is free.
        timeout_seconds: How long to follow one job. Afterwards it stays `processing`.
        wait: Whether to follow the jobs, or to end once they are created.

    Returns:
        A result for each planned job, in the same order.
    """
    to_do = [Attempt(plan) for plan in planned]
    run = _ChunkRun(session, journal or NoJournal(), to_do, attempts, timeout_seconds, wait)
    return await run.run()


@dataclass(eq=False)
class _ChunkRun:
    """One call of `generate`, with its arguments. Moments are seconds of `elapsed`.

    Attributes:
        attempts: One for each planned job.
        max_jobs: How many jobs may be begun for a row.
        send_tasks: Those that send a create at this moment, or wait for its answer.
        is_winding_up: Whether the run is interrupted, so that no create is begun any more.
        journal_error: Why the journal could not be written or read, if so: nothing is created then.
        marked_at: When this run last marked a row, by position.
        looked_at: Until when it is known what other runs have written.
        creates_over: By position, set once the first create of a row has ended, however it did.
    """

    session: Session
    journal: Journal
    attempts: list[Attempt]
    max_jobs: int
    timeout_seconds: float
    wait: bool
    send_tasks: set[asyncio.Task[None]] = field(default_factory=set)
    is_winding_up: bool = False
    journal_error: str | None = None
    marked_at: dict[int, float] = field(default_factory=dict)
    looked_at: float = -math.inf
    creates_over: dict[int, asyncio.Event] = field(default_factory=dict)

    async def run(self) -> list[ImageAdResult]:
        """Does what `generate` says. What cancels or breaks it is raised after `_wind_up`."""
        to_create = [attempt for attempt in self.attempts if attempt.needs_create]
        self.creates_over = {attempt.position: asyncio.Event() for attempt in to_create}
        self.session.creates_waiting += len(to_create)
        try:
            async with in_background(self._watch_other_runs()), asyncio.TaskGroup() as group:
                for attempt in self.attempts:
                    if attempt.state.is_processing:
                        group.create_task(self._bring_to_end(attempt))
                if to_create:
                    await self._create_in_order(to_create, group)
        except asyncio.CancelledError:
            await self._wind_up()
            raise
        except BaseExceptionGroup as group_error:
            await self._wind_up()
            raise group_error.exceptions[0] from None
        finally:
            self.session.creates_waiting -= sum(not e.is_set() for e in self.creates_over.values())
        return [attempt.result(self._stopped_by) for attempt in self.attempts]

    @property
    def _stopped_by(self) -> str | None:
        """What keeps this chunk from creating, if something does."""
        return self.session.stopped_by or self.journal_error

    @property
    def _is_stopped(self) -> bool:
        """Whether no create is to be sent for the first time any more."""
        return self.is_winding_up or self._stopped_by is not None

    async def _create_in_order(self, attempts: list[Attempt], group: asyncio.TaskGroup) -> None:
        """Marks rows, and brings them to their ends in `group`; returns once their first creates
        have ended. Chunks take turns at it, so that rows go out in order, and few are marked."""
        async with self.session.submit_window.turn(len(attempts)) as row_sent:
            if self._stopped_by is not None:
                return
            began = elapsed()
            await self._mark(attempts)
            self.looked_at = began
            for attempt in attempts:
                group.create_task(self._bring_to_end(attempt))
            for attempt in attempts:
                await self.creates_over[attempt.position].wait()
                row_sent()

    async def _mark(self, attempts: Sequence[Attempt]) -> None:
        """Marks them, and writes that down. If it cannot be written, that is the `journal_error`,
        and nothing is sent."""
        client = self.session.client
        for attempt in attempts:
            attempt.mark(client.now(), client.api_key_hash)
        try:
            await self._write_marks(attempts)
        except CampaignError as error:
            self.journal_error = str(error)
        self.marked_at |= dict.fromkeys((attempt.position for attempt in attempts), elapsed())

    async def _write_marks(self, attempts: Sequence[Attempt]) -> None:
        """Writes down that they are about to be sent, and takes over what other runs wrote of them.
        Raises `CampaignError` if that cannot be written."""
        known = await self.journal.before_send({a.position: a.state for a in attempts})
        for attempt in attempts:
            attempt.update_from_table(known[attempt.position])
            share_key_lock(self.session.client, attempt, elapsed())

    async def _watch_other_runs(self) -> None:
        """Looks again and again what other runs write of rows that this one has marked."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with suppress(CampaignError):  # whoever writes the table next will say so
                await self._look()

    async def _look(self) -> None:
        """Takes over what other runs wrote of unanswered rows; CampaignError if it cannot."""
        marked = [a for a in self.attempts if a.position in self.marked_at]
        waiting = {a.position: a for a in marked if a.is_submitting}
        if not waiting:
            return
        was_away, began = not self._has_looked_lately, elapsed()
        known = await self.journal.look(waiting)
        self.looked_at = began
        for position, state in known.items():
            attempt = waiting[position]
            attempt.update_from_other_run(state)
            share_key_lock(self.session.client, attempt, elapsed(), was_away=was_away)

    @property
    def _has_looked_lately(self) -> bool:
        """Whether it is known what other runs have written until a moment ago."""
        return elapsed() - self.looked_at <= KNOWN_SECONDS

    async def _look_before_create(self, attempt: Attempt) -> None:
        """Looks, again if that fails, until it is known what other runs have written. Raises
        `CampaignError` if that cannot be read for LOOKED_FOR_SECONDS."""
        began = elapsed()
        while attempt.is_submitting and not self._has_looked_lately:
            try:
                await self._look()
            except CampaignError:
                if elapsed() - began > LOOKED_FOR_SECONDS:
                    raise
                await asyncio.sleep(STOP_CHECK_SECONDS)
            else:
                if elapsed() - began > LOOKED_FOR_SECONDS:  # it takes long to read
                    self.looked_at = elapsed()

    async def _bring_to_end(self, attempt: Attempt) -> None:
        """Creates and follows a row's job, and another one if it fails, `max_jobs` at most."""
        while True:
            try:
                if attempt.is_submitting:
                    await self._wait_until_safe(attempt)
                    await self._create(attempt)
            finally:
                self._note_create_over(attempt)
            followed = None  # it may have a second ad, to be followed if its own fails
            while self.wait and attempt.state.is_processing and attempt.state.job_id != followed:
                followed = attempt.state.job_id
                await self._follow(attempt)
            if self._stopped_by is not None or not attempt.needs_another_job(self.max_jobs):
                return
            await self._mark([attempt])

    def _note_create_over(self, attempt: Attempt) -> None:
        """Counts a row as no longer waiting to be created; the first time that it is called."""
        over = self.creates_over.get(attempt.position)
        if over is not None and not over.is_set():
            over.set()
            self.session.creates_waiting -= 1

    async def _wait_until_safe(self, attempt: Attempt) -> None:
        """Waits until the API has done with what a run that was killed may have sent."""
        client, marked_at = self.session.client, self.marked_at[attempt.position]
        work_seconds = self.session.timing.work_seconds
        lock = client.key_lock(attempt.idempotency_key)
        if (seconds := attempt.seconds_since_other_run_sent(client.now())) is not None:
            lock.note_sent_elsewhere(first=elapsed() - seconds, last=marked_at)
        while attempt.is_submitting and not self._is_stopped:
            delay = attempt.seconds_until_safe(client.now(), elapsed() - marked_at, work_seconds)
            if attempt.is_shared:
                delay = max(delay, lock.delay(elapsed()))
            if not delay:
                return
            await asyncio.sleep(min(delay, STOP_CHECK_SECONDS))

    async def _create(self, attempt: Attempt) -> None:
        """Sends its create once few enough are under way, if it may be sent by then. What is sent
        is paid for, so a cancellation does not tear it from its answer; `_wind_up` waits for it."""
        async with self.session.open_creates:
            if not attempt.is_submitting:  # another run has its answer
                return
            if not self._decide_to_send(attempt):
                self.journal.update(attempt.position, attempt.state)
                return
            task = asyncio.create_task(self._send(attempt))
            self.send_tasks.add(task)
            task.add_done_callback(self.send_tasks.discard)
            await asyncio.shield(task)

    def _decide_to_send(self, attempt: Attempt) -> bool:
        """See `Attempt.decide_to_send`. After a no, its state is still to be written."""
        key_hash, reason = self.session.client.api_key_hash, self.session.stopped_by
        return attempt.decide_to_send(key_hash, is_stopped=self._is_stopped, reason=reason)

    async def _send(self, attempt: Attempt) -> None:
        """Sends a create, and again while its key has to change; records what came of it."""
        decision = Decision(send_again=True)
        while decision.send_again:
            key, _ = keys = attempt.keys
            check = partial(self._check_before_send, attempt, keys)
            try:
                begun = await send(
                    self.session.client, attempt.plan.request, idempotency_key=key, on_send=check
                )
            except OtherKeyError:
                decision = Decision(send_again=self._decide_to_send(attempt))
            except CampaignError as error:
                self.journal_error, decision = str(error), Decision()
                attempt.withdraw_if_unsent()
            except NotSentError:
                attempt.note_not_sent(self.session.stopped_by)
                decision = Decision()
            except StaticAdsLabError as error:
                decision = attempt.on_create_error(error)
                self.session.note_create_end(error if decision.is_unanswered else None)
            else:
                self.session.note_create_end(None)
                decision = attempt.on_answer(
                    begun.job,
                    self.session.client.now(),
                    replayed=begun.replayed,
                    is_another_rows=not self.journal.assign_job(attempt.position, begun.job.id),
                )
            if decision.stop_creating:
                self.session.stop_creating(decision.stop_creating)
            self.journal.update(attempt.position, attempt.state)

    def _check_before_send(
        self, attempt: Attempt, keys: tuple[str, str | None]
    ) -> Awaitable[None] | None:
        """Decides, when a create with these `Attempt.keys` would go out, whether it does. Returns
        None if so, by then counted as sent; else what to await before this is called again. Raises
        `NotSentError` or `OtherKeyError` if it must not be sent so."""
        now = self.session.client.now()
        if not attempt.may_be_sent(now, is_stopped=self._is_stopped):
            raise NotSentError
        if not self._has_looked_lately:
            return self._look_before_create(attempt)
        if attempt.keys != keys:
            raise OtherKeyError
        if attempt.renew_old_mark(now):
            return self._write_marks([attempt])
        attempt.note_sent()
        return None

    async def _follow(self, attempt: Attempt) -> None:
        """Waits until its job has ended or its time is up, and records what it is by then."""
        try:
            finished = await self.session.poller_of(attempt.plan.request).wait_until_finished(
                attempt.state.job_id or "",
                self.timeout_seconds,
                is_new=attempt.jobs > 0,
                is_stale=partial(is_stale, attempt.plan.request),
            )
        except StaticAdsLabError as error:
            decision = attempt.on_follow_error(error, self.timeout_seconds)
            if decision.stop_creating:
                self.session.stop_creating(decision.stop_creating)
        else:
            attempt.note_job(finished)
        self.journal.update(attempt.position, attempt.state)

    async def _wind_up(self) -> None:
        """Ends an interrupted run: begins no create, waits for the answers to what was sent, asks
        once more for those that are missing, each for a bounded time, and records the rest."""
        self.is_winding_up = True
        await wait_or_cancel(self.send_tasks, self.session.timing.grace_seconds)
        # A loop that is shut down cancels even these. Asked again, the same key gives the same ad.
        unanswered = [attempt for attempt in self.attempts if attempt.is_unanswered]
        for attempt in unanswered:
            attempt.may_exist_from_before = True  # a refusal says nothing of what was sent before
        again = {asyncio.create_task(self._send(attempt)) for attempt in unanswered}
        await wait_or_cancel(again, self.session.timing.grace_seconds)
        for attempt in self.attempts:
            if attempt.withdraw_if_unsent():
                self.journal.update(attempt.position, attempt.state)
