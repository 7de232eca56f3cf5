"""The pipeline: `generate` takes a chunk of planned jobs through a `Session`, which all chunks of a
key share. Creates go out as the rate limit allows, and what runs is polled in batches.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Sequence
from contextlib import suppress
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
    BegunJob,
    NotSentError,
    OtherKeyError,
    send,
)
from prefect_staticadslab.campaign.table.background import in_background
from prefect_staticadslab.campaign.table.other_runs import (
    KNOWN_SECONDS,
    LOOK_SECONDS,
    LOOKED_FOR_SECONDS,
)

STOP_CHECK_SECONDS: Final = 1.0
"""How often what waits to be sent looks whether it still is to be."""


async def generate(
    session: Session,
    planned: Sequence[PlannedJob],
    journal: Journal | None = None,
    *,
    attempts: int = 2,
    timeout_seconds: float = BATCH_TIMEOUT_SECONDS,
    wait: bool = True,
) -> list[ImageAdResult]:
    """Brings a chunk of ads to their end: creates what is not created, follows what is.

    One ad's failure is that ad's alone. What no ad can survive (a rejected key, an empty wallet)
    stops all creates of the session; what was created before is still collected.

    Args:
        session: The shared session.
        planned: The ads.
        journal: Where to write down what becomes known.
        attempts: How many jobs to try for an ad in this run; a failed job is free.
        timeout_seconds: How long to follow one ad. Afterwards it stays `processing`.
        wait: Whether to follow the ads, or to end once they are created.

    Returns:
        A result for each planned ad, in the same order.
    """
    chunk = _Chunk(session, journal or NoJournal(), attempts, timeout_seconds, wait)
    return await chunk.run(planned)


class _Chunk:
    """One call of `generate`."""

    def __init__(
        self,
        session: Session,
        journal: Journal,
        attempts: int,
        timeout_seconds: float,
        wait: bool,
    ) -> None:
        self._session = session
        self._journal = journal
        self._attempts = attempts
        self._timeout_seconds = timeout_seconds
        self._wait = wait
        self._sending: set[asyncio.Task[None]] = set()
        self._wound_up = False
        self._unrecorded_reason: str | None = None
        self._known_at: dict[int, float] = {}
        self._looked_at = -math.inf
        self._created: dict[int, asyncio.Event] = {}

    async def run(self, planned: Sequence[PlannedJob]) -> list[ImageAdResult]:
        attempts = self._all = [Attempt(plan) for plan in planned]
        to_create = [attempt for attempt in attempts if attempt.needs_create]
        self._created = {attempt.position: asyncio.Event() for attempt in to_create}
        self._session.creates_waiting += len(to_create)
        try:
            async with in_background(self._watch()), asyncio.TaskGroup() as group:
                for attempt in attempts:
                    if attempt.state.is_processing:
                        group.create_task(self._finish(attempt))
                if to_create:
                    await self._send_in_order(to_create, group)
        except asyncio.CancelledError:
            await self._wind_up(attempts)
            raise
        except BaseExceptionGroup as group_error:
            await self._wind_up(attempts)
            raise group_error.exceptions[0] from None
        finally:
            waiting = sum(not created.is_set() for created in self._created.values())
            self._session.creates_waiting -= waiting
        return [attempt.result(self._stopped_by) for attempt in attempts]

    @property
    def _stopped_by(self) -> str | None:
        """What keeps this chunk from creating, if something does."""
        return self._session.stopped_by or self._unrecorded_reason

    @property
    def _is_stopped(self) -> bool:
        return self._wound_up or self._stopped_by is not None

    async def _send_in_order(self, attempts: list[Attempt], group: asyncio.TaskGroup) -> None:
        # Chunks send one after another, so that rows go out in the table's order, and the rows
        # that are marked as submitting are the next ones and not all.
        async with self._session.submit_window.turn(len(attempts)) as sent:
            if self._stopped_by is not None:
                return
            marked_at = elapsed()
            await self._begin(attempts)
            self._looked_at = marked_at
            for attempt in attempts:
                group.create_task(self._finish(attempt))
            for attempt in attempts:
                await self._created[attempt.position].wait()
                sent()

    async def _begin(self, attempts: Sequence[Attempt]) -> None:
        """Marks them as about to be sent. If that cannot be written down, nothing is sent."""
        client = self._session.client
        for attempt in attempts:
            attempt.begin(client.now(), client.api_key_hash)
        try:
            known = await self._journal.before_send({a.position: a.state for a in attempts})
        except CampaignError as error:
            self._unrecorded_reason = str(error)
        else:
            for attempt in attempts:
                attempt.learn(known[attempt.position])
                self._share(attempt)
        now = elapsed()
        self._known_at |= {attempt.position: now for attempt in attempts}

    async def _watch(self) -> None:
        """Looks what other runs write of rows that wait for their turn, or for their answer."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with suppress(CampaignError):  # whoever writes the table next will say so
                await self._look()

    async def _look(self) -> None:
        marked = [a for a in self._all if a.position in self._known_at]
        waiting = {a.position: a for a in marked if a.is_submitting}
        if not waiting:
            return
        was_away, began = not self._looked_lately, elapsed()
        known = await self._journal.look(waiting)
        self._looked_at = began
        for position, state in known.items():
            waiting[position].meet(state)
            self._share(waiting[position], was_away=was_away)

    @property
    def _looked_lately(self) -> bool:
        """Whether it is known what other runs have written until a moment ago."""
        return elapsed() - self._looked_at <= KNOWN_SECONDS

    async def _look_first(self, attempt: Attempt) -> None:
        """Looks what other runs have written, before a create; CampaignError if it cannot."""
        began = elapsed()
        while attempt.is_submitting and not self._looked_lately:
            try:
                await self._look()
            except CampaignError:
                if elapsed() - began > LOOKED_FOR_SECONDS:
                    raise
                await asyncio.sleep(STOP_CHECK_SECONDS)
            else:
                if elapsed() - began > LOOKED_FOR_SECONDS:  # it takes long to read
                    self._looked_at = elapsed()

    def _share(self, attempt: Attempt, *, was_away: bool = False) -> None:
        """Has it sent only in the turns of all runs that may send it."""
        client, now = self._session.client, elapsed()
        if (seconds := attempt.shared_for(client.now())) is not None:
            lock = client.key_lock(attempt.idempotency_key)
            if was_away or not lock.is_shared:  # until a moment ago they sent it as they liked
                lock.sent_elsewhere(first=now - seconds, last=now)
            lock.share(now - seconds)

    async def _finish(self, attempt: Attempt) -> None:
        """Takes one job as far as it goes."""
        while True:
            try:
                if attempt.is_submitting:
                    await self._until_safe(attempt)
                    await self._create(attempt)
            finally:
                self._mark_created(attempt)
            if self._wait and attempt.state.is_processing:
                await self._follow(attempt)
            if self._stopped_by is not None or not attempt.needs_another_job(self._attempts):
                return
            await self._begin([attempt])

    def _mark_created(self, attempt: Attempt) -> None:
        """The first create of this run has ended, however it did."""
        created = self._created.get(attempt.position)
        if created is not None and not created.is_set():
            created.set()
            self._session.creates_waiting -= 1

    async def _until_safe(self, attempt: Attempt) -> None:
        """Waits until the API has done with what a run that was killed may have sent."""
        client, known_at = self._session.client, self._known_at[attempt.position]
        lock = client.key_lock(attempt.idempotency_key)
        first = attempt.sent_elsewhere(client.now())
        if first is not None:
            lock.sent_elsewhere(first=elapsed() - first, last=known_at)
        while attempt.is_submitting and not self._is_stopped:
            delay = attempt.seconds_until_safe(
                client.now(), elapsed() - known_at, self._session.timing.work_seconds
            )
            if attempt.is_shared:
                delay = max(delay, lock.delay(elapsed()))
            if not delay:
                return
            await asyncio.sleep(min(delay, STOP_CHECK_SECONDS))

    async def _create(self, attempt: Attempt) -> None:
        async with self._session.open_creates:
            if not attempt.is_submitting:  # another run has its answer
                return
            if not self._may_go_out(attempt):
                self._record(attempt)
                return
            # A task of its own: what is sent is paid for, so a cancellation must not tear it from
            # its answer. `_wind_up` waits for it.
            sending = asyncio.create_task(self._send(attempt))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)
            await asyncio.shield(sending)

    def _may_go_out(self, attempt: Attempt) -> bool:
        key_hash, reason = self._session.client.api_key_hash, self._session.stopped_by
        return attempt.prepare_to_send(key_hash, is_stopped=self._is_stopped, reason=reason)

    async def _send(self, attempt: Attempt) -> None:
        """Sends a create, and again while its key has to change; records what came of it."""

        def check_may_send() -> Awaitable[None] | None:
            now = client.now()
            if not attempt.may_be_sent(now, is_stopped=self._is_stopped):
                raise NotSentError
            if not self._looked_lately:
                return self._look_first(attempt)
            if attempt.marked_with != marked_with:
                raise OtherKeyError
            if attempt.note_sent(now):
                self._record(attempt)
            return None

        client, decision = self._session.client, Decision(send_again=True)
        while decision.send_again:
            key, _ = marked_with = attempt.marked_with
            try:
                begun = await send(
                    client, attempt.plan.request, idempotency_key=key, on_send=check_may_send
                )
            except OtherKeyError:
                decision = Decision(send_again=self._may_go_out(attempt))
            except CampaignError as error:
                self._unrecorded_reason, decision = str(error), Decision()
                attempt.cancelled()
            except NotSentError:
                attempt.not_sent(self._session.stopped_by)
                decision = Decision()
            except StaticAdsLabError as error:
                decision = attempt.refused(error)
                self._session.count_create(error if decision.is_unanswered else None)
            else:
                self._session.count_create(None)
                decision = self._answered(attempt, begun)
            if decision.stop_creating:
                self._session.stop_creating(decision.stop_creating)
            self._record(attempt)

    def _answered(self, attempt: Attempt, begun: BegunJob) -> Decision:
        return attempt.answered(
            begun.job,
            self._session.client.now(),
            replayed=begun.replayed,
            is_another_rows=not self._journal.assign_job(attempt.position, begun.job.id),
        )

    async def _follow(self, attempt: Attempt) -> None:
        try:
            finished = await self._session.poller_of(attempt.plan.request).finished(
                attempt.state.job_id or "",
                self._timeout_seconds,
                is_new=attempt.jobs > 0,
                is_stale=partial(is_stale, attempt.plan.request),
            )
        except StaticAdsLabError as error:
            decision = attempt.not_followed(error, self._timeout_seconds)
            if decision.stop_creating:
                self._session.stop_creating(decision.stop_creating)
        else:
            attempt.see(finished)
        self._record(attempt)

    async def _wind_up(self, attempts: Sequence[Attempt]) -> None:
        """Sends nothing more, and waits a bounded time for the answers to what was sent."""
        self._wound_up = True
        await self._settle(self._sending)
        # A loop that is shut down cancels even what was to be waited for here. Asking again with
        # the same key gives the same ads.
        unanswered = [attempt for attempt in attempts if attempt.is_unanswered]
        for attempt in unanswered:
            attempt.may_exist_from_before = True  # a refusal says nothing of what was sent before
        await self._settle({asyncio.create_task(self._send(a)) for a in unanswered})
        for attempt in attempts:
            if attempt.cancelled():
                self._record(attempt)

    def _record(self, attempt: Attempt) -> None:
        self._journal.update(attempt.position, attempt.state)

    async def _settle(self, tasks: set[asyncio.Task[None]]) -> None:
        """Waits a bounded time for tasks, and cancels those that take longer."""
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._session.timing.grace_seconds)
            for task in late:
                task.cancel()
