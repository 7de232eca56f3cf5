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

from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.inbox import day_limit
from prefect_staticadslab.campaign.inbox.day_limit import (
    DayLimit,
    DayLimitError,
    write_started_note,
)
from prefect_staticadslab.campaign.inbox.notes import read_note, write_note
from tests.security.money.inbox_days import API, NOON, begun, it_is, limit, note, noted
from tests.support.processes import ended, start

NO_AMOUNTS = ["-100000", "-0.01", "nan", "inf", "1e999", "many", "1e10"]


def change(folder: Path, name: str, **values: str) -> Path:
    """Edits a note, as anybody can who may write there."""
    place = folder / ".inbox" / f"{name}.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), **values}))
    return place


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
    write_started_note(str(tmp_path), "a.csv", begun(tmp_path, "a.csv", 6, day), Decimal(6))
    write_started_note(str(tmp_path), "a.csv", begun(tmp_path, "a.csv", 4, day), Decimal(4))
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
        write_started_note(
            str(tmp_path), "fails.csv", begun(tmp_path, "fails.csv", 10, day), Decimal(0)
        )
    write_started_note(str(tmp_path), "a.csv", begun(tmp_path, "a.csv", 10, day), Decimal(7))
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
    write_started_note(str(tmp_path), "a.csv", reserved, Decimal(10))
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
    write_started_note(str(tmp_path), "a.csv", yesterday, Decimal(0), finished=True)
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


@pytest.mark.parametrize(
    ("ends", "goes_on", "kept"),
    [("simulator", API, API), ("other.example.com", API, API), (API, "simulator", API)],
)
def test_a_spreadsheet_that_is_finished_with_one_api_leaves_what_another_one_may_cost(
    tmp_path: Path, ends: str, goes_on: str, kept: str
) -> None:
    reserved = begun(tmp_path, "a.csv", 10, limit(100), api=ends)
    # What a real run has reserved keeps other APIs away on that day, so another one has begun.
    write_note(str(tmp_path), "a.csv", note("a.csv", goes_on))
    begun(tmp_path, "a.csv", 60, limit(100), api=goes_on)
    done = replace(reserved, finished="f")
    write_started_note(str(tmp_path), "a.csv", done, Decimal(10), finished=True)
    assert noted(tmp_path, "a.csv").api == kept
    assert noted(tmp_path, "a.csv").started_usd == (60 if kept == goes_on else 10)
    if goes_on == API:
        with pytest.raises(DayLimitError, match=r"40\.00 of the 100\.00"):
            begun(tmp_path, "b.csv", 41, limit(100))


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


def test_a_note_that_was_deleted_is_written_again_with_what_was_started(tmp_path: Path) -> None:
    reserved = begun(tmp_path, "a.csv", 10, limit(10))
    (tmp_path / ".inbox" / "a.csv.json").unlink()
    write_started_note(str(tmp_path), "a.csv", reserved, Decimal(10))
    with pytest.raises(DayLimitError):
        begun(tmp_path, "b.csv", 1, limit(10))


def test_what_is_noted_survives_being_written_and_read(tmp_path: Path) -> None:
    full = replace(note("a.csv"), day="2020-11-25", day_usd="12.34", finished="f")
    write_note(str(tmp_path), "a.csv", full)
    place = storage.join(str(tmp_path), ".inbox/a.csv.json")
    assert read_note(place) == full
