"""The pipeline: requests in, results out. Creates go out as the rate limit allows, and what runs is
polled in batches, wherever in the process it was created. `generate` takes a chunk of planned ads
through a `Session`, which all chunks of a key share.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from prefect_staticadslab.api.errors import (
    CAMPAIGN_STOPPERS,
    AuthenticationError,
    BadRequestError,
    InsufficientBalanceError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    StaticAdsLabError,
    UnprocessableError,
    WaitTimeoutError,
)
from prefect_staticadslab.api.jobs import BATCH_TIMEOUT_SECONDS
from prefect_staticadslab.campaign.planned import ImageAdResult, Journal, PlannedAd, seen
from prefect_staticadslab.campaign.problems import CampaignError
from prefect_staticadslab.campaign.rows import plain_text
from prefect_staticadslab.campaign.session import Session
from prefect_staticadslab.campaign.states import AdState, RowStatus

GRACE_SECONDS: Final = 5.0
"""How long a cancelled chunk waits for the answers to what it has already sent."""

STALE_ANSWERS: Final = 3
"""Keys to try for an ad whose keys the API answers with what is of no use by now: a refusal of
another day, or another row's ad."""


class _NoJournal:
    """For ads that nobody keeps a table of: their derived keys are record enough."""

    async def before_send(self, changes: Mapping[int, AdState]) -> None:
        """Nothing to write."""

    def update(self, position: int, state: AdState) -> None:
        """Nothing to write."""

    def has_ad(self, image_ad_id: str, position: int) -> bool:
        """Nobody knows."""
        return False


class _NotSentError(Exception):
    """Raised in place of sending a create, once creates have been stopped."""


async def generate(
    session: Session,
    planned: Sequence[PlannedAd],
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

    async def run(self, planned: Sequence[PlannedAd]) -> list[ImageAdResult]:
        ads = [_Ad(plan) for plan in planned]
        to_create = [ad for ad in ads if ad.wants_create]
        self._session.creates_waiting += len(to_create)
        try:
            async with asyncio.TaskGroup() as group:
                for ad in ads:
                    if ad.is_processing:
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

    async def _send_chunk(self, ads: list[_Ad], group: asyncio.TaskGroup) -> None:
        # Chunks send one after another, so that rows go out in the table's order, and the rows
        # that are marked as submitting are the next ones and not all.
        async with self._session.sending_chunks:
            if self._stopped_by is None:
                await self._begin(ads)
            for ad in ads:
                group.create_task(self._finish(ad))
            for ad in ads:
                await ad.create_ended.wait()

    async def _begin(self, ads: Sequence[_Ad]) -> None:
        """Marks ads as about to be sent. If that cannot be written down, nothing is sent."""
        for ad in ads:
            ad.begin_attempt()
        try:
            await self._journal.before_send({ad.position: ad.state for ad in ads})
        except CampaignError as error:
            self._unrecorded = str(error)

    async def _finish(self, ad: _Ad) -> None:
        """Takes one ad as far as it goes."""
        while True:
            if not ad.is_processing:
                try:
                    await self._create(ad)
                finally:
                    if not ad.create_ended.is_set():
                        ad.create_ended.set()
                        self._session.creates_waiting -= 1
            if self._wait and ad.is_processing:
                await self._follow(ad)
            if not (ad.job_failed and ad.plan.wanted and ad.jobs < self._attempts):
                return
            if self._stopped_by is not None:
                return
            await self._begin([ad])

    async def _create(self, ad: _Ad) -> None:
        if self._wound_up or self._stopped_by is not None:
            ad.withdraw(self._session.stopped_by)
            self._note(ad)
            return
        async with self._session.open_creates:
            # A task of its own: what is sent is paid for, so a cancellation must not tear it from
            # its answer. `_wind_up` waits for it.
            sending = asyncio.create_task(self._send(ad))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)
            await asyncio.shield(sending)

    async def _send(self, ad: _Ad) -> None:
        def check_may_send() -> None:
            # What was sent once is asked for again even then: its answer is what is missing.
            if (self._wound_up or self._stopped_by is not None) and not ad.sends:
                raise _NotSentError
            ad.sends += 1

        try:
            created = await self._session.client.create_image_ad(
                ad.plan.request,
                idempotency_key=ad.key,
                on_send=check_may_send,
            )
        except _NotSentError:
            ad.withdraw(self._stopped_by)
        except CAMPAIGN_STOPPERS as error:
            if error.replayed and ad.stale_answers < STALE_ANSWERS:
                await self._send_with_next_key(ad)
                return
            self._session.stop_creating(_with_advice(error))
            if error.undecided:
                ad.state = replace(ad.state, error=str(error))
            else:
                ad.withdraw(str(error))
        except _REFUSED as error:
            ad.fail(str(error))
        except StaticAdsLabError as error:
            # An ad may exist, or may still be made with the same key: the next run asks with it.
            ad.state = replace(ad.state, error=str(error))
        else:
            known = created.replayed and self._journal.has_ad(created.image_ad.id, ad.position)
            if known and ad.stale_answers < STALE_ANSWERS:
                # Somebody took lines out of the table, so that equal rows were counted anew.
                await self._send_with_next_key(ad)
                return
            ad.replayed = created.replayed and ad.sends == 1
            ad.jobs += 1
            ad.state = replace(seen(ad.state, created.image_ad), submitted_at=datetime.now(UTC))
        self._note(ad)

    async def _send_with_next_key(self, ad: _Ad) -> None:
        ad.take_next_key()
        self._note(ad)
        await self._send(ad)

    async def _follow(self, ad: _Ad) -> None:
        image_ad_id = ad.state.image_ad_id or ""
        try:
            finished = await self._session.poller.finished(image_ad_id, self._timeout_seconds)
        except WaitTimeoutError:
            error = (
                f"Still rendering after {self._timeout_seconds:g} s. "
                "Run the same command again to collect it."
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
            ad.state = seen(ad.state, finished)
        self._note(ad)

    async def _wind_up(self, ads: Sequence[_Ad]) -> None:
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
                self._note(ad)

    def _note(self, ad: _Ad) -> None:
        if ad.state.error is not None:
            # Whatever the API put into it, a table must be able to hold it.
            ad.state = replace(ad.state, error=plain_text(ad.state.error))
        self._journal.update(ad.plan.position, ad.state)


_REFUSED = (BadRequestError, NotFoundError, PayloadTooLargeError, UnprocessableError)
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


class _Ad:
    """A planned ad under way."""

    def __init__(self, plan: PlannedAd) -> None:
        self.plan = plan
        self.state = plan.state
        self.replayed = False
        self.sends = 0
        self.jobs = 0
        self.stale_answers = 0
        self.create_ended = asyncio.Event()
        self._before = plan.state

    @property
    def position(self) -> int:
        return self.plan.position

    @property
    def key(self) -> str:
        return self.plan.key(self.state.attempts, self.state.campaign)

    @property
    def is_processing(self) -> bool:
        return self.state.status is RowStatus.PROCESSING and self.state.image_ad_id is not None

    @property
    def job_failed(self) -> bool:
        """Whether there was a job, and it failed; a create that was refused has none."""
        return self.state.status is RowStatus.FAILED and self.state.image_ad_id is not None

    @property
    def wants_create(self) -> bool:
        if self.is_processing or not self.plan.wanted:
            return False
        return not self.state.is_completed

    def begin_attempt(self) -> None:
        """Marks the ad as about to be sent. One that may have been sent keeps its key."""
        self._before = self.state
        self.sends = 0
        again = self.state.status is RowStatus.SUBMITTING and self.state.attempts > 0
        self.state = AdState(
            status=RowStatus.SUBMITTING,
            attempts=self.state.attempts if again else self.state.attempts + 1,
            # A key lives for a day from its first use, so that is the moment to keep.
            submitted_at=(again and self.state.submitted_at) or datetime.now(UTC),
            campaign=(again and self.state.campaign) or self.plan.campaign,
        )

    def take_next_key(self) -> None:
        """Leaves a key behind that the API only ever answers with the same old refusal."""
        self.stale_answers += 1
        self.sends = 0
        self.state = replace(
            self.state, attempts=self.state.attempts + 1, campaign=self.plan.campaign
        )

    def withdraw(self, reason: str | None) -> None:
        """Takes the mark back: this attempt was certainly not taken by the API."""
        before = self._before
        if before.status is RowStatus.SUBMITTING:
            # An earlier run's create may have come through; this one says nothing about that.
            self.state = replace(before, error=reason)
        else:
            self.state = AdState(attempts=before.attempts, error=reason)

    def fail(self, reason: str) -> None:
        """Nothing will come of this attempt, and it costs nothing."""
        self.state = replace(
            self.state,
            status=RowStatus.FAILED,
            error=reason,
            cost_usd=Decimal(0),
            campaign=None,
        )

    def result(self, stopped_by: str | None) -> ImageAdResult:
        return ImageAdResult(
            position=self.plan.position,
            state=self.state,
            replayed=self.replayed,
            stopped_by=stopped_by if self.state.is_unsent else None,
        )
