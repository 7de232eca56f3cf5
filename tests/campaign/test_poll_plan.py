"""When running ads are asked for; times in, times out."""

from __future__ import annotations

import math

import pytest

from prefect_staticadslab import ImageAd
from prefect_staticadslab.campaign.pipeline.poll_schedule import CAUTION, JobTimes, next_poll


def ad(status: str = "processing", **fields: object) -> ImageAd:
    return ImageAd.model_validate({"id": "ia_1", "status": status, **fields})


DONE = {"image_url": "https://cdn/1.png"}


def test_the_first_poll_comes_early() -> None:
    assert next_poll(None, [50.0, 40.0], 20, 15) == 44
    assert next_poll(None, [-math.inf, 40.0], 20, None) == -math.inf


def test_while_creates_wait_a_finished_ad_is_seen_within_twenty_seconds_and_not_sooner() -> None:
    assert next_poll(44, [40.0, 60.0], 30, 15) == 88
    assert next_poll(88, [40.0, 60.0], 30, 15) == 106
    assert next_poll(44, [-math.inf], 30, 15) == 62


def test_reads_leave_a_small_limit_to_creates() -> None:
    assert next_poll(44, [0.0], 30, 60) == 104


def test_afterwards_there_is_a_poll_every_four_seconds_once_an_ad_may_be_finished() -> None:
    assert next_poll(44, [40.0, 60.0], 30, None) == 70
    assert next_poll(70, [40.0, 60.0], 30, None) == 74


def test_the_length_of_jobs_is_learned_from_progress_and_then_from_jobs() -> None:
    times = JobTimes()
    assert times.shortest == 20
    times.saw(ad(progress={"percentage": 0.0}), 4)
    assert times.shortest == 20
    times.saw(ad(progress={"percentage": 0.1}), 4)
    times.saw(ad(progress={"percentage": 0.08}), 4)
    assert times.shortest == pytest.approx(CAUTION * 40)
    times.saw(ad("completed", duration_ms=31_000, **DONE), 45)
    assert times.shortest == pytest.approx(CAUTION * 31)
    times.saw(ad("failed"), 12)
    assert times.shortest == pytest.approx(CAUTION * 12)
    times.saw(ad(progress={"percentage": 0.9}), 4)
    assert times.shortest == pytest.approx(CAUTION * 12)
