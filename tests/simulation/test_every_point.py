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
    points = {"1": 0, "2": 0}
    changes: list[tuple[str, int]] = []
    for words in (line.split() for line in outcome.trace):
        match words[1:]:
            case ["run", who, "goes", "on"]:
                changes.append((who, sum(points.values()) - points[who]))
            case ["run", who, number, *_] if number.rstrip(":").isdecimal():
                points[who] = int(number.rstrip(":"))
    assert [who for who, _ in changes][:3] == ["2", "1", "2"]
    assert changes[:2] == [("2", 5), ("1", 3)]
    assert not outcome.violations


@pytest.mark.chaos
def test_nothing_is_paid_twice_in_any_way_that_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    status = main([])
    told = capsys.readouterr()
    assert status == 0, told
    with capsys.disabled():
        print(told.out)
