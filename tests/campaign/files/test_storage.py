"""The table outlives its storage's bad days: a folder that is away, other writers, an S3 server."""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.errors import CampaignError, StorageError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.inbox.scan import Inbox, write_end_note
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.table import checkpoints
from prefect_staticadslab.campaign.table.table_on_disk import OutputError
from prefect_staticadslab.simulator import SimulatorServer
from tests.campaign.files.s3_bucket import Store
from tests.conftest import run_campaign, write_campaign

SENT = JobState(RowStatus.SUBMITTING, attempts=1)
RUNNING = JobState(RowStatus.PROCESSING, job_id="ia_1", attempts=1)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SECONDS", 0.1)
    monkeypatch.setattr("prefect_staticadslab.api.retries.tries.FIRST_BACKOFF_SECONDS", 0.1)
    monkeypatch.setattr("prefect_staticadslab.api.retries.tries.LONGEST_BACKOFF_SECONDS", 0.1)


def opened(folder: Path, *prompts: str) -> ImageAdTable:
    return Campaign.open(write_campaign(folder, *prompts), str(folder / "to" / "out.csv")).table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "to").mkdir()
    return tmp_path


# A local folder


async def test_a_folder_that_comes_back_has_lost_nothing(folder: Path) -> None:
    table = opened(folder, "a")
    async with table.checkpoints(print):
        await table.before_send({0: SENT})
        (folder / "to").rename(folder / "away")
        table.update(0, RUNNING)
        await asyncio.sleep(0.3)
        assert "ia_1" in table.unsaved()
        (folder / "away").rename(folder / "to")
        while table.unsaved():
            await asyncio.sleep(0.05)
    assert opened(folder, "a").states == [RUNNING]


async def test_what_cannot_be_saved_is_told_in_the_end(folder: Path) -> None:
    table = opened(folder, "a", "b")
    told: list[str] = []
    async with table.checkpoints(told.append):
        await table.before_send({0: SENT, 1: SENT})
        (folder / "to").rename(folder / "away")
        table.update(0, RUNNING)
    (message,) = told
    assert "There is no folder" in message
    assert message.endswith("row,status,image_ad_id,image_url,error\n2,processing,ia_1,,")


async def test_what_cannot_be_written_down_is_not_sent(folder: Path) -> None:
    table = opened(folder, "a")
    (folder / "to").rename(folder / "away")
    with pytest.raises(StorageError, match="There is no folder"):
        await table.before_send({0: SENT})


async def test_a_file_that_somebody_put_in_the_tables_place_is_left_alone(folder: Path) -> None:
    table = opened(folder, "a")
    told: list[str] = []
    async with table.checkpoints(told.append):
        await table.before_send({0: SENT})
        (folder / "to" / "out.csv").write_text("my,own\n1,2\n")
        table.update(0, RUNNING)
        with pytest.raises(OutputError, match="left alone"):
            await table.save()
    assert (folder / "to" / "out.csv").read_text() == "my,own\n1,2\n"
    assert "ia_1" in told[0]


async def test_a_write_that_was_cancelled_does_not_undo_a_later_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread cannot be cancelled: its write goes on, and the last one must come after it."""
    table = opened(folder, "a")
    table.save_now()
    write_bytes = storage.write_bytes
    writing, go_on = threading.Event(), threading.Event()

    def slowly(location: str, content: bytes) -> str:
        writing.set()
        assert go_on.wait(timeout=600)
        return write_bytes(location, content)

    monkeypatch.setattr(storage, "write_bytes", slowly)
    table.update(0, SENT)
    saving = asyncio.create_task(table.save())
    await asyncio.to_thread(writing.wait, 600)
    saving.cancel()
    table.update(0, RUNNING)
    go_on.set()
    table.save_now()
    await asyncio.get_running_loop().shutdown_default_executor()
    assert opened(folder, "a").states == [RUNNING]


@pytest.mark.skipif(os.name == "nt", reason="folders are locked on POSIX only")
def test_writers_wait_for_one_another_and_leave_no_file_behind(folder: Path) -> None:
    place = str(folder / "to" / "out.csv")
    order: list[str] = []

    def second() -> None:
        with storage.write_lock(place):
            order.append("second")

    with storage.write_lock(place):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(timeout=0.2)
        order.append("first")
    thread.join(timeout=600)
    assert order == ["first", "second"]
    assert list((folder / "to").iterdir()) == []


# A real S3 server


def copied_to(store: Store, spreadsheet: str) -> str:
    place = f"{store.url}/in.csv"
    storage.write_bytes(place, Path(spreadsheet).read_bytes())
    return place


@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".parquet"])
async def test_a_campaign_lives_in_a_bucket(
    tmp_path: Path, store: Store, simulator: SimulatorServer, ending: str
) -> None:
    spreadsheet = copied_to(store, write_campaign(tmp_path, "a", "b", "SIMULATE_ONE_FAILURE"))
    output = f"{store.url}/out{ending}"
    await run_campaign(spreadsheet, output, simulator.url, attempts=1)
    table = (await run_campaign(spreadsheet, output, simulator.url))[0].table
    assert {str(s.status) for s in table.states} == {"completed"}
    written = read_spreadsheet(output).frame
    assert list(written["image_ad_id"]) == [s.job_id for s in table.states]
    assert len(simulator.api.jobs) == 4


def test_an_inbox_may_be_a_bucket(tmp_path: Path, store: Store) -> None:
    def inbox(folder: str) -> Inbox:
        names = "{name} {date}.{ending}"
        return Inbox.open(folder, "", names, datetime.now(UTC), "https://api.example.com")

    box = inbox(f"{store.url}/drop/")
    assert box.scan().waiting == ()
    content = Path(write_campaign(tmp_path, "a", "b")).read_bytes()
    storage.write_bytes(f"{store.url}/drop/in.csv", content)
    (file,) = box.list_files()
    assert file.modified is not None
    (waiting,) = box.scan().waiting
    box.begin(waiting)
    table = Campaign.open(waiting.location, waiting.output, name=waiting.note.campaign).table
    table.save_now()
    later = replace(box, names=replace(box.names, moment=datetime.now(UTC) + timedelta(days=1)))
    assert [w.output for w in later.scan().waiting] == [waiting.output]
    done = JobState(RowStatus.COMPLETED, job_id="ia_1", attempts=1)
    table.update(0, done)
    table.update(1, replace(done, job_id="ia_2"))
    table.save_now()
    assert write_end_note(box.results, "in.csv", waiting.finished_note, table, with_pictures=False)
    assert later.scan().finished == ("in.csv",)
    # No bucket is made of a name that was mistyped.
    for _ in range(2):
        with pytest.raises(StorageError):
            inbox("s3://no-such-bucket/drop").begin(waiting)


async def test_two_runs_in_one_bucket_take_in_what_the_other_wrote(
    tmp_path: Path, store: Store
) -> None:
    spreadsheet = copied_to(store, write_campaign(tmp_path, "a", "b"))
    first, second = (Campaign.open(spreadsheet, f"{store.url}/out.csv").table for _ in range(2))
    first.save_now()
    first.update(0, RUNNING)
    await first.save()
    second.update(1, SENT)
    await second.save()
    assert Campaign.open(spreadsheet, f"{store.url}/out.csv").table.states == [RUNNING, SENT]


async def test_a_store_that_comes_back_has_lost_nothing(tmp_path: Path, store: Store) -> None:
    spreadsheet = copied_to(store, write_campaign(tmp_path, "a"))
    table = Campaign.open(spreadsheet, f"{store.url}/out.csv").table
    async with table.checkpoints(print):
        await table.before_send({0: SENT})
        await asyncio.to_thread(store.stop)
        table.update(0, RUNNING)
        await asyncio.sleep(0.5)
        assert "ia_1" in table.unsaved()
        store.start()
        while table.unsaved():
            await asyncio.sleep(0.05)
    assert Campaign.open(spreadsheet, f"{store.url}/out.csv").table.states == [RUNNING]


async def test_a_store_that_stays_away_stops_the_creates_and_tells_what_is_not_saved(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, simulator: SimulatorServer
) -> None:
    monkeypatch.setattr(checkpoints, "SAVE_SECONDS", 0.5)
    spreadsheet = copied_to(store, write_campaign(tmp_path, "a", "b"))
    table = Campaign.open(spreadsheet, f"{store.url}/out.csv").table
    table.save_now()
    await asyncio.to_thread(store.stop)
    with pytest.raises(StorageError, match="cannot be"):
        await table.before_send({0: SENT})
    told: list[str] = []
    async with table.checkpoints(told.append):
        table.update(1, RUNNING)
    assert "ia_1" in told[0]
    store.start()


def test_a_table_that_cannot_be_reached_is_no_new_campaign(tmp_path: Path, store: Store) -> None:
    spreadsheet = write_campaign(tmp_path, "a")
    store.stop()
    with pytest.raises(CampaignError, match="cannot be reached"):
        Campaign.open(spreadsheet, f"{store.url}/out.csv")
    store.start()
    Campaign.open(spreadsheet, f"{store.url}/out.csv")
    with pytest.raises(CampaignError, match="cannot be written"):
        Campaign.open(spreadsheet, "s3://no-such-bucket/out.csv").table.save_now()
