"""Runs of an inbox, alone, at once, refused and killed, start no more than a day allows."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State

from prefect_staticadslab import JobState, RowStatus, StaticAdsLabCredentials
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.inbox.day_limit import DayLimitError
from prefect_staticadslab.campaign.inbox.decisions import Budget
from prefect_staticadslab.campaign.inbox.scan import Inbox, PendingSpreadsheet, write_end_note
from prefect_staticadslab.campaign.inbox.table_names import DEFAULT_PATTERN
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.reports.plan import started_usd
from prefect_staticadslab.campaign.runs.inbox_run import InboxRun
from prefect_staticadslab.flows.campaign import campaign
from prefect_staticadslab.flows.inbox import inbox
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import key_of, simulated_ids
from tests.security.money.inbox_days import NOON, begun, it_is, limit, noted
from tests.support.processes import start, until

REAL = "https://api.example.com"


# A run of an inbox


def rows(*prompts: str) -> str:
    ids = simulated_ids()
    lines = [",".join([*ids, "prompt"]), *(",".join([*ids.values(), p]) for p in prompts)]
    return "\n".join(lines) + "\n"


def put(folder: Path, **sheets: str) -> None:
    """Puts spreadsheets into an inbox, one after the other; each letter is a row."""
    for number, (name, prompts) in enumerate(sheets.items()):
        place = folder / f"{name}.csv"
        place.write_text(rows(*prompts))
        os.utime(place, (number, number))


def work(folder: Path, *, run_usd: float = 50, day_usd: float = 100) -> InboxRun:
    box = Inbox.open(str(folder), "", DEFAULT_PATTERN, NOON, REAL)
    return InboxRun(box, box.scan(), Budget.of(run_usd), limit(day_usd))


async def goes_ahead(
    made: InboxRun, waiting: PendingSpreadsheet, credentials: StaticAdsLabCredentials
) -> float | None:
    """What a run may spend on a spreadsheet; None if it leaves it."""
    limit_usd = await made.decide_limit(waiting, credentials)
    return None if limit_usd is None or made.note_and_reserve(waiting) is None else limit_usd


async def test_of_two_runs_that_interleave_at_most_one_begins(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    put(tmp_path, a="123", b="123")
    one, two = work(tmp_path, day_usd=4), work(tmp_path, day_usd=4)
    a, b = one.found.waiting
    allowed = [await one.decide_limit(a, credentials), await two.decide_limit(b, credentials)]
    assert allowed == [3, 3]  # neither has reserved anything yet
    assert [one.note_and_reserve(a) is None, two.note_and_reserve(b) is None] == [False, True]
    assert "1.00 of the 4.00 that may be started on a day are left" in two.left["b.csv"]


async def test_a_spreadsheet_may_spend_what_was_reserved_and_no_more(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    put(tmp_path, a="12")
    made = work(tmp_path)
    (waiting,) = made.found.waiting
    assert await goes_ahead(made, waiting, credentials) == 2
    # One with mistakes is told by its own run, which may start nothing, whatever it is by then.
    (tmp_path / "a.csv").write_text("no spreadsheet\n1\n")
    made = work(tmp_path)
    assert await goes_ahead(made, made.found.waiting[0], credentials) == 0


async def test_what_no_run_or_no_day_can_ever_start_is_refused(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    put(tmp_path, a="123")
    for made, says in (
        (work(tmp_path, run_usd=2), "a run of this inbox may start 2.00"),
        (work(tmp_path, day_usd=2), "this inbox may start 2.00 on a day"),
    ):
        assert await goes_ahead(made, made.found.waiting[0], credentials) is None
        assert says in made.refused["a.csv"]


def test_the_end_of_a_run_keeps_what_the_day_has_cost(tmp_path: Path) -> None:
    put(tmp_path, a="12")
    made = work(tmp_path)
    (waiting,) = made.found.waiting
    reserved = made.inbox.begin(waiting, Decimal(2), made.day)
    table = Campaign.open(waiting.location, waiting.output).table
    table.update(0, JobState(RowStatus.COMPLETED, "ia_1", attempts=1))
    table.update(1, JobState(RowStatus.FAILED, "ia_2", attempts=2))
    table.save_now()
    results = made.inbox.results
    assert write_end_note(
        results, "a.csv", reserved, table, with_pictures=False, started_usd=Decimal(1)
    )
    assert noted(tmp_path, "a.csv").started_usd == 1
    assert work(tmp_path).found.finished == ("a.csv",)
    assert made.inbox.is_finished(waiting)


# The flow on a real Prefect server


async def run(folder: Path, credentials: StaticAdsLabCredentials, **options: Any) -> State[None]:
    state: Any = await inbox(
        str(folder), credentials, settle_seconds=0, return_state=True, **options
    )
    assert isinstance(state, State)
    return state


@pytest.mark.usefixtures("prefect_server")
async def test_many_runs_on_a_day_stay_within_its_limit_and_the_next_day_goes_on(
    tmp_path: Path,
    credentials: StaticAdsLabCredentials,
    simulator: SimulatorServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    berlin: dict[str, Any] = {"max_spend_per_day_usd": 5, "time_zone": "Europe/Berlin"}
    put(tmp_path, a="12", b="12", c="12", d="12")
    it_is(monkeypatch, datetime(2020, 11, 25, 22, 50, tzinfo=UTC))
    for _ in range(3):
        state = await run(tmp_path, credentials, **berlin)
        assert state.is_completed(), state.message
        assert len(simulator.api.jobs) == 4
        assert "1.00 of the 5.00 that may be started on a day are left" in (state.message or "")
    put(tmp_path, e="1")
    assert (await run(tmp_path, credentials, **berlin)).is_completed()
    assert len(simulator.api.jobs) == 5
    it_is(monkeypatch, datetime(2020, 11, 25, 23, 5, tzinfo=UTC))
    for _ in range(2):
        assert (await run(tmp_path, credentials, **berlin)).is_completed()
        assert len(simulator.api.jobs) == 9
    assert noted(tmp_path, "d.csv").day == "2020-11-26"


@pytest.mark.usefixtures("prefect_server")
async def test_free_failures_and_their_retries_do_not_eat_the_limit(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    (tmp_path / "a.csv").write_text(rows("SIMULATE_FAILURE", "SIMULATE_FAILURE x", "good"))
    state = await run(tmp_path, credentials, max_spend_per_day_usd=3, attempts=1)
    assert "1 of 3 rows completed" in (state.message or "")
    assert noted(tmp_path, "a.csv").started_usd == 1
    (tmp_path / "a.csv").write_text(rows("x", "y", "good"))
    assert (await run(tmp_path, credentials, max_spend_per_day_usd=3)).is_completed()
    assert noted(tmp_path, "a.csv").started_usd == 3
    (tmp_path / "b.csv").write_text(rows("z"))
    await run(tmp_path, credentials, max_spend_per_day_usd=3)
    assert not (tmp_path / "b-results.csv").exists()


@pytest.mark.usefixtures("prefect_server")
async def test_an_ad_of_an_earlier_run_that_fails_is_made_anew_within_the_limits(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    sheet, table = tmp_path / "a.csv", tmp_path / "a-results.csv"
    sheet.write_text(rows("SIMULATE_ONE_FAILURE", "good"))
    begun_before: Any = await campaign(
        str(sheet), str(table), credentials, wait=False, return_state=True
    )
    assert begun_before.name == "Created"
    nothing = {"max_spend_usd": 0, "max_spend_per_day_usd": 0}
    await run(tmp_path, credentials, **nothing)
    assert list(read_spreadsheet(str(table)).frame["status"]) == ["failed", "completed"]
    state = await run(tmp_path, credentials, **nothing)
    assert "It costs up to 1.00 USD" in (state.message or "")
    assert len(simulator.api.jobs) == 2
    state = await run(tmp_path, credentials, max_spend_per_day_usd=1)
    assert state.is_completed(), state.message
    assert len(simulator.api.jobs) == 3
    assert noted(tmp_path, "a.csv").started_usd == 1


@pytest.mark.parametrize(
    ("after", "usd"),
    [
        (JobState(RowStatus.PROCESSING, "ia_1", attempts=1), 0),
        (JobState(RowStatus.COMPLETED, "ia_1", attempts=1), 0),
        (JobState(RowStatus.FAILED, "ia_1", attempts=1), 0),
        (JobState(RowStatus.SUBMITTING, attempts=2), 1),
        (JobState(RowStatus.PROCESSING, "ia_2", attempts=2), 1),
        (JobState(RowStatus.COMPLETED, "ia_2", attempts=2), 1),
        (JobState(RowStatus.FAILED, "ia_2", attempts=2), 0),
    ],
)
def test_an_ad_that_takes_a_failed_ones_place_counts(
    tmp_path: Path, after: JobState, usd: int
) -> None:
    put(tmp_path, a="1")
    table = Campaign.open(str(tmp_path / "a.csv"), str(tmp_path / "out.csv")).table
    table.update(0, JobState(RowStatus.PROCESSING, "ia_1", attempts=1))
    before = list(table.states)
    table.update(0, after)
    assert started_usd(table, before) == usd


@pytest.mark.usefixtures("prefect_server")
async def test_a_spreadsheet_that_is_refused_gives_its_reservation_back(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    ids = simulated_ids()
    wrong = rows("1", "2").replace(ids["brand_id"], "brand_none")
    (tmp_path / "wrong.csv").write_text(wrong)
    os.utime(tmp_path / "wrong.csv", (1, 1))
    (tmp_path / "right.csv").write_text(rows("1", "2"))
    state = await run(tmp_path, credentials, max_spend_per_day_usd=3)
    assert "There is no brand" in (state.message or "")
    assert noted(tmp_path, "wrong.csv").started_usd == 0
    assert len(simulator.api.jobs) == 2


@pytest.mark.usefixtures("prefect_server")
async def test_a_dry_run_reserves_nothing(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    put(tmp_path, a="12", b="12")
    state = await run(tmp_path, credentials, dry_run=True, max_spend_per_day_usd=2)
    assert state.is_completed(), state.message
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", "b.csv"}


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_a_killed_run_leaves_its_reservation_and_the_limit_holds(
    tmp_path: Path, prefect_server: dict[str, str]
) -> None:
    put(tmp_path, a="1234", b="12")
    with SimulatorServer(speed=0.1, rate_limit=10_000) as simulator:
        key = key_of(simulator)
        options = ["--settle-seconds", "0", "--max-spend-per-day-usd", "5"]
        process = start("flows/inbox.py", str(tmp_path), *options, env={**prefect_server, **key})
        until(lambda: simulator.api.jobs, process)
        process.kill()
        process.communicate()
        assert simulator.api.jobs
        assert noted(tmp_path, "a.csv").started_usd == 4
        with pytest.raises(DayLimitError, match=r"1\.00 of the 5\.00"):
            begun(tmp_path, "b.csv", 2, limit(5), api="simulator")
