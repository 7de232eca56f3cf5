"""The client on bad days, against a script: trouble on the way, and answers that are strange."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from prefect_staticadslab.api import errors
from prefect_staticadslab.api.resources import Brand
from prefect_staticadslab.api.responses.api_clock import APIClock
from prefect_staticadslab.api.retries.policy import RetryPolicy
from tests.api.test_client import AD, client_of
from tests.conftest import MakeRequest
from tests.support.scripted import DROP, HANG, answer, data, error, scripted

pytestmark = pytest.mark.usefixtures("no_pauses_between_retries")

# On bad days


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(error(500, "INTERNAL"), id="500"),
        pytest.param(error(503, "UNAVAILABLE"), id="503"),
        pytest.param(answer("<html>Bad gateway</html>", 502), id="HTML 502"),
        pytest.param(answer("<html>Welcome</html>", 200), id="HTML 200"),
        pytest.param(answer("<html>Not here</html>", 404), id="HTML 404"),
        pytest.param(answer({"data": None}, 500), id="500 without an error"),
        pytest.param(answer({"meta": {}}, 200), id="no data"),
        pytest.param(answer([1, 2], 200), id="a list"),
        pytest.param(answer("", 200), id="nothing"),
        pytest.param(DROP, id="dropped"),
        pytest.param(data(AD, 202)[:-20], id="cut"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{", id="cut chunk"
        ),
        pytest.param(b"nonsense\r\n\r\n", id="no HTTP"),
    ],
)
async def test_trouble_is_tried_again_with_the_same_key_and_body(
    trouble: bytes, make_request: MakeRequest
) -> None:
    async with (
        scripted([trouble, trouble, data(AD, 202, idempotent_replayed="true")]) as server,
        client_of(server.url) as client,
    ):
        created = await client.create_image_ad(make_request("Once"), idempotency_key="k-1")
    assert created.image_ad.id == "ia_1"
    assert created.replayed
    assert [r.headers["idempotency-key"] for r in server.received] == ["k-1"] * 3
    assert len({r.body for r in server.received}) == 1


async def test_a_silent_server_is_given_up_and_asked_again(make_request: MakeRequest) -> None:
    async with (
        scripted([HANG, data(AD, 202)]) as server,
        client_of(server.url, create_read_seconds=0.2) as client,
    ):
        assert (await client.create_image_ad(make_request())).image_ad.id == "ia_1"
    assert len(server.received) == 2


async def test_an_answer_that_trickles_in_is_given_up(
    make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prefect_staticadslab.bounds.REQUEST_SECONDS", 0.2)
    begun = data(AD, 202)[:-5] + HANG
    async with scripted([begun, data(AD, 202)]) as server, client_of(server.url) as client:
        assert (await client.create_image_ad(make_request())).image_ad.id == "ia_1"
    assert len(server.received) == 2


@pytest.mark.parametrize(
    ("timestamp", "hours"),
    [("2100-01-01T00:00:00Z", 0), ("soon", 0), (None, 0), ("in 5 hours", 5)],
)
async def test_the_time_is_the_apis(timestamp: str | None, hours: int) -> None:
    if timestamp == "in 5 hours":
        timestamp = (datetime.now(UTC) + timedelta(hours=5)).isoformat()
    reply = answer({"data": {"organization": "O"}, "meta": {"timestamp": timestamp}})
    async with scripted([reply]) as server, client_of(server.url) as client:
        await client.get_account()
        ahead = client.now() - datetime.now(UTC)
    assert abs(ahead - timedelta(hours=hours)) < timedelta(minutes=1)


@pytest.mark.parametrize("status", [202, 402])
async def test_what_is_answered_as_it_was_before_does_not_say_how_late_it_is(
    make_request: MakeRequest, status: int
) -> None:
    """The clock went back to when the key was first used: rows were marked with that hour."""

    def meta(hours: int) -> dict[str, object]:
        moment = datetime.now(UTC) + timedelta(hours=hours)
        return {"meta": {"timestamp": moment.isoformat()}}

    said = {"data": AD} if status == 202 else {"error": {"code": "INSUFFICIENT_BALANCE"}}
    replies = [
        answer({"data": {"organization": "O"}, **meta(-5)}),
        answer({**said, **meta(-20)}, status, idempotent_replayed="true"),
        answer({"data": AD, **meta(-4)}, 202),
    ]
    async with scripted(replies) as server, client_of(server.url) as client:
        await client.get_account()
        told = []
        with suppress(errors.InsufficientBalanceError):
            await client.create_image_ad(make_request("Once"), idempotency_key="k-1")
        told.append(client.clock_ahead)
        await client.create_image_ad(make_request("Twice"), idempotency_key="k-2")
        told.append(client.clock_ahead)
    assert [round(ahead / timedelta(hours=1)) for ahead in told] == [-5, -4]


HOUR = timedelta(hours=1)
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("known", "asked", "says", "answered", "ahead"),
    [
        pytest.param(None, 0, 5, 0, 5, id="the first answer"),
        pytest.param(None, 0, 0, 3, 0, id="the first answer waited while the computer slept"),
        pytest.param(5, 0, 5, 3, 5, id="it waited while the computer slept"),
        pytest.param(0, 0, 0, 3, 0, id="it waited, and both clocks are right"),
        pytest.param(0, 0, 3, 3, 0, id="the API took hours"),
        pytest.param(0, 0, 5, 3, 2, id="the API is ahead by two at least"),
        pytest.param(0, 0, -4, 3, -4, id="the API is behind by four at least"),
        pytest.param(-5, 0, 0, 0, 0, id="our clock was put right"),
        pytest.param(0, 3, 3, 0, 3, id="our clock was put back meanwhile"),
        pytest.param(1, 0, 48, 0, 1, id="nonsense"),
        pytest.param(1, 0, None, 0, 1, id="it does not say"),
    ],
)
def test_an_answer_tells_how_late_it_was_between_question_and_answer(
    known: int | None, asked: int, says: int | None, answered: int, ahead: int
) -> None:
    """Of an ad that another run had sent 70 s before, an old answer said it was but a second: it
    was sent again at once, and both were paid for. All are hours after noon."""
    clock = APIClock()
    if known is not None:
        clock.ahead, clock.is_known = known * HOUR, True
    with time_machine.travel(NOON + answered * HOUR, tick=False):
        clock.note_time(None if says is None else NOON + says * HOUR, NOON + asked * HOUR)
        assert clock.ahead == ahead * HOUR
        assert clock.now() == NOON + (answered + ahead) * HOUR


def test_a_proxy_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://127.0.0.1:1")
    with pytest.raises(errors.APIConnectionError, match="No HTTP client can be set up"):
        client_of("https://api.example")
    client_of("http://127.0.0.1:9")  # which no proxy is asked for


async def test_attempts_end(make_request: MakeRequest) -> None:
    async with (
        scripted([error(503, "UNAVAILABLE")]) as server,
        client_of(server.url, max_tries=3) as client,
    ):
        with pytest.raises(errors.ServerError):
            await client.create_image_ad(make_request())
    assert len(server.received) == 3


async def test_429_is_a_wait_and_takes_no_attempt(make_request: MakeRequest) -> None:
    busy = answer({"error": {"code": "RATE_LIMIT_EXCEEDED"}}, 429, retry_after="0.05")
    async with (
        scripted([busy, busy, busy, data(AD, 202)]) as server,
        client_of(server.url, max_tries=1) as client,
    ):
        assert (await client.create_image_ad(make_request())).image_ad.id == "ia_1"
    assert len(server.received) == 4


def test_what_the_server_asks_to_wait_is_waited() -> None:
    policy = RetryPolicy(max_tries=2)
    busy = errors.ServerError("Busy.", status=503, retry_after=7)
    assert policy(busy) == 7
    assert policy(busy) is False


async def test_a_refused_connection_is_an_error_of_its_own() -> None:
    async with scripted([DROP]) as server:
        pass
    async with client_of(server.url, max_tries=2) as client:
        with pytest.raises(errors.APIConnectionError, match="GET /v1/account"):
            await client.get_account()


async def test_what_on_send_raises_keeps_the_request_from_being_sent(
    make_request: MakeRequest,
) -> None:
    def no() -> None:
        raise RuntimeError("not now")

    async with scripted([data(AD)]) as server, client_of(server.url) as client:
        with pytest.raises(RuntimeError, match="not now"):
            await client.create_image_ad(make_request(), on_send=no)
    assert server.received == []


async def test_what_on_send_returns_is_awaited_off_turn_and_takes_no_try(
    make_request: MakeRequest,
) -> None:
    seen: list[str] = []
    turns: list[int] = []

    def on_send() -> Awaitable[None] | None:
        seen.append("asked")
        return look() if seen.count("looked") < seen.count("asked") / 2 else None

    async def look() -> None:
        seen.append("looked")
        turns.append(client.limiter._state.in_flight)

    async with scripted([DROP] * 4) as server, client_of(server.url, max_tries=3) as client:
        with pytest.raises(errors.APIConnectionError):
            await client.create_image_ad(make_request(), on_send=on_send)
    assert seen == ["asked", "looked", "asked"] * 3
    assert turns == [0, 0, 0]
    assert len(server.received) == 3


# Answers that are strange, and good enough


async def test_a_create_may_answer_200(make_request: MakeRequest) -> None:
    async with scripted([data(AD, 200)]) as server, client_of(server.url) as client:
        assert (await client.create_image_ad(make_request())).image_ad.status == "processing"


async def test_fields_that_make_no_sense_are_left_out() -> None:
    odd = {
        "id": "ia_1",
        "status": "completed",
        "image_url": "https://cdn/1.png",
        "width": "wide",
        "created_at": "yesterday",
        "error": "none",
        "progress": [],
    }
    async with scripted([data(odd)]) as server, client_of(server.url) as client:
        ad = await client.get_image_ad("ia_1")
    assert ad.is_completed
    assert (ad.width, ad.created_at, ad.error, ad.progress) == (None, None, None, None)


async def test_completed_without_a_url_is_not_finished_and_neither_is_an_unknown_status() -> None:
    for odd in ({"status": "completed", "image_url": None}, {"status": "rendering"}):
        async with scripted([data({"id": "ia_1", **odd})]) as server, client_of(server.url) as c:
            assert not (await c.get_image_ad("ia_1")).is_finished


async def test_one_garbled_item_does_not_hide_the_others() -> None:
    items = [{"id": "ia_1"}, "what", {"status": "completed"}, {"id": "ia_2"}]
    async with scripted([data(items)]) as server, client_of(server.url) as client:
        assert [ad.id for ad in await client.get_image_ads(["ia_1", "ia_2", "ia_3"])] == [
            "ia_1",
            "ia_2",
        ]


@pytest.mark.parametrize(("status", "code"), [(400, "VALIDATION_ERROR"), (404, "NOT_FOUND")])
async def test_a_batch_that_is_refused_is_read_in_halves(status: int, code: str) -> None:
    refused = error(status, code)
    script = [refused, data([{"id": "ia_1"}, {"id": "ia_2"}]), data([{"id": "ia_3"}])]
    async with scripted(script) as server, client_of(server.url) as client:
        ads = await client.get_image_ads(["ia_1", "ia_2", "ia_3"])
    assert [ad.id for ad in ads] == ["ia_1", "ia_2", "ia_3"]
    assert server.received[0].path == "/v1/image-ads?ids=ia_1,ia_2,ia_3"


@pytest.mark.parametrize("where", ["top", "meta"])
async def test_more_pages_may_be_announced_in_either_place(where: str) -> None:
    def page(identifier: str, more: bool) -> bytes:
        body: dict[str, Any] = {"data": [{"id": identifier}], "meta": {}}
        body |= {"has_more": more} if where == "top" else {"meta": {"has_more": more}}
        return answer(body)

    async with (
        scripted([page("brand_1", True), page("brand_2", False)]) as server,
        client_of(server.url) as client,
    ):
        assert [b.id async for b in client.list_resources(Brand)] == ["brand_1", "brand_2"]
    assert "starting_after=brand_1" in server.received[1].path


async def test_a_page_that_repeats_itself_ends_the_list() -> None:
    page = answer({"data": [{"id": "brand_1"}], "has_more": True})
    async with scripted([page]) as server, client_of(server.url) as client:
        assert [b.id async for b in client.list_resources(Brand)] == ["brand_1", "brand_1"]
