"""The pipeline against the simulator and against answers that no honest API gives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from prefect_staticadslab import ImageAdResult, JobState, PlannedJob, RowStatus
from prefect_staticadslab.campaign.pipeline import session as sessions
from prefect_staticadslab.campaign.pipeline.attempt import Attempt
from prefect_staticadslab.campaign.pipeline.chunk import generate
from prefect_staticadslab.campaign.pipeline.session import Session, shared_session
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.simulator.model.admission.api_keys import READ_ONLY_API_KEY
from tests.conftest import MakeRequest, sent_at
from tests.support.gate import closed_gate
from tests.support.scripted import DROP, answer, data, error, scripted


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


async def test_an_ad_that_was_created_is_only_followed(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    async with session_of(simulator.url) as session:
        ad = (await session.client.create_image_ad(make_request("a"))).image_ad
        known = JobState(RowStatus.PROCESSING, job_id=ad.id, attempts=1)
        (result,) = await generate(session, planned(make_request, "a", states={0: known}))
    assert (result.state.status, result.state.job_id) == (RowStatus.COMPLETED, ad.id)
    assert len(simulator.api.jobs) == 1


async def test_a_row_that_may_have_been_sent_is_sent_with_the_same_key(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    (plan,) = planned(make_request, "a")
    async with session_of(simulator.url) as session:
        lost = await session.client.create_image_ad(make_request("a"), idempotency_key=plan.key(1))
        submitting = {0: JobState(RowStatus.SUBMITTING, attempts=1)}
        (result,) = await generate(session, planned(make_request, "a", states=submitting))
    assert result.state.job_id == lost.image_ad.id
    assert result.state.attempts == 1


async def test_a_row_that_failed_before_gets_a_new_attempt(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    failed = {0: JobState(RowStatus.FAILED, error="no", attempts=3)}
    async with session_of(simulator.url) as session:
        (result,) = await generate(session, planned(make_request, "a", states=failed))
    assert (result.state.status, result.state.attempts) == (RowStatus.COMPLETED, 4)


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


RUNNING = {"id": "ia_1", "status": "processing"}
DONE = {"id": "ia_1", "status": "completed", "image_url": "https://cdn/1.png"}


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([data(RUNNING), data([]), data([DONE])], id="left out once"),
        pytest.param(
            [data(RUNNING), data([]), data([]), data([]), data(DONE)], id="left out always"
        ),
        pytest.param([data(RUNNING), data([{"id": "ia_9"}, DONE, DONE])], id="others, and twice"),
        pytest.param(
            [data(RUNNING), data([{**DONE, "image_url": None}]), data([DONE])],
            id="completed without a URL",
        ),
        pytest.param(
            [data(RUNNING), data([{**RUNNING, "status": "dreaming"}]), data([DONE])],
            id="unknown status",
        ),
        pytest.param(
            [data(RUNNING), answer("<html>", 502), data([DONE])], id="an HTML page for a poll"
        ),
        pytest.param([data(DONE)], id="finished at once"),
    ],
)
async def test_strange_answers_lose_no_ad(script: list[bytes], make_request: MakeRequest) -> None:
    async with scripted(script) as server, session_of(server.url) as session:
        (result,) = await generate(session, planned(make_request, "a"), timeout_seconds=600)
    assert result.state.status is RowStatus.COMPLETED
    assert result.state.image_url == "https://cdn/1.png"


async def test_an_ad_that_the_api_does_not_know_is_told_and_not_bought_again(
    make_request: MakeRequest,
) -> None:
    known = {0: JobState(RowStatus.PROCESSING, job_id="ia_1", attempts=1)}
    script = [data([]), data([]), *[data([]), error(404, "NOT_FOUND")] * 3]
    async with scripted(script) as server, session_of(server.url) as session:
        (result,) = await generate(
            session, planned(make_request, "a", states=known), timeout_seconds=600
        )
    assert (result.state.status, result.state.job_id) == (RowStatus.PROCESSING, "ia_1")
    assert "does not know" in (result.state.error or "")
    assert {r.method for r in server.received} == {"GET"}


@pytest.fixture
def short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prefect_staticadslab.api.retries.tries.FIRST_BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr("prefect_staticadslab.api.retries.tries.LONGEST_BACKOFF_SECONDS", 0.01)


@pytest.mark.usefixtures("short_backoff")
@pytest.mark.parametrize("stop", [error(402, "INSUFFICIENT_BALANCE"), error(401, "UNAUTHORIZED")])
async def test_a_create_that_was_cut_and_then_refused_may_exist_all_the_same(
    make_request: MakeRequest, stop: bytes
) -> None:
    async with scripted([DROP, stop]) as server, session_of(server.url) as session:
        (result,) = await generate(session, planned(make_request, "a"))
    assert (result.state.status, result.state.attempts) == (RowStatus.SUBMITTING, 1)
    assert result.stopped_by


@pytest.mark.usefixtures("short_backoff")
async def test_a_key_in_use_is_waited_for_and_kept(
    make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prefect_staticadslab.api.retries.key_lock.WORK_SECONDS", 0.01)
    script = [error(409, "IDEMPOTENCY_CONFLICT"), data(RUNNING, 202), data([DONE])]
    async with scripted(script) as server, session_of(server.url) as session:
        (result,) = await generate(session, planned(make_request, "a"))
    assert (result.state.status, result.state.attempts) == (RowStatus.COMPLETED, 1)
    assert len({r.headers.get("idempotency-key") for r in server.received[:2]}) == 1
    assert not result.replayed


async def test_a_conflict_is_the_rows_mistake(make_request: MakeRequest) -> None:
    script = [error(409, "CONFLICT", "There is one like it."), data(RUNNING, 202), data([DONE])]
    async with scripted(script) as server, session_of(server.url) as session:
        (result,) = await generate(session, planned(make_request, "a"))
    assert (result.state.status, result.state.attempts) == (RowStatus.FAILED, 1)
    assert "There is one like it." in (result.state.error or "")
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("marked_before", "waits"), [(5, 0.0), (24, 0.0), (26, 80.0), (3_600, 80.0), (3_700, 0.0)]
)
def test_what_another_run_may_have_sent_waits_until_the_api_has_done_with_it(
    make_request: MakeRequest, marked_before: float, waits: float
) -> None:
    now = datetime.now(UTC)
    marked = sent_at(now - timedelta(seconds=marked_before), "aa" * 8)
    attempt = Attempt(planned(make_request, "a", states={0: marked})[0])
    attempt.begin(now, "aa" * 8)
    assert attempt.seconds_until_safe(now, 10, work_seconds=90) == waits
    assert attempt.seconds_until_safe(now, 90, work_seconds=90) == 0
    attempt.sends = 1
    assert attempt.seconds_until_safe(now, 10, work_seconds=90) == 0


@pytest.mark.parametrize(("first_used", "waits"), [(20, 0.0), (26, 80.0), (34, 80.0), (600, 80.0)])
def test_a_lock_counts_from_the_first_use_of_a_key_whoever_has_marked_it_anew(
    make_request: MakeRequest, first_used: float, waits: float
) -> None:
    now = datetime.now(UTC)
    marked = replace(
        sent_at(now - timedelta(seconds=3), "aa" * 8),
        submitted_at=now - timedelta(seconds=first_used),
    )
    attempt = Attempt(planned(make_request, "a", states={0: marked})[0])
    attempt.begin(now, "aa" * 8)
    assert attempt.sent_elsewhere(now) == first_used
    assert attempt.seconds_until_safe(now, 10, work_seconds=90) == waits


async def test_whatever_a_message_holds_a_table_can_hold_it(make_request: MakeRequest) -> None:
    failed = {**RUNNING, "status": "failed", "error": {"code": "X", "message": "a\x00\ud83d b"}}
    async with scripted([data(failed)]) as server, session_of(server.url) as session:
        (result,) = await generate(session, planned(make_request, "a"), attempts=1)
    assert result.state.error == "a b (X)"


@pytest.mark.usefixtures("short_backoff")
async def test_a_create_of_unknown_outcome_stays_submitting(make_request: MakeRequest) -> None:
    async with scripted([error(503, "UNAVAILABLE")]) as server, session_of(server.url) as session:
        (result,) = await generate(session, planned(make_request, "a"))
    assert result.state.status is RowStatus.SUBMITTING
    assert result.state.attempts == 1
    assert "503" in (result.state.error or "")


async def test_chunks_of_one_key_share_a_session_and_its_polls(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    async with session_of(simulator.url) as one, session_of(simulator.url) as two:
        assert one is two
        ads = planned(make_request, *map(str, range(90)))
        await asyncio.gather(*(generate(one, ads[i : i + 10]) for i in range(0, 90, 10)))
    assert simulator.api.counts["batch reads"] < 15


REFUSED_BEFORE = answer(
    {"error": {"code": "INSUFFICIENT_BALANCE", "message": "No."}}, 402, idempotent_replayed="true"
)


async def test_a_refusal_of_another_day_is_left_behind_with_its_key(
    make_request: MakeRequest,
) -> None:
    script = [REFUSED_BEFORE, data(RUNNING, 202), data([DONE])]
    async with scripted(script) as server, session_of(server.url) as session:
        (result,) = await generate(session, planned(make_request, "a"))
    assert (result.state.status, result.state.attempts) == (RowStatus.COMPLETED, 2)
    assert len({r.headers.get("idempotency-key") for r in server.received[:2]}) == 2


async def test_an_api_that_only_repeats_itself_is_not_asked_for_ever(
    make_request: MakeRequest,
) -> None:
    async with scripted([REFUSED_BEFORE]) as server, session_of(server.url) as session:
        (result,) = await generate(session, planned(make_request, "a"))
    assert result.state.status is RowStatus.PENDING
    assert "402" in (result.stopped_by or "")
    assert len(server.received) == 4


async def test_another_rows_ad_is_not_taken_for_this_rows(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    """Two equal rows, of which somebody deleted the first one's line from the table."""
    notes = Notes()
    first, second = (PlannedJob(i, make_request("x"), "campaign", f"nr {i}") for i in range(2))
    async with session_of(simulator.url) as session:
        (had,) = await generate(session, [second], wait=False)
        notes.update(first.position, had.state)
        (result,) = await generate(session, [second], journal=notes)
    assert result.state.status is RowStatus.SUBMITTING
    assert f"answers with {had.state.job_id}, which is the ad of an equal row" in (
        result.state.error or ""
    )
    assert len(simulator.api.jobs) == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "VALIDATION_ERROR"),
        (404, "NOT_FOUND"),
        (413, "PAYLOAD_TOO_LARGE"),
        (422, "RELATIONSHIP_ERROR"),
    ],
)
async def test_what_is_wrong_with_a_row_fails_that_row_alone(
    make_request: MakeRequest, status: int, code: str
) -> None:
    script = [error(status, code, "Not so."), data(RUNNING, 202), data([DONE])]
    async with scripted(script) as server, session_of(server.url) as session:
        session.open_creates = asyncio.Semaphore(1)
        results = await generate(session, planned(make_request, "a", "b"))
    assert statuses(results) == ["failed", "completed"]
    assert f"Not so. ({status} {code}, request req_9)" in (results[0].state.error or "")
    assert results[0].stopped_by is None


@pytest.mark.parametrize("stop", [error(401, "UNAUTHORIZED"), error(403, "FORBIDDEN")])
async def test_a_key_that_is_refused_stops_everything(
    make_request: MakeRequest, stop: bytes
) -> None:
    async with scripted([stop]) as server, session_of(server.url) as session:
        session.open_creates = asyncio.Semaphore(1)
        results = await generate(session, planned(make_request, "a", "b", "c"))
    assert statuses(results) == ["pending"] * 3
    assert all("dashboard" in (r.stopped_by or "") for r in results)
    assert len(server.received) == 1


@pytest.mark.usefixtures("short_backoff")
async def test_trouble_fails_no_row_while_tries_remain(make_request: MakeRequest) -> None:
    busy = answer({"error": {"code": "RATE_LIMIT_EXCEEDED"}}, 429, retry_after="0.05")
    trouble = [busy, error(500, "INTERNAL"), DROP, answer("<html>", 502), error(503, "X"), busy]
    script = [*trouble, data(RUNNING, 202), *trouble, data([DONE])]
    async with scripted(script) as server, session_of(server.url) as session:
        (result,) = await generate(session, planned(make_request, "a"))
    assert (result.state.status, result.state.attempts) == (RowStatus.COMPLETED, 1)


@pytest.mark.usefixtures("short_backoff")
@pytest.mark.parametrize(
    "refusal", [error(404, "NOT_FOUND"), error(422, "RELATIONSHIP_ERROR")], ids=["404", "422"]
)
async def test_a_refusal_after_a_cut_create_proves_nothing(
    make_request: MakeRequest, refusal: bytes
) -> None:
    script = [DROP, refusal, data({**RUNNING}, 202, idempotent_replayed="true"), data([DONE])]
    async with scripted(script) as server, session_of(server.url) as session:
        (first,) = await generate(session, planned(make_request, "a"))
        assert first.state.status is RowStatus.SUBMITTING
        (again,) = await generate(session, planned(make_request, "a", states={0: first.state}))
    assert (again.state.status, again.state.attempts) == (RowStatus.COMPLETED, 1)
    assert len({r.headers.get("idempotency-key") for r in server.received[:3]}) == 1


@pytest.mark.usefixtures("short_backoff")
async def test_a_gateways_404_is_not_the_apis(make_request: MakeRequest) -> None:
    gateway = answer({"message": "no Route matched with those values"}, 404)
    script = [gateway, data(RUNNING, 202), data([DONE])]
    async with scripted(script) as server, session_of(server.url) as session:
        (result,) = await generate(session, planned(make_request, "a"))
    assert (result.state.status, result.state.attempts) == (RowStatus.COMPLETED, 1)


@dataclass
class Faster(Notes):
    """A journal in which another run has written down what it knows, at the last moment."""

    known: dict[int, JobState] = field(default_factory=dict)

    async def before_send(self, changes: Mapping[int, JobState]) -> Mapping[int, JobState]:
        return {**await super().before_send(changes), **self.known}


async def test_what_another_run_has_created_is_followed_and_not_created(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    async with session_of(simulator.url) as session:
        ad = (await session.client.create_image_ad(make_request("a"))).image_ad
        faster = Faster(known={0: JobState(RowStatus.PROCESSING, job_id=ad.id, attempts=1)})
        (result,) = await generate(session, planned(make_request, "a"), journal=faster)
    assert (result.state.status, result.state.job_id) == (RowStatus.COMPLETED, ad.id)
    assert len(simulator.api.jobs) == 1


async def test_what_another_run_has_sent_is_asked_for_with_its_key(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    now = datetime.now(UTC)
    async with session_of(simulator.url) as session:
        (plan,) = planned(make_request, "a")
        key = "00ff" * 16
        ad = (await session.client.create_image_ad(make_request("a"), idempotency_key=key)).image_ad
        sent = sent_at(now, session.client.api_key_hash)
        (result,) = await generate(session, [plan], journal=Faster(known={0: sent}))
    assert (result.state.status, result.state.job_id) == (RowStatus.COMPLETED, ad.id)


async def test_what_another_api_key_has_sent_is_left_to_it(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    now = datetime.now(UTC)
    sent = sent_at(now, "another")
    async with session_of(simulator.url) as session:
        (result,) = await generate(
            session, planned(make_request, "a"), journal=Faster(known={0: sent})
        )
    assert result.state.status is RowStatus.SUBMITTING
    assert "another API key" in (result.state.error or "")
    assert len(simulator.api.jobs) == 0


@pytest.mark.parametrize("hours", [21, 2], ids=["it may exist", "it was never sent"])
async def test_what_a_computer_slept_over_is_not_sent(
    simulator: SimulatorServer, make_request: MakeRequest, hours: int
) -> None:
    """Its key may have expired; or nobody would look for an ad that was created so late."""
    long_ago = datetime.now(UTC) - timedelta(hours=hours)
    async with session_of(simulator.url) as session:
        if hours > 20:
            sent = sent_at(long_ago, session.client.api_key_hash)
            (result,) = await generate(session, planned(make_request, "a", states={0: sent}))
            assert result.state.status is RowStatus.SUBMITTING
            assert "too long ago" in (result.state.error or "")
        else:
            clock = session.client.now
            times = iter([long_ago])
            session.client.now = lambda: next(times, clock())  # type: ignore[method-assign]
            (result,) = await generate(session, planned(make_request, "a"))
            assert (result.state.status, result.state.attempts) == (RowStatus.PENDING, 0)
    assert len(simulator.api.jobs) == 0


@pytest.mark.usefixtures("short_backoff")
async def test_an_api_that_is_away_is_not_asked_for_hours(
    make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "LOST_CREATES", 4)
    async with scripted([error(503, "UNAVAILABLE")]) as server, session_of(server.url) as session:
        session.open_creates = asyncio.Semaphore(1)
        results = await generate(session, planned(make_request, *map(str, range(20))))
    assert statuses(results) == ["submitting"] * 4 + ["pending"] * 16
    assert "does not answer" in (results[-1].stopped_by or "")


async def test_a_book_of_an_error_is_cut(make_request: MakeRequest) -> None:
    long = error(400, "VALIDATION_ERROR", "no " * 1_000_000)
    async with scripted([long]) as server, session_of(server.url) as session:
        (result,) = await generate(session, planned(make_request, "a"))
    assert result.state.status is RowStatus.FAILED
    assert len(result.state.error or "") == 1000
