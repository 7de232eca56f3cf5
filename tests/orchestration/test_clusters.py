"""What a run and the workers of a cluster tell each other, without a cluster."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prefect_staticadslab import JobState, StaticAdsLabCredentials
from prefect_staticadslab.campaign.campaign import prepare, run
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.pipeline.chunks import Chunk
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult, Journal, PlannedJob
from prefect_staticadslab.campaign.runs.credentials import by_api_key_hash, limiters_of, run_chunk
from prefect_staticadslab.simulator import SimulatorServer
from prefect_staticadslab.tasks.clusters import worker_journal
from prefect_staticadslab.tasks.clusters.chunk_contact import ChunkContact
from prefect_staticadslab.tasks.clusters.coordinator import Coordinator
from prefect_staticadslab.tasks.clusters.messages import Answer, Report
from prefect_staticadslab.tasks.clusters.worker_journal import JournalLink
from prefect_staticadslab.tasks.clusters.worker_tasks import WorkerTasks
from tests.campaign.table.test_line_matching import PRICES, marked, priced
from tests.conftest import write_campaign
from tests.orchestration.clusters import Cluster, MemoryMailboxes, generating, processing, until

pytestmark = pytest.mark.usefixtures("quick_clusters")


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
        results = await cluster.coordinator.wait_for_result(journal, worker)
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
        waiting = asyncio.create_task(cluster.coordinator.wait_for_result(journal, worker))
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
        for result in await cluster.coordinator.wait_for_result(journal, worker):
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
    keys = limiters_of(by_api_key_hash(credentials))
    given: list[int] = []

    def submit(
        chunk: Chunk, attempts: int, journal: JournalLink | None
    ) -> Callable[[], list[ImageAdResult]]:
        assert (journal is not None) is has_mailboxes
        given.append(len(chunk.jobs))
        work = run_chunk(credentials, chunk.jobs, attempts, 60, True, journal)
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


async def test_another_rows_ad_is_not_taken_for_a_rows_own(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, "a", "b")

    async def work(journal: Journal) -> list[ImageAdResult]:
        await journal.before_send(cluster.sent(0, 1))
        return [ImageAdResult(0, processing("ia_1")), ImageAdResult(1, processing("ia_1"))]

    async with cluster.running():
        journal = cluster.coordinator.begin_chunk()
        cluster.table.update(0, processing("ia_1"))
        results = await cluster.coordinator.wait_for_result(journal, cluster.begin(journal, work))
    assert results[0].state.job_id == "ia_1"
    assert results[1].state.job_id is None
    assert "which is the ad of an equal row" in (results[1].state.error or "")


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


def first_time(is_it: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Whether a message is one of a kind, and the first one of it."""
    seen: list[Any] = []

    def is_first(message: Any) -> bool:
        if not seen and is_it(message):
            seen.append(message)
            return True
        return False

    return is_first


def asks(question: int) -> Callable[[Any], bool]:
    return lambda message: isinstance(message, Report) and message.question == question


def answers(question: int) -> Callable[[Any], bool]:
    return lambda message: isinstance(message, Answer) and message.question == question


LOSSES: list[tuple[str, Callable[[Any], bool], bool]] = [
    ("first report", lambda message: isinstance(message, Report), True),
    ("first report unseen", lambda message: isinstance(message, Report), False),
    *((f"question {n}", asks(n), True) for n in (1, 2, 3)),
    *((f"question {n} unseen", asks(n), False) for n in (1, 2, 3)),
    *((f"answer {n}", answers(n), True) for n in (1, 2, 3)),
    *((f"answer {n} unseen", answers(n), False) for n in (1, 2, 3)),
]


@pytest.mark.parametrize(
    ("lost", "tells"), [case[1:] for case in LOSSES], ids=[c[0] for c in LOSSES]
)
async def test_one_message_that_is_lost_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: Callable[[Any], bool], tells: bool
) -> None:
    monkeypatch.setattr(worker_journal, "HEARTBEAT_SECONDS", 0.05)
    cluster = Cluster(tmp_path, "one", "two")
    cluster.mailboxes.loses, cluster.mailboxes.tells_of_losses = first_time(lost), tells
    other = Campaign.open(str(tmp_path / "in.csv"), cluster.output).table
    heard: list[Any] = []

    async def work(journal: Journal) -> list[ImageAdResult]:
        # By then it has reported, as one does that looks for earlier ads first.
        await until(lambda: bool(cluster.mailboxes.reports))
        marked = await asyncio.gather(*(journal.before_send(cluster.sent(p)) for p in (0, 1)))
        heard.extend(str(known[p].status) for p, known in enumerate(marked))
        other.update(0, processing("ia_1"))
        await other.save()
        heard.append({p: s.job_id for p, s in (await journal.look([0, 1])).items()})
        heard.append(dict(await journal.look([0, 1])))
        return []

    async with cluster.running():
        await cluster.begin(cluster.coordinator.begin_chunk(), work)
    assert heard == ["submitting", "submitting", {0: "ia_1"}, {}]


async def test_what_a_look_found_that_was_given_up_is_told_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_journal, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(worker_journal, "LOOK_ANSWER_SECONDS", 0.5)
    cluster = Cluster(tmp_path, "one", "two")
    other = Campaign.open(str(tmp_path / "in.csv"), cluster.output).table
    heard: list[Any] = []

    async def work(journal: Journal) -> list[ImageAdResult]:
        await journal.before_send(cluster.sent(0, 1))
        for position in (0, 1):
            other.update(position, processing(f"ia_{position}"))
        await other.save()
        cluster.mailboxes.loses = lambda message: isinstance(message, Answer)
        for _ in range(2):
            with pytest.raises(CampaignError, match="does not tell its worker"):
                await journal.look([0, 1])
        cluster.mailboxes.loses = lambda message: False
        monkeypatch.setattr(worker_journal, "LOOK_ANSWER_SECONDS", 60.0)
        # Of the rows only that are still asked for.
        for _ in range(2):
            heard.append({p: s.job_id for p, s in (await journal.look([1])).items()})
        return []

    async with cluster.running():
        await cluster.begin(cluster.coordinator.begin_chunk(), work)
    assert heard == [{1: "ia_1"}, {}]


def test_what_a_worker_has_heard_is_forgotten() -> None:
    contact = ChunkContact(0.0)

    def asked_anew(number: int, question: int, *unanswered: int) -> bool:
        report = Report("chunk", "box", number, question=question, unanswered=unanswered)
        return contact.note_question(report) is not None

    assert not contact.is_late("box")
    assert asked_anew(0, 2, 1, 2)
    assert asked_anew(1, 1, 1, 2)
    assert not asked_anew(2, 1, 1, 2)
    assert not asked_anew(3, 0, 2)
    assert set(contact.questions) == {2}
    # Another worker asks questions of its own, and whoever was replaced stays late.
    assert not contact.is_late("successor")
    assert contact.is_late("box")
    assert asked_anew(4, 2, 2)


async def test_a_worker_does_not_send_what_another_run_asks_for_in_other_words(
    tmp_path: Path,
) -> None:
    first, second = (priced(str(tmp_path / "out.csv"), price) for price in PRICES)
    await first.before_send({0: marked(0)})
    row, coordinator = second.rows[0], Coordinator(MemoryMailboxes(), second)
    plan = PlannedJob(0, row.request, "campaign", row.identity)

    async def work(journal: Journal) -> list[ImageAdResult]:
        return [ImageAdResult(0, (await journal.before_send({0: marked(1)}))[0])]

    async with coordinator.listening():
        journal = coordinator.begin_chunk()
        worker = asyncio.ensure_future(journal.run_with_journal([plan], work))
        (result,) = await coordinator.wait_for_result(journal, worker)
    assert result.state == JobState(attempts=1)
