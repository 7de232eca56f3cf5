"""Runs of the inbox at once, around midnight and tried again: each ad is made once."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect.runtime import flow_run
from prefect.settings import PREFECT_RESULTS_PERSIST_BY_DEFAULT, temporary_settings

from prefect_staticadslab import StaticAdsLabClient, StaticAdsLabCredentials
from prefect_staticadslab.campaign.names.preflight import check_key
from prefect_staticadslab.flows.inbox import inbox
from prefect_staticadslab.simulator import SimulatorServer
from tests.flows.inbox.inboxes import names, rows, run, statuses

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs both look before either begins, and so before either has written a table."""
    both = asyncio.Barrier(2)

    async def meet(client: StaticAdsLabClient) -> None:
        await both.wait()
        await check_key(client)

    monkeypatch.setattr("prefect_staticadslab.campaign.runs.inbox.check_key", meet)


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
