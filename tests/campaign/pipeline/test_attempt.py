"""Every decision about one paid job, without a network, a table or a clock.

A case is what is known of a row, what happens to its create, and what must come of it. `same` keeps
the idempotency key, so that whoever goes on asks for the same job; `none` forgets it, because
nothing can come of it any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from prefect_staticadslab import ImageAd, ImageAdRequest, JobState, PlannedJob, RowStatus
from prefect_staticadslab.api.errors import (
    APIConnectionError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    IdempotencyConflictError,
    InsufficientBalanceError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    StaticAdsLabError,
    UnprocessableError,
    UnreadableAnswerError,
    WaitTimeoutError,
)
from prefect_staticadslab.campaign.pipeline.attempt import REFUSED_KEYS, Attempt
from prefect_staticadslab.campaign.pipeline.job_outcome import BUSY, OTHER_KEY, TOO_LATE, Decision
from prefect_staticadslab.campaign.pipeline.requests import NotSendableError, RevisionRequest
from prefect_staticadslab.campaign.table.idempotency import idempotency_key
from prefect_staticadslab.campaign.table.job_state import SENT_WITHIN, TRUSTED_LIFETIME

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OURS, THEIRS = "aa" * 8, "bb" * 8
REQUEST = ImageAdRequest(
    design_template_id="dt_1", brand_id="brand_1", product_id="prod_1", audience_id="aud_1"
)
REVISION = RevisionRequest(image_ad_id="ia_1", tree={"id": "1"})

PENDING = JobState()
RETRIED = JobState(RowStatus.FAILED, job_id="ia_0", error="No.", attempts=3)
SENT_BEFORE = JobState(
    RowStatus.SUBMITTING,
    attempts=2,
    submitted_at=NOW - timedelta(hours=3),
    idempotency_key="ff" * 32,
    api_key_hash=OURS,
    asked_at=NOW - timedelta(hours=3),
)
FIRST_KEY = idempotency_key("campaign", "row", 1)
RUNNING = JobState(RowStatus.PROCESSING, job_id="ia_1", attempts=1)


def plan(state: JobState, **fields: Any) -> PlannedJob:
    return replace(PlannedJob(7, REQUEST, "campaign", "row", state), **fields)


def begun(state: JobState, *, sends: int = 1, **fields: Any) -> Attempt:
    attempt = Attempt(plan(state, **fields))
    attempt.begin(NOW, OURS)
    attempt.sends = sends
    return attempt


def status_error(
    kind: type[Any], status: int, code: str = "CODE", *, replayed: bool = False
) -> StaticAdsLabError:
    error: StaticAdsLabError = kind("Not so.", status=status, code=code, replayed=replayed)
    return error


def unknown(error: StaticAdsLabError) -> StaticAdsLabError:
    """The same error, where one of the tries before it ended without an answer."""
    error.outcome_unknown = True
    return error


@dataclass(frozen=True)
class Case:
    """What is known, what the create ends with, and what comes of it."""

    state: JobState
    error: StaticAdsLabError
    status: RowStatus
    attempts: int
    key: str
    stops: bool = False
    is_unanswered: bool = False
    says: str = "Not so."
    request: Any = REQUEST


EMPTY = status_error(InsufficientBalanceError, 402)
WRONG_KEY = status_error(AuthenticationError, 401)
NO_SCOPE = status_error(PermissionDeniedError, 403)
SUBMITTING, FAILED, UNSENT = RowStatus.SUBMITTING, RowStatus.FAILED, RowStatus.PENDING

CASES = {
    # The request is wrong: it was not taken, and never will be.
    "400": Case(PENDING, status_error(BadRequestError, 400), FAILED, 1, "none"),
    "404": Case(PENDING, status_error(NotFoundError, 404), FAILED, 1, "none"),
    "413": Case(PENDING, status_error(PayloadTooLargeError, 413), FAILED, 1, "none"),
    "422": Case(PENDING, status_error(UnprocessableError, 422), FAILED, 1, "none"),
    "422 after failed jobs": Case(
        RETRIED, status_error(UnprocessableError, 422), FAILED, 4, "none"
    ),
    "the reference is gone": Case(PENDING, NotSendableError("Not so."), FAILED, 1, "none"),
    # The account is: nothing of it can be created any more.
    "402": Case(PENDING, EMPTY, UNSENT, 0, "none", stops=True),
    "401": Case(PENDING, WRONG_KEY, UNSENT, 0, "none", stops=True),
    "403": Case(PENDING, NO_SCOPE, UNSENT, 0, "none", stops=True),
    "402 after failed jobs": Case(RETRIED, EMPTY, UNSENT, 3, "none", stops=True),
    # Nobody knows: the next run asks with the same key.
    "500": Case(
        PENDING, status_error(ServerError, 500), SUBMITTING, 1, "same", is_unanswered=True
    ),
    "429": Case(
        PENDING, status_error(RateLimitError, 429), SUBMITTING, 1, "same", is_unanswered=True
    ),
    "409 of an ad": Case(PENDING, status_error(ConflictError, 409), FAILED, 1, "none"),
    "409 of an ad that may exist": Case(
        SENT_BEFORE, status_error(ConflictError, 409), SUBMITTING, 2, "same"
    ),
    "409 after silence": Case(
        PENDING, unknown(status_error(ConflictError, 409)), SUBMITTING, 1, "same"
    ),
    "the key is in use": Case(
        PENDING, status_error(IdempotencyConflictError, 409), SUBMITTING, 1, "same",
        is_unanswered=True,
    ),
    "no connection": Case(
        PENDING, APIConnectionError("Not so."), SUBMITTING, 1, "same", is_unanswered=True
    ),
    "an answer that is none": Case(
        PENDING, UnreadableAnswerError("Not so.", status=502), SUBMITTING, 1, "same",
        is_unanswered=True,
    ),
    # A refusal proves nothing once a try before it may have come through.
    "a cut, then 404": Case(
        PENDING, unknown(status_error(NotFoundError, 404)), SUBMITTING, 1, "same"
    ),
    "a cut, then 402": Case(
        PENDING, unknown(status_error(InsufficientBalanceError, 402)), SUBMITTING, 1, "same",
        stops=True,
    ),
    # Nor does it if an earlier run may have sent it.
    "sent before, 422": Case(
        SENT_BEFORE, status_error(UnprocessableError, 422), SUBMITTING, 2, "same"
    ),
    "sent before, 402": Case(SENT_BEFORE, EMPTY, SUBMITTING, 2, "same", stops=True),
    "sent before, 401": Case(SENT_BEFORE, WRONG_KEY, SUBMITTING, 2, "same", stops=True),
    "sent before, no answer": Case(
        SENT_BEFORE, APIConnectionError("Not so."), SUBMITTING, 2, "same", is_unanswered=True
    ),
    # Somebody else has the ad rendered: a revision was not taken, and costs nothing.
    "409 of a revision": Case(
        PENDING, status_error(ConflictError, 409), UNSENT, 0, "none", says=BUSY, request=REVISION
    ),
    "the key of a revision is in use": Case(
        PENDING, status_error(IdempotencyConflictError, 409), SUBMITTING, 1, "same",
        is_unanswered=True, request=REVISION,
    ),
    "sent before, 409 of a revision": Case(
        SENT_BEFORE, status_error(ConflictError, 409), SUBMITTING, 2, "same", request=REVISION
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_an_error_makes_of_a_row(case: Case) -> None:
    attempt = begun(case.state, request=case.request)
    key = attempt.idempotency_key
    decision = attempt.refused(case.error)
    assert (attempt.state.status, attempt.state.attempts) == (case.status, case.attempts)
    assert attempt.state.idempotency_key == {"same": key, "none": None}[case.key]
    assert case.says in (attempt.state.error or "")
    assert bool(decision.stop_creating) is case.stops
    assert decision.is_unanswered is case.is_unanswered
    assert not decision.send_again
    if case.status is FAILED:
        assert attempt.state.cost_usd == 0
    if case.status is SUBMITTING:
        assert attempt.state.api_key_hash == OURS
        assert attempt.state.submitted_at == (case.state.submitted_at or NOW)


@pytest.mark.parametrize(
    "error", [EMPTY, status_error(NotFoundError, 404), status_error(UnprocessableError, 422)]
)
def test_a_refusal_says_nothing_of_what_was_asked_before(error: StaticAdsLabError) -> None:
    attempt = begun(PENDING, sends=2)
    key = attempt.idempotency_key
    attempt.may_exist_from_before = True
    attempt.refused(error)
    assert (attempt.state.status, attempt.state.idempotency_key) == (SUBMITTING, key)


@pytest.mark.parametrize("error", [EMPTY, WRONG_KEY, NO_SCOPE], ids=["402", "401", "403"])
def test_a_refusal_of_another_day_is_left_behind_with_its_key(error: Any) -> None:
    old = status_error(type(error), error.status, replayed=True)
    attempt = begun(SENT_BEFORE)
    keys = [attempt.idempotency_key]
    for count in range(REFUSED_KEYS):
        assert attempt.refused(old) == Decision(send_again=True)
        keys.append(attempt.idempotency_key)
        assert attempt.state.attempts == SENT_BEFORE.attempts + count + 1
        assert attempt.sends == 0
        attempt.sends = 1
    assert len(set(keys)) == 1 + REFUSED_KEYS
    assert attempt.refused(old).stop_creating


def test_a_key_that_is_written_down_elsewhere_is_never_left_behind() -> None:
    attempt = begun(SENT_BEFORE, persisted_elsewhere=True)
    decision = attempt.refused(status_error(InsufficientBalanceError, 402, replayed=True))
    assert decision.stop_creating
    assert attempt.idempotency_key == SENT_BEFORE.idempotency_key


@pytest.mark.parametrize(
    ("state", "may_create", "expected"),
    [
        (PENDING, True, True),
        (RETRIED, True, True),
        (SENT_BEFORE, True, True),
        (RUNNING, True, False),
        (JobState(RowStatus.COMPLETED, job_id="ia_1"), True, False),
        (JobState(RowStatus.PROCESSING), True, True),
        (PENDING, False, False),
        (SENT_BEFORE, False, False),
        (RETRIED, False, False),
    ],
)
def test_what_needs_a_create(state: JobState, may_create: bool, expected: bool) -> None:
    assert Attempt(plan(state, may_create=may_create)).needs_create is expected


def test_what_may_have_been_sent_is_asked_for_with_its_own_key() -> None:
    attempt = begun(SENT_BEFORE)
    assert attempt.idempotency_key == SENT_BEFORE.idempotency_key
    assert attempt.state.attempts == SENT_BEFORE.attempts
    assert attempt.state.submitted_at == SENT_BEFORE.submitted_at
    assert attempt.state.asked_at == NOW
    assert begun(PENDING).idempotency_key == plan(PENDING).key(1)
    assert begun(RETRIED).idempotency_key == plan(PENDING).key(4)


def test_who_sends_what_another_wrote_down_keeps_its_time() -> None:
    assert begun(SENT_BEFORE, persisted_elsewhere=True).state.asked_at == SENT_BEFORE.asked_at


@pytest.mark.parametrize(
    ("known", "sends", "is_shared", "is_taken"),
    [
        # It marked it: it is alive, and may send it.
        (replace(SENT_BEFORE, asked_at=NOW), 0, True, True),
        (replace(SENT_BEFORE, idempotency_key=FIRST_KEY), 1, True, True),
        (replace(SENT_BEFORE, idempotency_key="ee" * 32), 0, True, True),
        # It is at another attempt by now, and what was sent of this one waits for its answer.
        (replace(SENT_BEFORE, idempotency_key="ee" * 32), 1, False, False),
        # It has another API key: it has waited, and what was sent was not in the list of ads.
        (replace(SENT_BEFORE, idempotency_key="ee" * 32, api_key_hash=THEIRS), 1, True, True),
        (replace(SENT_BEFORE, idempotency_key=FIRST_KEY, api_key_hash=THEIRS), 1, True, True),
        # It has its answer: nothing is to be sent any more.
        (RUNNING, 0, False, True),
        (RUNNING, 1, False, True),
        (replace(RUNNING, status=RowStatus.COMPLETED), 0, False, True),
        (RETRIED, 1, False, False),
    ],
)
def test_what_a_run_that_is_alive_writes_of_a_row(
    known: JobState, sends: int, is_shared: bool, is_taken: bool
) -> None:
    attempt = begun(PENDING, sends=sends)
    ours = attempt.state
    attempt.meet(known)
    assert attempt.is_shared is is_shared
    assert attempt.state == (known if is_taken else ours)
    assert attempt.shared_for(NOW) == (3 * 3600.0 if is_shared else None)
    assert attempt.may_be_sent(NOW, is_stopped=False) is (is_shared or not is_taken)


def test_an_answer_that_comes_after_another_runs_ad_is_named_and_takes_no_row() -> None:
    attempt = begun(PENDING)
    attempt.meet(RUNNING)
    attempt.answered(ad("processing"), NOW, replayed=False, is_another_rows=False)
    assert (attempt.state.job_id, attempt.state.status) == ("ia_1", RowStatus.PROCESSING)
    assert "this run has made ia_9 as well" in (attempt.state.error or "")


def test_what_another_run_has_answered_is_not_sent_and_not_withdrawn() -> None:
    attempt = begun(PENDING, sends=0)
    attempt.meet(RUNNING)
    attempt.not_sent("Why not.")
    assert attempt.state == RUNNING


@pytest.mark.parametrize(
    ("marked_before", "after"),
    [(None, 0), (-3600, 0), (-1, 0), (0, 1), (5, 6), (3600, 0)],
)
def test_a_mark_is_never_as_old_as_the_one_that_it_takes_the_place_of(
    marked_before: float | None, after: float
) -> None:
    asked_at = None if marked_before is None else NOW + timedelta(seconds=marked_before)
    attempt = begun(replace(SENT_BEFORE, asked_at=asked_at))
    assert attempt.state.asked_at == NOW + timedelta(seconds=after)
    assert begun(PENDING).state.asked_at == NOW


def test_another_runs_state_is_gone_on_from() -> None:
    attempt = begun(PENDING, sends=0)
    attempt.learn(attempt.state)
    assert not attempt.may_exist_from_before
    attempt.learn(RUNNING)
    assert attempt.state == RUNNING
    attempt = begun(PENDING, sends=0)
    attempt.learn(replace(attempt.state, idempotency_key="ee" * 32))
    assert attempt.idempotency_key == "ee" * 32
    assert attempt.refused(EMPTY).stop_creating
    assert attempt.state.status is SUBMITTING, "the other run's create may have come through"


@pytest.mark.parametrize(
    ("api_key_hash", "is_stopped", "is_sent", "status", "says"),
    [
        (OURS, False, True, SUBMITTING, None),
        (THEIRS, False, False, SUBMITTING, OTHER_KEY),
        (OURS, True, False, UNSENT, "The wallet is empty."),
        (THEIRS, True, False, UNSENT, "The wallet is empty."),
    ],
)
def test_what_is_sent_when_it_is_its_turn(
    api_key_hash: str, is_stopped: bool, is_sent: bool, status: RowStatus, says: str | None
) -> None:
    attempt = begun(PENDING, sends=0)
    reason = "The wallet is empty." if is_stopped else None
    assert attempt.prepare_to_send(api_key_hash, is_stopped=is_stopped, reason=reason) is is_sent
    assert (attempt.state.status, attempt.state.error) == (status, says)


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("state", "sends", "elsewhere", "later", "is_stopped", "expected"),
    [
        pytest.param(PENDING, 0, False, SENT_WITHIN, False, True, id="in time"),
        pytest.param(PENDING, 0, False, SENT_WITHIN + SECOND, False, False, id="slept over"),
        pytest.param(PENDING, 0, False, 0 * SECOND, True, False, id="stopped"),
        pytest.param(PENDING, 1, False, 0 * SECOND, True, True, id="its answer is missing"),
        pytest.param(PENDING, 1, False, TRUSTED_LIFETIME, False, True, id="while its key lives"),
        pytest.param(PENDING, 1, False, TRUSTED_LIFETIME + SECOND, False, False, id="no longer"),
        pytest.param(
            SENT_BEFORE, 0, False, TRUSTED_LIFETIME - timedelta(hours=3), False, True,
            id="by another run, while its key lives",
        ),
        pytest.param(
            SENT_BEFORE, 0, False, TRUSTED_LIFETIME - timedelta(hours=2), False, False,
            id="by another run, no longer",
        ),
        pytest.param(SENT_BEFORE, 0, True, 0 * SECOND, False, False, id="waited for a worker"),
    ],
)  # fmt: skip
def test_what_may_be_sent_when(
    state: JobState, sends: int, elsewhere: bool, later: timedelta, is_stopped: bool, expected: bool
) -> None:
    attempt = begun(state, sends=sends, persisted_elsewhere=elsewhere)
    assert attempt.may_be_sent(NOW + later, is_stopped=is_stopped) is expected


@pytest.mark.parametrize(
    ("later", "marked_anew"),
    [(0 * SECOND, False), (SENT_WITHIN, False), (SENT_WITHIN + SECOND, True)],
)
def test_what_is_sent_once_more_after_hours_is_marked_anew(
    later: timedelta, marked_anew: bool
) -> None:
    attempt = begun(PENDING, sends=1)
    marked_at = attempt.state.asked_at
    assert attempt.sent(NOW + later) is marked_anew
    assert attempt.sends == 2
    assert attempt.state.asked_at == (NOW + later if marked_anew else marked_at)


@pytest.mark.parametrize(
    ("state", "sends", "status", "says"),
    [
        (PENDING, 0, UNSENT, "stopped"),
        (RETRIED, 0, UNSENT, "stopped"),
        (PENDING, 1, SUBMITTING, TOO_LATE),
        (SENT_BEFORE, 0, SUBMITTING, TOO_LATE),
    ],
)
def test_what_was_not_sent(state: JobState, sends: int, status: RowStatus, says: str) -> None:
    attempt = begun(state, sends=sends)
    attempt.not_sent("stopped")
    assert (attempt.state.status, attempt.state.error) == (status, says)


@pytest.mark.parametrize(
    ("state", "sends", "changes", "status", "attempts"),
    [
        (PENDING, 0, True, UNSENT, 0),
        (RETRIED, 0, True, UNSENT, 3),
        (SENT_BEFORE, 0, True, SUBMITTING, 2),
        (PENDING, 1, False, SUBMITTING, 1),
    ],
)
def test_what_a_cancellation_makes_of_a_row(
    state: JobState, sends: int, changes: bool, status: RowStatus, attempts: int
) -> None:
    attempt = begun(state, sends=sends)
    assert attempt.is_unanswered is (sends > 0)
    assert attempt.cancelled() is changes
    assert (attempt.state.status, attempt.state.attempts) == (status, attempts)
    assert state is not SENT_BEFORE or attempt.state == SENT_BEFORE


def ad(status: str, **fields: Any) -> ImageAd:
    return ImageAd.model_validate({"id": "ia_9", "status": status, **fields})


DONE = {"image_url": "https://cdn/9.png", "completed_at": "2026-05-01T12:01:00Z"}


@pytest.mark.parametrize(
    ("job", "status", "cost", "keeps_key"),
    [
        (ad("processing"), RowStatus.PROCESSING, None, True),
        (ad("completed", **DONE), RowStatus.COMPLETED, Decimal(1), False),
        (ad("completed", editable=True, **DONE), RowStatus.COMPLETED, Decimal(4), False),
        (ad("failed", error={"code": "X", "message": "No."}), FAILED, Decimal(0), False),
    ],
    ids=["processing", "flat", "editable", "failed"],
)
def test_what_an_answer_makes_of_a_row(
    job: ImageAd, status: RowStatus, cost: Decimal | None, keeps_key: bool
) -> None:
    attempt = begun(PENDING)
    later = NOW + timedelta(seconds=2)
    assert attempt.answered(job, later, replayed=False, is_another_rows=False) == Decision()
    state = attempt.state
    assert (state.status, state.job_id, state.cost_usd) == (status, "ia_9", cost)
    assert state.submitted_at == later
    assert (state.idempotency_key is not None) is keeps_key
    assert (state.api_key_hash is not None) is keeps_key
    assert state.asked_at is None


def test_an_ad_of_another_row_is_not_this_rows() -> None:
    attempt = begun(PENDING)
    attempt.answered(ad("processing"), NOW, replayed=True, is_another_rows=True)
    assert (attempt.state.status, attempt.state.job_id) == (SUBMITTING, None)
    assert "ia_9" in (attempt.state.error or "")
    assert attempt.jobs == 0


@pytest.mark.parametrize(("sends", "expected"), [(1, True), (2, False)])
def test_only_an_earlier_runs_ad_is_a_replayed_one(sends: int, expected: bool) -> None:
    attempt = begun(PENDING, sends=sends)
    attempt.answered(ad("processing"), NOW, replayed=True, is_another_rows=False)
    assert attempt.result(None).replayed is expected


@pytest.mark.parametrize(
    ("error", "says", "stops"),
    [
        (WaitTimeoutError(("ia_1",), 60), "Still rendering after 60 s", False),
        (status_error(NotFoundError, 404), "does not know this ad", False),
        (WRONG_KEY, "Not so.", True),
        (NO_SCOPE, "Not so.", True),
    ],
    ids=["too slow", "unknown", "401", "403"],
)
def test_a_job_that_cannot_be_followed_is_paid_for_and_stays(
    error: StaticAdsLabError, says: str, stops: bool
) -> None:
    attempt = Attempt(plan(RUNNING))
    decision = attempt.not_followed(error, 60)
    assert (attempt.state.status, attempt.state.job_id) == (RowStatus.PROCESSING, "ia_1")
    assert says in (attempt.state.error or "")
    assert bool(decision.stop_creating) is stops


FAILED_JOB: Callable[[], ImageAd] = lambda: ad("failed")  # noqa: E731


@pytest.mark.parametrize(
    ("may_create", "most", "expected"), [(True, 2, True), (True, 1, False), (False, 2, False)]
)
def test_a_failed_job_is_begun_again_as_often_as_asked(
    may_create: bool, most: int, expected: bool
) -> None:
    attempt = begun(PENDING, may_create=may_create)
    attempt.answered(FAILED_JOB(), NOW, replayed=False, is_another_rows=False)
    assert attempt.needs_another_job(most) is expected
    attempt.begin(NOW, OURS)
    assert attempt.idempotency_key == plan(PENDING).key(2)
    assert not attempt.may_exist_from_before
