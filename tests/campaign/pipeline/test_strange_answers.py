"""The pipeline against answers of an API in trouble, and such as no honest API gives."""

from __future__ import annotations

import asyncio

import pytest

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.pipeline import session as sessions
from prefect_staticadslab.campaign.pipeline.chunk_run import generate
from tests.campaign.pipeline.test_pipeline import planned, session_of, statuses
from tests.conftest import MakeRequest
from tests.support.scripted import DROP, answer, data, error, scripted

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
