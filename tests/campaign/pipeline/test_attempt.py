"""What an answer or an error makes of one paid job, without a network, a table or a clock.

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
from prefect_staticadslab.campaign.pipeline.job_outcome import BUSY, Decision
from prefect_staticadslab.campaign.pipeline.requests import NotSendableError, RevisionRequest
from prefect_staticadslab.campaign.table.job_state import second_ads

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
RUNNING = JobState(RowStatus.PROCESSING, job_id="ia_1", attempts=1)


def plan(state: JobState, **fields: Any) -> PlannedJob:
    return replace(PlannedJob(7, REQUEST, "campaign", "row", state), **fields)


def begun(state: JobState, *, sends: int = 1, **fields: Any) -> Attempt:
    attempt = Attempt(plan(state, **fields))
    attempt.mark(NOW, OURS)
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
    decision = attempt.on_create_error(case.error)
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
    attempt.on_create_error(error)
    assert (attempt.state.status, attempt.state.idempotency_key) == (SUBMITTING, key)


@pytest.mark.parametrize("error", [EMPTY, WRONG_KEY, NO_SCOPE], ids=["402", "401", "403"])
def test_a_refusal_of_another_day_is_left_behind_with_its_key(error: Any) -> None:
    old = status_error(type(error), error.status, replayed=True)
    attempt = begun(SENT_BEFORE)
    keys = [attempt.idempotency_key]
    for count in range(REFUSED_KEYS):
        assert attempt.on_create_error(old) == Decision(send_again=True)
        keys.append(attempt.idempotency_key)
        assert attempt.state.attempts == SENT_BEFORE.attempts + count + 1
        assert attempt.sends == 0
        attempt.sends = 1
    assert len(set(keys)) == 1 + REFUSED_KEYS
    assert attempt.on_create_error(old).stop_creating


def test_a_key_that_is_written_down_elsewhere_is_never_left_behind() -> None:
    attempt = begun(SENT_BEFORE, persisted_elsewhere=True)
    decision = attempt.on_create_error(status_error(InsufficientBalanceError, 402, replayed=True))
    assert decision.stop_creating
    assert attempt.idempotency_key == SENT_BEFORE.idempotency_key


def ad(status: str, **fields: Any) -> ImageAd:
    return ImageAd.model_validate({"id": "ia_9", "status": status} | fields)


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
    assert attempt.on_answer(job, later, replayed=False, is_another_rows=False) == Decision()
    state = attempt.state
    assert (state.status, state.job_id, state.cost_usd) == (status, "ia_9", cost)
    assert state.submitted_at == later
    assert (state.idempotency_key is not None) is keeps_key
    assert (state.api_key_hash is not None) is keeps_key
    assert state.asked_at is None


def test_an_ad_of_another_row_is_not_this_rows() -> None:
    attempt = begun(PENDING)
    attempt.on_answer(ad("processing"), NOW, replayed=True, is_another_rows=True)
    assert (attempt.state.status, attempt.state.job_id) == (SUBMITTING, None)
    assert "ia_9" in (attempt.state.error or "")
    assert attempt.jobs == 0


def begun_beside(theirs: JobState) -> Attempt:
    """One that has the answer `ia_9`, and had heard of another run's ad by then."""
    attempt = begun(PENDING)
    attempt.update_from_other_run(theirs)
    attempt.on_answer(ad("processing"), NOW, replayed=False, is_another_rows=False)
    return attempt


def test_a_second_ad_stays_named_and_takes_the_place_of_the_first_if_that_fails() -> None:
    attempt = begun_beside(RUNNING)
    assert (attempt.state.job_id, second_ads(attempt.state)) == ("ia_1", ["ia_9"])
    attempt.on_follow_error(WaitTimeoutError(("ia_1",), 60), 60)
    assert "Still rendering" in (attempt.state.error or "")
    attempt.note_job(ad("completed", **DONE | {"id": "ia_1"}))
    assert (attempt.state.status, second_ads(attempt.state)) == (RowStatus.COMPLETED, ["ia_9"])

    attempt = begun_beside(RUNNING)
    attempt.note_job(ad("failed", id="ia_1"))
    assert (attempt.state.status, attempt.state.job_id) == (RowStatus.PROCESSING, "ia_9")
    assert not attempt.needs_another_job(2), "nothing is paid for again"
    attempt.note_job(ad("failed"))
    assert (attempt.state.status, second_ads(attempt.state)) == (FAILED, [])


def test_a_second_ad_is_the_rows_if_the_first_has_failed_by_then() -> None:
    attempt = begun_beside(replace(RUNNING, status=FAILED, error="No."))
    assert (attempt.state.status, attempt.state.job_id) == (RowStatus.PROCESSING, "ia_9")
    assert attempt.state.error is None


@pytest.mark.parametrize(("sends", "expected"), [(1, True), (2, False)])
def test_only_an_earlier_runs_ad_is_a_replayed_one(sends: int, expected: bool) -> None:
    attempt = begun(PENDING, sends=sends)
    attempt.on_answer(ad("processing"), NOW, replayed=True, is_another_rows=False)
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
    decision = attempt.on_follow_error(error, 60)
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
    attempt.on_answer(FAILED_JOB(), NOW, replayed=False, is_another_rows=False)
    assert attempt.needs_another_job(most) is expected
    attempt.mark(NOW, OURS)
    assert attempt.idempotency_key == plan(PENDING).key(2)
    assert not attempt.may_exist_from_before
