"""Workers that are lost, stopped or cut off from their run: none pays twice, or goes on unheard."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.pipeline.attempt import Attempt
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult, Journal
from prefect_staticadslab.simulator import SimulatorServer
from prefect_staticadslab.tasks.clusters import coordinator as run_side
from prefect_staticadslab.tasks.clusters import worker_journal
from prefect_staticadslab.tasks.clusters.coordinator import ClusterLostError
from prefect_staticadslab.tasks.clusters.worker_tasks import results_of_lost_chunk
from tests.orchestration.clusters import Cluster, generating, processing, until
from tests.support.gate import closed_gate

pytestmark = pytest.mark.usefixtures("quick_clusters")


async def test_a_chunk_that_is_begun_anew_goes_on_from_what_its_lost_worker_told(
    tmp_path: Path,
) -> None:
    cluster = Cluster(tmp_path, *"abcde")
    sent, told = cluster.sent(0, 1, 2, 3, 4), asyncio.Event()
    journals: list[Journal] = []
    answered: list[Any] = []

    async def lost(journal: Journal) -> list[ImageAdResult]:
        assert await journal.before_send(sent) == sent
        journal.update(0, processing("ia_0"))
        journal.update(1, JobState(RowStatus.FAILED, attempts=1, error="no such product"))
        journal.update(2, JobState(RowStatus.PENDING))
        journals.append(journal)
        told.set()
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async def successor(journal: Journal) -> list[ImageAdResult]:
        answered.append(await journal.before_send(sent))
        journals.append(journal)
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async with cluster.running():
        journal = cluster.coordinator.begin_chunk()
        cluster.begin(journal, lost)
        await told.wait()
        await until(lambda: cluster.statuses()[1] == "failed")
        cluster.begin(journal, successor)
        await until(lambda: len(journals) == 2)

        (known,) = answered
        assert known[0] == processing("ia_0")
        assert known[1].status is RowStatus.FAILED
        # It was certainly not sent, so it is sent as if for the first time.
        assert known[2] == sent[2]
        for position in (3, 4):
            # It may have been sent: with the same key, and a refusal proves nothing.
            assert known[position].idempotency_key == sent[position].idempotency_key
            attempt = Attempt(cluster.ads[position])
            attempt.state = sent[position]
            attempt.update_from_table(known[position])
            assert attempt.may_exist_from_before

        # What it does with them next is its own again.
        again = {0: replace(sent[0], attempts=2, idempotency_key="11ff" * 16)}
        journals[1].update(0, JobState(RowStatus.FAILED, job_id="ia_0", attempts=1))
        assert await journals[1].before_send(again) == again

        # The lost one is still there after all: its ids count, and nothing else.
        journals[0].update(3, JobState(RowStatus.PENDING))
        journals[0].update(4, processing("ia_4"))
        await until(lambda: cluster.table.states[4].job_id == "ia_4")
        assert cluster.statuses()[3] == "submitting"
        with pytest.raises(CampaignError, match="taken over"):
            await journals[0].before_send({3: sent[3]})


async def test_a_worker_that_takes_over_pays_for_nothing_twice(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    cluster = Cluster(tmp_path, *(f"p{i}" for i in range(12)))

    async def work(journal: Journal) -> list[ImageAdResult]:
        # What it knows never reaches anybody.
        monkeypatch.setattr(journal, "update", lambda *_: None)
        return await generating(cluster, simulator.url)(journal)

    with pytest.MonkeyPatch.context() as monkeypatch:
        async with cluster.running():
            journal = cluster.coordinator.begin_chunk()
            await cluster.begin(journal, work)
            assert len(simulator.api.jobs) == 12
            assert cluster.statuses() == ["submitting"] * 12
            worker = cluster.begin(journal, generating(cluster, simulator.url))
            results = await cluster.coordinator.wait_for_result(journal, worker)
    assert {result.state.job_id for result in results} == set(simulator.api.jobs)
    assert len(simulator.api.jobs) == 12


async def test_a_cancelled_run_stops_its_workers_and_has_every_id(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    cluster = Cluster(tmp_path, *(f"p{i}" for i in range(60)))
    with closed_gate(simulator, after=20) as gate:
        async with cluster.running():
            journal = cluster.coordinator.begin_chunk()
            worker = cluster.begin(journal, generating(cluster, simulator.url))
            waiting = asyncio.create_task(cluster.coordinator.wait_for_result(journal, worker))
            await until(lambda: len(simulator.api.jobs) >= 20)
            waiting.cancel()
            await until(lambda: any(r.is_stopping for r in cluster.mailboxes.reports))
            gate.set()
            with pytest.raises(asyncio.CancelledError):
                await waiting
    ids = {state.job_id for state in cluster.table.states} - {None}
    assert ids == set(simulator.api.jobs)
    assert len(ids) < 60
    assert Counter(cluster.statuses())["submitting"] == 0


async def test_who_begins_after_the_cancellation_sends_nothing(tmp_path: Path) -> None:
    cluster, begun = Cluster(tmp_path, "a"), asyncio.Event()
    refusals: list[str] = []

    async def first(journal: Journal) -> list[ImageAdResult]:
        begun.set()
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async def second(journal: Journal) -> list[ImageAdResult]:
        try:
            await journal.before_send(cluster.sent(0))
        except (CampaignError, asyncio.CancelledError) as refusal:
            refusals.append(repr(refusal))
            raise
        return []

    async with cluster.running():
        ours, theirs = cluster.coordinator.begin_chunk(), cluster.coordinator.begin_chunk()
        waiting = asyncio.create_task(
            cluster.coordinator.wait_for_result(ours, cluster.begin(ours, first))
        )
        await begun.wait()
        await until(lambda: bool(cluster.mailboxes.reports))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.gather(cluster.begin(theirs, second), return_exceptions=True)
    assert len(refusals) == 1
    assert cluster.table.states[0].job_id is None


@pytest.mark.parametrize(
    ("is_cut", "seconds", "has_begun", "reason"),
    [
        (True, run_side.UNREACHABLE_SECONDS, True, "cannot be reached: ConnectionError"),
        (False, run_side.SILENT_SECONDS, True, "not heard of for 5 minutes"),
        (False, run_side.UNBEGUN_SECONDS, False, "no worker was heard of for 60 minutes"),
    ],
)
async def test_a_cluster_that_is_lost_is_not_waited_for(
    tmp_path: Path, is_cut: bool, seconds: float, has_begun: bool, reason: str
) -> None:
    cluster = Cluster(tmp_path, "a", "b")

    async def work(journal: Journal) -> list[ImageAdResult]:
        await journal.before_send(cluster.sent(0, 1))
        journal.update(0, replace(processing("ia_1"), status=RowStatus.COMPLETED))
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async with cluster.running():
        journal = cluster.coordinator.begin_chunk()
        never: asyncio.Future[list[ImageAdResult]] = asyncio.get_running_loop().create_future()
        waiting = asyncio.create_task(cluster.coordinator.wait_for_result(journal, never))
        if has_begun:
            worker = cluster.begin(journal, work)
            await until(lambda: cluster.statuses() == ["completed", "submitting"])
            worker.cancel()
            await asyncio.wait({worker})
            # Its last word has been heard.
            await until(lambda: not any(cluster.mailboxes.boxes.values()))
        cluster.mailboxes.is_cut = is_cut
        cluster.now += seconds - 1
        await asyncio.sleep(0.1)
        assert not waiting.done()
        cluster.now += seconds + 1
        with pytest.raises(ClusterLostError, match=reason):
            await waiting
    if has_begun:
        lost = results_of_lost_chunk(cluster.table, [0, 1], "lost")
        assert [result.state.error for result in lost] == [None, "lost"]


async def test_a_chunk_that_comes_late_has_as_long_to_begin(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, "a")
    never: asyncio.Future[list[ImageAdResult]] = asyncio.get_running_loop().create_future()
    async with cluster.running():
        cluster.now += run_side.UNBEGUN_SECONDS - 1
        await asyncio.sleep(0.1)
        waiting = asyncio.create_task(
            cluster.coordinator.wait_for_result(cluster.coordinator.begin_chunk(), never)
        )
        cluster.now += run_side.UNBEGUN_SECONDS - 1
        await asyncio.sleep(0.1)
        assert not waiting.done()
        cluster.now += 2
        with pytest.raises(ClusterLostError, match="no worker was heard of for 60 minutes"):
            await waiting


async def test_a_worker_that_reaches_its_run_no_more_sends_nothing_more(
    tmp_path: Path, simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_journal, "UNREACHABLE_SECONDS", 0.0)
    cluster = Cluster(tmp_path, *(f"p{i}" for i in range(40)))
    with closed_gate(simulator, after=10) as gate:
        async with cluster.running():
            journal = cluster.coordinator.begin_chunk()
            worker = cluster.begin(journal, generating(cluster, simulator.url))
            await until(lambda: len(simulator.api.jobs) >= 10)
            cluster.mailboxes.is_cut = True
            await asyncio.sleep(0.2)
            gate.set()
            results = await worker
    assert {r.state.job_id for r in results} - {None} == set(simulator.api.jobs)
    assert len(simulator.api.jobs) < 40
    assert {r.state.error for r in results} == {worker_journal.UNREACHABLE}


async def test_a_worker_that_hears_nothing_of_other_runs_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_journal, "LOOK_ANSWER_SECONDS", 0.05)
    cluster = Cluster(tmp_path, "one")

    async def work(journal: Journal) -> list[ImageAdResult]:
        with pytest.raises(CampaignError, match="does not tell its worker"):
            await journal.look([0])
        return []

    # Nobody listens.
    await cluster.begin(cluster.coordinator.begin_chunk(), work)


async def test_without_an_answer_nothing_is_sent(
    tmp_path: Path, simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_journal, "ANSWER_SECONDS", 0.1)
    cluster = Cluster(tmp_path, "a", "b")
    # Nobody listens.
    results = await cluster.begin(
        cluster.coordinator.begin_chunk(), generating(cluster, simulator.url)
    )
    assert [str(result.state.status) for result in results] == ["pending"] * 2
    assert all("did not answer" in (result.stopped_by or "") for result in results)
    assert not simulator.api.jobs
