"""A small campaign, ended at every point at which it reaches the network or the disk."""

from __future__ import annotations

import pytest

from tests.simulation.stories.fate import JOBS_SPEED
from tests.simulation.stories.job_kinds import new_ad_row
from tests.simulation.stories.story import Story
from tests.simulation.world.existence import World
from tests.simulation.world.network import LATE_SECONDS, Fault
from tests.simulation.world.process import End, Visit

ROWS = 3


def story_of(
    *ends: tuple[int, End] | None, create_fault: Fault | None = None
) -> tuple[list[int], list[str], list[str]]:
    """Runs a campaign again and again, each time ended so, or not at all.

    Returns:
        How many points each run reached, what was not as it must be, and all that happened.
    """
    faults = [create_fault]
    world = World(
        1,
        fault=lambda number, method: faults.pop() if faults and method == "POST" else None,
        speed=JOBS_SPEED,
        rate_limit=1_000,
    )
    with world.existing():
        story = Story(world, [new_ad_row(number) for number in range(ROWS)])
        points = [story.run(Visit(end))[0].points for end in ends]
        return points, story.check(), world.trace


def wrong(*ends: tuple[int, End] | None, create_fault: Fault | None = None) -> str:
    """What was not as it must be after such runs and two more, as a text; "" if nothing was."""
    _, violations, trace = story_of(*ends, None, None, create_fault=create_fault)
    return "\n".join([f"{ends} {create_fault}", *violations, *trace]) if violations else ""


def test_without_faults_each_row_becomes_an_ad() -> None:
    (points,), violations, trace = story_of(None)
    assert not violations, "\n".join(trace)
    assert points > 20


@pytest.mark.parametrize("end", [End.KILL, pytest.param(End.TERMINATE, marks=pytest.mark.chaos)])
def test_a_run_that_is_ended_at_any_point_is_gone_on_with(end: End) -> None:
    (points,), _, _ = story_of(None)
    assert [told for n in range(1, points + 1) if (told := wrong((n, end)))] == []


@pytest.mark.chaos
@pytest.mark.parametrize("fault", Fault)
def test_so_is_one_whose_first_create_met_with_a_fault(fault: Fault) -> None:
    (points,), _, _ = story_of(None, create_fault=fault)
    # What comes late leaves a long run behind it, in which nothing else happens.
    last = min(points, 60) if fault in LATE_SECONDS else points
    told = [wrong((n, End.KILL), create_fault=fault) for n in range(1, last + 1, 2)]
    assert [text for text in told if text] == []
