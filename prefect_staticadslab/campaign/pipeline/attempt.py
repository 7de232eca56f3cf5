"""Every decision about one paid job: when it may be sent, and what each end makes of its row.

Nothing here waits, sends or writes. `chunk_run` does, and tells an attempt what came of it: an
answer, an error, a cancellation, or what another run wrote down. What an attempt then knows is in
its `state`; what is to be done besides is in the `Decision` that it returns.
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
    AD_OF_ANOTHER_ROW,
    BUSY,
    OTHER_KEY,
    REQUEST_ERRORS,
    TOO_LATE,
    Decision,
    ended_state,
    is_conflict,
    stop_reason,
    table_message,
    with_job,
)
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult, PlannedJob
from prefect_staticadslab.campaign.pipeline.requests import RevisionRequest
from prefect_staticadslab.campaign.table.job_state import (
    SENT_WITHIN,
    TRUSTED_LIFETIME,
    JobState,
    RowStatus,
    with_error,
    with_second_ads,
)
from prefect_staticadslab.campaign.table.other_runs import time_of_mark

REFUSED_KEYS: Final = 3
"""How many keys of a job are given up because the API answers them with an old refusal."""


class Attempt:
    """A planned job on its way to its end.

    Attributes:
        plan: What was planned.
        state: What is known of its row by now.
        replayed: Whether the API answered the create with the job of an earlier run.
        sends: How often a create was sent with the present idempotency key.
        jobs: How many jobs were begun for it in this run.
        refused_keys: How many keys were given up; see `REFUSED_KEYS`.
        may_exist_from_before: Whether an earlier run, or another one, may have sent it with its
            key; or this one has, before it asked once more.
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
        self._state_before_mark = plan.state
        # When an earlier run, or another one, marked it last, if any did.
        self._other_mark_at: datetime | None = None

    @property
    def position(self) -> int:
        """Its row's 0-based place in the table."""
        return self.plan.position

    @property
    def idempotency_key(self) -> str:
        """The key that its create is sent with."""
        return self.state.idempotency_key or self.plan.key(self.state.attempts)

    @property
    def keys(self) -> tuple[str, str | None]:
        """Its idempotency key, and the hash of the API key that this one counts for, if known."""
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

    def needs_another_job(self, max_jobs: int) -> bool:
        """Whether its job failed, and another one may be begun: `max_jobs` at most in this run."""
        return self.state.job_failed and self.plan.may_create and self.jobs < max_jobs

    def mark(self, now: datetime, api_key_hash: str) -> None:
        """Makes its state `submitting`. A create that may have been sent keeps its idempotency key.

        Args:
            now: The time, by the API's clock.
            api_key_hash: What stands for the API key that it is to be sent with.
        """
        known = self._state_before_mark = self.state
        self.is_shared = False
        self._other_mark_at = known.asked_at
        self.sends = 0
        again = known.status is RowStatus.SUBMITTING and known.attempts > 0
        self.may_exist_from_before = again
        attempts = known.attempts if again else known.attempts + 1
        # What another process has marked keeps that time: other runs go by it.
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

    def update_from_table(self, known: JobState) -> None:
        """Takes over the row's state in the table, if that is another run's and not its mark."""
        if known != self.state:
            self.update_from_other_run(known)

    def update_from_other_run(self, known: JobState) -> None:
        """Takes over the state that a run that is alive wrote. What was sent waits for its answer,
        unless that run has an ad, or another API key, and so has waited, and not found it."""
        is_mark = known.status is RowStatus.SUBMITTING
        is_of_other_key = known.api_key_hash not in (None, self.state.api_key_hash)
        is_alike = is_of_other_key or known.idempotency_key == self.idempotency_key
        if self.sends and not known.has_ad and not (is_mark and is_alike):
            return
        self.is_shared = is_mark
        self.may_exist_from_before = True
        self._other_mark_at = known.asked_at
        self.state = known

    def seconds_shared(self, now: datetime) -> float | None:
        """For how many seconds a run that is alive may have been sending it; None if none may."""
        first = self.state.submitted_at
        return (now - first).total_seconds() if self.is_shared and first is not None else None

    def decide_to_send(self, api_key_hash: str, *, is_stopped: bool, reason: str | None) -> bool:
        """Whether to send it now. If not, its state is changed, and says why.

        Args:
            api_key_hash: What stands for the API key at hand.
            is_stopped: Whether nothing more is to be created.
            reason: Why that is.
        """
        if is_stopped:
            self._withdraw(reason)
            return False
        if self.state.api_key_hash not in (None, api_key_hash):
            self._note_error(OTHER_KEY)
            return False
        return True

    def may_be_sent(self, now: datetime, *, is_stopped: bool) -> bool:
        """Whether the create may go out at this moment, for the first time or once more.

        What was sent once is asked for again even if creates were stopped: its answer is missing.
        Nothing is sent with a key that may have expired, as it may have if a computer slept for a
        day. And a worker, which writes no marks, sends nothing long after it was marked: nobody
        would look for it then.
        """
        if not self.is_submitting or (is_stopped and not self.sends):
            return False
        asked_at, first = self.state.asked_at, self.state.submitted_at
        if asked_at is None or first is None:
            return True
        if now - first > TRUSTED_LIFETIME:
            return False
        return not self.plan.persisted_elsewhere or now - asked_at <= SENT_WITHIN

    def renew_old_mark(self, now: datetime) -> bool:
        """Renews its mark if, by it, nobody would look for a job that is begun only now, as a
        computer slept for hours. Returns whether it did: then it is written before it is sent."""
        is_old = self.state.asked_at is not None and now - self.state.asked_at > SENT_WITHIN
        if is_old:
            self.state = replace(self.state, asked_at=now)
        return is_old

    def note_sent(self) -> None:
        """Counts that it is sent at this moment."""
        self.sends += 1

    def seconds_since_other_run_sent(self, now: datetime) -> float | None:
        """How long ago, at the most, another run first sent it; infinite if nobody knows when, None
        if none may have, the API has done with it, or this run or a process of it has sent it.

        A mark is older than what is sent, or renewed; so the first use of its key is what counts.
        """
        is_own = self.plan.persisted_elsewhere and not self.plan.sent_by_other_run
        is_known = is_own or self.sends > 0
        if not self.may_exist_from_before or is_known or self._is_other_run_over(now):
            return None
        first = self.state.submitted_at
        return math.inf if first is None else max(0.0, (now - first).total_seconds())

    def seconds_until_safe(self, now: datetime, known_for: float, work_seconds: float) -> float:
        """How long to wait before it is sent for the first time in this run.

        Another run may have sent it a moment ago, and been killed: the API may still be working on
        it when its lock on the idempotency key has lapsed. When it was sent last is not known, only
        that it was before this run knew of it.

        Args:
            now: The time, by the API's clock.
            known_for: For how many seconds this run has known of it.
            work_seconds: How long the API may work on a create; see `key_lock.WORK_SECONDS`.
        """
        age = self.seconds_since_other_run_sent(now)
        if age is None or age < REPEAT_SECONDS:
            return 0.0
        return max(0.0, work_seconds - known_for)

    def _is_other_run_over(self, now: datetime) -> bool:
        """Whether the API has done with all that another run may have sent after marking it."""
        marked = self._other_mark_at
        return marked is not None and now - marked > SENT_WITHIN + timedelta(seconds=WORK_SECONDS)

    def note_not_sent(self, reason: str | None) -> None:
        """Notes that `may_be_sent` said no; `reason` is what stopped all creates, if they are."""
        if self.is_submitting and self._may_exist:
            self._note_error(TOO_LATE if self.sends or reason is None else reason)
        elif self.is_submitting:
            self._withdraw(reason)

    def on_answer(
        self, job: Job, now: datetime, *, replayed: bool, is_another_rows: bool
    ) -> Decision:
        """Takes the job that the API answered with, unless another row has it, or this row another.

        Args:
            job: The job.
            now: The time, by the API's clock.
            replayed: Whether an earlier request with the same key began it.
            is_another_rows: Whether another row has that job.
        """
        if is_another_rows:
            self._note_error(AD_OF_ANOTHER_ROW.format(job.id))
            return Decision()
        if self.state.has_ad and self.state.job_id != job.id:
            self.state = with_second_ads(self.state, [job.id])
            return Decision()
        self.replayed = replayed and self.sends == 1
        self.jobs += 1
        self.note_job(job)
        self.state = replace(self.state, submitted_at=now)
        return Decision()

    def on_create_error(self, error: StaticAdsLabError) -> Decision:
        """Decides what becomes of the row, now that all tries of its create ended with an error."""
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
            self._note_error(str(error))
        elif is_busy or is_of_account:
            self._withdraw(BUSY if is_busy else str(error))
        else:
            self.state = ended_state(self.state, RowStatus.FAILED, error=table_message(str(error)))
        return Decision(
            stop_creating=stop_reason(error) if is_of_account else "", is_unanswered=not is_decided
        )

    def note_job(self, job: Job) -> None:
        """Brings its state up to date with its job."""
        is_revision = isinstance(self.plan.request, RevisionRequest)
        self.state = with_job(self.state, job, is_revision=is_revision)

    def on_follow_error(self, error: StaticAdsLabError, timeout_seconds: float) -> Decision:
        """Notes why its job was not followed to the end. It stays `processing`: it is paid for."""
        message, reason = str(error), ""
        if isinstance(error, WaitTimeoutError):
            message = f"Still rendering after {timeout_seconds:g} s. Run it again to collect it."
        elif isinstance(error, NotFoundError):
            # It was paid for, perhaps with another organization's key: no new one is made for it.
            message = f"The API does not know this ad with this key. {error}"
        else:
            reason = stop_reason(error)
        self._note_error(message)
        return Decision(stop_creating=reason)

    def withdraw_if_unsent(self) -> bool:
        """Takes its mark back if it was not sent, and says whether it did."""
        if self.is_submitting and not self.sends:
            self._withdraw(None)
            return True
        return False

    def result(self, stopped_by: str | None) -> ImageAdResult:
        """What became of it; `stopped_by` is what stopped all creates, if they are."""
        reason = stopped_by if self.state.is_unsent else None
        return ImageAdResult(self.position, self.state, self.replayed, stopped_by=reason)

    @property
    def _may_exist(self) -> bool:
        """Whether any run may have sent it with its key, so that there may be a job."""
        return self.sends > 0 or self.may_exist_from_before

    def _rotate_idempotency_key(self) -> None:
        """Takes a new key, after an answer that proves that the last one made nothing."""
        self.refused_keys += 1
        self.sends = 0
        self.may_exist_from_before = False
        attempts = self.state.attempts + 1
        self.state = replace(self.state, attempts=attempts, idempotency_key=self.plan.key(attempts))

    def _withdraw(self, reason: str | None) -> None:
        """Puts its state back to before its mark: the API has certainly not taken what was sent."""
        before, reason = self._state_before_mark, reason and table_message(reason)
        if before.status is RowStatus.SUBMITTING:
            # An earlier run's create may have come through; this one says nothing about that.
            self.state = replace(before, error=reason)
        else:
            self.state = JobState(attempts=before.attempts, error=reason, facts=before.facts)

    def _note_error(self, message: str) -> None:
        self.state = with_error(self.state, table_message(message))
