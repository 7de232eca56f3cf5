"""Campaigns of processes that know nothing of each other, on one key."""

from __future__ import annotations

import random

import pytest

from tests.campaign.pipeline.shared_key import JOB_SECONDS, WINDOW, Campaign, World

LATENCIES = [(0.005, 0.03), (0.05, 0.15), (0.1, 0.4), (0.005, 0.4)]
LONGEST = JOB_SECONDS[1]
POLL = 4.0
"""Between its end and the poll that shows it; no run ends sooner after its last ad."""


def played(
    latency: tuple[float, float], seed: int, *campaigns: tuple[int, float]
) -> tuple[World, list[Campaign]]:
    """A world in which so many rows were created from so many seconds on."""
    world = World(latency, seed)
    begun = [world.add(rows, start) for rows, start in campaigns]
    world.run()
    return world, begun


def least(windows: int) -> float:
    """Seconds that the creates of so many windows take at least, and their longest job."""
    return (windows - 1) * WINDOW + LONGEST


def shares(campaigns: list[Campaign]) -> list[float]:
    """Which part of the creates was whose while all had begun and none was done."""
    begin = max(campaign.created[0] for campaign in campaigns)
    end = min(campaign.created[-1] for campaign in campaigns)
    counts = [sum(begin <= t <= end for t in campaign.created) for campaign in campaigns]
    return [count / sum(counts) for count in counts]


@pytest.mark.parametrize("latency", LATENCIES)
@pytest.mark.parametrize("seed", range(1))
def test_alone_the_limit_is_used_with_few_requests_and_no_ad_is_seen_late(
    latency: tuple[float, float], seed: int
) -> None:
    world, [campaign] = played(latency, seed, (250, 0.0))
    assert world.server.refused == 0
    assert campaign.requests <= 1.05 * campaign.rows
    assert max(campaign.delays) < 20
    assert campaign.seen <= 1.02 * (least(3) + POLL)


@pytest.mark.parametrize("latency", LATENCIES)
@pytest.mark.parametrize("seed", range(3))
def test_two_share_a_key_and_take_no_longer_for_it(latency: tuple[float, float], seed: int) -> None:
    start = random.Random(seed).uniform(0, 1)
    world, both = played(latency, seed, (140, 0.0), (140, start))
    assert world.server.refused <= 8
    assert max(campaign.created[-1] for campaign in both) + LONGEST <= 1.035 * least(3)
    assert max(campaign.seen for campaign in both) <= 1.03 * (least(3) + POLL)
    assert all(0.35 <= share <= 0.65 for share in shares(both))


@pytest.mark.parametrize("latency", LATENCIES)
@pytest.mark.parametrize("seed", range(2))
def test_one_that_comes_into_a_full_window_gets_its_share_of_the_next(
    latency: tuple[float, float], seed: int
) -> None:
    start = random.Random(seed).uniform(2, 4)
    world, both = played(latency, seed, (140, 0.0), (140, start))
    assert world.server.refused <= 8
    assert max(campaign.seen for campaign in both) <= 1.03 * (least(3) + POLL)
    assert all(0.3 <= share <= 0.7 for share in shares(both))


@pytest.mark.parametrize("latency", LATENCIES)
@pytest.mark.parametrize("seed", [3])
def test_a_small_campaign_beside_a_large_one_is_done_with_the_window_that_opens_next(
    latency: tuple[float, float], seed: int
) -> None:
    start = random.Random(seed).uniform(0, 30)
    world, [large, small] = played(latency, seed, (500, 0.0), (20, start))
    assert world.server.refused <= 8
    assert small.created[-1] <= WINDOW + 6
    assert large.created[-1] <= 5 * WINDOW + 8


@pytest.mark.parametrize("latency", LATENCIES)
@pytest.mark.parametrize("seed", [1, 2])
def test_three_have_a_share_each(latency: tuple[float, float], seed: int) -> None:
    world, three = played(latency, seed, (140, 0.0), (140, 0.5), (140, 1.0))
    assert world.server.refused <= 20
    assert max(campaign.created[-1] for campaign in three) <= 4 * WINDOW + 6
    assert all(0.2 <= share <= 0.5 for share in shares(three))
