"""When running ads are asked for; times in, times out."""

from __future__ import annotations

import math

import pytest

from prefect_staticadslab import ImageAd
from prefect_staticadslab.campaign.pipeline.poll_schedule import (
    CAUTION,
    CAUTION_LATER,
    FEW_JOBS,
    JobSpan,
    JobTimes,
    next_poll,
)


def ad(status: str = "processing", **fields: object) -> ImageAd:
    return ImageAd.model_validate({"id": "ia_1", "status": status, **fields})


DONE = {"image_url": "https://cdn/1.png"}


SPAN = JobSpan(30, 60)


def test_the_first_poll_comes_early_unless_requests_are_scarce() -> None:
    assert next_poll(None, [50.0, 40.0], SPAN, None) == 44
    assert next_poll(None, [50.0, 40.0], SPAN, 15) == 88


@pytest.mark.parametrize("seconds_per_read", [15.0, None])
def test_what_an_earlier_run_left_is_asked_for_at_once(seconds_per_read: float | None) -> None:
    assert next_poll(None, [-math.inf, 40.0], SPAN, seconds_per_read) == -math.inf


def test_while_creates_wait_a_finished_ad_is_seen_within_twenty_seconds_and_not_sooner() -> None:
    assert next_poll(44, [40.0, 60.0], SPAN, 15) == 88
    assert next_poll(88, [40.0, 60.0], SPAN, 15) == 106
    assert next_poll(44, [-math.inf], SPAN, 15) == 62


def test_reads_leave_a_small_limit_to_creates() -> None:
    assert next_poll(44, [0.0], SPAN, 60) == 104


def test_afterwards_few_polls_come_until_the_last_ad_must_have_ended() -> None:
    polls, now = [], 44.0
    while now < 130:
        now = next_poll(now, [60.0, 62.0], SPAN, None)
        polls.append(now)
    assert polls == [108, 122, 126, 130]


@pytest.mark.parametrize("span", [SPAN, JobSpan(30, 3000), JobSpan(30, 31)])
@pytest.mark.parametrize("last_poll", [None, 44.0, 150.0])
@pytest.mark.parametrize("seconds_per_read", [15.0, None])
def test_an_ad_is_asked_for_soon_after_it_may_be_finished_and_never_twice_within_a_poll(
    span: JobSpan, last_poll: float | None, seconds_per_read: float | None
) -> None:
    due = next_poll(last_poll, [40.0, 90.0], span, seconds_per_read)
    assert due <= max(last_poll or 0.0, 40 + span.shortest) + 18
    assert last_poll is None or due >= last_poll + 4


def test_an_ad_whose_beginning_is_not_known_is_asked_for_often() -> None:
    assert next_poll(44, [-math.inf], SPAN, None) == 48


def test_the_length_of_jobs_is_learned_from_progress_and_then_from_jobs() -> None:
    times = JobTimes()
    assert times.span == JobSpan(28, 60)
    times.learn(ad(progress={"percentage": 0.0}), 4)
    assert times.span == JobSpan(28, 60)
    times.learn(ad(progress={"percentage": 0.1}), 4)
    times.learn(ad(progress={"percentage": 0.08}), 4)
    assert times.span.shortest == pytest.approx(CAUTION * 40)
    assert times.span.longest == pytest.approx(50)
    times.learn(ad("completed", duration_ms=31_000, **DONE), 45)
    assert times.span.shortest == pytest.approx(CAUTION * 31)
    times.learn(ad("failed"), 12)
    assert times.span.shortest == pytest.approx(CAUTION * 12)
    times.learn(ad(progress={"percentage": 0.9}), 4)
    assert times.span.shortest == pytest.approx(CAUTION * 12)


def test_after_many_jobs_their_lengths_count_and_no_progress() -> None:
    times = JobTimes()
    times.learn(ad(progress={"percentage": 0.06}), 30)
    for seconds in range(30, 30 + FEW_JOBS):
        times.learn(ad("failed"), seconds)
    assert times.span == JobSpan(CAUTION * 30, 500)
    times.learn(ad("failed"), 55)
    assert times.span == JobSpan(CAUTION_LATER * 30, 55)
