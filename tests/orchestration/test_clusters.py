"""What a run and the workers of a cluster tell each other, without a cluster."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from prefect_staticadslab import JobState, RowStatus, StaticAdsLabCredentials
from prefect_staticadslab.campaign.campaign import prepare, run
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ResultTable
from prefect_staticadslab.campaign.pipeline.api_keys import Chunk
from prefect_staticadslab.campaign.pipeline.attempt import Attempt
from prefect_staticadslab.campaign.pipeline.chunk import generate
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult, Journal, PlannedJob
from prefect_staticadslab.campaign.pipeline.session import shared_session
from prefect_staticadslab.campaign.runs.credentials import by_api_key_hash, keys_of, run_chunk
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.tasks.clusters import coordinator as run_side
from prefect_staticadslab.tasks.clusters import worker_journal
from prefect_staticadslab.tasks.clusters.coordinator import (
    ClusterLostError,
    Coordinator,
    unfinished,
)
from prefect_staticadslab.tasks.clusters.messages import Report, decode
from prefect_staticadslab.tasks.clusters.worker_journal import WorkerJournal
from prefect_staticadslab.tasks.clusters.worker_tasks import WorkerTasks
from tests.conftest import write_campaign
from tests.support.gate import closed_gate

Work = Callable[[Journal], Awaitable[list[ImageAdResult]]]


class MemoryMailboxes:
    """Mailboxes of this process, which can be cut off."""

    def __init__(self) -> None:
        self.boxes: defaultdict[str, list[bytes]] = defaultdict(list)
        self.is_cut = False
        self.reports: list[Report] = []

    def put(self, box: str, message: bytes) -> None:
        self._check()
        self.boxes[box].append(message)
        if isinstance(report := decode(message), Report):
            self.reports.append(report)

    def take(self, box: str) -> list[bytes]:
        self._check()
        return self.boxes.pop(box, [])

    def close(self, box: str) -> None:
        self.boxes.pop(box, None)

    def _check(self) -> None:
        if self.is_cut:
            raise ConnectionError("cut")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for side in (run_side, worker_journal):
        monkeypatch.setattr(side, "PAUSE_SECONDS", 0.01)


class Cluster:
    """A run with its table, and workers that are tasks beside it."""

    def __init__(self, folder: Path, *prompts: str) -> None:
        self.output = str(folder / "out.csv")
        campaign = Campaign.open(write_campaign(folder, *prompts), self.output)
        self.table: ResultTable = campaign.table
        self.table.save_now()
        (chunk,) = campaign.chunks()
        self.ads: Sequence[PlannedJob] = chunk.ads
        self.mailboxes = MemoryMailboxes()
        self.now = 0.0
        self.coordinator = Coordinator(self.mailboxes, self.table, lambda: self.now)
        self.workers: list[asyncio.Future[list[ImageAdResult]]] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            async with self.coordinator.listening():
                yield
        finally:
            for worker in self.workers:
                worker.cancel()
            await asyncio.gather(*self.workers, return_exceptions=True)

    def begin(self, journal: WorkerJournal, work: Work) -> asyncio.Future[list[ImageAdResult]]:
        """A worker begins with a chunk."""
        worker = asyncio.ensure_future(journal.keep(self.ads, work))
        self.workers.append(worker)
        return worker

    def sent(self, *positions: int) -> dict[int, JobState]:
        """These rows as they are when they are about to be sent for the first time."""
        attempts = [Attempt(self.ads[position]) for position in positions]
        for attempt in attempts:
            attempt.begin(datetime.now(UTC), "00ff" * 4)
        return {attempt.position: attempt.state for attempt in attempts}

    def statuses(self) -> list[str]:
        return [str(state.status) for state in self.table.states]

    def saved(self) -> Any:
        return read_spreadsheet(self.output).frame


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(600):
        while not holds():
            await asyncio.sleep(0.01)


def generating(cluster: Cluster, url: str, **options: Any) -> Work:
    async def work(journal: Journal) -> list[ImageAdResult]:
        async with shared_session(SIMULATOR_API_KEY, url) as session:
            return await generate(session, cluster.ads, journal=journal, **options)

    return work


def processing(job_id: str) -> JobState:
    return JobState(RowStatus.PROCESSING, job_id=job_id, attempts=1)


async def test_what_a_worker_sends_is_on_disk_with_its_key_before(
    tmp_path: Path, simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(tmp_path, "a", "SIMULATE_ONE_FAILURE", "c")
    create, on_disk = simulator.api.create_image_ad, []

    def looked_up(*request: Any) -> Any:
        on_disk.append(cluster.saved())
        return create(*request)

    monkeypatch.setattr(simulator.api, "create_image_ad", looked_up)
    async with cluster.running():
        journal = cluster.coordinator.begin_chunk()
        worker = cluster.begin(journal, generating(cluster, simulator.url))
        results = await cluster.coordinator.result_of(journal, worker)
    assert [str(result.state.status) for result in results] == ["completed"] * 3
    assert len(on_disk) == len(simulator.api.jobs) == 4
    assert all((frame["idempotency_key"] != "").sum() >= 1 for frame in on_disk)
    assert list(on_disk[0]["status"]) == ["submitting"] * 3
    assert on_disk[-1]["attempts"][1] == "2"


async def test_rows_are_known_while_their_chunk_still_runs(tmp_path: Path) -> None:
    cluster, may_end = Cluster(tmp_path, "a", "b"), asyncio.Event()

    async def work(journal: Journal) -> list[ImageAdResult]:
        await journal.before_send(cluster.sent(0, 1))
        journal.update(0, processing("ia_1"))
        await may_end.wait()
        return [ImageAdResult(0, processing("ia_1")), ImageAdResult(1, processing("ia_2"))]

    async with cluster.running():
        journal = cluster.coordinator.begin_chunk()
        worker = cluster.begin(journal, work)
        waiting = asyncio.create_task(cluster.coordinator.result_of(journal, worker))
        await until(lambda: cluster.table.states[0].job_id == "ia_1")
        assert list(cluster.saved()["status"]) == ["submitting", "submitting"]
        assert cluster.statuses() == ["processing", "submitting"]
        assert not waiting.done()
        may_end.set()
        assert [result.state.job_id for result in await waiting] == ["ia_1", "ia_2"]


async def test_a_refused_row_is_failed_as_it_is_elsewhere(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    cluster = Cluster(tmp_path, "a", "b")
    wrong = cluster.ads[1].request.model_copy(update={"product_id": "prod_0000000000000000"})
    cluster.ads = [cluster.ads[0], replace(cluster.ads[1], request=wrong)]
    async with cluster.running():
        journal = cluster.coordinator.begin_chunk()
        worker = cluster.begin(journal, generating(cluster, simulator.url))
        for result in await cluster.coordinator.result_of(journal, worker):
            cluster.table.update(result.position, result.state)
    assert cluster.statuses() == ["completed", "failed"]
    assert len(simulator.api.jobs) == 1


@pytest.mark.parametrize("has_mailboxes", [True, False])
async def test_a_campaign_comes_to_its_end_with_mailboxes_and_without(
    tmp_path: Path,
    simulator: SimulatorServer,
    credentials: StaticAdsLabCredentials,
    has_mailboxes: bool,
) -> None:
    prompts = ["SIMULATE_FAILURE", "SIMULATE_ONE_FAILURE", *(f"p{i}" for i in range(118))]
    campaign = Campaign.open(write_campaign(tmp_path, *prompts), str(tmp_path / "out.csv"))
    campaign.table.save_now()
    prepared = await prepare(campaign)
    keys = keys_of(by_api_key_hash(credentials))
    given: list[int] = []

    def submit(
        chunk: Chunk, attempts: int, journal: WorkerJournal | None
    ) -> Callable[[], list[ImageAdResult]]:
        assert (journal is not None) is has_mailboxes
        given.append(len(chunk.ads))
        work = run_chunk(credentials, chunk.ads, attempts, 60, True, journal)
        return lambda: asyncio.run(work)

    workers = WorkerTasks(prepared, submit, keys, 2, MemoryMailboxes() if has_mailboxes else None)
    async with workers.running() as run_on_worker:
        await run(prepared, run_on_worker, weights=keys.weights())
    assert Counter(str(state.status) for state in campaign.table.states) == {
        "completed": 119,
        "failed": 1,
    }
    assert len(simulator.api.jobs) == 122
    # Without mailboxes each attempt is given away by itself, as its key must be known before.
    assert given == ([100, 20] if has_mailboxes else [100, 20, 2])


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
            attempt.learn(known[position])
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
            results = await cluster.coordinator.result_of(journal, worker)
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
            waiting = asyncio.create_task(cluster.coordinator.result_of(journal, worker))
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
            cluster.coordinator.result_of(ours, cluster.begin(ours, first))
        )
        await begun.wait()
        await until(lambda: bool(cluster.mailboxes.reports))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.gather(cluster.begin(theirs, second), return_exceptions=True)
    assert len(refusals) == 1
    assert cluster.table.states[0].job_id is None


async def test_another_rows_ad_is_not_taken_for_a_rows_own(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, "a", "b")

    async def work(journal: Journal) -> list[ImageAdResult]:
        await journal.before_send(cluster.sent(0, 1))
        return [ImageAdResult(0, processing("ia_1")), ImageAdResult(1, processing("ia_1"))]

    async with cluster.running():
        journal = cluster.coordinator.begin_chunk()
        cluster.table.update(0, processing("ia_1"))
        results = await cluster.coordinator.result_of(journal, cluster.begin(journal, work))
    assert results[0].state.job_id == "ia_1"
    assert results[1].state.job_id is None
    assert "which is the ad of an equal row" in (results[1].state.error or "")


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
        waiting = asyncio.create_task(cluster.coordinator.result_of(journal, never))
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
        lost = unfinished(cluster.table, [0, 1], "lost")
        assert [result.state.error for result in lost] == [None, "lost"]


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


async def test_a_worker_hears_what_another_run_has_written(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, "one", "two")
    other = Campaign.open(str(tmp_path / "in.csv"), cluster.output).table
    heard: list[dict[int, JobState]] = []

    async def work(journal: Journal) -> list[ImageAdResult]:
        await journal.before_send(cluster.sent(0, 1))
        heard.append(dict(await journal.look([0, 1])))
        await other.before_send(cluster.sent(1))
        heard.append(dict(await journal.look([0, 1])))
        other.update(0, processing("ia_1"))
        await other.save()
        heard.append(dict(await journal.look([0, 1])))
        return []

    async with cluster.running():
        await cluster.begin(cluster.coordinator.begin_chunk(), work)
    nothing, marked, answered = heard
    assert nothing == {}
    assert {p: str(state.status) for p, state in marked.items()} == {1: "submitting"}
    assert {p: state.job_id for p, state in answered.items()} == {0: "ia_1"}


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
