"""What an inbox may start on a day, however often it is run, and whatever its notes say."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import fsspec
import pytest
from prefect.client.schemas.objects import State

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.inbox import day_limit
from prefect_staticadslab.campaign.inbox.day_limit import DayLimit, DayLimitError, settle
from prefect_staticadslab.campaign.inbox.decisions import Budget
from prefect_staticadslab.campaign.inbox.notes import Note, read_note, write_note
from prefect_staticadslab.campaign.inbox.scan import Inbox, PendingSpreadsheet, note_end
from prefect_staticadslab.campaign.inbox.table_names import DEFAULT_PATTERN
from prefect_staticadslab.campaign.runs.inbox_run import InboxRun
from prefect_staticadslab.flows.inbox import inbox
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import simulated_ids
from tests.support.processes import ended, start, until

REAL = "https://api.example.com"
API = "api.example.com"
NOON = datetime(2020, 11, 25, 12, tzinfo=UTC)

NO_AMOUNTS = ["-100000", "-0.01", "nan", "inf", "1e999", "many", "1e10"]


@pytest.fixture
def simulator() -> Iterator[SimulatorServer]:
    """One whose jobs take no time worth mentioning."""
    with SimulatorServer(speed=300, rate_limit=10_000) as server:
        yield server


def it_is(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(day_limit, "now", lambda: moment)


def limit(usd: float, zone: str = "UTC") -> DayLimit:
    return DayLimit.of(usd, zone)


def note(name: str, api: str = API) -> Note:
    return Note(f"file:///in/{name}", f"{name}-results.csv", api)


def begun(folder: Path | str, name: str, usd: float, day: DayLimit, api: str = API) -> Note:
    return day.reserve(str(folder), name, note(name, api), Decimal(str(usd)))


def noted(folder: Path, name: str) -> Note:
    return read_note(str(folder / ".inbox" / f"{name}.json"))


def change(folder: Path, name: str, **values: str) -> Path:
    """Edits a note, as anybody can who may write there."""
    place = folder / ".inbox" / f"{name}.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), **values}))
    return place


# The limit, without Prefect


def test_reservations_of_a_day_never_exceed_its_limit(tmp_path: Path) -> None:
    day = limit(100)
    for number, usd in enumerate((60.0, 39.0, 1.0)):
        begun(tmp_path, f"{number}.csv", usd, day)
    for usd in (0.01, 50, 100):
        with pytest.raises(DayLimitError, match=r"0\.00 of the 100\.00 that may be started"):
            begun(tmp_path, "more.csv", usd, day)
    assert not (tmp_path / ".inbox" / "more.csv.json").exists()
    begun(tmp_path, "collected.csv", 0, day)  # what costs nothing is always run


def test_of_the_same_spreadsheet_all_runs_of_a_day_count(tmp_path: Path) -> None:
    day = limit(10)
    settle(str(tmp_path), "a.csv", begun(tmp_path, "a.csv", 6, day), Decimal(6))
    settle(str(tmp_path), "a.csv", begun(tmp_path, "a.csv", 4, day), Decimal(4))
    with pytest.raises(DayLimitError):
        begun(tmp_path, "a.csv", 1, day)
    assert noted(tmp_path, "a.csv").started_usd == 10


def test_what_died_in_the_middle_stays_reserved(tmp_path: Path) -> None:
    begun(tmp_path, "a.csv", 60, limit(100))
    with pytest.raises(DayLimitError, match=r"40\.00 of the 100\.00"):
        begun(tmp_path, "b.csv", 41, limit(100))
    with pytest.raises(DayLimitError):
        begun(tmp_path, "a.csv", 41, limit(100))


def test_what_failed_is_free_and_a_run_that_was_refused_gives_all_of_it_back(
    tmp_path: Path,
) -> None:
    day = limit(10)
    for _ in range(50):
        settle(str(tmp_path), "fails.csv", begun(tmp_path, "fails.csv", 10, day), Decimal(0))
    settle(str(tmp_path), "a.csv", begun(tmp_path, "a.csv", 10, day), Decimal(7))
    begun(tmp_path, "b.csv", 3, day)
    with pytest.raises(DayLimitError):
        begun(tmp_path, "c.csv", 1, day)


def test_the_day_ends_at_midnight_of_the_time_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    berlin = limit(10, "Europe/Berlin")
    it_is(monkeypatch, datetime(2020, 11, 25, 22, 59, tzinfo=UTC))
    reserved = begun(tmp_path, "a.csv", 10, berlin)
    assert reserved.day == "2020-11-25"
    it_is(monkeypatch, datetime(2020, 11, 25, 23, 1, tzinfo=UTC))
    with pytest.raises(DayLimitError, match=r"midnight \(UTC\)"):
        begun(tmp_path, "b.csv", 1, limit(10))
    begun(tmp_path, "b.csv", 9, berlin)
    # What was begun before midnight and ends after it is of the day before.
    settle(str(tmp_path), "a.csv", reserved, Decimal(10))
    begun(tmp_path, "c.csv", 1, berlin)
    with pytest.raises(DayLimitError, match=r"midnight \(Europe/Berlin\)"):
        begun(tmp_path, "d.csv", 1, berlin)


def test_a_run_that_ends_after_another_day_was_begun_leaves_that_day_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it_is(monkeypatch, NOON)
    yesterday = begun(tmp_path, "a.csv", 10, limit(10))
    it_is(monkeypatch, NOON + timedelta(days=1))
    begun(tmp_path, "a.csv", 10, limit(10))
    settle(str(tmp_path), "a.csv", yesterday, Decimal(0), finished=True)
    kept = noted(tmp_path, "a.csv")
    assert kept.day == "2020-11-26"
    assert kept.started_usd == 10
    with pytest.raises(DayLimitError):
        begun(tmp_path, "b.csv", 1, limit(10))


def test_a_clock_that_goes_back_over_midnight_begins_no_new_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it_is(monkeypatch, datetime(2020, 11, 26, 0, 1, tzinfo=UTC))
    begun(tmp_path, "a.csv", 10, limit(10))
    it_is(monkeypatch, datetime(2020, 11, 25, 23, 59, tzinfo=UTC))
    for name in ("a.csv", "b.csv"):
        with pytest.raises(DayLimitError):
            begun(tmp_path, name, 1, limit(10))


def test_notes_of_earlier_versions_and_of_other_apis_do_not_count(tmp_path: Path) -> None:
    (tmp_path / ".inbox").mkdir()
    old = {"campaign": "file:///in/a.csv", "table": "a.csv", "api": API, "finished": "f"}
    (tmp_path / ".inbox" / "old.csv.json").write_text(json.dumps(old))
    assert noted(tmp_path, "old.csv").started_usd == 0
    begun(tmp_path, "simulated.csv", 10, limit(10), api="simulator")
    begun(tmp_path, "a.csv", 10, limit(10))


def test_a_simulation_does_not_forget_what_was_paid_on_that_day(tmp_path: Path) -> None:
    begun(tmp_path, "a.csv", 10, limit(10))
    with pytest.raises(CampaignError, match="would be forgotten"):
        begun(tmp_path, "a.csv", 1, limit(10), api="simulator")
    assert noted(tmp_path, "a.csv").api == API
    # The other way round, nothing was paid.
    begun(tmp_path, "b.csv", 10, limit(10), api="simulator")
    with pytest.raises(DayLimitError):
        begun(tmp_path, "b.csv", 1, limit(10))


@pytest.mark.parametrize("amount", NO_AMOUNTS)
def test_a_note_with_an_amount_that_cannot_be_lets_nobody_spend_more(
    tmp_path: Path, amount: str
) -> None:
    begun(tmp_path, "a.csv", 10, limit(100))
    place = change(tmp_path, "a.csv", day_usd=amount)
    for name in ("a.csv", "b.csv"):
        with pytest.raises(CampaignError, match=r"a\.csv\.json remembers .* cannot be"):
            begun(tmp_path, name, 1, limit(100))
    # It hides something of the day on which it was written, and of no other.
    before = time.time() - 3 * 86400
    os.utime(place, (before, before))
    begun(tmp_path, "b.csv", 1, limit(100))


@pytest.mark.parametrize("day", ["9999-12-31", "20201125", "tomorrow", "2020-W48-3", "-1"])
def test_a_note_of_a_day_that_cannot_be_blocks_nothing_for_ever(tmp_path: Path, day: str) -> None:
    begun(tmp_path, "a.csv", 10, limit(100))
    place = change(tmp_path, "a.csv", day=day, day_usd="1000000")
    with pytest.raises(DayLimitError):
        begun(tmp_path, "b.csv", 1, limit(100))
    before = time.time() - 3 * 86400
    os.utime(place, (before, before))
    begun(tmp_path, "b.csv", 1, limit(100))
    with pytest.raises(CampaignError, match="If you delete it"):
        begun(tmp_path, "a.csv", 1, limit(100))


RESERVE = """
import sys
from decimal import Decimal
from prefect_staticadslab.campaign.inbox.day_limit import DayLimit, DayLimitError
from prefect_staticadslab.campaign.inbox.notes import Note

folder, name = sys.argv[1:]
sys.stdin.read()
note = Note(f"file:///in/{name}", f"{name}-results.csv", "api.example.com")
try:
    DayLimit.of(100, "UTC").reserve(folder, name, note, Decimal(60))
except DayLimitError:
    print(0)
else:
    print(60)
"""
"""Of an inbox, once its input ends, for all at the same moment."""


def test_of_many_processes_at_once_those_go_ahead_that_the_limit_allows(tmp_path: Path) -> None:
    waits, begin = os.pipe()
    processes = [
        start("-c", RESERVE, str(tmp_path), f"{n}.csv", env=os.environ, stdin=waits)
        for n in range(4)
    ]
    os.close(waits)
    os.close(begin)
    assert sorted(ended(process).out.split() for process in processes) == [["0"]] * 3 + [["60"]]


@pytest.fixture
def bucket() -> Iterator[str]:
    filesystem: Any = fsspec.filesystem("memory")
    yield "memory://inbox"
    filesystem.store.clear()
    filesystem.pseudo_dirs[:] = [""]


def test_in_a_bucket_that_nobody_can_lock_two_runs_never_both_exceed_the_limit(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both look before either has written; what each has written is read again afterwards."""
    look = DayLimit.check
    monkeypatch.setattr(day_limit, "_lock_notes", lambda _results: nullcontext())
    met: list[str] = []

    def meets_another_run(self: DayLimit, results: str, api: str, new_usd: Decimal) -> None:
        look(self, results, api, new_usd)
        if not met:
            met.append("the other one looks and writes right now")
            begun(results, "b.csv", 60, self)

    monkeypatch.setattr(DayLimit, "check", meets_another_run)
    with pytest.raises(DayLimitError):
        begun(bucket, "a.csv", 60, limit(100))
    assert read_note(f"{bucket}/.inbox/a.csv.json").started_usd == 0
    assert read_note(f"{bucket}/.inbox/b.csv.json").started_usd == 60
    begun(bucket, "a.csv", 40, limit(100))


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
    limit_usd = await made.allow(waiting, credentials)
    return None if limit_usd is None or made.begin(waiting) is None else limit_usd


async def test_of_two_runs_that_interleave_at_most_one_begins(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    put(tmp_path, a="123", b="123")
    one, two = work(tmp_path, day_usd=4), work(tmp_path, day_usd=4)
    a, b = one.found.waiting
    allowed = [await one.allow(a, credentials), await two.allow(b, credentials)]
    assert allowed == [3, 3]  # neither has reserved anything yet
    assert [one.begin(a) is None, two.begin(b) is None] == [False, True]
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
    from prefect_staticadslab import JobState, RowStatus
    from prefect_staticadslab.campaign.job_types.image_ads import Campaign

    put(tmp_path, a="12")
    made = work(tmp_path)
    (waiting,) = made.found.waiting
    reserved = made.inbox.begin(waiting, Decimal(2), made.day)
    table = Campaign.open(waiting.location, waiting.output).table
    table.update(0, JobState(RowStatus.COMPLETED, "ia_1", attempts=1))
    table.update(1, JobState(RowStatus.FAILED, "ia_2", attempts=2))
    table.save_now()
    results = made.inbox.results
    assert note_end(results, "a.csv", reserved, table, with_pictures=False, started_usd=Decimal(1))
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
        key = {"SAL_API_KEY": SIMULATOR_API_KEY, "SAL_BASE_URL": simulator.url}
        options = ["--settle-seconds", "0", "--max-spend-per-day-usd", "5"]
        process = start("flows/inbox.py", str(tmp_path), *options, env={**prefect_server, **key})
        until(lambda: simulator.api.jobs, process)
        process.kill()
        process.communicate()
        assert simulator.api.jobs
        assert noted(tmp_path, "a.csv").started_usd == 4
        with pytest.raises(DayLimitError, match=r"1\.00 of the 5\.00"):
            begun(tmp_path, "b.csv", 2, limit(5), api="simulator")


def test_a_note_that_was_deleted_is_written_again_with_what_was_started(tmp_path: Path) -> None:
    reserved = begun(tmp_path, "a.csv", 10, limit(10))
    (tmp_path / ".inbox" / "a.csv.json").unlink()
    settle(str(tmp_path), "a.csv", reserved, Decimal(10))
    with pytest.raises(DayLimitError):
        begun(tmp_path, "b.csv", 1, limit(10))


def test_what_is_noted_survives_being_written_and_read(tmp_path: Path) -> None:
    full = replace(note("a.csv"), day="2020-11-25", day_usd="12.34", finished="f")
    write_note(str(tmp_path), "a.csv", full)
    place = storage.join(str(tmp_path), ".inbox/a.csv.json")
    assert read_note(place) == full
