"""One ad on its way: what an attempt is, when it may be sent, and what its end makes of the row."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from prefect_staticadslab.api.models import Job
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult, PlannedJob, seen
from prefect_staticadslab.campaign.pipeline.submit import RevisionRequest
from prefect_staticadslab.campaign.table.job_state import (
    SENT_WITHIN,
    TRUSTED_LIFETIME,
    JobState,
    Mark,
    RowStatus,
)


class Attempt:
    """A planned ad under way. It decides; the pipeline sends and waits.

    Attributes:
        plan: What was planned.
        state: What is known by now.
        replayed: Whether the API answered the create from an earlier run.
        sends: How often this attempt's create was sent.
        jobs: How many jobs were begun for it in this run.
        stale_answers: How many keys were left behind.
        create_ended: Is set once the first create of this run has ended, however it did.
        may_exist_from_before: Whether an earlier run, or another one, may have sent this attempt.
    """

    def __init__(self, plan: PlannedJob) -> None:
        self.plan = plan
        self.state = plan.state
        self.replayed = False
        self.sends = 0
        self.jobs = 0
        self.stale_answers = 0
        self.create_ended = asyncio.Event()
        self.may_exist_from_before = False
        self._before = plan.state
        if not self.needs_create:
            self.create_ended.set()

    @property
    def position(self) -> int:
        """The planned ad's."""
        return self.plan.position

    @property
    def key(self) -> str:
        """The idempotency key of the attempt."""
        return self.plan.key(self.state.attempts, self.state.mark)

    @property
    def is_submitting(self) -> bool:
        """Whether it is about to be sent, or was, and no answer is known."""
        return self.state.status is RowStatus.SUBMITTING

    @property
    def may_exist(self) -> bool:
        """Whether the API may have taken this attempt."""
        return self.sends > 0 or self.may_exist_from_before

    def is_too_late(self, now: datetime) -> bool:
        """Whether it should not be sent any more, because a computer slept for hours.

        What may exist must not be asked for with a key that may have expired, and what was never
        sent must not be sent long after it was marked, or nobody would look for it then.
        """
        mark, first = self.state.mark, self.state.submitted_at
        if mark is None or first is None:
            return False
        if self.may_exist and not self.plan.persisted_elsewhere:
            return now - first > TRUSTED_LIFETIME
        return now - mark.asked_at > SENT_WITHIN

    @property
    def needs_create(self) -> bool:
        """Whether a create is to be sent for it."""
        return self.plan.may_create and not self.state.is_processing and not self.state.is_completed

    def begin_attempt(self, now: datetime, account: str) -> None:
        """Marks the ad as about to be sent. One that may have been sent keeps its key."""
        self._before = self.state
        self.sends = 0
        marked = self.plan.persisted_elsewhere
        again = self.state.status is RowStatus.SUBMITTING and self.state.attempts > 0
        self.state = JobState(
            status=RowStatus.SUBMITTING,
            attempts=self.state.attempts if again else self.state.attempts + 1,
            # A key lives for a day from its first use, so that is the moment to keep.
            submitted_at=(again and self.state.submitted_at) or now,
            # What is written down elsewhere keeps its time: others go by that one.
            mark=replace(self.state.mark, asked_at=self.state.mark.asked_at if marked else now)
            if again and self.state.mark
            else Mark(self.plan.campaign, self.plan.identity, account, now),
            facts=self.state.facts,
        )
        self.may_exist_from_before = again

    def take(self, known: JobState) -> None:
        """Goes on from what another run wrote down, if it was faster."""
        if known != self.state:
            self.may_exist_from_before = True
            self.state = known

    def take_next_key(self) -> None:
        """Leaves a key behind that the API only ever answers with the same old refusal."""
        self.stale_answers += 1
        self.sends = 0
        self.may_exist_from_before = False
        self.state = replace(self.state, attempts=self.state.attempts + 1)

    def see(self, job: Job) -> None:
        """Notes what its job looks like."""
        is_revision = isinstance(self.plan.request, RevisionRequest)
        self.state = seen(self.state, job, is_revision=is_revision)

    def withdraw(self, reason: str | None) -> None:
        """Takes the mark back: this attempt was certainly not taken by the API."""
        before = self._before
        if before.status is RowStatus.SUBMITTING:
            # An earlier run's create may have come through; this one says nothing about that.
            self.state = replace(before, error=reason)
        else:
            self.state = JobState(attempts=before.attempts, error=reason, facts=before.facts)

    def fail(self, reason: str) -> None:
        """Nothing will come of this attempt, and it costs nothing."""
        self.state = replace(
            self.state,
            status=RowStatus.FAILED,
            error=reason,
            cost_usd=Decimal(0),
            mark=None,
        )

    def result(self, stopped_by: str | None) -> ImageAdResult:
        """What became of it, given what stopped all creates."""
        return ImageAdResult(
            position=self.plan.position,
            state=self.state,
            replayed=self.replayed,
            stopped_by=stopped_by if self.state.is_unsent else None,
        )
