"""Following jobs: one, many, and live."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest
import stamina

from prefect_staticadslab import (
    Complete,
    Failed,
    Heartbeat,
    ImageAdEvent,
    Progress,
    Started,
    StaticAdsLabClient,
)
from prefect_staticadslab.api import waiting
from prefect_staticadslab.api.errors import (
    AuthenticationError,
    ImageAdFailedError,
    NotFoundError,
    WaitTimeoutError,
)
from prefect_staticadslab.api.rate_limit import RateLimiter
from tests.conftest import MakeRequest
from tests.support.scripted import DROP, HANG, answer, data, error, scripted, stream

DONE = {"id": "ia_1", "status": "completed", "image_url": "https://cdn/1.png"}
RUNNING = {"id": "ia_1", "status": "processing"}

LONGER_AND_LONGER = (0.3, 3, 30)
"""Seconds in which a stream begins; the machine that needs the last of them is yet to be built."""


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(waiting, "SHORTEST_POLL_SECONDS", 0.01)
    with stamina.set_testing(True, attempts=50):
        yield


def client_of(url: str) -> StaticAdsLabClient:
    return StaticAdsLabClient("sal_live_x", url, limiter=RateLimiter(), max_tries=1)


async def test_one_ad_is_polled_to_its_end(
    client: StaticAdsLabClient, make_request: MakeRequest
) -> None:
    ad = (await client.create_image_ad(make_request())).image_ad
    finished = await waiting.wait_for_image_ad(client, ad.id, poll_seconds=0.2)
    assert finished.is_completed
    assert (finished.image_url or "").endswith(f"{ad.id}.png")


async def test_a_failed_job_raises_with_its_reason(
    client: StaticAdsLabClient, make_request: MakeRequest
) -> None:
    ad = (await client.create_image_ad(make_request("SIMULATE_FAILURE"))).image_ad
    with pytest.raises(ImageAdFailedError, match="PIPELINE_ERROR"):
        await waiting.wait_for_image_ad(client, ad.id, poll_seconds=0.2)


async def test_patience_ends_with_an_error_of_its_own() -> None:
    async with scripted([data(RUNNING)]) as server, client_of(server.url) as client:
        with pytest.raises(WaitTimeoutError) as raised:
            await waiting.wait_for_image_ad(client, "ia_1", timeout_seconds=0.1, poll_seconds=0.05)
    assert raised.value.image_ad_ids == ("ia_1",)


async def test_trouble_while_polling_is_no_reason_to_give_up() -> None:
    script = [data(RUNNING), error(500, "INTERNAL"), DROP, answer("<html>", 502), data(DONE)]
    async with scripted(script) as server, client_of(server.url) as client:
        assert (await waiting.wait_for_image_ad(client, "ia_1", poll_seconds=0.01)).is_completed


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(error(404, "NOT_FOUND"), NotFoundError), (error(401, "UNAUTHORIZED"), AuthenticationError)],
)
async def test_what_cannot_succeed_is_given_up_at_once(reply: bytes, kind: type[Exception]) -> None:
    async with scripted([reply]) as server, client_of(server.url) as client:
        with pytest.raises(kind):
            await waiting.wait_for_image_ad(client, "ia_1", poll_seconds=0.01)
        with pytest.raises(kind):
            await waiting.watch_image_ad(client, "ia_1", poll_seconds=0.01)


async def test_many_come_back_in_order_whatever_became_of_them(
    client: StaticAdsLabClient, make_request: MakeRequest
) -> None:
    prompts = ["a", "SIMULATE_FAILURE", "b"]
    ids = [(await client.create_image_ad(make_request(p))).image_ad.id for p in prompts]
    ads = await waiting.wait_for_image_ads(client, ids, poll_seconds=0.3)
    assert [ad.status for ad in ads] == ["completed", "failed", "completed"]
    # One that nobody knows never ends, so the time is up after the first poll.
    ads = await waiting.wait_for_image_ads(client, [*ids, "ia_x"], timeout_seconds=0)
    assert [ad.id for ad in ads] == [*ids, "ia_x"]
    assert [ad.status for ad in ads] == ["completed", "failed", "completed", "processing"]


async def test_a_watched_ad_tells_its_story(
    client: StaticAdsLabClient, make_request: MakeRequest
) -> None:
    events: list[ImageAdEvent] = []
    ad = (await client.create_image_ad(make_request())).image_ad
    finished = await waiting.watch_image_ad(client, ad.id, events.append)
    assert finished.is_completed
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Complete)
    assert [e.step for e in events if isinstance(e, Progress)][-1] == "render"


async def test_a_watched_failure_raises_and_a_callback_may_be_a_coroutine_function(
    client: StaticAdsLabClient, make_request: MakeRequest
) -> None:
    events: list[ImageAdEvent] = []

    async def note(event: ImageAdEvent) -> None:
        events.append(event)

    ad = (await client.create_image_ad(make_request("SIMULATE_FAILURE"))).image_ad
    with pytest.raises(ImageAdFailedError):
        await waiting.watch_image_ad(client, ad.id, note)
    assert isinstance(events[-1], Failed)


COMPLETE = 'event: complete\ndata: {"id": "ia_1"}\n\n'


@pytest.mark.parametrize(
    ("first_answers", "seen"),
    [
        pytest.param([stream(COMPLETE)], [Complete("ia_1")], id="complete at once"),
        pytest.param(
            [stream(": hi\r\n\r\nevent: heartbeat\r\ndata:\r\n\r\n" + COMPLETE)],
            [Heartbeat(), Complete("ia_1")],
            id="CRLF and a comment",
        ),
        pytest.param([stream("")], [], id="a drop before the first event"),
        pytest.param([stream('event: complete\ndata: {"id": "ia_1"}')], [], id="no final newline"),
        pytest.param([DROP], [], id="no answer"),
        pytest.param([answer("<html>", 502)], [], id="an HTML error page"),
        pytest.param([error(406, "NOT_ACCEPTABLE")], [], id="streams are refused"),
        pytest.param([data(DONE)], [Complete("ia_1")], id="the ad instead of a stream"),
    ],
)
async def test_however_the_stream_ends_one_read_tells(
    first_answers: list[bytes], seen: list[ImageAdEvent]
) -> None:
    events: list[ImageAdEvent] = []
    async with (
        scripted([*first_answers, data(DONE)]) as server,
        client_of(server.url) as client,
    ):
        ad = await waiting.watch_image_ad(client, "ia_1", events.append)
    assert ad.image_url == "https://cdn/1.png"
    assert events == seen
    assert "text/event-stream" not in server.received[-1].headers["accept"]


async def test_polling_takes_over_if_no_stream_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "STREAM_TRIES", 2)
    no_stream = error(406, "NOT_ACCEPTABLE")
    script = [no_stream, data(RUNNING), no_stream, data(RUNNING), data(RUNNING), data(DONE)]
    async with scripted(script) as server, client_of(server.url) as client:
        assert (await waiting.watch_image_ad(client, "ia_1", poll_seconds=0.01)).is_completed
    assert len(server.received) == len(script)


async def test_a_stream_that_never_ends_is_left_when_time_is_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "LAST_READ_SECONDS", 0.1)
    async with scripted([HANG]) as server, client_of(server.url) as client:
        with pytest.raises(WaitTimeoutError):
            await waiting.watch_image_ad(client, "ia_1", timeout_seconds=0.3, poll_seconds=0.05)


async def test_a_stream_that_falls_silent_for_two_heartbeats_is_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = stream('event: started\ndata: {"id": "ia_1"}\n\n') + HANG
    for seconds in LONGER_AND_LONGER:
        monkeypatch.setattr("prefect_staticadslab.api.client.HEARTBEAT_SECONDS", seconds)
        events: list[ImageAdEvent] = []
        async with scripted([silent, data(DONE)]) as server, client_of(server.url) as client:
            ad = await waiting.watch_image_ad(client, "ia_1", events.append, timeout_seconds=300)
        assert ad.is_completed
        assert len(server.received) == 2
        if events:
            break
    assert events == [Started("ia_1")]


async def test_a_stream_of_nothing_but_heartbeats_is_left_when_time_is_up_and_read_once() -> None:
    beats = "event: heartbeat\ndata:\n\n"
    for seconds in LONGER_AND_LONGER:
        events: list[ImageAdEvent] = []
        async with (
            endless_stream(beats, seconds=0.02) as url,
            client_of(url) as client,
        ):
            ad = await waiting.watch_image_ad(
                client, "ia_1", events.append, timeout_seconds=seconds
            )
        assert ad.is_completed
        if events:
            break
    assert set(events) == {Heartbeat()}


async def test_a_stream_is_closed_once_it_has_told_the_end() -> None:
    """A server that keeps its end open gets to see ours close, before the ad is read."""
    async with endless_stream(COMPLETE, seconds=0.02) as url, client_of(url) as client:
        assert (await waiting.watch_image_ad(client, "ia_1", timeout_seconds=60)).is_completed
        await closed_by_client.wait()


closed_by_client = asyncio.Event()


@contextlib.asynccontextmanager
async def endless_stream(text: str, *, seconds: float) -> AsyncIterator[str]:
    """A server that streams `text` again and again, and has a completed ad for every other read."""
    closed_by_client.clear()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"text/event-stream" not in head:
            writer.write(data(DONE))
            await writer.drain()
            writer.close()
            return
        writer.write(stream(""))
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(text.encode())
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1), seconds)
        closed_by_client.set()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()


@pytest.mark.parametrize("trouble", [error(404, "NOT_FOUND"), error(503, "SERVICE_UNAVAILABLE")])
async def test_an_ad_that_was_created_is_given_back_although_it_cannot_be_read_yet(
    make_request: MakeRequest, trouble: bytes
) -> None:
    script = [data(RUNNING, 201, Idempotent_Replayed="true"), trouble]
    async with scripted(script) as server, client_of(server.url) as client:
        with stamina.set_testing(True, attempts=1):
            created = await waiting.create_or_reuse_ad(client, make_request(), "mine")
    assert (created.image_ad.id, created.replayed) == ("ia_1", True)
    assert [received.method for received in server.received] == ["POST", "GET"]
