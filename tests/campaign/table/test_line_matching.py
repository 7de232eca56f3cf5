"""A table that is sorted, edited or spelled differently while runs go on: each row keeps its ad."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.pipeline.attempt import Attempt
from prefect_staticadslab.campaign.pipeline.batch import mark_chunk
from prefect_staticadslab.campaign.table.totals import Totals
from tests.campaign.table.test_merging import new_place, spreadsheet, with_column

NOW = datetime(2026, 5, 2, 12, tzinfo=UTC)
KEYS = ["1" * 64, "2" * 64, "3" * 64]

PENDING = JobState()


def marked(number: int) -> JobState:
    """On its way with the nth key."""
    return JobState(
        RowStatus.SUBMITTING,
        attempts=1,
        submitted_at=NOW,
        asked_at=NOW + timedelta(microseconds=number),
        idempotency_key=KEYS[number],
        api_key_hash="a" * 16,
    )


def processing(number: int) -> JobState:
    return replace(
        marked(number), status=RowStatus.PROCESSING, job_id=f"ia_{number}", asked_at=None
    )


def completed(number: int) -> JobState:
    done = replace(processing(number).without_key(), status=RowStatus.COMPLETED)
    return replace(done, image_url="https://cdn/1.png", cost_usd=Decimal(1))


def failed(number: int) -> JobState:
    return replace(processing(number).without_key(), status=RowStatus.FAILED, cost_usd=Decimal(0))


def status_of(state: JobState) -> str:
    return state.status


def running(
    sheet: Spreadsheet, states: Sequence[JobState], place: str | None = None
) -> ImageAdTable:
    """A run's table, with these states of its first rows on disk."""
    table = ImageAdTable.open(place or new_place(), sheet)
    for position, state in enumerate(states):
        table.update(position, state)
    table.save_now()
    return table


def rewrite(table: ImageAdTable, change: Callable[[list[str]], Sequence[str]]) -> None:
    """What somebody makes of the lines of a run's table below its header."""
    assert table.location is not None
    header, *lines = storage.read_bytes(table.location).decode().splitlines()
    text = "\n".join([header, *change(lines)]) + "\n"
    storage.write_bytes(table.location, text.encode())


def with_row_ids(ids: Sequence[str], prompts: Sequence[str]) -> Spreadsheet:
    return with_column(spreadsheet(prompts), "row_id", ids)


def known(table: ImageAdTable) -> list[tuple[RowStatus, str | None, str | None]]:
    return [(state.status, state.job_id, state.idempotency_key) for state in table.states]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3)))[1:], ids=str)
@pytest.mark.parametrize(
    "states",
    [
        (completed(0), processing(1), PENDING),
        (PENDING, completed(1), marked(2)),
        (failed(0), PENDING, marked(2)),
        (marked(0), PENDING, processing(2)),
    ],
    ids=lambda states: "-".join(state.status for state in states),
)
def test_equal_rows_keep_their_ads_when_their_table_is_sorted_while_a_run_goes_on(
    states: Sequence[JobState], order: Sequence[int]
) -> None:
    table = running(spreadsheet("aaa"), states)
    before = known(table)
    rewrite(table, lambda lines: [lines[place] for place in order])
    table.save_now()
    assert known(table) == before
    again = ImageAdTable.open(table.location, spreadsheet("aaa"))
    assert known(again) == before


def test_equal_rows_keep_their_ads_when_one_of_their_prompts_is_edited() -> None:
    """The lines after it are counted differently by then."""
    table = running(spreadsheet("aab"), [completed(0), marked(1), PENDING])
    before = known(table)
    rewrite(table, lambda lines: [lines[0].replace(",a,", ",c,"), *lines[1:]])
    table.save_now()
    assert known(table) == before
    assert table.frame["prompt"].tolist() == ["a", "a", "b"]


def test_a_row_finds_the_line_of_its_mark_when_it_has_ended_since() -> None:
    table = running(spreadsheet("aa"), [marked(0), PENDING])
    table.update(0, completed(0))
    rewrite(table, lambda lines: lines[::-1])
    table.save_now()
    assert [state.job_id for state in table.states] == ["ia_0", None]
    assert table.states[1].status is RowStatus.PENDING


@pytest.mark.parametrize("state", [marked(1), processing(1), completed(1)], ids=status_of)
def test_an_equal_row_that_is_left_takes_what_another_run_wrote_of_it(state: JobState) -> None:
    place = new_place()
    ours = running(spreadsheet("aa"), [completed(0)], place)
    theirs = running(spreadsheet("aa"), [], place)
    theirs.update(1, state)
    theirs.save_now()
    rewrite(theirs, lambda lines: lines[::-1])
    ours.save_now()
    assert [s.job_id for s in ours.states] == ["ia_0", state.job_id]
    assert ours.states[1].status is state.status


def test_what_people_wrote_beside_an_equal_row_stays_beside_its_ad() -> None:
    table = running(spreadsheet("aa"), [completed(0), processing(1)])
    location = str(table.location)
    lines = storage.read_bytes(location).decode().splitlines()
    noted = [f"{line},{note}" for line, note in zip(lines, ["Notes", "of 0", "of 1"], strict=True)]
    storage.write_bytes(location, "\n".join([noted[0], noted[2], noted[1]]).encode())
    table.save_now()
    assert [state.job_id for state in table.states] == ["ia_0", "ia_1"]
    assert table.frame["Notes"].tolist() == ["of 0", "of 1"]


@pytest.mark.parametrize(
    "state", [marked(0), processing(0), completed(0), failed(0)], ids=status_of
)
def test_a_table_whose_row_ids_lost_their_zeros_while_a_run_goes_on_has_each_row_once(
    state: JobState,
) -> None:
    sheet = with_row_ids(["007", "008"], ["a", "b"])
    table = running(sheet, [state])
    before = known(table)
    rewrite(table, lambda lines: [line.replace(",00", ",") for line in lines])
    table.save_now()
    assert known(table) == before
    again = ImageAdTable.open(table.location, sheet)
    assert known(again) == before
    assert Totals.of(again.rows, again.states) == table.totals()


async def test_two_runs_of_a_spreadsheet_whose_row_ids_lost_their_zeros_send_one_key() -> None:
    place = new_place()
    first = running(with_row_ids(["007"], ["a"]), [], place)
    second = running(with_row_ids(["7"], ["a"]), [], place)
    assert (await first.before_send({0: marked(0)}))[0].idempotency_key == KEYS[0]
    assert (await second.before_send({0: marked(1)}))[0].idempotency_key == KEYS[0]
    first.update(0, processing(0))
    first.save_now()
    assert (await second.look([0]))[0].job_id == "ia_0"
    second.save_now()
    assert [state.job_id for state in second.states] == ["ia_0"]
    assert [state.job_id for state in ImageAdTable.open(place, spreadsheet("a")).states] == ["ia_0"]


@pytest.mark.parametrize("ids", [("007", "7"), ("7", "007")], ids=str)
async def test_a_row_that_may_have_been_sent_keeps_its_key_beside_a_line_that_asks_for_the_same(
    ids: tuple[str, str],
) -> None:
    """Both have been sent, by runs that did not know of each other: both ads are collected."""
    first = running(with_row_ids([ids[0]], ["a"]), [])
    await first.before_send({0: marked(0)})
    second = ImageAdTable.open(new_place(), with_row_ids([ids[1]], ["a"]))
    await second.before_send({0: marked(1)})
    storage.write_bytes(str(first.location), storage.read_bytes(str(second.location)))
    await first.look([0])
    assert [state.idempotency_key for state in first.states] == [KEYS[0], KEYS[1]]
    assert [row.removed for row in first.rows] == [False, True]


PRICES = ("7.50", "7.5")


def priced(place: str, price: str) -> ImageAdTable:
    """A run whose prompt was filled in with a price, as a program writes it."""
    sheet = with_column(spreadsheet(["Now {price}!"]), "price", [price])
    return Campaign.open(Brief.read(sheet), place).table


@pytest.mark.parametrize("state", [processing(0), completed(0)], ids=status_of)
async def test_of_a_row_whose_price_is_written_differently_another_runs_ad_is_taken(
    tmp_path: Path, state: JobState
) -> None:
    place = str(tmp_path / "out.csv")
    first, second = (priced(place, price) for price in PRICES)
    await first.before_send({0: marked(0)})
    first.update(0, state)
    first.save_now()
    (known_state,) = (await second.before_send({0: marked(1)})).values()
    assert known_state.job_id == "ia_0"
    assert [row.request.prompt for row in second.rows] == ["Now 7.50!"]


async def test_a_row_that_another_run_has_marked_in_other_words_is_left_to_it(
    tmp_path: Path,
) -> None:
    place = str(tmp_path / "out.csv")
    first, second = (priced(place, price) for price in PRICES)
    await first.before_send({0: marked(0)})
    for _ in range(2):
        await second.look([0])
        (told,) = (await second.before_send({0: marked(1)})).values()
        assert told.status is RowStatus.PENDING, "it is not to be sent"
        second.update(0, told)
        second.save_now()
        (written,) = priced(place, "7.5").states
        assert written.idempotency_key == KEYS[0]
    first.update(0, failed(0))
    first.save_now()
    await second.look([0])
    told = (await second.before_send({0: replace(marked(1), attempts=2)}))[0]
    assert told.status is RowStatus.PENDING
    assert [state.job_id for state in second.states] == ["ia_0"]


async def test_nor_does_a_worker_send_it_that_has_no_table(tmp_path: Path) -> None:
    place = str(tmp_path / "out.csv")
    sheet = with_column(spreadsheet(["Now {price}!"]), "price", ["7.5"])
    campaign = Campaign.open(Brief.read(sheet), place)
    (chunk,) = campaign.chunks()
    await priced(place, "7.50").before_send({0: marked(0)})
    (plan,) = (await mark_chunk(campaign.table, chunk, NOW)).jobs
    assert not Attempt(plan).needs_create


async def test_a_row_in_other_words_stays_unselected(
    tmp_path: Path,
) -> None:
    place = str(tmp_path / "out.csv")
    first, second = (priced(place, price) for price in PRICES)
    second.rows[0] = replace(second.rows[0], postponed=True)
    await first.before_send({0: marked(0)})
    await second.look([0])
    assert [(row.postponed, row.number) for row in second.rows] == [(True, 2)]
    assert second.states[0].idempotency_key == KEYS[0]


def add_notes(table: ImageAdTable) -> None:
    """Somebody writes a column of their own beside a run's table, and changes nothing else."""
    location = str(table.location)
    header, *lines = storage.read_bytes(location).decode().splitlines()
    noted = [f"{header},Notes", *(f"{line},mine" for line in lines)]
    storage.write_bytes(location, "\n".join(noted).encode())


def test_what_was_never_sent_stays_so_when_somebody_else_writes_the_table_first() -> None:
    place = new_place()
    running(spreadsheet("ab"), [marked(0), marked(1)], place)
    table = ImageAdTable.open(place, spreadsheet("a"))
    table.note_never_created(0, "It was never created.")
    table.note_never_created(1, "It was never created.")
    add_notes(table)
    table.save_now()
    assert known(table) == [(RowStatus.PENDING, None, None), (RowStatus.FAILED, None, None)]
    assert table.frame["Notes"].tolist() == ["mine", "mine"]
    again = ImageAdTable.open(place, spreadsheet("a"))
    assert again.states[0].status is RowStatus.PENDING


async def test_what_was_never_sent_is_another_runs_once_that_has_marked_it() -> None:
    place = new_place()
    running(spreadsheet("a"), [marked(0)], place)
    ours, theirs = (ImageAdTable.open(place, spreadsheet("a")) for _ in range(2))
    ours.note_never_created(0, "It was never created.")
    await theirs.before_send({0: replace(marked(1), attempts=2)})
    ours.save_now()
    assert [state.idempotency_key for state in ours.states] == [KEYS[1]]


def test_an_ad_that_a_row_gave_back_does_not_return_when_somebody_else_writes_the_table() -> None:
    place = new_place()
    running(spreadsheet("a"), [completed(0)], place)
    table = ImageAdTable.open(place, spreadsheet(["a, as Excel wrote it"]))
    assert table.assign_job(0, "ia_0")
    table.update(0, completed(0))
    add_notes(table)
    table.save_now()
    assert [state.job_id for state in table.states] == ["ia_0", None]
