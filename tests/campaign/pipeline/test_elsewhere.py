"""Chunks that are sent by somebody who cannot write the table: what is marked stays marked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prefect_staticadslab import JobState, RowStatus, StaticAdsLabClient
from prefect_staticadslab.api.connection import hash_api_key
from prefect_staticadslab.campaign.files.cells import Dialect
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet, write_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.pipeline.attempt import Attempt
from prefect_staticadslab.campaign.pipeline.batch import mark_chunk
from prefect_staticadslab.campaign.pipeline.chunk_run import generate
from prefect_staticadslab.campaign.pipeline.chunks import Chunk
from prefect_staticadslab.campaign.pipeline.session import shared_session
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.simulator.model.admission.api_keys import SECOND_API_KEY
from tests.conftest import sent_at, write_campaign

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


@pytest.mark.parametrize(
    ("sent_before", "queued", "waits"),
    [(40, 0, 90.0), (24, 10, 90.0), (5, 5, 0.0), (3_800, 0, 0.0), (None, 40, 0.0)],
    ids=["killed", "lock lapses in the queue", "lock holds", "over", "never sent"],
)
@pytest.mark.parametrize("is_known_at_start", [True, False])
async def test_what_another_run_has_sent_waits_at_the_worker_until_the_api_has_done_with_it(
    tmp_path: Path,
    sent_before: int | None,
    queued: int,
    waits: float,
    is_known_at_start: bool,
) -> None:
    """Its create may be under way, and the API's lock has lapsed: a second ad would be made."""
    now = datetime.now(UTC)
    campaign = Campaign.open(write_campaign(tmp_path, "a"), str(tmp_path / "out.csv"))
    campaign.table.save_now()
    other = Campaign.open(str(tmp_path / "in.csv"), str(tmp_path / "out.csv"))
    if sent_before is not None:
        then = now - timedelta(seconds=sent_before)
        await other.table.before_send({0: sent_at(then, *WEIGHTS)})
    if is_known_at_start:
        campaign = Campaign.open(str(tmp_path / "in.csv"), str(tmp_path / "out.csv"))
    chunk = await mark_chunk(campaign.table, campaign.chunks(WEIGHTS)[0], now)

    arrived = now + timedelta(seconds=queued)
    at_worker = Attempt(chunk.jobs[0])
    at_worker.mark(arrived, *WEIGHTS)
    assert at_worker.seconds_until_safe(arrived, 0, work_seconds=90) == waits
    expected = chunk.jobs[0].key(1) if sent_before is None else "00ff" * 16
    assert at_worker.idempotency_key == expected


async def test_the_next_attempt_of_what_another_run_has_sent_waits_for_nothing(
    tmp_path: Path,
) -> None:
    now = datetime.now(UTC)
    campaign, chunk = await marked(tmp_path, "a")
    campaign.table.update(0, JobState(RowStatus.FAILED, job_id="ia_1", attempts=1))
    chunk = await mark_chunk(campaign.table, campaign.chunks(WEIGHTS)[0], now)
    at_worker = Attempt(chunk.jobs[0])
    at_worker.mark(now + timedelta(seconds=40), *WEIGHTS)
    assert (at_worker.state.attempts, chunk.jobs[0].sent_by_other_run) == (2, False)
    assert at_worker.seconds_until_safe(now + timedelta(seconds=40), 0, work_seconds=90) == 0


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
