"""The inbox flow on a real Prefect server: every spreadsheet once, and what is told of each."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import openpyxl
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
)

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.flows.inbox import inbox
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import simulated_ids
from tests.flows.inbox.inboxes import names, rows, run, statuses

pytestmark = pytest.mark.usefixtures("prefect_server")


async def test_its_options_say_how_spreadsheets_are_read_and_what_is_kept(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    (tmp_path / "old.csv").write_bytes(rows("Mañana").encode("cp1252"))
    (tmp_path / "new.csv").write_text(rows("Mañana 夏"), encoding="utf-8")
    book = openpyxl.Workbook()
    for line in csv.reader(io.StringIO(rows("shown", "hidden"))):
        book.worksheets[0].append(line)
    book.worksheets[0].row_dimensions[3].hidden = True
    book.save(tmp_path / "book.xlsm")
    options = {"visible_rows": True, "one_file": True, "name_pictures_by": "brand_id"}
    in_doubt = await run(tmp_path, credentials, dry_run=True, **options)
    assert in_doubt.is_failed()
    assert "what it says is in doubt" in (in_doubt.message or "")
    state = await run(tmp_path, credentials, encoding="cp1252", **options)
    assert state.is_completed(), state.message
    for table, prompt in (
        ("old-results.csv", "Mañana"),
        ("new-results.csv", "Mañana 夏"),
        ("book-results.xlsx", "shown"),
    ):
        frame = read_spreadsheet(str(tmp_path / table)).frame
        assert list(frame["prompt"]) == [prompt]
        assert list(frame["status"]) == ["completed"]
        assert all(simulated_ids()["brand_id"] in path for path in frame["image_path"])
        page = (tmp_path / table).with_suffix(".html").read_text(encoding="utf-8")
        assert "data:image/" in page
    again = await run(tmp_path, credentials, encoding="cp1252", **options)
    assert "3 finished before" in (again.message or "")


async def test_every_spreadsheet_is_run_once_and_has_a_run_of_its_own(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    (tmp_path / "summer.csv").write_text(rows("a", "b"))
    (tmp_path / "winter.csv").write_text(rows("c"))
    (tmp_path / "~$winter.csv").write_text("lock")
    (tmp_path / "notes.txt").write_text("my own")
    state = await run(tmp_path, credentials)
    assert state.is_completed(), state.message
    told = (state.message or "").splitlines()
    assert told[0] == f"Spreadsheets in {tmp_path}: 2 completed"
    assert told[1].startswith("summer.csv: 2 of 2 rows completed, 2.00 USD")
    assert statuses(tmp_path / "summer-results.csv") == ["completed"] * 2
    assert "winter-results.html" in names(tmp_path)
    parent = state.state_details.flow_run_id
    assert parent is not None
    async with get_client() as client:
        runs = await client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[parent])
            )
        )
    assert {r.name for r in runs} == {
        f"campaign {tmp_path}/summer-results.csv",
        f"campaign {tmp_path}/winter-results.csv",
    }

    state = await run(tmp_path, credentials)
    assert state.is_completed()
    assert state.message == f"Spreadsheets in {tmp_path}: 2 finished before"
    assert len(simulator.api.jobs) == 3


async def test_a_changed_spreadsheet_costs_only_what_is_new(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    place = tmp_path / "summer.csv"
    place.write_text(rows("a", "b"))
    assert (await run(tmp_path, credentials)).is_completed()
    place.write_text(rows("b", "c"))
    assert (await run(tmp_path, credentials)).is_completed()
    table = read_spreadsheet(str(tmp_path / "summer-results.csv")).frame
    assert list(table["prompt"]) == ["b", "c", "a"]
    assert len(simulator.api.jobs) == 3


async def test_a_row_that_failed_is_tried_again_only_once_the_spreadsheet_is_changed(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    place = tmp_path / "summer.csv"
    place.write_text(rows("a", "SIMULATE_FAILURE"))
    state = await run(tmp_path, credentials, attempts=2)
    assert state.is_failed()
    assert "summer.csv: 1 of 2 rows completed (1 failed)" in (state.message or "")
    assert len(simulator.api.jobs) == 3
    assert (await run(tmp_path, credentials)).is_completed()
    assert len(simulator.api.jobs) == 3
    place.write_text(rows("a", "mended"))
    assert (await run(tmp_path, credentials)).is_completed()
    assert len(simulator.api.jobs) == 4


async def test_a_bad_spreadsheet_is_told_on_each_run_and_the_others_go_on(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    (tmp_path / "bad.csv").write_text(rows("a").replace("dt_", "brand_", 1))
    (tmp_path / "good.csv").write_text(rows("b"))
    for finished in (0, 1):
        state = await run(tmp_path, credentials)
        assert state.is_failed()
        assert "bad.csv: Row 2, column design_template_id" in (state.message or "")
        assert len(simulator.api.jobs) == 1
        assert ("1 finished before" in (state.message or "")) == bool(finished)
    assert state.name == "Refused"
    (tmp_path / "bad.csv").write_text(rows("a"))
    assert (await run(tmp_path, credentials)).is_completed()


async def test_what_became_of_each_spreadsheet_is_an_artifact(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    (tmp_path / "good.csv").write_text(rows("a"))
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    state: Any = await inbox(str(tmp_path), credentials, settle_seconds=0, return_state=True)
    run = ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id])
    async with get_client() as client:
        (kept,) = await client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=run))
    assert "| **good.csv** | 1 of 1 rows completed" in str(kept.data)
    assert "| **bad.csv** | Row 1: The column" in str(kept.data)


async def test_a_run_starts_no_more_than_it_may_spend(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    for number, (name, prompts) in enumerate(
        {"a": "12", "b": "123", "c": "1", "d": "12345"}.items()
    ):
        (tmp_path / f"{name}.csv").write_text(rows(*prompts))
        os.utime(tmp_path / f"{name}.csv", (number, number))
    state = await run(tmp_path, credentials, max_spend_usd=4)
    told = state.message or ""
    assert state.is_failed()
    assert "b.csv: It costs up to 3.00 USD, and 2.00 of the 4.00" in told
    assert "The next run takes it." in told
    assert "d.csv: It costs up to 5.00 USD, and a run of this inbox may start 4.00." in told
    assert len(simulator.api.jobs) == 3
    (tmp_path / "d.csv").unlink()
    (tmp_path / "a.csv").write_text(rows(*"12x"))
    state = await run(tmp_path, credentials, max_spend_usd=4)
    assert state.is_completed(), state.message
    assert len(simulator.api.jobs) == 7


async def test_a_dry_run_tells_what_it_would_cost_and_leaves_nothing(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    (tmp_path / "a.csv").write_text(rows("1", "2"))
    state = await run(tmp_path, credentials, dry_run=True)
    assert "a.csv: 2 of 2 ads to create, up to 2.00 USD" in (state.message or "")
    assert names(tmp_path) == {"a.csv"}
    assert not simulator.api.jobs


async def test_pictures_and_tables_go_where_they_are_wanted(
    tmp_path: Path, credentials: StaticAdsLabCredentials
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "a.csv").write_text(rows("1"))
    state = await run(
        tmp_path / "in",
        credentials,
        results="{name}.xlsx",
        results_folder=str(tmp_path / "out"),
        download_images=True,
    )
    assert state.is_completed(), state.message
    assert names(tmp_path / "in") == {"a.csv"}
    assert names(tmp_path / "out") == {"a.xlsx", "a.html", "a-pictures", ".inbox"}


@pytest.fixture
def memory() -> Iterator[str]:
    filesystem: Any = fsspec.filesystem("memory")
    yield "memory://inbox"
    filesystem.store.clear()
    filesystem.pseudo_dirs[:] = [""]


async def test_a_folder_may_be_a_bucket(
    memory: str, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    state = await run(memory, credentials)
    assert state.is_completed()
    assert (state.message or "").endswith(": none")
    storage.write_bytes(f"{memory}/summer.csv", rows("a", "b").encode())
    for _ in range(2):
        state = await run(memory, credentials)
        assert state.is_completed(), state.message
    assert statuses(f"{memory}/summer-results.csv") == ["completed"] * 2
    assert len(simulator.api.jobs) == 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"results": "{nme}.csv"}, "there is no {nme}"),
        ({"results": "all.csv"}, "lacks {name}"),
        ({"results": "{name}.{ending}"}, "cannot be told from a table"),
        ({"time_zone": "Berlin"}, "Europe/Berlin"),
        ({"results_folder": "/none/at/all"}, "There is no folder"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    tmp_path: Path,
    credentials: StaticAdsLabCredentials,
    options: dict[str, Any],
    says: str,
) -> None:
    (tmp_path / "a.csv").write_text(rows("1"))
    state = await run(tmp_path, credentials, **options)
    assert (state.is_failed(), state.name) == (True, "Refused")
    assert says in (state.message or "")
