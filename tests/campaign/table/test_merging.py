"""What is known of a row survives edits of the spreadsheet, and two runs that write one table."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
from prefect_staticadslab.campaign.pipeline.attempt import Attempt
from prefect_staticadslab.campaign.pipeline.planned_job import PlannedJob
from prefect_staticadslab.campaign.table.job_state import (
    AD_COLUMNS,
    second_ads,
    with_error,
    with_removed_note,
    with_second_ads,
    without_removed_note,
)
from prefect_staticadslab.campaign.table.other_runs import merge_states
from prefect_staticadslab.campaign.table.table_on_disk import OutputError

IDS = ["dt_1", "brand_1", "prod_1", "aud_1"]
COLUMNS = ["design_template_id", "brand_id", "product_id", "audience_id", "prompt"]

_numbers = itertools.count()


def spreadsheet(prompts: Sequence[str]) -> Spreadsheet:
    frame = pd.DataFrame([[*IDS, p] for p in prompts], columns=COLUMNS, dtype=object)
    return Spreadsheet.from_frame(frame, tuple(range(2, 2 + len(prompts))))


def with_column(sheet: Spreadsheet, name: str, cells: Sequence[str | None]) -> Spreadsheet:
    """A spreadsheet with one more column."""
    frame = sheet.frame.assign(**{name: pd.Series(list(cells), dtype=object)})
    return Spreadsheet.from_frame(frame, sheet.row_numbers)


def new_place() -> str:
    return f"memory://merging/{next(_numbers)}.csv"


def ad_of(identity: str, attempt: int) -> str:
    """The id that the API gives to whoever asks with this row's key."""
    return f"ia_{identity[:8]}_{attempt}"


STEPS = (
    (RowStatus.SUBMITTING, 1),
    (RowStatus.PROCESSING, 1),
    (RowStatus.FAILED, 1),
    (RowStatus.SUBMITTING, 2),
    (RowStatus.PROCESSING, 2),
    (RowStatus.COMPLETED, 2),
)
"""A row's way, as everybody sees it who sends its keys."""


def state_at(identity: str, step: int) -> JobState:
    status, attempt = STEPS[step]
    answered = status is not RowStatus.SUBMITTING
    return JobState(
        status=status,
        attempts=attempt,
        job_id=ad_of(identity, attempt) if answered else None,
        image_url="https://cdn/1.png" if status is RowStatus.COMPLETED else None,
        cost_usd=Decimal(1) if status is RowStatus.COMPLETED else None,
    )


states = st.integers(0, len(STEPS) - 1).map(lambda step: state_at("a", step)) | st.just(JobState())


@given(states, states, states)
def test_whoever_merges_first_the_furthest_state_is_kept(
    a: JobState, b: JobState, c: JobState
) -> None:
    assert merge_states(a, b) == merge_states(b, a)
    assert merge_states(merge_states(a, b), c) == merge_states(a, merge_states(b, c))
    assert merge_states(a, a) == a


prompts = st.lists(st.sampled_from("abcd"), min_size=1, max_size=6)


@settings(max_examples=50)
@given(st.lists(st.tuples(prompts, st.lists(st.integers(0, 5))), min_size=1, max_size=6))
def test_whatever_is_edited_an_ad_that_was_paid_for_is_there_once(
    edits: list[tuple[list[str], list[int]]],
) -> None:
    """Each edit is a new spreadsheet, and which of its rows complete in the run that follows."""
    place = new_place()
    paid: dict[str, str] = {}
    for names, done in edits:
        table = ImageAdTable.open(place, spreadsheet(names))
        assert [row.request.prompt for row in table.rows[: len(names)]] == names
        for position in done:
            if position < len(names):
                row = table.rows[position]
                paid[row.identity] = ad_of(row.identity, 2)
                table.update(position, state_at(row.identity, 5))
        table.save_now()
        written = ImageAdTable.open(place, spreadsheet(names))
        known = {row.identity: s for row, s in zip(written.rows, written.states, strict=True)}
        assert {i: s.job_id for i, s in known.items() if s.is_completed} == paid
        assert [row.removed for row in written.rows] == sorted(row.removed for row in written.rows)
        assert not any(row.removed for row in written.rows[: len(names)])


moves = st.lists(
    st.tuples(st.booleans(), st.sampled_from(["step", "save"]), st.integers(0, 5)), max_size=40
)


@given(prompts, prompts, moves, st.booleans())
def test_two_runs_that_write_one_table_lose_nothing_of_each_other(
    first: list[str], second: list[str], moves: list[tuple[bool, str, int]], who_ends: bool
) -> None:
    place = new_place()
    runs = [ImageAdTable.open(place, spreadsheet(names)) for names in (first, second)]
    steps: list[dict[int, int]] = [{}, {}]
    furthest: dict[str, int] = {}
    for whose, move, position in moves:
        table = runs[whose]
        if move == "save":
            table.save_now()
        elif position < (len(second) if whose else len(first)):
            step = steps[whose].get(position, -1) + 1
            if step < len(STEPS):
                steps[whose][position] = step
                identity = table.rows[position].identity
                furthest[identity] = max(step, furthest.get(identity, -1))
                table.update(position, state_at(identity, step))
    runs[who_ends].save_now()
    runs[not who_ends].save_now()

    table = ImageAdTable.open(place, spreadsheet(second if who_ends else first))
    known = {row.identity: s for row, s in zip(table.rows, table.states, strict=True)}
    for identity, step in furthest.items():
        wanted = state_at(identity, step)
        assert (known[identity].status, known[identity].job_id, known[identity].attempts) == (
            wanted.status,
            wanted.job_id,
            wanted.attempts,
        )
    assert len(known) == len(table.rows)


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_a_table_that_was_moved_asks_with_the_keys_that_its_rows_were_sent_with(
    ending: str,
) -> None:
    place = new_place().replace(".csv", ending)
    table = ImageAdTable.open(place, spreadsheet(["a"]))
    request, identity = table.rows[0].request, table.rows[0].identity
    there = PlannedJob(0, request, "00ff00ff00ff00ff", identity)
    state = JobState(
        RowStatus.SUBMITTING,
        error="503",
        attempts=1,
        idempotency_key=there.key(1),
        api_key_hash="aa00aa00aa00aa00",
        asked_at=datetime(2026, 5, 1, tzinfo=UTC),
    )
    table.update(0, state)
    table.save_now()
    (again,) = ImageAdTable.open(place, spreadsheet(["a"])).states
    assert again == state
    here = PlannedJob(0, request, "another", "somebody", again)
    assert Attempt(here).idempotency_key == there.key(1) != here.key(1)


def test_a_row_that_got_a_row_id_or_lost_a_zero_of_it_keeps_its_ad() -> None:
    place = new_place()
    for ids in ([None, None], ["007", "008"], ["7", "8"]):
        sheet = spreadsheet(["a", "b"])
        if ids[0] is not None:
            sheet = with_column(sheet, "row_id", ids)
        table = ImageAdTable.open(place, sheet)
        if not table.resumed:
            for position in range(2):
                table.update(position, state_at(f"row {position}", 5))
        assert [s.job_id for s in table.states] == ["ia_row 0_2", "ia_row 1_2"]
        table.save_now()


def test_a_refusal_does_not_outrank_an_ad() -> None:
    refused = JobState(RowStatus.FAILED, error="404", attempts=1)
    running = JobState(RowStatus.PROCESSING, job_id="ia_1", attempts=1)
    assert merge_states(refused, running) == merge_states(running, refused) == running


@pytest.mark.parametrize(("attempts", "counts"), [(1, "sent"), (2, "refused")])
def test_a_refusal_does_not_outrank_what_another_run_has_sent(attempts: int, counts: str) -> None:
    refused = JobState(RowStatus.FAILED, error="404", attempts=attempts)
    sent = JobState(RowStatus.SUBMITTING, attempts=1)
    further = {"refused": refused, "sent": sent}[counts]
    assert merge_states(refused, sent) == merge_states(sent, refused) == further


def test_of_two_ads_of_a_row_the_one_that_was_written_down_stays_unless_it_failed() -> None:
    """The other one is as good, and to write it down would lose the first."""
    first = JobState(RowStatus.PROCESSING, job_id="ia_1", attempts=1)
    second = JobState(RowStatus.PROCESSING, job_id="ia_2", attempts=1)
    assert merge_states(second, first) == first
    failed = JobState(RowStatus.FAILED, job_id="ia_1", attempts=1)
    assert merge_states(second, failed) == merge_states(failed, second) == second
    completed = JobState(RowStatus.COMPLETED, job_id="ia_1", attempts=1)
    assert merge_states(second, completed) == merge_states(completed, second) == completed
    assert merge_states(replace(completed, job_id="ia_2"), completed) == completed
    # A later attempt has been begun because the earlier ad failed.
    assert merge_states(replace(second, attempts=2), first).job_id == "ia_2"


def test_a_second_ad_stays_named_whoever_merges_and_whatever_is_written_of_the_first() -> None:
    first = JobState(RowStatus.COMPLETED, job_id="ia_1", image_url="https://cdn/1.png", attempts=1)
    noted = with_second_ads(first, ["ia_2", "ia_3", "ia_2", "ia_1"])
    assert second_ads(noted) == ["ia_2", "ia_3"]
    assert merge_states(first, noted) == merge_states(noted, first) == noted
    assert with_second_ads(noted, ["ia_3"]) == noted
    assert without_removed_note(with_removed_note(noted)) == noted
    assert second_ads(with_error(noted, "Why.")) == ["ia_2", "ia_3"]
    assert JobState.from_cells(dict(zip(AD_COLUMNS, noted.cells(), strict=True))) == noted


def test_two_runs_that_have_the_ads_of_equal_rows_the_other_way_round_lose_none(
    tmp_path: Path,
) -> None:
    place = str(tmp_path / "out.csv")
    ours, theirs = (ImageAdTable.open(place, spreadsheet(["a", "a"])) for _ in range(2))

    def is_at(table: ImageAdTable, position: int, job_id: str, status: RowStatus) -> None:
        table.update(position, JobState(status, job_id=job_id, attempts=1))
        table.save_now()

    for position, job_id in enumerate(("ia_1", "ia_2")):
        theirs.update(position, JobState(RowStatus.PROCESSING, job_id=job_id, attempts=1))
        ours.update(1 - position, JobState(RowStatus.PROCESSING, job_id=job_id, attempts=1))
    theirs.save_now()
    ours.save_now()
    is_at(theirs, 0, "ia_1", RowStatus.COMPLETED)
    is_at(ours, 1, "ia_1", RowStatus.COMPLETED)
    is_at(ours, 0, "ia_2", RowStatus.COMPLETED)
    is_at(theirs, 1, "ia_2", RowStatus.PROCESSING)
    written = ImageAdTable.open(place, spreadsheet(["a", "a"])).states
    assert [s.job_id for s in written] == ["ia_1", "ia_2"]
    assert all(s.is_completed for s in written)


def test_a_row_that_somebody_changed_in_the_table_gives_its_ad_back() -> None:
    place = new_place()
    table = ImageAdTable.open(place, spreadsheet(["a"]))
    table.update(0, state_at("x", 5))
    table.save_now()
    changed = spreadsheet(["a, as Excel wrote it"])
    again = ImageAdTable.open(place, changed)
    assert [row.removed for row in again.rows] == [False, True]
    assert again.assign_job(0, "ia_x_2")
    again.update(0, state_at("x", 5))
    assert [s.job_id for s in again.states] == ["ia_x_2", None]
    assert not again.assign_job(1, "ia_x_2")


def test_a_table_with_its_last_cells_left_out_is_read_and_with_a_column_renamed_is_not() -> None:
    place = new_place()
    table = ImageAdTable.open(place, spreadsheet(["a"]))
    table.save_now()
    lines = storage.read_bytes(place).decode().splitlines()
    storage.write_bytes(place, "\n".join([lines[0], lines[1].rstrip(",")]).encode())
    assert ImageAdTable.open(place, spreadsheet(["a"])).resumed
    renamed = "\n".join([lines[0].replace("image_url", "picture"), lines[1]]).encode()
    storage.write_bytes(place, renamed)
    with pytest.raises(OutputError, match="its column image_url was renamed or deleted"):
        ImageAdTable.open(place, spreadsheet(["a"]))
    assert storage.read_bytes(place) == renamed


@pytest.mark.parametrize(
    "cells",
    [
        {"attempts": "inf", "width": "1e999", "cost_usd": "NaN"},
        {"submitted_at": "0001-01-01T00:00:00Z", "completed_at": "9999-12-31T23:59:59Z"},
    ],
)
def test_cells_that_make_no_sense_count_as_empty(cells: dict[str, str]) -> None:
    assert JobState.from_cells({"status": "completed", **cells}) == JobState(RowStatus.COMPLETED)


def test_a_decimal_comma_is_one() -> None:
    assert JobState.from_cells({"cost_usd": "1,00"}).cost_usd == 1
