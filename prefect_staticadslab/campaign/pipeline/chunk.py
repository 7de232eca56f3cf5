"""The pipeline: requests in, results out. Creates go out as the rate limit allows, and what runs is
polled in batches, wherever in the process it was created. `generate` takes a chunk of planned ads
through a `Session`, which all chunks of a key share.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from prefect_staticadslab.api.errors import (
    ACCOUNT_ERRORS,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InsufficientBalanceError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    StaticAdsLabError,
    UnprocessableError,
    WaitTimeoutError,
)
from prefect_staticadslab.api.waiting import BATCH_TIMEOUT_SECONDS
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.cells import shortened
from prefect_staticadslab.campaign.pipeline.attempt import Attempt
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult, Journal, PlannedJob
from prefect_staticadslab.campaign.pipeline.session import Session
from prefect_staticadslab.campaign.pipeline.submit import (
    BegunJob,
    NotSendableError,
    RevisionRequest,
    is_stale,
    send,
)
from prefect_staticadslab.campaign.rows.ad_rows import plain_text
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus

GRACE_SECONDS: Final = 5.0
"""How long a cancelled chunk waits for the answers to what it has already sent."""

LONGEST_ERROR: Final = 1000
"""Characters of an error that a table holds; a server may write a book into it."""

STALE_ANSWERS: Final = 3
"""Keys to try for an ad whose keys the API only answers with a refusal of another day."""

TOO_LATE: Final = "It was sent too long ago to be asked for with its key; run it again."
OTHER_KEY: Final = (
    "Another run sends it with another API key. Run it again in two hours, or with "
    "that key at once."
)
OTHERS_AD: Final = (
    "The API answers with {}, which is the ad of an equal row. If this row should have one of its "
    "own, write 'pending' into status and run it again."
)


BUSY: Final = (
    "Somebody else has the ad rendered at this moment, so it was not changed. Run it again."
)


class _NoJournal:
    """For ads that nobody keeps a table of: their derived keys are record enough."""

    async def before_send(self, changes: Mapping[int, JobState]) -> Mapping[int, JobState]:
        """Nothing to write, and nobody who is faster."""
        return changes

    def update(self, position: int, state: JobState) -> None:
        """Nothing to write."""

    def assign_job(self, position: int, image_ad_id: str) -> bool:
        """Nobody knows."""
        return True


class _NotSentError(Exception):
    """Raised in place of sending a create: creates have been stopped, or it is too late for it."""


async def generate(
    session: Session,
    planned: Sequence[PlannedJob],
    *,
    journal: Journal | None = None,
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
    chunk = _Chunk(session, journal or _NoJournal(), attempts, timeout_seconds, wait)
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
        self._unrecorded: str | None = None

    async def run(self, planned: Sequence[PlannedJob]) -> list[ImageAdResult]:
        ads = [Attempt(plan) for plan in planned]
        to_create = [ad for ad in ads if ad.needs_create]
        self._session.creates_waiting += len(to_create)
        try:
            async with asyncio.TaskGroup() as group:
                for ad in ads:
                    if ad.state.is_processing:
                        group.create_task(self._finish(ad))
                if to_create:
                    await self._send_chunk(to_create, group)
        except asyncio.CancelledError:
            await self._wind_up(ads)
            raise
        except BaseExceptionGroup as group_error:
            await self._wind_up(ads)
            raise group_error.exceptions[0] from None
        finally:
            self._session.creates_waiting -= sum(not ad.create_ended.is_set() for ad in to_create)
        return [ad.result(self._stopped_by) for ad in ads]

    @property
    def _stopped_by(self) -> str | None:
        """What keeps this chunk from creating, if something does."""
        return self._session.stopped_by or self._unrecorded

    async def _send_chunk(self, ads: list[Attempt], group: asyncio.TaskGroup) -> None:
        # Chunks send one after another, so that rows go out in the table's order, and the rows
        # that are marked as submitting are the next ones and not all.
        async with self._session.submit_window.turn(len(ads)) as sent:
            if self._stopped_by is None:
                await self._begin(ads)
            for ad in ads:
                group.create_task(self._finish(ad))
            for ad in ads:
                await ad.create_ended.wait()
                sent()

    async def _begin(self, ads: Sequence[Attempt]) -> None:
        """Marks ads as about to be sent. If that cannot be written down, nothing is sent."""
        client = self._session.client
        for ad in ads:
            ad.begin_attempt(client.now(), client.key_id)
        try:
            known = await self._journal.before_send({ad.position: ad.state for ad in ads})
        except CampaignError as error:
            self._unrecorded = str(error)
        else:
            for ad in ads:
                ad.take(known[ad.position])

    async def _finish(self, ad: Attempt) -> None:
        """Takes one ad as far as it goes."""
        while True:
            try:
                if ad.is_submitting:
                    await self._create(ad)
            finally:
                if not ad.create_ended.is_set():
                    ad.create_ended.set()
                    self._session.creates_waiting -= 1
            if self._wait and ad.state.is_processing:
                await self._follow(ad)
            if not (ad.state.job_failed and ad.plan.may_create and ad.jobs < self._attempts):
                return
            if self._stopped_by is not None:
                return
            await self._begin([ad])

    async def _create(self, ad: Attempt) -> None:
        async with self._session.open_creates:
            if self._wound_up or self._stopped_by is not None:
                ad.withdraw(self._session.stopped_by)
                self._record(ad)
                return
            mark = ad.state.mark
            if mark is not None and mark.account != self._session.client.key_id:
                ad.state = replace(ad.state, error=OTHER_KEY)
                self._record(ad)
                return
            # A task of its own: what is sent is paid for, so a cancellation must not tear it from
            # its answer. `_wind_up` waits for it.
            sending = asyncio.create_task(self._send(ad))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)
            await asyncio.shield(sending)

    async def _send(self, ad: Attempt) -> None:
        def check_may_send() -> None:
            # What was sent once is asked for again even then: its answer is what is missing.
            if (self._wound_up or self._stopped_by is not None) and not ad.sends:
                raise _NotSentError
            if ad.is_too_late(self._session.client.now()):
                raise _NotSentError
            ad.sends += 1

        try:
            sent = await send(
                self._session.client,
                ad.plan.request,
                idempotency_key=ad.key,
                on_send=check_may_send,
            )
        except _NotSentError:
            if ad.may_exist:
                ad.state = replace(ad.state, error=TOO_LATE)
            else:
                ad.withdraw(self._session.stopped_by)
        except StaticAdsLabError as error:
            if isinstance(error, ACCOUNT_ERRORS):
                may_move_on = not ad.plan.persisted_elsewhere and ad.stale_answers < STALE_ANSWERS
                if error.replayed and may_move_on:
                    await self._send_with_next_key(ad)
                    return
                self._session.stop_creating(_with_advice(error))
            self._refused(ad, error)
        else:
            self._answered(ad, sent)
        self._record(ad)

    def _refused(self, ad: Attempt, error: StaticAdsLabError) -> None:
        is_busy = isinstance(error, ConflictError) and isinstance(ad.plan.request, RevisionRequest)
        decided = is_busy or isinstance(error, (*_REFUSED, *ACCOUNT_ERRORS))
        self._session.count_create(None if decided else error)
        if not decided or error.outcome_unknown or ad.may_exist_from_before:
            # An ad may exist, or may still be made with the same key: the next run asks with it.
            # A refusal says little then: an API that looks at the request, or at the wallet, before
            # it looks at the key says no even to what it has made.
            ad.state = replace(ad.state, error=str(error))
        elif is_busy:
            ad.withdraw(BUSY)
        elif isinstance(error, ACCOUNT_ERRORS):
            ad.withdraw(str(error))
        else:
            ad.fail(str(error))

    def _answered(self, ad: Attempt, sent: BegunJob) -> None:
        self._session.count_create(None)
        image_ad_id = sent.job.id
        if not self._journal.assign_job(ad.position, image_ad_id):
            ad.state = replace(ad.state, error=OTHERS_AD.format(image_ad_id))
            return
        ad.replayed = sent.replayed and ad.sends == 1
        ad.jobs += 1
        now = self._session.client.now()
        ad.see(sent.job)
        ad.state = replace(ad.state, submitted_at=now)

    async def _send_with_next_key(self, ad: Attempt) -> None:
        ad.take_next_key()
        self._record(ad)
        await self._send(ad)

    async def _follow(self, ad: Attempt) -> None:
        image_ad_id = ad.state.job_id or ""
        try:
            finished = await self._session.poller_of(ad.plan.request).finished(
                image_ad_id,
                self._timeout_seconds,
                is_new=ad.jobs > 0,
                is_stale=partial(is_stale, ad.plan.request),
            )
        except WaitTimeoutError:
            error = (
                f"Still rendering after {self._timeout_seconds:g} s. Run it again to collect it."
            )
            ad.state = replace(ad.state, error=error)
        except NotFoundError as error:
            # It was paid for, perhaps with another organization's key: no new one is made for it.
            lost = f"The API does not know this ad with this key. {error}"
            ad.state = replace(ad.state, error=lost)
        except StaticAdsLabError as error:
            self._session.stop_creating(_with_advice(error))
            ad.state = replace(ad.state, error=str(error))
        else:
            ad.see(finished)
        self._record(ad)

    async def _wind_up(self, ads: Sequence[Attempt]) -> None:
        """Sends nothing more, and waits a bounded time for the answers to what was sent."""
        self._wound_up = True
        await _settled(self._sending)
        # A loop that is shut down cancels even what was to be waited for here. Asking again with
        # the same key gives the same ads.
        unanswered = [ad for ad in ads if ad.state.status is RowStatus.SUBMITTING and ad.sends]
        await _settled({asyncio.create_task(self._send(ad)) for ad in unanswered})
        for ad in ads:
            if ad.state.status is RowStatus.SUBMITTING and not ad.sends:
                ad.withdraw(None)
                self._record(ad)

    def _record(self, ad: Attempt) -> None:
        if ad.state.error is not None:
            # Whatever the API put into it, a table must be able to hold it.
            ad.state = replace(ad.state, error=shortened(plain_text(ad.state.error), LONGEST_ERROR))
        self._journal.update(ad.plan.position, ad.state)


_REFUSED = (
    BadRequestError,
    NotFoundError,
    NotSendableError,
    PayloadTooLargeError,
    UnprocessableError,
)
"""Answers that say what is wrong with the request itself: it was not taken, and never will be."""


def _with_advice(error: StaticAdsLabError) -> str:
    """Why nothing more is created, and what mends it."""
    if isinstance(error, InsufficientBalanceError):
        return (
            f"The wallet is empty: {error}. "
            "Top it up at the billing page of the Static Ads Lab dashboard."
        )
    if isinstance(error, AuthenticationError | PermissionDeniedError):
        return f"{error}. Check the key and its scopes in the Static Ads Lab dashboard."
    return str(error)


async def _settled(tasks: set[asyncio.Task[None]]) -> None:
    """Waits a bounded time for tasks, and cancels those that take longer."""
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=GRACE_SECONDS)
        for task in late:
            task.cancel()
