"""Of two runs on one table in an object store, neither ever undoes what the other wrote."""

from __future__ import annotations

import asyncio
import email.policy
import itertools
import json
import os
import random
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import fsspec
import pytest

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.errors import StorageError
from prefect_staticadslab.campaign.files import conditional_writes, storage
from prefect_staticadslab.campaign.files.conditional_writes import ChangedMeanwhileError, Refusal
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ResultTable
from prefect_staticadslab.campaign.table import checkpoints
from tests.conftest import write_campaign
from tests.support.s3_server import Hook, Lost, S3Server

RUNNING = JobState(RowStatus.PROCESSING, job_id="ia_1", attempts=1)
COMPLETED = JobState(
    RowStatus.COMPLETED, job_id="ia_1", attempts=1, image_url="https://a.example/1"
)
OTHER = JobState(RowStatus.PROCESSING, job_id="ia_2", attempts=1)
DONE = JobState(RowStatus.COMPLETED, job_id="ia_2", attempts=1, image_url="https://a.example/2")


@pytest.fixture(scope="module")
def running() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.close()


@pytest.fixture
def server(running: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    running.reset()
    for name, value in running.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(conditional_writes, "_keeps_conditions", {("s3", "ads"): True})
    monkeypatch.setattr(checkpoints, "FIRST_COLLISION_PAUSE", 0.0)
    monkeypatch.setattr("prefect_staticadslab.api.retries.tries.FIRST_BACKOFF_SECONDS", 0.01)
    return running


def opened(folder: Path, output: str = "s3://ads/out.csv") -> ResultTable:
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
    filesystem, path = storage.remote("s3://ads/out.csv")
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
    monkeypatch.setattr(ResultTable, "merge_from_disk", lambda _, written: merged.append(written))
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


# Each store's own way


def test_a_large_table_is_written_in_one_conditional_request(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """s3fs makes several of what has more than two parts, and their condition would be lost."""
    part_size = 1_000
    write = fsspec.get_filesystem_class("s3")._pipe_file
    monkeypatch.setattr(write, "__defaults__", (part_size, *write.__defaults__[1:]))
    place, content = "s3://ads/large.csv", bytes(10 * part_size)
    version = conditional_writes.replace(place, content, None)
    with pytest.raises(ChangedMeanwhileError):
        conditional_writes.replace(place, content, None)
    with pytest.raises(ChangedMeanwhileError):
        conditional_writes.replace(place, content, '"00000000000000000000000000000000"')
    assert conditional_writes.version(place) == version
    assert len(server.versions["large.csv"]) == 1


@pytest.mark.parametrize("knows_conditions", [True, None, False])
def test_a_store_without_conditions_is_written_all_the_same_and_it_is_said_once(
    tmp_path: Path,
    server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    knows_conditions: bool | None,
) -> None:
    monkeypatch.setattr(conditional_writes, "_keeps_conditions", {})
    server.knows_conditions = knows_conditions
    table = opened(tmp_path)
    merged: list[object] = []
    monkeypatch.setattr(ResultTable, "merge_from_disk", lambda _, written: merged.append(written))
    for state in (RUNNING, COMPLETED):
        table.update(0, state)
        table.save_now()
    assert ids() == ["ia_1", ""]
    assert not merged
    assert len(server.versions["out.csv"]) == 2
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == (0 if knows_conditions else 1)
    assert all("s3://ads/out.csv makes no conditional writes" in warning for warning in warnings)


@pytest.mark.parametrize("keeps_conditions", [True, False])
@pytest.mark.parametrize("kind", ["save", "save_now"])
async def test_where_nothing_is_refused_a_lock_is_held(
    tmp_path: Path,
    server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    keeps_conditions: bool,
) -> None:
    monkeypatch.setitem(conditional_writes._keeps_conditions, ("s3", "ads"), keeps_conditions)
    happened: list[str] = []
    server.after = lambda by, number: happened.append("written")

    @contextmanager
    def lock(location: str) -> Iterator[None]:
        happened.append(f"locked {location}")
        yield
        happened.append("unlocked")

    conditional_writes.use_lock(lock)
    table = opened(tmp_path)
    table.update(0, RUNNING)
    await table.save() if kind == "save" else table.save_now()
    conditional_writes.use_lock(None)
    expected = ["locked s3://ads/out.csv", "written", "unlocked"]
    assert happened == (["written"] if keeps_conditions else expected)


def answered(status: int, code: str) -> Exception:
    """What s3fs raises for an answer of S3."""
    error = Exception(code)
    error.response = {  # type: ignore[attr-defined]
        "Error": {"Code": code},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    translated = OSError(code)
    translated.__cause__ = error
    return translated


class AzureError(Exception):
    def __init__(self, status: int) -> None:
        self.status_code = status


@pytest.mark.parametrize(
    ("protocol", "error", "earlier", "refusal"),
    [
        ("s3", answered(412, "PreconditionFailed"), "1", Refusal.CHANGED),
        ("s3", answered(412, "PreconditionFailed"), None, Refusal.CHANGED),
        ("s3", answered(409, "ConditionalRequestConflict"), "1", Refusal.CHANGED),
        ("s3", answered(404, "NoSuchKey"), "1", Refusal.CHANGED),
        ("s3", answered(404, "NoSuchKey"), None, None),
        ("s3", answered(404, "NoSuchBucket"), "1", None),
        ("s3", answered(501, "NotImplemented"), "1", Refusal.NO_CONDITIONS),
        ("s3", answered(403, "AccessDenied"), "1", None),
        ("s3", answered(503, "SlowDown"), "1", None),
        ("s3", ConnectionError(), "1", None),
        ("gs", FileExistsError(), "1", Refusal.CHANGED),
        ("gs", FileNotFoundError(), "1", None),
        ("gs", OSError("Forbidden"), "1", None),
        ("az", FileExistsError(), None, Refusal.CHANGED),
        ("abfs", AzureError(412), "1", Refusal.CHANGED),
        ("abfs", AzureError(404), "1", None),
        ("abfs", AzureError(403), "1", None),
    ],
)
def test_what_a_stores_error_says(
    protocol: str, error: Exception, earlier: str | None, refusal: Refusal | None
) -> None:
    assert conditional_writes.STORES[protocol].refusal(error, earlier) == refusal


@dataclass
class Cloud:
    """What gcsfs and adlfs do with a request, as far as it is asked for here."""

    base: str = "https://storage.example/storage/v1/"
    asked: list[Any] = field(default_factory=list)

    def split_path(self, path: str) -> tuple[str, str, None]:
        bucket, _, key = path.partition("/")
        return bucket, key, None

    def call(self, *request: str, **options: Any) -> dict[str, str]:
        self.asked.append((request, options))
        return {"generation": "18"}

    def pipe_file(self, path: str, content: bytes, **options: Any) -> dict[str, str]:
        self.asked.append((path, content, options))
        return {"etag": '"0x2"'}

    def invalidate_cache(self) -> None:
        """There is none."""


@pytest.mark.parametrize(("earlier", "generation"), [(None, "0"), ("17", "17")])
def test_google_is_asked_for_a_generation(earlier: str | None, generation: str) -> None:
    cloud, content = Cloud(), b"a,b\r\n--x--\r\n"
    written = conditional_writes.STORES["gs"].write(cloud, "ads/to/ö ut.csv", content, earlier)
    assert written == "18"
    [(request, options)] = cloud.asked
    assert request == ("POST", "https://storage.example/upload/storage/v1/b/{}/o", "ads")
    assert options["ifGenerationMatch"] == generation
    assert options["uploadType"] == "multipart"
    head = f"Content-Type: {options['headers']['Content-Type']}\r\n\r\n"
    name, body = email.message_from_bytes(
        head.encode() + options["data"], policy=email.policy.HTTP
    ).iter_parts()
    assert json.loads(name.get_content()) == {"name": "to/ö ut.csv"}
    assert body.get_content() == content


def test_azure_is_asked_for_an_etag(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud, core = Cloud(), ModuleType("azure.core")
    core.MatchConditions = SimpleNamespace(IfNotModified="if-match")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "azure", ModuleType("azure"))
    monkeypatch.setitem(sys.modules, "azure.core", core)
    write = conditional_writes.STORES["abfs"].write
    assert [write(cloud, "ads/out.csv", b"1", earlier) for earlier in (None, '"0x1"')]
    unchanged = {"etag": '"0x1"', "match_condition": "if-match"}
    assert [asked[2] for asked in cloud.asked] == [{"overwrite": False}, unchanged]


@pytest.mark.parametrize("module", ["gcsfs", "adlfs"])
def test_other_stores_keep_their_conditions(module: str) -> None:
    """Where a bucket `ads` is named in the environment, of a store or of something that is like it.

    Tried so with fake-gcs-server, by `STORAGE_EMULATOR_HOST`, and with Azurite, by
    `AZURE_STORAGE_CONNECTION_STRING`; none of both is a package of Python.
    """
    pytest.importorskip(module)
    variables = {"gcsfs": "STORAGE_EMULATOR_HOST", "adlfs": "AZURE_STORAGE_CONNECTION_STRING"}
    if variables[module] not in os.environ:
        pytest.skip(f"{variables[module]} is not set")
    place = f"{'gs' if module == 'gcsfs' else 'abfs'}://ads/{secrets.token_hex(8)}.csv"
    assert conditional_writes.version(place) is None
    first = conditional_writes.replace(place, b"1", None)
    second = conditional_writes.replace(place, b"2", first)
    assert conditional_writes.version(place) == second
    for earlier in (None, first):
        with pytest.raises(ChangedMeanwhileError):
            conditional_writes.replace(place, b"3", earlier)
    filesystem, path = storage.remote(place)
    assert filesystem.cat_file(path) == b"2"
    filesystem.rm_file(path)
    with pytest.raises(ChangedMeanwhileError):
        conditional_writes.replace(place, b"3", second)
    assert conditional_writes.version(place) is None


def test_a_bucket_that_is_not_there_is_not_taken_for_another_runs_write(server: S3Server) -> None:
    for earlier in (None, '"1"'):
        with pytest.raises(StorageError, match="cannot be written") as told:
            conditional_writes.replace("s3://no-such-bucket/out.csv", b"1", earlier)
        assert not isinstance(told.value, ChangedMeanwhileError)


def test_a_folder_of_the_tables_name_is_no_table(server: S3Server) -> None:
    storage.write_bytes("s3://ads/out.csv/inside.txt", b"1")
    assert conditional_writes.version("s3://ads/out.csv") is None
