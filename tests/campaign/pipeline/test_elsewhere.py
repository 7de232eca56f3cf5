"""Chunks that are sent by somebody who cannot write the table: what is marked stays marked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect_staticadslab import RowStatus, StaticAdsLabClient
from prefect_staticadslab.api.connection import hash_api_key
from prefect_staticadslab.campaign.files.cells import Dialect
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet, write_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.pipeline.batch import mark_chunk
from prefect_staticadslab.campaign.pipeline.chunk_run import generate
from prefect_staticadslab.campaign.pipeline.chunks import Chunk
from prefect_staticadslab.campaign.pipeline.session import shared_session
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.simulator.model.admission.api_keys import SECOND_API_KEY
from tests.conftest import write_campaign

WEIGHTS = {hash_api_key(SIMULATOR_API_KEY): 1.0}


async def marked(folder: Path, *prompts: str) -> tuple[Campaign, Chunk]:
    campaign = Campaign.open(write_campaign(folder, *prompts), str(folder / "out.csv"))
    campaign.table.save_now()
    (chunk,) = campaign.chunks(WEIGHTS)
    return campaign, await mark_chunk(campaign.table, chunk, datetime.now(UTC))


async def on_a_worker(campaign: Campaign, chunk: Chunk, url: str) -> None:
    async with shared_session(SIMULATOR_API_KEY, url) as session:
        await campaign.collect(await generate(session, chunk.jobs, attempts=1))


async def test_a_chunk_is_written_down_before_it_is_sent_and_collected_after(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    campaign, chunk = await marked(tmp_path, "a", "b")
    on_disk = Campaign.open(str(tmp_path / "in.csv"), str(tmp_path / "out.csv")).table
    assert {state.status for state in on_disk.states} == {RowStatus.SUBMITTING}
    await on_a_worker(campaign, chunk, simulator.url)
    assert {state.status for state in campaign.table.states} == {RowStatus.COMPLETED}


async def test_a_worker_that_is_lost_and_one_that_is_refused_leave_the_mark(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    campaign, chunk = await marked(tmp_path, *"abcdef")
    # The first worker created half of them, and nobody knows its results.
    async with shared_session(SIMULATOR_API_KEY, simulator.url) as session:
        await generate(session, chunk.jobs[:3], attempts=1)
    scopes = simulator.api.scopes.pop(SIMULATOR_API_KEY)
    await on_a_worker(campaign, chunk, simulator.url)
    assert {state.status for state in campaign.table.states} == {RowStatus.SUBMITTING}
    assert all(state.idempotency_key for state in campaign.table.states)
    simulator.api.scopes[SIMULATOR_API_KEY] = scopes
    await on_a_worker(campaign, campaign.chunks(WEIGHTS)[0], simulator.url)
    assert {state.status for state in campaign.table.states} == {RowStatus.COMPLETED}
    assert len(simulator.api.jobs) == 6


async def test_what_waited_for_a_worker_for_hours_is_not_sent(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    campaign = Campaign.open(write_campaign(tmp_path, "a"), str(tmp_path / "out.csv"))
    (chunk,) = campaign.chunks(WEIGHTS)
    chunk = await mark_chunk(campaign.table, chunk, datetime.now(UTC) - timedelta(hours=3))
    async with StaticAdsLabClient(SIMULATOR_API_KEY, simulator.url) as client:
        await client.get_account()
    await on_a_worker(campaign, chunk, simulator.url)
    assert campaign.table.states[0].status is RowStatus.SUBMITTING
    assert not simulator.api.jobs


async def test_a_row_whose_mark_was_deleted_is_looked_for_if_there_are_two_keys(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    _, chunk = await marked(tmp_path, "a", "b")
    async with shared_session(SIMULATOR_API_KEY, simulator.url) as session:
        await generate(session, chunk.jobs, attempts=1, wait=False)
    file = tmp_path / "out.csv"
    table = read_spreadsheet(str(file)).frame
    cut = table.assign(error="", idempotency_key="", api_key_hash="")
    write_spreadsheet(str(file), cut, Dialect())
    again = Campaign.open(str(tmp_path / "in.csv"), str(file))
    async with (
        StaticAdsLabClient(SECOND_API_KEY, simulator.url) as second,
        StaticAdsLabClient(SIMULATOR_API_KEY, simulator.url) as first,
    ):
        await again.adopt([second, first])
    assert {s.job_id for s in again.table.states} == set(simulator.api.jobs)
