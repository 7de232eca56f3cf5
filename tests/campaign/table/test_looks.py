"""Chunks that look side by side what other runs have written."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest

from prefect_staticadslab import JobState
from prefect_staticadslab.campaign.errors import StorageError
from prefect_staticadslab.campaign.files import conditional_writes
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
from prefect_staticadslab.campaign.pipeline import chunk_run
from prefect_staticadslab.campaign.pipeline.chunk_run import generate
from prefect_staticadslab.campaign.pipeline.job_outcome import OTHER_KEY
from prefect_staticadslab.campaign.pipeline.session import shared_session
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.campaign.pipeline.test_pipeline import Notes, planned
from tests.campaign.table.test_merging import new_place, spreadsheet, state_at
from tests.conftest import MakeRequest


async def test_chunks_that_look_side_by_side_read_the_table_once_and_none_too_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = new_place()
    ours, theirs = (ImageAdTable.open(place, spreadsheet(["a", "b"])) for _ in range(2))
    version, reads = conditional_writes.version, threading.Semaphore(0)
    began: list[str] = []

    def seen(location: str) -> str | None:
        found = version(location)
        began.append(location)
        reads.acquire()
        return found

    monkeypatch.setattr(conditional_writes, "version", seen)
    first = asyncio.create_task(ours.look([1]))
    while not began:
        await asyncio.sleep(0.001)
    monkeypatch.setattr(conditional_writes, "version", version)
    theirs.update(0, state_at(theirs.rows[0].identity, 0))
    theirs.save_now()
    monkeypatch.setattr(conditional_writes, "version", seen)
    others = [asyncio.create_task(ours.look([0])) for _ in range(100)]
    await asyncio.sleep(0)
    reads.release(200)
    assert await first == {}
    news = [look for look in await asyncio.gather(*others) if look]
    assert [list(look) for look in news] == [[0]]
    assert len(began) == 2


async def test_a_look_that_fails_is_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    table = ImageAdTable.open(new_place(), spreadsheet(["a"]))
    version, failures = conditional_writes.version, [StorageError("away"), None]

    def away_at_first(location: str) -> str | None:
        if error := failures.pop(0):
            raise error
        return version(location)

    monkeypatch.setattr(conditional_writes, "version", away_at_first)
    looks = await asyncio.gather(*[table.look([0]) for _ in range(3)], return_exceptions=True)
    assert isinstance(looks[0], StorageError)
    assert looks[1:] == [{}, {}]


@pytest.mark.parametrize("is_same_key", [False, True])
async def test_who_slept_leaves_a_row_to_the_run_that_sends_it_with_another_api_key(
    simulator: SimulatorServer,
    make_request: MakeRequest,
    monkeypatch: pytest.MonkeyPatch,
    is_same_key: bool,
) -> None:
    slept = 0.0
    monkeypatch.setattr(chunk_run, "elapsed", lambda: time.monotonic() + slept)

    class Asleep(Notes):
        async def before_send(self, changes: Mapping[int, JobState]) -> Mapping[int, JobState]:
            nonlocal slept
            slept = 100.0
            return await super().before_send(changes)

        async def look(self, positions: Collection[int]) -> Mapping[int, JobState]:
            ours = self.states[0][-1]
            key = ours.idempotency_key if is_same_key else "theirs"
            return {0: replace(ours, idempotency_key=key, api_key_hash="another")}

    async with shared_session(SIMULATOR_API_KEY, simulator.url) as session:
        (result,) = await generate(session, planned(make_request, "a"), journal=Asleep())
    assert result.state.api_key_hash == "another"
    assert result.state.error == OTHER_KEY
    assert not simulator.api.jobs
