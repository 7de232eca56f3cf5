"""When one paid job is sent, with which key, and what other runs that send it change."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.pipeline.attempt import Attempt
from prefect_staticadslab.campaign.pipeline.job_outcome import OTHER_KEY, TOO_LATE
from prefect_staticadslab.campaign.table.idempotency import idempotency_key
from prefect_staticadslab.campaign.table.job_state import SENT_WITHIN, TRUSTED_LIFETIME
from tests.campaign.pipeline.test_attempt import (
    EMPTY,
    NOW,
    OURS,
    PENDING,
    RETRIED,
    RUNNING,
    SENT_BEFORE,
    SUBMITTING,
    THEIRS,
    UNSENT,
    begun,
    plan,
)

FIRST_KEY = idempotency_key("campaign", "row", 1)


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
    attempt.update_from_other_run(known)
    assert attempt.is_shared is is_shared
    assert attempt.state == (known if is_taken else ours)
    assert attempt.seconds_shared(NOW) == (3 * 3600.0 if is_shared else None)
    assert attempt.may_be_sent(NOW, is_stopped=False) is (is_shared or not is_taken)


def test_what_another_run_has_answered_is_not_sent_and_not_withdrawn() -> None:
    attempt = begun(PENDING, sends=0)
    attempt.update_from_other_run(RUNNING)
    attempt.note_not_sent("Why not.")
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
    attempt.update_from_table(attempt.state)
    assert not attempt.may_exist_from_before
    attempt.update_from_table(RUNNING)
    assert attempt.state == RUNNING
    attempt = begun(PENDING, sends=0)
    attempt.update_from_table(replace(attempt.state, idempotency_key="ee" * 32))
    assert attempt.idempotency_key == "ee" * 32
    assert attempt.on_create_error(EMPTY).stop_creating
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
    assert attempt.decide_to_send(api_key_hash, is_stopped=is_stopped, reason=reason) is is_sent
    assert (attempt.state.status, attempt.state.error) == (status, says)


SECOND = timedelta(seconds=1)


MARKED_ANEW = replace(SENT_BEFORE, asked_at=NOW)


@pytest.mark.parametrize(
    ("state", "sends", "elsewhere", "later", "is_stopped", "expected"),
    [
        pytest.param(PENDING, 0, False, SENT_WITHIN, False, True, id="in time"),
        pytest.param(PENDING, 0, False, TRUSTED_LIFETIME, False, True, id="slept over"),
        pytest.param(PENDING, 0, False, TRUSTED_LIFETIME + SECOND, False, False, id="for a day"),
        pytest.param(PENDING, 0, True, SENT_WITHIN + SECOND, False, False, id="by a worker"),
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
        pytest.param(MARKED_ANEW, 0, True, 0 * SECOND, False, True, id="marked for a worker"),
        pytest.param(
            replace(MARKED_ANEW, submitted_at=NOW - TRUSTED_LIFETIME - SECOND),
            0, True, 0 * SECOND, False, False, id="marked for a worker, its key lives no longer",
        ),
    ],
)  # fmt: skip
def test_what_may_be_sent_when(
    state: JobState, sends: int, elsewhere: bool, later: timedelta, is_stopped: bool, expected: bool
) -> None:
    attempt = begun(state, sends=sends, persisted_elsewhere=elsewhere)
    assert attempt.may_be_sent(NOW + later, is_stopped=is_stopped) is expected


@pytest.mark.parametrize("sends", [0, 1])
@pytest.mark.parametrize(
    ("later", "marked_anew"),
    [(0 * SECOND, False), (SENT_WITHIN, False), (SENT_WITHIN + SECOND, True)],
)
def test_what_is_sent_hours_after_its_mark_is_marked_anew_before(
    later: timedelta, marked_anew: bool, sends: int
) -> None:
    attempt = begun(PENDING, sends=sends)
    marked_at = attempt.state.asked_at
    assert attempt.renew_old_mark(NOW + later) is marked_anew
    assert not attempt.renew_old_mark(NOW + later)
    assert attempt.sends == sends
    assert attempt.state.asked_at == (NOW + later if marked_anew else marked_at)


@pytest.mark.parametrize(
    ("state", "sends", "reason", "status", "says"),
    [
        (PENDING, 0, "stopped", UNSENT, "stopped"),
        (RETRIED, 0, "stopped", UNSENT, "stopped"),
        (PENDING, 1, "stopped", SUBMITTING, TOO_LATE),
        (SENT_BEFORE, 0, "stopped", SUBMITTING, "stopped"),
        (SENT_BEFORE, 0, None, SUBMITTING, TOO_LATE),
    ],
)
def test_what_was_not_sent(
    state: JobState, sends: int, reason: str | None, status: RowStatus, says: str
) -> None:
    attempt = begun(state, sends=sends)
    attempt.note_not_sent(reason)
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
    assert attempt.withdraw_if_unsent() is changes
    assert (attempt.state.status, attempt.state.attempts) == (status, attempts)
    assert state is not SENT_BEFORE or attempt.state == SENT_BEFORE
