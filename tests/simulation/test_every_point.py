"""A small campaign in every way that its runs can end and cross; see `exhaustive`."""

from __future__ import annotations

import pytest

from tests.simulation.exhaustive import Way, go, main, points, single_ends
from tests.simulation.world.process import End, Visit


def test_without_faults_each_row_becomes_an_ad() -> None:
    outcome = go(Way())
    assert not outcome.violations, "\n".join(outcome.trace)
    assert outcome.points == [points()]
    assert points() > 20


def test_a_run_that_is_killed_at_any_point_is_gone_on_with() -> None:
    outcomes = [(n, o) for n in range(1, points() + 1) for o in single_ends(End.KILL, n)]
    assert all(outcome.was_reached for _, outcome in outcomes)
    assert [(n, o.violations, o.trace) for n, o in outcomes if o.violations] == []


def test_two_runs_change_places_where_they_are_told_to() -> None:
    visits = (Visit(preflight=False), Visit(preflight=False))
    outcome = go(Way(visits, (5, 3, 2)), rows=2)
    reached = [line.split(":")[0].split() for line in outcome.trace if ": " in line]
    runs = [words[2] for words in reached if words[1] == "run" and len(words) == 4]
    assert runs[:11] == ["1"] * 5 + ["2"] * 3 + ["1"] * 2 + ["2"]
    assert not outcome.violations


@pytest.mark.chaos
def test_nothing_is_paid_twice_in_any_way_that_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    status = main([])
    told = capsys.readouterr()
    assert status == 0, told
    with capsys.disabled():
        print(told.out)
