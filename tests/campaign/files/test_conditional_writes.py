"""Of two runs on one table in an object store, neither ever undoes what the other wrote."""

from __future__ import annotations

import asyncio
import itertools
import random
from pathlib import Path
from typing import Any

import fsspec
import pytest

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.errors import StorageError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.conditional_writes import ChangedMeanwhileError
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.table import checkpoints
from tests.conftest import write_campaign
from tests.support.s3_server import Hook, Lost, S3Server

RUNNING = JobState(RowStatus.PROCESSING, job_id="ia_1", attempts=1)
COMPLETED = JobState(
    RowStatus.COMPLETED, job_id="ia_1", attempts=1, image_url="https://a.example/1"
)
OTHER = JobState(RowStatus.PROCESSING, job_id="ia_2", attempts=1)
DONE = JobState(RowStatus.COMPLETED, job_id="ia_2", attempts=1, image_url="https://a.example/2")


def opened(folder: Path, output: str = "s3://ads/out.csv") -> ImageAdTable:
    return Campaign.open(write_campaign(folder, "a", "b"), output).table


def once(hook: Any) -> Hook:
    """A hook that happens at the first write only; what it does may be a write itself."""
    left = [hook]

    def called(by: str, number: int) -> None:
        if left:
            left.pop()()

    return called


def ids(output: str = "s3://ads/out.csv") -> list[str]:
    return list(read_spreadsheet(output).frame["image_ad_id"])


# Two runs at the same instant


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("is_new", [True, False])
async def test_a_write_at_the_same_instant_undoes_nothing(
    tmp_path: Path, server: S3Server, ending: str, moment: str, is_new: bool
) -> None:
    output = f"s3://ads/out.{ending}"
    if not is_new:
        opened(tmp_path, output).save_now()
    first, second = opened(tmp_path, output), opened(tmp_path, output)

    def write() -> None:
        second.update(1, OTHER)
        second.save_now()

    setattr(server, moment, once(write))
    first.update(0, RUNNING)
    await first.save()
    first.update(0, COMPLETED)
    await first.save()
    assert ids(output) == ["ia_1", "ia_2"]
    assert first.states[1] == OTHER
    second.update(1, DONE)
    await second.save()
    known = []
    for version in server.versions[f"out.{ending}"]:
        place = tmp_path / f"version.{ending}"
        place.write_bytes(version.content)
        known.append(set(filter(None, ids(str(place)))))
    assert all(earlier <= later for earlier, later in itertools.pairwise(known))


@pytest.mark.parametrize("kind", ["save", "save_now"])
async def test_whoever_is_refused_again_and_again_says_so(
    tmp_path: Path, server: S3Server, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(checkpoints, "MOST_COLLISIONS", 2)
    monkeypatch.setattr(checkpoints, "SAVE_TRIES", 2)
    first, second = opened(tmp_path), opened(tmp_path)
    first.save_now()
    writes = iter(range(1, 1000))
    is_inner: list[bool] = []

    def write(by: str, number: int) -> None:
        if not is_inner:
            is_inner.append(True)
            second.update(1, JobState(RowStatus.FAILED, attempts=next(writes)))
            second.save_now()
            is_inner.pop()

    server.before = write
    first.update(0, RUNNING)
    with pytest.raises(StorageError, match="other runs write it all the time"):
        await asyncio.to_thread(first.save_now) if kind == "save_now" else await first.save()
    assert "ia_1" in first.unsaved()
    server.before = lambda by, number: None
    await first.save()
    assert ids() == ["ia_1", ""]


def test_pauses_grow_and_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    longest: list[float] = []

    def uniform(low: float, high: float) -> float:
        longest.append(high)
        return low

    monkeypatch.setattr(random, "uniform", uniform)
    kept = opened(tmp_path, str(tmp_path / "out.csv"))._checkpoints
    for _ in range(checkpoints.MOST_COLLISIONS):
        kept._pause_after_collision(ChangedMeanwhileError())
    assert longest[:3] == [0.1, 0.2, 0.4]
    assert longest[-1] == checkpoints.LONGEST_COLLISION_PAUSE
    with pytest.raises(StorageError):
        kept._pause_after_collision(ChangedMeanwhileError())
    kept._pause_after_collision(ChangedMeanwhileError())
    assert longest[-1] == 0.1


def test_a_table_that_was_deleted_at_the_same_instant_is_written_anew(
    tmp_path: Path, server: S3Server
) -> None:
    table = opened(tmp_path)
    table.save_now()
    filesystem, path = storage.open_filesystem("s3://ads/out.csv")
    server.before = once(lambda: filesystem.rm_file(path))
    table.update(0, RUNNING)
    table.save_now()
    assert ids() == ["ia_1", ""]


# Answers that are lost


@pytest.mark.parametrize("attempts", ["1", "3"])
@pytest.mark.parametrize("is_new", [True, False])
async def test_a_write_whose_answer_was_lost_is_known_as_ones_own(
    tmp_path: Path,
    server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    attempts: str,
    is_new: bool,
) -> None:
    """Whether S3's own client asks once more, or we do."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", attempts)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    table = opened(tmp_path)
    if not is_new:
        table.save_now()
    merged: list[object] = []
    monkeypatch.setattr(ImageAdTable, "merge_from_disk", lambda _, written: merged.append(written))
    server.after = once(lose)
    table.update(0, RUNNING)
    await table.save()
    assert ids() == ["ia_1", ""]
    assert not merged


def lose() -> None:
    raise Lost


async def test_an_answer_that_is_lost_while_another_run_writes_undoes_nothing(
    tmp_path: Path, server: S3Server
) -> None:
    first, second = opened(tmp_path), opened(tmp_path)

    def write_and_lose() -> None:
        second.update(1, OTHER)
        second.save_now()
        raise Lost

    server.after = once(write_and_lose)
    first.update(0, RUNNING)
    await first.save()
    assert ids() == ["ia_1", "ia_2"]
    assert first.states == [RUNNING, OTHER]
