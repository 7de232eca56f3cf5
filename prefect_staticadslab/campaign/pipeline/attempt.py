"""Every decision about one paid job: when it may be sent, and what each end makes of its row.

Nothing here waits, sends or writes. `chunk` does, and tells an attempt what came of it: an answer,
an error, a cancellation, or what another run wrote down. What an attempt then knows is in its
`state`; what is to be done besides is in the `Decision` that it returns.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from prefect_staticadslab.api.errors import (
    ACCOUNT_ERRORS,
    NotFoundError,
    StaticAdsLabError,
    WaitTimeoutError,
)
from prefect_staticadslab.api.models import Job
from prefect_staticadslab.api.retries.key_lock import REPEAT_SECONDS, WORK_SECONDS
from prefect_staticadslab.campaign.pipeline.job_outcome import (
    ANOTHER_AD,
    BUSY,
    OTHER_KEY,
    OTHERS_AD,
    REQUEST_ERRORS,
    TOO_LATE,
    Decision,
    advice,
    ended,
    held_message,
    is_conflict,
    with_job,
)
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult, PlannedJob
from prefect_staticadslab.campaign.pipeline.requests import RevisionRequest
from prefect_staticadslab.campaign.table.job_state import (
    SENT_WITHIN,
    TRUSTED_LIFETIME,
    JobState,
    RowStatus,
)
from prefect_staticadslab.campaign.table.other_runs import time_of_mark

REFUSED_KEYS: Final = 3
"""Keys that are left behind for a job because the API answers them with an old refusal."""


class Attempt:
    """A planned job on its way to its end.

    Attributes:
        plan: What was planned.
        state: What is known by now.
        replayed: Whether the API answered the create from an earlier run.
        sends: How often the create of this attempt was sent.
        jobs: How many jobs were begun for it in this run.
        refused_keys: How many keys were left behind.
        may_exist_from_before: Whether an earlier run, or another one, may have sent this attempt;
            or this one has, before it asked once more.
        is_shared: Whether another run is alive and may send it at any time, as this one may.
    """

    def __init__(self, plan: PlannedJob) -> None:
        self.plan = plan
        self.state = plan.state
        self.replayed = False
        self.sends = 0
        self.jobs = 0
        self.refused_keys = 0
        self.may_exist_from_before = False
        self.is_shared = False
        self._before = plan.state
        self._marked_at: datetime | None = None

    @property
    def position(self) -> int:
        """The planned job's."""
        return self.plan.position

    @property
    def idempotency_key(self) -> str:
        """What the create is sent with."""
        return self.state.idempotency_key or self.plan.key(self.state.attempts)

    @property
    def marked_with(self) -> tuple[str, str | None]:
        """Its idempotency key, and what stands for the API key, which has such keys of its own."""
        return self.idempotency_key, self.state.api_key_hash

    @property
    def needs_create(self) -> bool:
        """Whether a create is to be sent for it."""
        return self.plan.may_create and not self.state.has_ad

    @property
    def is_submitting(self) -> bool:
        """Whether it is about to be sent, or was, and no answer is known."""
        return self.state.status is RowStatus.SUBMITTING

    @property
    def is_unanswered(self) -> bool:
        """Whether it was sent, and no answer is known."""
        return self.is_submitting and self.sends > 0

    def needs_another_job(self, most: int) -> bool:
        """Whether its job failed and another one is to be begun, of at most so many in this run."""
        return self.state.job_failed and self.plan.may_create and self.jobs < most

    def begin(self, now: datetime, api_key_hash: str) -> None:
        """Marks it as about to be sent. A create that may have been sent keeps its key.

        Args:
            now: The time, by the API's clock.
            api_key_hash: What stands for the API key that it is to be sent with.
        """
        known = self._before = self.state
        self.is_shared = False
        self._marked_at = known.asked_at
        self.sends = 0
        again = known.status is RowStatus.SUBMITTING and known.attempts > 0
        self.may_exist_from_before = again
        attempts = known.attempts if again else known.attempts + 1
        # What is written down elsewhere keeps its time: others go by that one.
        keeps_time = again and self.plan.persisted_elsewhere and known.asked_at is not None
        self.state = JobState(
            status=RowStatus.SUBMITTING,
            attempts=attempts,
            # A key lives for a day from its first use, so that is the moment to keep.
            submitted_at=(again and known.submitted_at) or now.replace(microsecond=0),
            idempotency_key=(again and known.idempotency_key) or self.plan.key(attempts),
            api_key_hash=(again and known.api_key_hash) or api_key_hash,
            asked_at=known.asked_at if keeps_time else time_of_mark(now, known.asked_at),
            facts=known.facts,
        )

    def learn(self, known: JobState) -> None:
        """Goes on from what is written down, if another run wrote something else there."""
        if known != self.state:
            self.meet(known)

    def meet(self, known: JobState) -> None:
        """Goes on from what a run that is alive wrote down. What was sent waits for its answer,
        unless that run has an ad, or another API key, and so has waited, and not found it."""
        is_mark = known.status is RowStatus.SUBMITTING
        is_of_other_key = known.api_key_hash not in (None, self.state.api_key_hash)
        is_alike = is_of_other_key or known.idempotency_key == self.idempotency_key
        if self.sends and not known.has_ad and not (is_mark and is_alike):
            return
        self.is_shared = is_mark
        self.may_exist_from_before = True
        self._marked_at = known.asked_at
        self.state = known

    def shared_for(self, now: datetime) -> float | None:
        """For how many seconds a run that is alive may have been sending it; None if none may."""
        first = self.state.submitted_at
        return (now - first).total_seconds() if self.is_shared and first is not None else None

    def prepare_to_send(self, api_key_hash: str, *, is_stopped: bool, reason: str | None) -> bool:
        """Whether to send it now. If not, its state says why.

        Args:
            api_key_hash: What stands for the API key at hand.
            is_stopped: Whether nothing more is to be created.
            reason: Why that is.
        """
        if is_stopped:
            self._withdraw(reason)
            return False
        if self.state.api_key_hash not in (None, api_key_hash):
            self._note(OTHER_KEY)
            return False
        return True

    def may_be_sent(self, now: datetime, *, is_stopped: bool) -> bool:
        """Whether the create may go out at this moment, for the first time or once more.

        What was sent once is asked for again even if creates were stopped: its answer is missing.
        What may exist must not be asked for with a key that may have expired; and what was never
        sent must not be sent long after it was marked, or nobody would look for it then. Both
        happen if a computer sleeps for hours.
        """
        if not self.is_submitting or (is_stopped and not self.sends):
            return False
        asked_at, first = self.state.asked_at, self.state.submitted_at
        if asked_at is None or first is None:
            return True
        if self._may_exist and not self.plan.persisted_elsewhere:
            return now - first <= TRUSTED_LIFETIME
        return now - asked_at <= SENT_WITHIN

    def note_sent(self, now: datetime) -> bool:
        """Notes that it is sent at this moment.

        Returns:
            Whether its mark is so old, because a computer slept for hours, that it was marked anew.
            Otherwise nobody would look for a job that was begun only now.
        """
        self.sends += 1
        asked_at = self.state.asked_at
        is_old = asked_at is not None and now - asked_at > SENT_WITHIN
        if is_old:
            self.state = replace(self.state, asked_at=now)
        return is_old

    def sent_elsewhere(self, now: datetime) -> float | None:
        """For how many seconds another run may have been sending it, at the most; None if none has.

        Its mark is older than what it sent, and a run that goes on with it marks it anew: so what
        counts is when its key was first used.
        """
        is_known = self.plan.persisted_elsewhere or self.sends > 0
        if not self.may_exist_from_before or is_known or self._is_long_done(now):
            return None
        first = self.state.submitted_at
        return math.inf if first is None else max(0.0, (now - first).total_seconds())

    def seconds_until_safe(self, now: datetime, since: float, work_seconds: float) -> float:
        """How long to wait before it is sent for the first time in this run.

        Another run may have sent it a moment ago, and been killed: the API may still be working on
        it when its lock on the idempotency key has lapsed. When it was sent last is not known, only
        that it was before this run knew of it.

        Args:
            now: The time, by the API's clock.
            since: For how many seconds this run has known of it.
            work_seconds: How long the API may work on a create; see `key_lock.WORK_SECONDS`.
        """
        age = self.sent_elsewhere(now)
        if age is None or age < REPEAT_SECONDS:
            return 0.0
        return max(0.0, work_seconds - since)

    def _is_long_done(self, now: datetime) -> bool:
        """Whether the API has done with all that was sent under its mark."""
        marked = self._marked_at
        return marked is not None and now - marked > SENT_WITHIN + timedelta(seconds=WORK_SECONDS)

    def not_sent(self, reason: str | None) -> None:
        """Notes that `may_be_sent` said no; `reason` is what stopped all creates, if they are."""
        if self.is_submitting and self._may_exist:
            self._note(TOO_LATE if self.sends or reason is None else reason)
        elif self.is_submitting:
            self._withdraw(reason)

    def answered(
        self, job: Job, now: datetime, *, replayed: bool, is_another_rows: bool
    ) -> Decision:
        """Decides what becomes of the row, now that the API answered its create with a job.

        Args:
            job: The job.
            now: The time, by the API's clock.
            replayed: Whether an earlier request with the same key began it.
            is_another_rows: Whether another row has that job.
        """
        if is_another_rows:
            self._note(OTHERS_AD.format(job.id))
            return Decision()
        if self.state.job_id not in (None, job.id):
            self._note(ANOTHER_AD.format(job.id))
            return Decision()
        self.replayed = replayed and self.sends == 1
        self.jobs += 1
        self.see(job)
        self.state = replace(self.state, submitted_at=now)
        return Decision()

    def refused(self, error: StaticAdsLabError) -> Decision:
        """The create ended with an error, all tries of it included."""
        is_of_account = isinstance(error, ACCOUNT_ERRORS)
        may_change_key = not self.plan.persisted_elsewhere and self.refused_keys < REFUSED_KEYS
        if isinstance(error, ACCOUNT_ERRORS) and error.replayed and may_change_key:
            self._rotate_idempotency_key()
            return Decision(send_again=True)
        is_busy = is_conflict(error) and isinstance(self.plan.request, RevisionRequest)
        is_decided = is_conflict(error) or is_of_account or isinstance(error, REQUEST_ERRORS)
        if not is_decided or error.outcome_unknown or self.may_exist_from_before:
            # A job may exist, or may still be made with the same key: the next run asks with it.
            # A refusal says little then: an API that looks at the request, or at the wallet, before
            # it looks at the key says no even to what it has made.
            self._note(str(error))
        elif is_busy or is_of_account:
            self._withdraw(BUSY if is_busy else str(error))
        else:
            self.state = ended(self.state, RowStatus.FAILED, error=held_message(str(error)))
        return Decision(
            stop_creating=advice(error) if is_of_account else "", is_unanswered=not is_decided
        )

    def see(self, job: Job) -> None:
        """Notes what its job looks like."""
        self.state = with_job(
            self.state, job, is_revision=isinstance(self.plan.request, RevisionRequest)
        )

    def not_followed(self, error: StaticAdsLabError, timeout_seconds: float) -> Decision:
        """Its job could not be followed to the end. It stays `processing`: it is paid for."""
        if isinstance(error, WaitTimeoutError):
            self._note(f"Still rendering after {timeout_seconds:g} s. Run it again to collect it.")
            return Decision()
        if isinstance(error, NotFoundError):
            # It was paid for, perhaps with another organization's key: no new one is made for it.
            self._note(f"The API does not know this ad with this key. {error}")
            return Decision()
        self._note(str(error))
        return Decision(stop_creating=advice(error))

    def cancelled(self) -> bool:
        """Nothing more is sent. Whether that has changed its state."""
        if self.is_submitting and not self.sends:
            self._withdraw(None)
            return True
        return False

    def result(self, stopped_by: str | None) -> ImageAdResult:
        """What became of it, given what stopped all creates."""
        return ImageAdResult(
            position=self.plan.position,
            state=self.state,
            replayed=self.replayed,
            stopped_by=stopped_by if self.state.is_unsent else None,
        )

    @property
    def _may_exist(self) -> bool:
        return self.sends > 0 or self.may_exist_from_before

    def _rotate_idempotency_key(self) -> None:
        self.refused_keys += 1
        self.sends = 0
        self.may_exist_from_before = False
        attempts = self.state.attempts + 1
        self.state = replace(self.state, attempts=attempts, idempotency_key=self.plan.key(attempts))

    def _withdraw(self, reason: str | None) -> None:
        """Back to what it was before: this attempt was certainly not taken by the API."""
        before, reason = self._before, reason and held_message(reason)
        if before.status is RowStatus.SUBMITTING:
            # An earlier run's create may have come through; this one says nothing about that.
            self.state = replace(before, error=reason)
        else:
            self.state = JobState(attempts=before.attempts, error=reason, facts=before.facts)

    def _note(self, message: str) -> None:
        self.state = replace(self.state, error=held_message(message))
