"""What is to be done with each spreadsheet of an inbox: pure decisions."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.files.folders import StoredFile
from prefect_staticadslab.campaign.inbox.decisions import (
    Budget,
    Decision,
    Finished,
    Refused,
    Run,
    changed_names,
    decide,
    is_final,
    name_clashes,
    settling_seconds,
)
from prefect_staticadslab.campaign.inbox.notes import Note
from tests.campaign.inbox.test_table_names import TODAY

FRESH = Note("file:///in/a.csv", "a 2026-11-25.csv", "api")
TABLE = "a 2026-11-03.csv"
NOTED = Note("file:///in/a.csv", TABLE, "api", finished="f1")


@pytest.mark.parametrize(
    ("note", "fingerprint", "tables", "decision"),
    [
        (None, "f1", [], Run(FRESH)),
        (None, "f1", ["a 2026-10-01.csv", TABLE], Run(replace(FRESH, table=TABLE))),
        (replace(NOTED, finished=""), "f1", [TABLE], Run(replace(NOTED, finished=""))),
        (replace(NOTED, finished=""), "f1", [], Run(FRESH)),
        (NOTED, "f1", [TABLE], Finished(TABLE)),
        (NOTED, "f1", [], Finished(TABLE, is_gone=True)),
        (NOTED, "f2", [TABLE], Run(NOTED)),
        (replace(NOTED, api="simulator"), "f1", [], Run(FRESH)),
        (replace(NOTED, api="simulator"), "f2", [], Run(FRESH)),
        (replace(NOTED, api="simulator"), "f1", [TABLE], Run(replace(FRESH, table=TABLE))),
        (
            replace(NOTED, campaign="file:///before/a.csv"),
            "f2",
            [TABLE],
            Run(replace(NOTED, campaign="file:///before/a.csv")),
        ),
    ],
)
def test_what_is_to_be_done(
    note: Note | None, fingerprint: str, tables: list[str], decision: Decision
) -> None:
    assert decide("a.csv", FRESH, fingerprint, note, tables) == decision


@pytest.mark.parametrize(
    ("tables", "elsewhere", "says"),
    [([], False, "every row would be paid for again"), ([TABLE], True, "is the one of")],
)
def test_what_would_be_paid_for_again_or_mixed_up_is_refused(
    tables: list[str], elsewhere: bool, says: str
) -> None:
    decision = decide("a.csv", FRESH, "f2", NOTED, tables, original_exists=elsewhere)
    assert isinstance(decision, Refused)
    assert says in decision.reason


notes = st.none() | st.builds(
    Note, st.just("file:///in/a.csv"), st.just(TABLE), st.just("api"), st.sampled_from(["", "f1"])
)


@given(notes, st.sampled_from(["f1", "f2"]), st.booleans())
def test_no_new_table_is_begun_where_there_is_one_or_where_one_was_finished(
    note: Note | None, fingerprint: str, there: bool
) -> None:
    decision = decide("a.csv", FRESH, fingerprint, note, [TABLE] if there else [])
    if there or (note and note.finished):
        assert not (isinstance(decision, Run) and decision.table == FRESH.table)
    if isinstance(decision, Run):
        assert decision.note.campaign == FRESH.campaign


def test_spreadsheets_that_would_share_a_table_or_a_contact_sheet_clash() -> None:
    tables = {
        "summer.csv": "summer-results.csv",
        "summer.xlsx": "summer-results.xlsx",
        "Winter.csv": "Winter-results.csv",
        "winter.csv": "winter-results.csv",
        "spring.csv": "spring-results.csv",
    }
    found = name_clashes(tables)
    assert set(found) == set(tables) - {"spring.csv"}
    assert "as those of summer.xlsx. Rename one that was never run" in found["summer.csv"].reason


DONE = JobState(RowStatus.COMPLETED, "ia_1", image_path="p/1.png")
FAILED = JobState(RowStatus.FAILED)


@pytest.mark.parametrize(
    ("rows", "with_pictures", "final"),
    [
        ([DONE, FAILED], True, True),
        ([DONE, replace(DONE, image_path=None)], False, True),
        ([DONE, replace(DONE, image_path=None)], True, False),
        ([DONE, JobState()], False, False),
        ([DONE, JobState(RowStatus.SUBMITTING)], False, False),
        ([DONE, JobState(RowStatus.PROCESSING, "ia_2")], False, False),
    ],
)
def test_a_campaign_is_final_once_nothing_is_left_to_do(
    rows: list[JobState], with_pictures: bool, final: bool
) -> None:
    assert is_final(rows, with_pictures=with_pictures) is final
    has_failed = any(state.status is RowStatus.FAILED for state in rows)
    without = is_final(rows, with_pictures=with_pictures, with_failures=False)
    assert without is (final and not has_failed)


def test_a_young_file_is_waited_for_and_a_clock_that_is_ahead_is_not_believed() -> None:
    def aged(*ages: float | None) -> float:
        files = [
            StoredFile("a", 1, None if age is None else TODAY - timedelta(seconds=age))
            for age in ages
        ]
        return settling_seconds(files, TODAY, 10)

    assert [aged(), aged(None), aged(10, 99), aged(7, 99), aged(-3600)] == [0, 0, 0, 3, 10]


def test_what_changes_between_two_looks_is_being_written() -> None:
    before = [StoredFile("same", 1, TODAY), StoredFile("grows", 1), StoredFile("gone", 1)]
    after = [StoredFile("same", 1, TODAY), StoredFile("grows", 2), StoredFile("new", 1)]
    assert changed_names(before, after) == {"grows", "new"}


amounts = st.decimals(0, 100, places=2)


@given(st.decimals(1, 100, places=2), st.lists(amounts))
def test_a_run_never_starts_more_than_it_may(limit: Decimal, costs: list[Decimal]) -> None:
    budget = Budget(limit)
    for cost in costs:
        if not budget.refusal_if_never(cost) and not budget.reason_not_now(cost):
            budget = budget.with_started(cost)
        assert Decimal(0) <= budget.started_usd <= limit
        assert (budget.refusal_if_never(cost) is not None) == (cost > limit)


def test_without_a_limit_everything_may_be_started() -> None:
    budget = Budget.of(math.inf).with_started(Decimal(1000))
    assert not budget.refusal_if_never(Decimal(10**6))
    assert not budget.reason_not_now(Decimal(10**6))
