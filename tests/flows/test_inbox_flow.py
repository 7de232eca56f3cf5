"""The inbox flow on a real Prefect server: every spreadsheet once, whoever looks and when."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

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
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.settings import PREFECT_RESULTS_PERSIST_BY_DEFAULT, temporary_settings

from prefect_staticadslab import StaticAdsLabClient, StaticAdsLabCredentials
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.names.preflight import check_key
from prefect_staticadslab.cli.commands.inbox import main
from prefect_staticadslab.flows.inbox import inbox
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import simulated_ids
from tests.support.processes import Ended, ended, start, until

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def simulator() -> Iterator[SimulatorServer]:
    """One whose jobs take no time worth mentioning."""
    with SimulatorServer(speed=300, rate_limit=10_000) as server:
        yield server


@pytest.fixture
def slow_simulator() -> Iterator[SimulatorServer]:
    """One whose jobs take minutes, so that it is still busy when somebody interrupts."""
    with SimulatorServer(speed=0.1, rate_limit=10_000) as server:
        yield server


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs both look before either begins, and so before either has written a table."""
    both = asyncio.Barrier(2)

    async def meet(client: StaticAdsLabClient) -> None:
        await both.wait()
        await check_key(client)

    monkeypatch.setattr("prefect_staticadslab.campaign.runs.inbox.check_key", meet)


def rows(*prompts: str) -> str:
    ids = simulated_ids()
    lines = [",".join([*ids, "prompt"]), *(",".join([*ids.values(), p]) for p in prompts)]
    return "\n".join(lines) + "\n"


async def run(
    folder: Path | str, credentials: StaticAdsLabCredentials, **options: Any
) -> State[None]:
    given = {"settle_seconds": 0, **options}
    state: Any = await inbox(str(folder), credentials, return_state=True, **given)
    return cast(State[None], state)


def statuses(table: Path | str) -> list[str]:
    return list(read_spreadsheet(str(table)).frame["status"])


def names(folder: Path) -> set[str]:
    return {f.name for f in folder.iterdir()}


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


@pytest.mark.usefixtures("together")
async def test_two_runs_at_once_make_each_ad_once(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    (tmp_path / "one.csv").write_text(rows("a", "a", "b"))
    (tmp_path / "two.csv").write_text(rows("a", "SIMULATE_ONE_FAILURE"))
    both = [run(tmp_path, credentials) for _ in range(2)]
    for state in await asyncio.gather(*both):
        assert state.is_completed(), state
    assert statuses(tmp_path / "one-results.csv") == ["completed"] * 3
    assert statuses(tmp_path / "two-results.csv") == ["completed"] * 2
    assert len(simulator.api.jobs) == 6  # one of them failed


async def test_midnight_begins_no_new_table_and_pays_nothing_again(
    tmp_path: Path,
    credentials: StaticAdsLabCredentials,
    simulator: SimulatorServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = tmp_path / "summer.csv"
    place.write_text(rows("a", "b"))
    pattern = "{name} {date}.{ending}"

    def today_is(day: int) -> None:
        scheduled = datetime(2026, 11, day, 23, 59, tzinfo=UTC)
        monkeypatch.setitem(flow_run.FIELDS, "scheduled_start_time", lambda: scheduled)

    today_is(25)
    assert (await run(tmp_path, credentials, results=pattern)).is_completed()
    assert "summer 2026-11-25.csv" in names(tmp_path)
    today_is(26)
    place.write_text(rows("a", "b", "c"))
    assert (await run(tmp_path, credentials, results=pattern)).is_completed()
    assert statuses(tmp_path / "summer 2026-11-25.csv") == ["completed"] * 3
    # Nothing is known of the first run, and the keys are the same all the same.
    (tmp_path / "summer 2026-11-25.csv").unlink()
    (tmp_path / ".inbox" / "summer.csv.json").unlink()
    today_is(27)
    assert (await run(tmp_path, credentials, results=pattern)).is_completed()
    assert "summer 2026-11-27.csv" in names(tmp_path)
    assert len(simulator.api.jobs) == 3


@pytest.mark.usefixtures("together")
async def test_two_runs_on_both_sides_of_midnight_make_each_ad_once(
    tmp_path: Path,
    credentials: StaticAdsLabCredentials,
    simulator: SimulatorServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "summer.csv").write_text(rows("a", "b"))
    moments = iter((datetime(2026, 11, 25, 23, 59, tzinfo=UTC), datetime(2026, 11, 26, tzinfo=UTC)))
    monkeypatch.setitem(flow_run.FIELDS, "scheduled_start_time", lambda: next(moments))
    both = [run(tmp_path, credentials, results="{name} {date}.{ending}") for _ in range(2)]
    assert all(state.is_completed() for state in await asyncio.gather(*both))
    assert {"summer 2026-11-25.csv", "summer 2026-11-26.csv"} <= names(tmp_path)
    assert len(simulator.api.jobs) == 2


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


# The command, in processes of its own


QUICKLY_DONE = """\
from prefect_staticadslab.campaign.pipeline import poll_schedule, session
from prefect_staticadslab.cli.commands.inbox import main

session.TIMING = poll_schedule.Timing(poll_seconds=0.3)
raise SystemExit(main())
"""
"""The same command, which takes ads for ones that are soon completed."""


def command(
    folder: Path,
    environment: dict[str, str],
    simulator: SimulatorServer,
    *program: str,
) -> subprocess.Popen[str]:
    key = {"SAL_API_KEY": SIMULATOR_API_KEY, "SAL_BASE_URL": simulator.url}
    arguments = (*(program or ("flows/inbox.py",)), str(folder), "--settle-seconds", "0")
    return start(*arguments, env={**environment, **key})


def finished(process: subprocess.Popen[str]) -> Ended:
    told = ended(process)
    assert "Traceback" not in told.err, told.err
    return told


def test_two_processes_at_once_make_each_ad_once(
    tmp_path: Path, prefect_server: dict[str, str], simulator: SimulatorServer
) -> None:
    (tmp_path / "one.csv").write_text(rows("a", "b", "c"))
    (tmp_path / "two.csv").write_text(rows("d"))
    both = [command(tmp_path, prefect_server, simulator) for _ in range(2)]
    assert [finished(process)[0] for process in both] == [0, 0]
    assert statuses(tmp_path / "one-results.csv") == ["completed"] * 3
    assert len(simulator.api.jobs) == 4


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_what_is_ended_in_the_middle_goes_on_the_next_time(
    tmp_path: Path,
    prefect_server: dict[str, str],
    slow_simulator: SimulatorServer,
    how: signal.Signals,
) -> None:
    (tmp_path / "one.csv").write_text(rows("a", "x", "c"))
    (tmp_path / "two.csv").write_text(rows("d"))
    os.utime(tmp_path / "one.csv", (1, 1))
    process = command(tmp_path, prefect_server, slow_simulator)
    until(lambda: len(slow_simulator.api.jobs) >= 3, process)
    process.send_signal(how)
    assert ended(process).status == (130 if how is signal.SIGINT else -9)
    api = slow_simulator.api
    assert len(api.jobs) == 3
    api.age(3600)
    api.settings = replace(api.settings, speed=300)
    (tmp_path / "one.csv").write_text(rows("a", "b", "c"))
    again = command(tmp_path, prefect_server, slow_simulator, "-c", QUICKLY_DONE)
    status, out, _ = finished(again)
    assert (status, len(api.jobs)) == (0, 5), out


def test_a_simulation_is_forgotten_by_real_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text(rows("1"))
    assert main([str(tmp_path), "--simulate", "--settle-seconds", "0"]) == 0
    assert names(tmp_path) >= {"a-results.csv", "a-results.html", "a-results-pictures"}
    capsys.readouterr()
    assert main([str(tmp_path), "--simulate", "--settle-seconds", "0"]) == 0
    assert "1 finished before" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--results", "{nme}.csv"], "there is no {nme}"),
        (["--time-zone", "Berlin"], "Europe/Berlin"),
    ],
)
def test_the_command_refuses_with_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    says: str,
) -> None:
    assert main([str(tmp_path), *options]) == 2
    assert says in capsys.readouterr().err
    assert main([str(tmp_path / "none")]) == 2
    assert f"There is no folder {tmp_path / 'none'}." in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    assert main(["none"]) == 2
    assert f"There is no folder none in {tmp_path}." in capsys.readouterr().err


@pytest.mark.parametrize("persisted", [False, True])
async def test_a_retried_run_runs_the_spreadsheets_that_are_left_and_no_others(
    persisted: bool,
    tmp_path: Path,
    credentials: StaticAdsLabCredentials,
    simulator: SimulatorServer,
) -> None:
    """Prefect tells the runs in a run by their order, and may answer with an earlier one's end."""
    (tmp_path / "first.csv").write_text(rows("a"))
    os.utime(tmp_path / "first.csv", (1, 1))
    (tmp_path / "second.csv").write_text(rows("b", "c"))
    api = simulator.api
    api.settings = replace(api.settings, wallet_usd=1)

    async def top_up() -> None:
        while not api.counts["402"]:
            await asyncio.sleep(0.05)
        api.settings = replace(api.settings, wallet_usd=9)

    topped_up = asyncio.create_task(top_up())
    twice = inbox.with_options(retries=1, retry_delay_seconds=1)
    with temporary_settings({PREFECT_RESULTS_PERSIST_BY_DEFAULT: persisted}):
        state: Any = await twice(str(tmp_path), credentials, settle_seconds=0, return_state=True)
    await topped_up
    assert state.is_completed(), state
    assert "second.csv: 2 of 2 rows completed" in (state.message or "")
    assert statuses(tmp_path / "second-results.csv") == ["completed"] * 2
    assert len(api.jobs) == 3


async def test_rows_that_failed_for_good_are_no_success_of_a_retried_run(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    (tmp_path / "summer.csv").write_text(rows("a", "SIMULATE_FAILURE"))
    twice = inbox.with_options(retries=1, retry_delay_seconds=0)
    state: Any = await twice(
        str(tmp_path), credentials, settle_seconds=0, attempts=1, return_state=True
    )
    assert state.is_failed()
    assert "summer.csv: 1 of 2 rows completed (1 failed)" in (state.message or "")
    assert len(simulator.api.jobs) == 2
