"""What a stream of events can do to the machine that watches it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from prefect_staticadslab import StaticAdsLabClient, bounds
from prefect_staticadslab.api import waiting
from prefect_staticadslab.api.errors import (
    OversizedAnswerError,
    StaticAdsLabError,
    UnreadableAnswerError,
)
from prefect_staticadslab.api.events import Complete, Failed, Progress, Started, parse_event
from prefect_staticadslab.api.rate_limit import RateLimiter
from tests.security.network.hostile import bomb, endless, head, hostile, memory_traced, whole

STREAM = "text/event-stream"


def client_of(url: str) -> StaticAdsLabClient:
    return StaticAdsLabClient("sal_live_SECRET", url, limiter=RateLimiter(), max_tries=1)


async def read(reply: Any) -> list[Any]:
    async with hostile(reply) as server, client_of(server.url) as client:
        return [event async for event in client.stream_image_ad("ia_1")]


@pytest.mark.parametrize(
    "piece",
    [
        b"x" * 65536,
        b"data: " + b"x" * 60_000 + b"\n",
        b": a comment\n" * 5000,
        b"event: started\n" * 4000,
        b"\n" * 65536,
        b"id: 1\nretry: 99999999999999999999\n" * 2000,
        b"\r" * 65536,
    ],
    ids=["no line", "no event", "comments", "names", "empty lines", "ids", "returns"],
)
async def test_a_stream_of_nothing_ends(piece: bytes) -> None:
    with memory_traced() as most:
        with pytest.raises(OversizedAnswerError, match="bytes"):
            await read(endless(piece, Content_Type=STREAM))
        assert most() < 50_000_000


async def test_an_event_that_is_too_large_names_the_bound() -> None:
    huge = b"event: progress\ndata: " + b"x" * 100_000_000 + b"\n\n"
    with pytest.raises(OversizedAnswerError, match=f"{bounds.EVENT_BYTES:,} bytes"):
        await read(whole(huge, Content_Type=STREAM))


async def test_a_stream_of_tiny_events_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "STREAM_BYTES", 500_000)
    seen = []

    async def watch(client: StaticAdsLabClient) -> None:
        async for event in client.stream_image_ad("ia_1"):
            seen.append(event)

    reply = endless(b"event: heartbeat\n\n" * 99, Content_Type=STREAM)
    async with hostile(reply) as server, client_of(server.url) as client:
        with pytest.raises(OversizedAnswerError, match="500,000 bytes"):
            await watch(client)
    assert 0 < len(seen) <= 500_000 / len("event: heartbeat\n\n")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, gzip"])
async def test_a_compressed_stream_is_bounded(encoding: str) -> None:
    reply = whole(bomb(200_000_000), Content_Type=STREAM, Content_Encoding=encoding)
    with pytest.raises(StaticAdsLabError):
        await read(reply)


async def test_an_answer_instead_of_a_stream_is_bounded() -> None:
    for reply in (
        whole(bomb(200_000_000), Content_Type="application/json", Content_Encoding="gzip"),
        endless(b" " * 65536, Content_Type="application/json"),
        endless(b" " * 65536, "404 Not Found", Content_Type=STREAM),
    ):
        with pytest.raises(UnreadableAnswerError, match=f"{bounds.ANSWER_BYTES:,} bytes"):
            await read(reply)


async def test_a_watcher_of_a_hostile_stream_polls_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "STREAM_TRIES", 1)
    done = b'{"data": {"id": "ia_1", "status": "completed", "image_url": "https://x/1.png"}}'
    asked = 0

    async def reply(_: str, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            await endless(b"x" * 65536, Content_Type=STREAM)(_, writer)
        else:
            await whole(done, Content_Type="application/json")(_, writer)

    async with hostile(reply) as server, client_of(server.url) as client:
        assert (await waiting.watch_image_ad(client, "ia_1")).is_completed
    assert asked == 2


NONSENSE = [
    "[" * 100_000,
    '{"a":' * 100_000,
    "[" * 100_000 + "]" * 100_000,
    '{"step": ' + "[" * 950 + "]" * 950 + "}",
    "9" * 10_000,
    '{"percentage": ' + "9" * 10_000 + "}",
    '{"percentage": NaN, "step": "' + "x" * 100_000 + '"}',
    "\ud800",
    '{"id": "\\ud800"}',
    '"',
    "null",
]


@pytest.mark.parametrize("name", ["started", "progress", "complete", "error", "heartbeat", "x"])
@pytest.mark.parametrize("data", NONSENSE, ids=lambda data: ascii(data[:20]))
def test_an_event_of_nonsense_is_an_event_without_a_text(name: str, data: str) -> None:
    event = parse_event(name, data)
    assert len(repr(event)) < 10 * bounds.TEXT_LENGTH
    assert isinstance(event, Complete) == (name == "complete")
    assert isinstance(event, Failed) == (name == "error")


@pytest.mark.parametrize(
    ("number", "share"),
    [
        ("9" * 4000, 1.0),
        ("-" + "9" * 4000, 0.0),
        ("1e999", 1.0),
        ("-1e999", 0.0),
        ("NaN", 0.0),
        ("true", None),
        ('"9"', None),
    ],
)
def test_a_share_of_nonsense_is_between_nothing_and_all(number: str, share: float | None) -> None:
    data = f'{{"step": "copy", "percentage": {number}}}'
    assert parse_event("progress", data) == Progress("copy", "", share)


async def test_bytes_of_nonsense_are_no_traceback() -> None:
    reply = whole(
        b"\xff\xfe\x00event: started\ndata: \xff\n\nevent: started\n\n", Content_Type=STREAM
    )
    assert await read(reply) == [Started("")]
    cut = head(Content_Type=STREAM, Content_Length="99") + b"event: error"

    async def say(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(cut)

    with pytest.raises(StaticAdsLabError):
        await read(say)
