"""The pipeline against the simulator: what is created, followed, collected, and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from prefect_staticadslab import ImageAdResult, JobState, PlannedJob, RowStatus
from prefect_staticadslab.campaign.pipeline import session as sessions
from prefect_staticadslab.campaign.pipeline.chunk_run import generate
from prefect_staticadslab.campaign.pipeline.session import Session, shared_session
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.simulator.model.admission.api_keys import READ_ONLY_API_KEY
from tests.conftest import MakeRequest
from tests.support.gate import closed_gate


@dataclass
class Notes:
    """A journal that remembers what was written into it."""

    sent: list[set[int]] = field(default_factory=list)
    states: dict[int, list[JobState]] = field(default_factory=dict)

    async def before_send(self, changes: Mapping[int, JobState]) -> Mapping[int, JobState]:
        self.sent.append(set(changes))
        for position, state in changes.items():
            self.update(position, state)
        return changes

    async def look(self, positions: Collection[int]) -> Mapping[int, JobState]:
        return {}

    def update(self, position: int, state: JobState) -> None:
        self.states.setdefault(position, []).append(state)

    def assign_job(self, position: int, image_ad_id: str) -> bool:
        return not any(
            states[-1].job_id == image_ad_id and other != position
            for other, states in self.states.items()
        )


@asynccontextmanager
async def session_of(url: str, key: str = SIMULATOR_API_KEY) -> AsyncIterator[Session]:
    async with shared_session(key, url) as session:
        yield session


def planned(
    make_request: MakeRequest, *prompts: str, states: Mapping[int, JobState] | None = None
) -> list[PlannedJob]:
    return [
        PlannedJob(i, make_request(prompt), "campaign", str(i), (states or {}).get(i, JobState()))
        for i, prompt in enumerate(prompts)
    ]


def statuses(results: Sequence[ImageAdResult]) -> list[str]:
    return [str(result.state.status) for result in results]


async def test_ads_are_created_followed_and_collected(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    notes = Notes()
    async with session_of(simulator.url) as session:
        results = await generate(session, planned(make_request, "a", "b"), journal=notes)
    assert statuses(results) == ["completed", "completed"]
    assert all(r.state.image_url and r.state.cost_usd == 1 for r in results)
    assert notes.sent == [{0, 1}]
    assert [str(s.status) for s in notes.states[0]] == ["submitting", "processing", "completed"]
    assert len(simulator.api.jobs) == 2


async def test_one_rows_failure_is_that_rows_alone(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    ads = planned(make_request, "fine", "SIMULATE_FAILURE", "x", "SIMULATE_ONE_FAILURE")
    unknown = make_request("x", brand_id="brand_unknown")
    ads[2] = PlannedJob(2, unknown, "campaign", "2")
    async with session_of(simulator.url) as session:
        results = await generate(session, ads, attempts=2)
    assert statuses(results) == ["completed", "failed", "failed", "completed"]
    assert [r.state.attempts for r in results] == [1, 2, 1, 2]
    assert "PIPELINE_ERROR" in (results[1].state.error or "")
    assert "404 NOT_FOUND" in (results[2].state.error or "")
    assert sum(r.state.cost_usd or Decimal(0) for r in results) == 2


async def test_the_same_plan_again_gives_the_same_ads(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    ads = planned(make_request, "a", "b")
    async with session_of(simulator.url) as session:
        first = await generate(session, ads, wait=False)
        again = await generate(session, ads)
    assert statuses(first) == ["processing", "processing"]
    assert [r.state.job_id for r in again] == [r.state.job_id for r in first]
    assert all(r.replayed for r in again)
    assert len(simulator.api.jobs) == 2


async def test_an_empty_wallet_stops_all_creates_and_collects_the_rest(
    make_request: MakeRequest,
) -> None:
    with SimulatorServer(speed=300, rate_limit=10_000, wallet_usd=30) as simulator:
        async with session_of(simulator.url) as session:
            chunks = [
                [
                    PlannedJob(100 * chunk + i, make_request(), "c", f"{chunk}-{i}")
                    for i in range(100)
                ]
                for chunk in range(3)
            ]
            results = [
                result
                for chunk in await asyncio.gather(*(generate(session, c) for c in chunks))
                for result in chunk
            ]
        assert statuses(results).count("completed") == 30
        assert statuses(results).count("pending") == 270
        assert all("402" in (r.stopped_by or "") for r in results if r.state.image_url is None)
        assert {r.state.attempts for r in results if r.state.image_url is None} == {0}
        assert simulator.api.counts["402"] <= sessions.OPEN_CREATES


async def test_a_key_that_may_not_create_creates_nothing(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    async with session_of(simulator.url, READ_ONLY_API_KEY) as session:
        results = await generate(session, planned(make_request, *"abcdefghijklmnop"))
    assert set(statuses(results)) == {"pending"}
    assert "image_ads:write" in (results[0].stopped_by or "")
    assert simulator.api.counts["403"] <= sessions.OPEN_CREATES


async def test_an_ad_that_outlives_the_timeout_stays_processing(
    make_request: MakeRequest,
) -> None:
    with SimulatorServer(speed=1) as simulator:
        async with session_of(simulator.url) as session:
            (result,) = await generate(session, planned(make_request, "slow"), timeout_seconds=0.5)
    assert result.state.status is RowStatus.PROCESSING
    assert result.state.job_id
    assert "Run it again" in (result.state.error or "")


@pytest.mark.parametrize("shut_down", [False, True], ids=["the chunk", "the whole loop"])
async def test_a_cancelled_chunk_sends_nothing_more_and_keeps_what_was_sent(
    make_request: MakeRequest, shut_down: bool
) -> None:
    notes = Notes()
    with (
        SimulatorServer(speed=1, rate_limit=10_000) as simulator,
        closed_gate(simulator, after=10) as gate,
    ):
        async with session_of(simulator.url) as session:
            work = asyncio.create_task(
                generate(session, planned(make_request, *map(str, range(100))), journal=notes)
            )
            while len(simulator.api.jobs) < 10:
                await asyncio.sleep(0.05)
            begun = len(simulator.api.jobs)
            here = asyncio.current_task()
            for task in asyncio.all_tasks() if shut_down else [work]:
                if task is not here:
                    task.cancel()
            gate.set()
            with pytest.raises(asyncio.CancelledError):
                await work
        known = {s[-1].job_id for s in notes.states.values() if s[-1].job_id}
        assert known == set(simulator.api.jobs)
        last = [s[-1].status for s in notes.states.values()]
        assert last.count(RowStatus.PENDING) == 100 - len(known)
        assert len(known) <= begun + sessions.OPEN_CREATES


async def test_chunks_of_one_key_share_a_session_and_its_polls(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    async with session_of(simulator.url) as one, session_of(simulator.url) as two:
        assert one is two
        ads = planned(make_request, *map(str, range(90)))
        await asyncio.gather(*(generate(one, ads[i : i + 10]) for i in range(0, 90, 10)))
    assert simulator.api.counts["batch reads"] < 15
