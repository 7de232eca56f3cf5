"""Rows that were sent, in a table whose column of idempotency keys somebody has deleted."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prefect_staticadslab import JobState, RowStatus, StaticAdsLabClient
from prefect_staticadslab.campaign.files.cells import Dialect
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet, write_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.pipeline.adoption import KEY_IS_GONE
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import run_campaign, write_campaign


async def leave_without_keys(
    folder: Path, client: StaticAdsLabClient, prompts: str, *, created: Collection[str]
) -> tuple[str, str]:
    """A killed run's spreadsheet and table, the latter moved and without the column of keys."""
    spreadsheet, output = write_campaign(folder, *prompts), str(folder / "out.csv")
    campaign = Campaign.open(spreadsheet, output)
    now = datetime.now(UTC)
    for plan in campaign.chunks()[0].jobs:
        row = campaign.table.rows[plan.position]
        if (row.request.prompt or "") in created:
            await client.create_image_ad(row.request, idempotency_key=plan.key(1))
        mark = JobState(
            RowStatus.SUBMITTING,
            attempts=1,
            submitted_at=now,
            idempotency_key=plan.key(1),
            api_key_hash=client.api_key_hash,
            asked_at=now,
        )
        campaign.table.update(plan.position, mark)
    campaign.table.save_now()
    moved = str(folder / "moved.csv")
    without_keys = read_spreadsheet(output).frame.drop(columns="idempotency_key")
    write_spreadsheet(moved, without_keys, Dialect())
    return spreadsheet, moved


async def test_what_was_sent_is_looked_for_and_what_is_not_there_yet_is_waited_for(
    tmp_path: Path, simulator: SimulatorServer, client: StaticAdsLabClient
) -> None:
    spreadsheet, moved = await leave_without_keys(tmp_path, client, "abc", created="ab")
    campaign, _ = await run_campaign(spreadsheet, moved, simulator.url)
    states = campaign.table.states
    assert [str(state.status) for state in states] == ["completed", "completed", "submitting"]
    assert {state.job_id for state in states[:2]} == set(simulator.api.jobs)
    assert states[2].error == KEY_IS_GONE


@pytest.mark.parametrize("hours", [2.5, 30.0])
async def test_what_is_not_there_after_two_hours_is_created(
    tmp_path: Path, simulator: SimulatorServer, client: StaticAdsLabClient, hours: float
) -> None:
    spreadsheet, moved = await leave_without_keys(tmp_path, client, "ab", created="a")
    later = datetime.now(UTC) + timedelta(hours=hours)
    client.now = lambda: later  # type: ignore[method-assign]
    campaign = Campaign.open(spreadsheet, moved)
    await campaign.adopt([client])
    (chunk,) = campaign.chunks()
    (done,) = set(simulator.api.jobs)
    assert [state.job_id for state in campaign.table.states] == [done, None]
    assert [job.state.is_unsent for job in chunk.jobs if not job.state.has_ad] == [True]


async def test_equal_rows_wait_for_one_another(
    tmp_path: Path, simulator: SimulatorServer, client: StaticAdsLabClient
) -> None:
    spreadsheet, moved = await leave_without_keys(tmp_path, client, "aa", created=())
    campaign, _ = await run_campaign(spreadsheet, moved, simulator.url)
    assert [str(state.status) for state in campaign.table.states] == ["submitting"] * 2
    assert not simulator.api.jobs
