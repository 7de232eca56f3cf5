"""A small campaign, ended at every point at which it reaches the network or the disk."""

from __future__ import annotations

import logging

import pytest

from tests.simulation.__main__ import main
from tests.simulation.network import LATE_SECONDS, Fault
from tests.simulation.process import End
from tests.simulation.random_story import live
from tests.simulation.story import Story, new_rows
from tests.simulation.world import World

ROWS = 3
SETTINGS = {"speed": 5.0, "rate_limit": 1_000}


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
        fault=lambda method, path: faults.pop() if faults and method == "POST" else None,
        **SETTINGS,
    )
    with world.existing():
        story = Story(world, new_rows(ROWS))
        points = [story.run(dict([end]) if end else {})[0].points for end in ends]
        return points, story.check(), world.trace


def wrong(*ends: tuple[int, End] | None, create_fault: Fault | None = None) -> str:
    """What was not as it must be after such runs and two more, as a text; "" if nothing was."""
    _, violations, trace = story_of(*ends, None, None, create_fault=create_fault)
    return "\n".join([f"{ends} {create_fault}", *violations, *trace]) if violations else ""


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "prefect_staticadslab")


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


@pytest.mark.chaos
def test_whatever_happens_each_row_is_paid_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--campaigns", "200", "--seed", "ci"]) == 0, capsys.readouterr()


@pytest.mark.parametrize("seed", ["1.36", "1.85", "1.138", "1.196"])
def test_a_create_of_34_s_that_three_runs_have_marked_is_paid_once(seed: str) -> None:
    fate = live(seed)
    assert not fate.violations, "\n".join([*fate.violations, *fate.trace])


def test_one_seed_tells_one_story() -> None:
    assert live("a story").trace == live("a story").trace
