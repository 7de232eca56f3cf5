"""What an answer of the API can do to the machine that reads it."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
import stamina

from prefect_staticadslab import StaticAdsLabClient, StaticAdsLabError, bounds
from prefect_staticadslab.api.errors import (
    APIConnectionError,
    APITimeoutError,
    OversizedAnswerError,
    UnreadableAnswerError,
)
from prefect_staticadslab.api.rate_limit import RateLimiter, RateLimitHeaders, RateLimitState
from prefect_staticadslab.api.rate_limit.headers import LONGEST_WAIT
from prefect_staticadslab.api.resources import Brand
from prefect_staticadslab.api.responses.json_text import load_json
from tests.security.network.hostile import (
    DEFLATE,
    bomb,
    endless,
    head,
    hostile,
    memory_traced,
    trickling,
    whole,
)
from tests.support.scripted import answer, data, scripted

JSON = "application/json"


@pytest.fixture(autouse=True)
def no_pauses_between_retries() -> Iterator[None]:
    with stamina.set_testing(True, attempts=50):
        yield


def client_of(url: str, **options: Any) -> StaticAdsLabClient:
    return StaticAdsLabClient("sal_live_SECRET", url, limiter=RateLimiter(), **options)


# Its size


@pytest.mark.parametrize(
    "reply",
    [
        whole(bomb(200_000_000), Content_Type=JSON, Content_Encoding="gzip"),
        whole(bomb(200_000_000, wbits=DEFLATE), Content_Type=JSON, Content_Encoding="deflate"),
        endless(b" " * 65536, Content_Type=JSON),
        endless(b" " * 65536, "500 Oops", Content_Type=JSON),
        endless(b"<br>" * 9999, "502 Bad Gateway", Content_Type="text/html"),
    ],
    ids=["gzip bomb", "deflate bomb", "endless", "endless 500", "endless HTML"],
)
async def test_an_answer_that_is_too_large_is_an_error_that_names_the_bound(reply: Any) -> None:
    async with hostile(reply) as server, client_of(server.url, max_tries=3) as client:
        with memory_traced() as most:
            with pytest.raises(OversizedAnswerError, match=f"{bounds.ANSWER_BYTES:,} bytes"):
                await client.get_account()
            assert most() < 200_000_000
    assert len(server.received) == 1  # the next would be no smaller


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip, br", "x-gzip", "sal_live"])
async def test_a_compression_without_a_bound_is_refused_and_tried_again(encoding: str) -> None:
    reply = whole(bomb(10_000_000, layers=2), Content_Type=JSON, Content_Encoding=encoding)
    async with hostile(reply) as server, client_of(server.url, max_tries=3) as client:
        with pytest.raises(UnreadableAnswerError, match="compressed"):
            await client.get_account()
    assert len(server.received) == 3
    assert b"accept-encoding: gzip, deflate\r\n" in server.received[0].lower()


async def test_a_batch_whose_answer_is_too_large_is_read_in_halves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "ANSWER_BYTES", 1000)
    huge = data([{"id": "ia_1", "prompt": "x" * 2000}])
    script = [huge, data([{"id": "ia_1"}]), huge]
    async with scripted(script) as server, client_of(server.url) as client:
        ads = await client.get_image_ads(["ia_1", "ia_2"])
    assert [ad.id for ad in ads] == ["ia_1"]
    assert len(server.received) == 3


async def test_an_answer_that_trickles_in_has_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "REQUEST_SECONDS", 0.2)
    for reply in (trickling([head(Content_Type=JSON)]), trickling([b"HTTP/1.1 200 OK\r\nX: "])):
        async with hostile(reply) as server, client_of(server.url, max_tries=1) as client:
            with pytest.raises(APITimeoutError):
                await client.get_account()


# Its numbers and its depth


def nested(depth: int, inside: str = "1") -> str:
    return "[" * depth + inside + "]" * depth


@pytest.mark.parametrize(
    "text",
    [
        nested(100_000),
        nested(950),
        nested(bounds.JSON_DEPTH + 1),
        nested(100_000, "")[:100_000],
        '{"a":' * 950 + "1" + "}" * 950,
        '{"a": [' * 300 + '"]"' + "]}" * 300,
        "[[]," * 50_000 + "1" + "]" * 50_000,
        "9" * 10_000,
        f"[-{'9' * 10_000}]",
        '["' + '\\"' * 500_000,
        "[" * 500 + '"' + "]" * 500,
    ],
    ids=lambda text: text[:12],
)
async def test_json_that_is_too_deep_or_too_long_a_number_is_an_error_in_words(text: str) -> None:
    body = f'{{"data": {{"id": "ia_1", "current_json_tree": {text}}}}}'
    async with (
        hostile(whole(body.encode(), Content_Type=JSON)) as server,
        client_of(server.url, max_tries=1) as client,
    ):
        with pytest.raises(UnreadableAnswerError):
            await client.get_image_ad("ia_1")


@pytest.mark.parametrize(
    "text",
    [
        nested(bounds.JSON_DEPTH),
        '{"characters": "[[[[ {{{{ ]"}',
        json.dumps(["[" * 1000, "\\", '"{', {"a": '\\"]'}]),
        "[" + "[]," * 1000 + "{}]",
    ],
)
def test_json_that_only_looks_deep_is_read(text: str) -> None:
    assert load_json(text) == json.loads(text)


@pytest.mark.parametrize(
    "fields",
    [
        '"duration_ms": ' + "9" * 4000,
        '"duration_ms": 1e999, "width": 1e999',
        '"duration_ms": NaN, "height": -Infinity',
        '"created_at": "0001-01-01T00:00:00+14:00", "completed_at": "9999-12-31T23:59:59-14:00"',
        '"created_at": 1e308',
        f'"created_at": {"9" * 4000}',
        '"status": [[[[1]]]], "error": {"code": {"a": 1}, "message": [[1]]}',
        '"image_url": 7, "prompt": {}, "progress": {"percentage": ' + "9" * 4000 + "}",
        '"id": "ia_1", "status": "\\ud800"',
        '"__proto__": {}, "model_config": 1, "__class__": "x"',
    ],
)
async def test_fields_of_nonsense_hide_no_ad(fields: str) -> None:
    body = (
        f'{{"data": {{"id": "ia_1", {fields}}}, "meta": {{"timestamp": "0001-01-01T00:00+14:00"}}}}'
    )
    async with (
        hostile(whole(body.encode(), Content_Type=JSON)) as server,
        client_of(server.url, max_tries=1) as client,
    ):
        ad = await client.get_image_ad("ia_1")
    assert ad.id == "ia_1"
    assert repr(ad)


@pytest.mark.parametrize(
    "body",
    [
        '{"error": {"code": [1], "message": {"a": [[]]}, "details": [{"field": {}, "x": 1}]}}',
        '{"error": {"code": "' + "C" * 99_999 + '", "message": "' + "m" * 999_999 + '"}}',
        '{"error": {"details": [' + '{"field": "f", "message": "m"},' * 9_999 + "1]}}",
        '{"error": {"message": "no"}, "meta": {"request_id": "' + "r" * 999_999 + '"}}',
        '{"error": {}, "meta": []}',
        '{"error": []}',
        "[]",
        '"error"',
        "null",
        "NaN",
        "\ufeff{}",
        "",
    ],
    ids=lambda body: body[:30],
)
async def test_an_error_of_nonsense_is_an_error_in_words(body: str) -> None:
    reply = whole(body.encode(), "403 " + "R" * 9_999, Content_Type=JSON, X_Request_Id="x" * 9_999)
    async with hostile(reply) as server, client_of(server.url, max_tries=1) as client:
        with pytest.raises(StaticAdsLabError) as told:
            await client.get_account()
    assert len(str(told.value)) < 2 * bounds.TEXT_LENGTH
    assert str(pickle.loads(pickle.dumps(told.value))) == str(told.value)


async def test_a_list_of_nothing_but_nonsense_is_told_in_a_few_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with scripted([data([0] * 10_000)]) as server, client_of(server.url) as client:
        assert await client.get_image_ads(["ia_1"]) == []
    assert len(caplog.records) < 10


# Lists


def endless_list(item: str = '"name": "x"') -> Any:
    pages = 0

    async def reply(_: str, writer: asyncio.StreamWriter) -> None:
        nonlocal pages
        pages += 1
        body = f'{{"data": [{{"id": "brand_{pages}", {item}}}], "has_more": true}}'
        await whole(body.encode(), Content_Type=JSON)(_, writer)

    return reply


async def test_a_list_without_an_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "PAGES", 20)
    async with hostile(endless_list()) as server, client_of(server.url) as client:
        with pytest.raises(OversizedAnswerError, match="no end: it was left after 20 pages"):
            _ = [brand async for brand in client.list_resources(Brand)]
    assert len(server.received) == 20


async def test_a_list_of_huge_pages_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "LIST_BYTES", 100_000)
    reply = endless_list(f'"name": "{"x" * 30_000}"')
    async with hostile(reply) as server, client_of(server.url) as client:
        with pytest.raises(OversizedAnswerError, match="100,000 bytes"):
            _ = [brand async for brand in client.list_resources(Brand)]
    assert len(server.received) == 4


@pytest.mark.parametrize("identifier", ["x" * 70_000, "", "\u0000", "&limit=1#", "\ud83d"])
async def test_an_id_of_nonsense_breaks_no_list(identifier: str) -> None:
    page = answer({"data": [{"id": identifier}], "has_more": True})
    last = answer({"data": [{"id": "brand_2"}], "has_more": False})
    async with scripted([page, last]) as server, client_of(server.url, max_tries=1) as client:
        try:
            brands = [brand.id async for brand in client.list_resources(Brand)]
        except StaticAdsLabError:
            brands = []
    assert set(brands) <= {identifier, "brand_2"}


# Headers


NUMBERS = [
    "1e308", "-1e308", "1e999", "nan", "-nan", "inf", "-inf", "-1", "0", "-0.0", "1e-320",
    "9" * 10_000, "0x10", "1_000", " 5 ", "５", "", "soon", "5, 6", "٣",
]  # fmt: skip
DATES = [
    "Wed, 21 Oct 2015 07:28:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Fri, 31 Dec 9999 23:59:59 -9999",
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "Wed, 21 Oct 99999999999999999999 07:28:00 GMT",
    "Wed, 99999999999999999999 Oct 2015 07:28:00 GMT",
    "Wed, 21 Oct 2015 07:28:00 99999999999999999999",
    f"Wed, 21 Oct {'9' * 10_000} 07:28:00 GMT",
    f"Wed, 21 Oct 2015 {'9' * 10_000}:28:00 GMT",
    "Wed, 21 Oct 2015 07:28:00 +" + "9" * 400,
    "Wed, 21 Oct 2015 -7:-28:-1 GMT",
    ",,,,",
    ":::",
    "-" * 10_000,
    "(" * 10_000,
]


@pytest.mark.parametrize("value", [*NUMBERS, *DATES], ids=lambda value: value[:40])
def test_a_wait_of_nonsense_is_none_or_a_short_one(value: str) -> None:
    headers = RateLimitHeaders.parse({"Retry-After": value, "RateLimit-Reset": value})
    for seconds in (headers.retry_after, headers.reset):
        assert seconds is None or 0 < seconds <= LONGEST_WAIT


COUNTS = ["1e308", "nan", "-1", "0", "1e-320", "1", "5", "100", "1_000", "soon"]


@pytest.mark.parametrize("remaining", COUNTS)
@pytest.mark.parametrize("limit", COUNTS)
def test_limits_of_nonsense_neither_break_nor_stop_anything(limit: str, remaining: str) -> None:
    for reset in ("5", "0", "nan", "1e308"):
        names = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After")
        told = zip(names, (limit, remaining, reset, reset), strict=True)
        headers = RateLimitHeaders.parse(dict(told))
        state, now = RateLimitState(), 1000.0
        for turn in range(30):
            # Nobody waits for longer than the longest wait, or window, that can be told.
            delay = state.delay(now, create=turn % 2 == 0)
            assert 0 <= delay <= LONGEST_WAIT
            now += delay
            started = state.note_start(now, create=turn % 2 == 0)
            state.note_answer(now, headers, started, create=turn % 2 == 0, refused=turn % 5 == 0)
        assert state.seconds_for(1000, now) >= 0
        assert state.creates_within(600.0) >= 0
        assert state.seconds_per_read() > 0


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000,
        b"HTTP/1.1 99999999999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffffff\r\n{",
        b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: sal://x\r\nContent-Length: 0\r\n\r\n",
        b"\xff" * 1000 + b"\r\n\r\n",
    ],
    ids=lambda reply: str(reply[:40]),
)
async def test_http_of_nonsense_is_an_error_in_words(reply: bytes) -> None:
    async def say(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(reply)

    async with hostile(say) as server, client_of(server.url, max_tries=1) as client:
        with pytest.raises((APIConnectionError, UnreadableAnswerError)) as told:
            await client.get_account()
    assert len(str(told.value)) < 500
