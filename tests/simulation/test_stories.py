"""Campaigns whose whole fate is drawn: a few with every test, and those that were found once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prefect_staticadslab.api.retries.policy import DEFAULT_MAX_TRIES
from tests.simulation.__main__ import main, report
from tests.simulation.stories.fate import live
from tests.simulation.stories.job_kinds import Edit, new_ad_row
from tests.simulation.stories.known import (
    ASLEEP_BESIDE_ANOTHER,
    ASLEEP_WITH_ITS_CLOCK,
    MARKED_IN_ONE_SECOND,
    OPENED_BESIDE_ANOTHER_KEY,
    REFUSED,
)
from tests.simulation.stories.plan import Plan, Round
from tests.simulation.stories.scenes import draw
from tests.simulation.stories.shrink import described, shrink
from tests.simulation.world import existence
from tests.simulation.world.network import Fault
from tests.simulation.world.process import End, Visit


def live_well(plan: Plan) -> None:
    """Brings a campaign through its world, in which nothing must be as it must not."""
    fate = live(plan)
    assert not fate.violations, "\n".join([*fate.violations, *fate.trace])


def test_the_seed_that_was_asked_for(request: pytest.FixtureRequest) -> None:
    seed = request.config.getoption("--seed", default="")
    if not seed:
        pytest.skip("no --seed was given")
    fate = live(draw(seed))
    assert not fate.violations, report(fate)


def test_some_campaigns_pay_once_and_lose_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--campaigns", "20", "--rows", "10", "--workers", "1"]) == 0, capsys.readouterr()


@pytest.mark.chaos
def test_whatever_happens_each_row_is_paid_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--campaigns", "600", "--seed", "ci", "--clocks"]) == 0, capsys.readouterr()


@pytest.mark.parametrize("seconds", [1.0, 12.0, 16.0, 20.0])
def test_a_create_of_34_s_that_three_runs_have_marked_is_paid_once(seconds: float) -> None:
    killed = Visit((1, End.KILL), end_where="waits for POST", preflight=False)
    plan = Plan(
        "34 s",
        rows=(new_ad_row(1),),
        rounds=(
            Round(visits=(killed,)),
            Round(pause_seconds=10.0, visits=(killed,)),
            Round(pause_seconds=seconds, visits=(Visit(preflight=False),)),
        ),
        faults={1: Fault.LATE},
    )
    live_well(plan)


@pytest.mark.parametrize(("runs", "failure_rate"), [(2, 0.2), (3, 0.0)])
@pytest.mark.parametrize("starts_after", [0.0, 3.0, 40.0])
def test_what_runs_side_by_side_send_late_is_paid_once(
    runs: int, failure_rate: float, starts_after: float
) -> None:
    visits = tuple(
        Visit(preflight=False, starts_after=starts_after if number else 0.0)
        for number in range(runs)
    )
    plan = Plan(
        "beside",
        rows=tuple(map(new_ad_row, range(14))),
        rounds=(Round(visits=visits),),
        faults=dict.fromkeys(range(12, 60, 3), Fault.VERY_LATE),
        settings={"chunk_ads": 2, "rate_limit": 20, "failure_rate": failure_rate},
    )
    live_well(plan)


def test_two_refused_runs_beside_each_other_that_sleep_for_hours_pay_once() -> None:
    """What one is refused, the other has sent; and one sends once more when it wakes."""
    fate = live(draw("1.15", most_rows=10))
    assert fate.counts[f"fault: {Fault.UNKNOWN}"]
    assert fate.counts[f"fault: {Fault.UNANSWERED}"]
    assert not fate.violations, "\n".join([*fate.violations, *fate.trace])


@pytest.mark.parametrize("clock_ahead", [-3600.0, -30.0, 30.0, 5 * 3600.0])
@pytest.mark.parametrize("edit", [Edit.CHANGE, None])
@pytest.mark.parametrize("preflight", [False, True])
def test_what_a_machine_whose_clock_is_wrong_has_marked_is_paid_once(
    clock_ahead: float, edit: Edit | None, preflight: bool
) -> None:
    end = (1, End.KILL)
    wrong = Visit(end, end_where="waits for P", preflight=preflight, clock_ahead=clock_ahead)
    plan = Plan(
        "clocks",
        rows=(new_ad_row(1), new_ad_row(2)),
        rounds=(
            Round(visits=(wrong,)),
            Round(edit, pause_seconds=20.0, visits=(replace(wrong, clock_ahead=-clock_ahead),)),
            Round(pause_seconds=12.0, visits=(Visit(preflight=False),)),
        ),
        # The first create of each run, which begins with one request more or five.
        faults=dict.fromkeys(range(2, 14), Fault.CUT_AND_LATE),
    )
    live_well(plan)


def test_what_a_run_asks_before_it_ends_knows_what_it_has_asked_before() -> None:
    told_to_end = Visit((1, End.TERMINATE), end_where="waits for POST", preflight=False)
    plan = Plan(
        "asked once more",
        rows=(new_ad_row(1),),
        rounds=(Round(visits=(told_to_end,)),),
        faults={1: Fault.CUT, 2: Fault.CUT, 3: Fault.UNKNOWN, 4: Fault.UNKNOWN},
        spares_reads=True,
    )
    fate = live(plan)
    assert fate.counts[f"fault: {Fault.UNKNOWN}"] == 2, "\n".join(fate.trace)
    assert not fate.violations, "\n".join([*fate.violations, *fate.trace])


def test_a_poll_that_waited_for_the_rate_limit_is_not_made_again_at_once() -> None:
    plan = Plan(
        "a window that is full",
        rows=(new_ad_row(1),),
        rounds=(Round(visits=(Visit(), Visit(preflight=False))),),
        settings={"rate_limit": 8},
    )
    fate = live(plan)
    assert fate.counts["refusals with 429"], "\n".join(fate.trace)
    assert not fate.violations, "\n".join([*fate.violations, *fate.trace])


def test_what_nobody_answers_is_given_up_also_while_the_table_is_slow_to_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(existence, "THREAD_SECONDS", (8.0, 12.0))
    plan = Plan(
        "a slow share",
        rows=tuple(map(new_ad_row, range(3))),
        rounds=(Round(visits=(Visit(preflight=False),)),),
        faults=dict.fromkeys(range(1, 200), Fault.BROKEN),
        settings={"chunk_ads": 1},
        spares_reads=True,
    )
    fate = live(plan)
    assert fate.counts[f"fault: {Fault.BROKEN}"] == 3 * DEFAULT_MAX_TRIES, "\n".join(fate.trace)
    assert not fate.violations, "\n".join([*fate.violations, *fate.trace])


@pytest.mark.parametrize("plan", REFUSED)
def test_a_row_that_the_api_refuses_has_failed_and_does_not_wait(plan: Plan) -> None:
    fate = live(plan)
    assert fate.counts[f"fault: {Fault.UNKNOWN}"] == 1
    assert not fate.violations, "\n".join([*fate.violations, *fate.trace])


@pytest.mark.parametrize("plan", MARKED_IN_ONE_SECOND)
def test_what_two_runs_mark_in_the_same_second_is_not_taken_for_one_runs_mark(plan: Plan) -> None:
    live_well(plan)


@pytest.mark.parametrize("plan", ASLEEP_BESIDE_ANOTHER)
def test_who_was_asleep_looks_what_another_run_has_sent_meanwhile(plan: Plan) -> None:
    fate = live(plan)
    assert fate.counts[f"fault: {Fault.VERY_LATE}"], "\n".join(fate.trace)
    assert not fate.violations, "\n".join([*fate.violations, *fate.trace])


@pytest.mark.parametrize("plan", OPENED_BESIDE_ANOTHER_KEY)
def test_who_was_asleep_leaves_a_row_to_a_run_with_another_api_key(plan: Plan) -> None:
    live_well(plan)


@pytest.mark.parametrize("plan", ASLEEP_WITH_ITS_CLOCK)
def test_a_lock_lapses_while_a_machine_sleeps_whose_clock_stands_still(plan: Plan) -> None:
    live_well(plan)


def test_one_seed_tells_one_story() -> None:
    assert live(draw("a story")).trace == live(draw("a story")).trace


def test_what_goes_wrong_is_made_as_small_as_it_still_does() -> None:
    plan = draw("1.5", most_rows=10, job_kind="ads")
    row = plan.rows[0]
    fault = max(plan.faults, default=1)

    def fails(smaller: Plan) -> bool:
        return row in smaller.rows and (not plan.faults or fault in smaller.faults)

    smallest = shrink(plan, fails)
    assert smallest.rows.count(row) == len(smallest.rows) == 1
    assert smallest.rounds == ()
    assert set(smallest.faults) == ({fault} if plan.faults else set())
    assert len(described(smallest)) <= 4
