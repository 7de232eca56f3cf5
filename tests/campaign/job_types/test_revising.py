"""What an ad says of a revision that may have been sent, and what is done about it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from prefect_staticadslab import ImageAd, JobState, RowStatus
from prefect_staticadslab.api.errors import (
    InsufficientBalanceError,
    UnprocessableError,
    WaitTimeoutError,
)
from prefect_staticadslab.campaign.job_types.revision_decisions import (
    RENDERING,
    UNCLEAR,
    Step,
    next_step,
)
from prefect_staticadslab.campaign.job_types.revision_rows import Change
from prefect_staticadslab.campaign.pipeline.adoption import KEY_IS_GONE
from prefect_staticadslab.campaign.pipeline.attempt import Attempt
from prefect_staticadslab.campaign.pipeline.planned_job import PlannedJob
from prefect_staticadslab.campaign.pipeline.poller import Poller
from prefect_staticadslab.campaign.pipeline.requests import RenderingMark
from prefect_staticadslab.campaign.rows.json_cells import tree_fingerprint


def tree(*names: str, size: float = 48) -> dict[str, Any]:
    children = [{"id": name, "type": "TEXT", "fontSize": size} for name in names]
    return {"id": "root", "type": "FRAME", "children": children}


def ad(of: dict[str, Any] | None, status: str = "completed", url: str = "https://cdn/1") -> ImageAd:
    fields = {"id": "ia_1", "status": status, "editable": True, "current_json_tree": of}
    return ImageAd.model_validate(fields | {"image_url": url if status == "completed" else None})


CHANGE = Change.model_validate(
    {
        "image_ad_id": "ia_1",
        "json_patch": [
            {"op": "add", "path": "/children/-", "value": tree("new")["children"][0]},
        ],
    }
)
BEFORE, SENT, OTHER = tree("a"), tree("a", "new"), tree("b")
FACTS = {
    "previous_tree": tree_fingerprint(BEFORE),
    "sent_tree": tree_fingerprint(SENT),
    "previous_image_url": "https://cdn/1?signed=then",
}
SUBMITTING = JobState(RowStatus.SUBMITTING, attempts=1, idempotency_key="aa" * 32, facts=FACTS)
FAILED = JobState(RowStatus.FAILED, job_id="ia_1", attempts=1, facts=FACTS)


def test_an_ad_as_it_was_before_is_sent_the_same_again_whatever_its_address() -> None:
    step = next_step(CHANGE, SUBMITTING, ad(BEFORE, url="https://cdn/1?signed=now"), is_lost=False)
    assert step.request is not None
    assert step.request.tree == SENT
    assert (step.state.status, step.state.attempts) == (RowStatus.SUBMITTING, 1)
    late = next_step(CHANGE, SUBMITTING, ad(BEFORE), is_lost=True)
    assert (late.state.status, late.state.attempts) == (RowStatus.PENDING, 1)


def test_what_has_not_arrived_is_not_sent_with_another_key_while_it_may_still_arrive() -> None:
    """Somebody deleted the column of keys, and one that is derived anew may be another."""
    without_key = replace(SUBMITTING, idempotency_key=None)
    step = next_step(CHANGE, without_key, ad(BEFORE), is_lost=False)
    assert step == Step(replace(without_key, error=KEY_IS_GONE))
    arrived = next_step(CHANGE, without_key, ad(SENT), is_lost=False)
    assert arrived.state.status is RowStatus.COMPLETED
    late = next_step(CHANGE, without_key, ad(BEFORE), is_lost=True)
    assert late.request is not None
    assert (late.state.status, late.state.attempts) == (RowStatus.PENDING, 1)


def test_an_ad_with_the_tree_that_was_sent_has_it_and_is_followed() -> None:
    done = next_step(CHANGE, SUBMITTING, ad(SENT), is_lost=False)
    assert (done.request, done.state.status) == (None, RowStatus.COMPLETED)
    running = next_step(CHANGE, SUBMITTING, ad(SENT, "processing"), is_lost=False)
    assert running.state.is_processing
    # A server may write 48.0 as 48.
    written = next_step(CHANGE, SUBMITTING, ad(tree("a", "new", size=48.0)), is_lost=False)
    assert written.state.status is RowStatus.COMPLETED


@pytest.mark.parametrize(
    ("shown", "note"),
    [
        (ad(OTHER), UNCLEAR),
        (ad(None), UNCLEAR),
        (ad(OTHER, "processing"), RENDERING),
        (ad(BEFORE, "processing"), RENDERING),
        (ad(None, "processing"), RENDERING),
    ],
)
def test_what_nobody_can_say_is_left_to_people(shown: ImageAd, note: str) -> None:
    step = next_step(CHANGE, SUBMITTING, shown, is_lost=True)
    assert (step.request, step.state.status, step.state.error) == (
        None,
        RowStatus.SUBMITTING,
        note,
    )


FLAT = ad(SENT).model_copy(update={"editable": False})
UNFIT = ad({"id": "root", "type": "FRAME"})


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (RowStatus.SUBMITTING, None),  # as with another organization's key
        (RowStatus.PROCESSING, None),
        (RowStatus.SUBMITTING, FLAT),
        (RowStatus.PROCESSING, FLAT),
        (RowStatus.SUBMITTING, UNFIT),
    ],
)
def test_a_revision_that_may_have_been_sent_does_not_fail_for_what_one_run_is_shown(
    status: RowStatus, shown: ImageAd | None
) -> None:
    facts = FACTS | {"previous_tree": tree_fingerprint(UNFIT.current_json_tree or {})}
    sent = JobState(status, job_id="ia_1", attempts=1, facts=facts)
    step = next_step(CHANGE, sent, shown, is_lost=False)
    assert (step.request, step.state) == (None, replace(sent, error=step.state.error))
    assert step.state.error
    unsent = next_step(CHANGE, JobState(), shown, is_lost=False)
    assert (unsent.request, unsent.state.status) == (None, RowStatus.FAILED)


def test_after_a_failed_rendering_a_change_is_not_made_twice() -> None:
    kept = next_step(CHANGE, FAILED, ad(SENT, "failed"), is_lost=False)
    assert kept.request is not None
    assert kept.request.tree == SENT
    rolled_back = next_step(CHANGE, FAILED, ad(BEFORE), is_lost=False)
    assert rolled_back.request is not None
    assert rolled_back.request.tree == SENT
    unclear = next_step(CHANGE, FAILED, ad(OTHER, "failed"), is_lost=False)
    assert (unclear.request, unclear.state.error) == (None, UNCLEAR)
    facts = {**FACTS, "kept_tree": tree_fingerprint(OTHER)}
    state = JobState(RowStatus.FAILED, job_id="ia_1", attempts=1, facts=facts)
    normalised = next_step(CHANGE, state, ad(OTHER, "failed"), is_lost=False)
    assert normalised.request is not None
    assert normalised.request.tree == OTHER


def test_nor_if_it_could_not_be_sent_again_after_that() -> None:
    failed = replace(FAILED, completed_at=datetime(2026, 5, 1, tzinfo=UTC))
    step = next_step(CHANGE, failed, ad(SENT, "failed"), is_lost=False)
    assert step.request is not None
    plan = PlannedJob(0, step.request, "campaign", "row", step.state)
    ended = []
    for error in (InsufficientBalanceError("", status=402), UnprocessableError("", status=422)):
        attempt = Attempt(plan)
        attempt.mark(datetime(2026, 5, 2, tzinfo=UTC), "key")
        attempt.note_sent()
        attempt.on_create_error(error)
        ended.append(attempt.state)
    interrupted = Attempt(plan)
    interrupted.mark(datetime(2026, 5, 2, tzinfo=UTC), "key")
    assert interrupted.withdraw_if_unsent()
    assert [s.status for s in ended] == [RowStatus.PENDING, RowStatus.FAILED]
    for state in (*ended, interrupted.state):
        again = next_step(CHANGE, state, ad(SENT, "failed"), is_lost=False)
        assert again.request is not None
        assert again.request.tree == SENT
        # On the ad as it was before, and on another tree, the change is made.
        for tree_now in (BEFORE, OTHER):
            anew = next_step(CHANGE, state, ad(tree_now), is_lost=False)
            assert anew.request is not None
            assert anew.request.tree == CHANGE.apply_to(tree_now)
    # What somebody wants to have once more is made to the ad as it is.
    wanted = replace(failed, status=RowStatus.PENDING, job_id=None)
    once_more = next_step(CHANGE, wanted, ad(SENT), is_lost=False)
    assert once_more.request is not None
    assert once_more.request.tree == tree("a", "new", "new")


async def test_a_poll_that_shows_the_ad_as_it_was_says_nothing() -> None:
    old, new = ad(BEFORE), ad(SENT, url="https://cdn/2")
    answers = [old, old, ad(SENT, "processing"), new]

    async def read(_: Sequence[str]) -> list[ImageAd]:
        return [answers.pop(0) if len(answers) > 1 else answers[0]]

    async def read_one(_: str) -> ImageAd:
        return answers[0]

    poller = Poller(read, read_one, lambda: None, poll_seconds=0.01)
    before = RenderingMark.of(old)
    seen = await poller.wait_until_finished(
        "ia_1", 600, is_new=True, is_stale=lambda job: RenderingMark.of(job) == before
    )
    assert seen == new
    await poller.close()


async def test_one_that_gives_up_takes_no_answer_from_another_that_waits_for_the_same_job() -> None:
    answers = [ad(BEFORE, "processing")]

    async def read(_: Sequence[str]) -> list[ImageAd]:
        return answers

    async def read_one(_: str) -> ImageAd:
        return answers[0]

    poller = Poller(read, read_one, lambda: None, poll_seconds=0.01)
    patient = asyncio.create_task(poller.wait_until_finished("ia_1", 600))
    await asyncio.sleep(0)
    with pytest.raises(WaitTimeoutError):
        await poller.wait_until_finished("ia_1", 0)
    answers[0] = ad(SENT)
    assert await patient == ad(SENT)
    await poller.close()


def test_a_look_goes_by_the_address_without_what_is_signed() -> None:
    now = datetime.now(UTC)
    one, other = (
        ad(BEFORE, url=f"https://cdn/1?signed={n}").model_copy(update={"completed_at": now})
        for n in range(2)
    )
    assert RenderingMark.of(one) == RenderingMark.of(other)
    assert RenderingMark.of(one) != RenderingMark.of(one.model_copy(update={"completed_at": None}))
