"""What each kind of store is asked for with a conditional write, and what its refusal says."""

from __future__ import annotations

import email.policy
import json
import os
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

from prefect_staticadslab.campaign.errors import StorageError
from prefect_staticadslab.campaign.files import conditional_writes, storage
from prefect_staticadslab.campaign.files.conditional_writes import (
    ChangedMeanwhileError,
    WriteRefusal,
)
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
from tests.campaign.files.test_conditional_writes import COMPLETED, RUNNING, ids, opened
from tests.support.s3_server import S3Server


def test_a_large_table_is_written_in_one_conditional_request(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """s3fs makes several of what has more than two parts, and their condition would be lost."""
    part_size = 1_000
    write = fsspec.get_filesystem_class("s3")._pipe_file
    monkeypatch.setattr(write, "__defaults__", (part_size, *write.__defaults__[1:]))
    place, content = "s3://ads/large.csv", bytes(10 * part_size)
    version = conditional_writes.write_if_unchanged(place, content, None)
    with pytest.raises(ChangedMeanwhileError):
        conditional_writes.write_if_unchanged(place, content, None)
    with pytest.raises(ChangedMeanwhileError):
        conditional_writes.write_if_unchanged(place, content, '"00000000000000000000000000000000"')
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
    monkeypatch.setattr(ImageAdTable, "merge_from_disk", lambda _, written: merged.append(written))
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
        ("s3", answered(412, "PreconditionFailed"), "1", WriteRefusal.CHANGED),
        ("s3", answered(412, "PreconditionFailed"), None, WriteRefusal.CHANGED),
        ("s3", answered(409, "ConditionalRequestConflict"), "1", WriteRefusal.CHANGED),
        ("s3", answered(404, "NoSuchKey"), "1", WriteRefusal.CHANGED),
        ("s3", answered(404, "NoSuchKey"), None, None),
        ("s3", answered(404, "NoSuchBucket"), "1", None),
        ("s3", answered(501, "NotImplemented"), "1", WriteRefusal.NO_CONDITIONS),
        ("s3", answered(403, "AccessDenied"), "1", None),
        ("s3", answered(503, "SlowDown"), "1", None),
        ("s3", ConnectionError(), "1", None),
        ("gs", FileExistsError(), "1", WriteRefusal.CHANGED),
        ("gs", FileNotFoundError(), "1", None),
        ("gs", OSError("Forbidden"), "1", None),
        ("az", FileExistsError(), None, WriteRefusal.CHANGED),
        ("abfs", AzureError(412), "1", WriteRefusal.CHANGED),
        ("abfs", AzureError(404), "1", None),
        ("abfs", AzureError(403), "1", None),
    ],
)
def test_what_a_stores_error_says(
    protocol: str, error: Exception, earlier: str | None, refusal: WriteRefusal | None
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
    first = conditional_writes.write_if_unchanged(place, b"1", None)
    second = conditional_writes.write_if_unchanged(place, b"2", first)
    assert conditional_writes.version(place) == second
    for earlier in (None, first):
        with pytest.raises(ChangedMeanwhileError):
            conditional_writes.write_if_unchanged(place, b"3", earlier)
    filesystem, path = storage.open_filesystem(place)
    assert filesystem.cat_file(path) == b"2"
    filesystem.rm_file(path)
    with pytest.raises(ChangedMeanwhileError):
        conditional_writes.write_if_unchanged(place, b"3", second)
    assert conditional_writes.version(place) is None


def test_a_bucket_that_is_not_there_is_not_taken_for_another_runs_write(server: S3Server) -> None:
    for earlier in (None, '"1"'):
        with pytest.raises(StorageError, match="cannot be written") as told:
            conditional_writes.write_if_unchanged("s3://no-such-bucket/out.csv", b"1", earlier)
        assert not isinstance(told.value, ChangedMeanwhileError)


def test_a_folder_of_the_tables_name_is_no_table(server: S3Server) -> None:
    storage.write_bytes("s3://ads/out.csv/inside.txt", b"1")
    assert conditional_writes.version("s3://ads/out.csv") is None
