"""What comes over the network: the API's answers, streams of events, and headers."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import httpx
from hypothesis import strategies as st

from prefect_staticadslab.api.client import StaticAdsLabClient
from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.api.events import Progress
from prefect_staticadslab.api.rate_limit import (
    RateLimiter,
    RateLimitHeaders,
    RateLimitState,
    Turn,
)
from prefect_staticadslab.api.rate_limit.headers import LONGEST_WAIT
from prefect_staticadslab.api.resources import (
    Audience,
    Brand,
    DesignTemplate,
    Image,
    Product,
    ProductVariant,
)
from tests.security.fuzz.inputs import (
    MOMENTS,
    NUMBERS,
    any_texts,
    edited,
    edits,
    json_values,
    mostly,
    pick,
    texts,
    tokens_of,
)
from tests.security.fuzz.target import Target, promise

KINDS: Final = (Brand, Product, ProductVariant, Audience, Image, DesignTemplate)

_KEY: Final = "sal_live_fuzz_0123456789abcdef"


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


class _Unlimited(RateLimiter):
    """Lets every request through at once, whatever the answers say of a limit."""

    @asynccontextmanager
    async def turn(self, *, create: bool = False) -> AsyncIterator[Turn]:
        yield Turn()


def _run(work: Callable[[StaticAdsLabClient], Coroutine[Any, Any, None]], answer: Any) -> None:
    """Runs something with a client whose API answers with `answer` each time."""

    async def run() -> None:
        transport = httpx.MockTransport(answer)
        async with StaticAdsLabClient(
            _KEY, "http://127.0.0.1:1", max_tries=1, limiter=_Unlimited(), transport=transport
        ) as client:
            await work(client)

    _loop().run_until_complete(run())


def _header_values() -> st.SearchStrategy[str]:
    dates = (
        "Wed, 25 Nov 2026 10:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 +2359",
        "Fri, 31 Dec 9999 23:59",
        "Wed, 25 Nov 2026 10:00:00 +99999999999999999999", "Wed, 25 Nov 2026 99:99:99 -0000", "Wed",
        "25 Nov 99999999999 10:00:00 GMT", "Wed, 25 Nov 2026 10:00:00 -9999", "1 Jan 70 0:0:0 EST",
    )  # fmt: skip
    plain = texts(20).map(lambda text: text.encode("latin-1", "ignore").decode("latin-1"))
    return st.one_of(pick((*NUMBERS, *dates, *MOMENTS)), plain).map(
        lambda text: text.encode("latin-1", "ignore").decode("latin-1")
    )


_HEADERS: Final = (
    "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after", "x-request-id",
    "content-type", "idempotent-replayed", "date",
)  # fmt: skip


def _headers() -> st.SearchStrategy[dict[str, str]]:
    return st.dictionaries(pick(_HEADERS), _header_values(), max_size=5)


def _resources() -> st.SearchStrategy[object]:
    names = sorted(
        {name for kind in KINDS for name in kind.model_fields} | {"image_url", "sku_code"}
    )
    value = st.one_of(json_values(), pick((*MOMENTS, *NUMBERS, "completed", "failed")))
    identifier = mostly(st.just("ia_1"), value)
    resource = st.builds(
        lambda fields, known: {**fields, "id": known},
        st.dictionaries(pick(names), value, max_size=6),
        identifier,
    )
    return mostly(resource, json_values())


def _bodies() -> st.SearchStrategy[bytes]:
    meta = st.one_of(
        st.fixed_dictionaries(
            {},
            optional={
                "request_id": json_values(),
                "timestamp": st.one_of(pick(MOMENTS), json_values()),
                "has_more": json_values(),
            },
        ),
        json_values(),
    )
    error = st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("code", "message", "details"), json_values())
    )
    one = _resources()
    body = st.fixed_dictionaries(
        {"data": st.one_of(one, one, st.lists(one, max_size=3), json_values())},
        optional={
            "meta": meta,
            "error": st.one_of(error, json_values()),
            "has_more": pick((False, None, 0, "", [])),
        },
    )
    whole = mostly(body, json_values()).map(lambda value: json.dumps(value).encode())
    deep = st.integers(900, 100_000).map(lambda n: b'{"data": ' + b"[" * n + b"]" * n + b"}")
    named = st.integers(200, 1100).map(
        lambda n: b'{"data": {"id": "ia_1", "status": ' + b"[" * n + b"]" * n + b"}}"
    )
    tokens = tokens_of(("{", "}", "[", '"', "NaN", "Infinity", "1e999", "\\ud800", "\x00", _KEY))
    changed = st.builds(edited, whole, edits((*tokens, b"\xff", b"\xef\xbb\xbf"), most=2))
    return mostly(st.one_of(whole, changed), st.one_of(deep, named))


def _answer_inputs() -> st.SearchStrategy[tuple[Any, ...]]:
    known = pick((201, 204, 400, 401, 402, 403, 404, 409, 413, 422, 429, 500, 503))
    status = st.one_of(st.just(200), known, mostly(st.just(200), st.integers(100, 999)))
    codings = mostly(pick(("", "gzip")), pick(("deflate", "br", "gzip, gzip", "x")))
    return st.tuples(status, _headers(), _bodies(), codings, st.integers(0, 8))


def examine_answer(given: tuple[Any, ...]) -> None:
    status, headers, body, coding, call = given
    asked: list[None] = []

    def answer(_: httpx.Request) -> httpx.Response:
        content = gzip.compress(body, 1) if coding == "gzip" else body
        told = {**headers, **({"content-encoding": coding} if coding else {})}
        stream = httpx.ByteStream(content)
        raw = [(name.encode(), value.encode("latin-1")) for name, value in told.items()]
        # A 429 is waited out for half an hour, and pages go on for as long as there are more.
        asked.append(None)
        return httpx.Response(status if len(asked) == 1 else 400, headers=raw, stream=stream)

    async def ask(client: StaticAdsLabClient) -> None:
        if call < len(KINDS):
            found = await client.get_resource(KINDS[call], "x_1")
            promise(isinstance(found, KINDS[call]), "another kind", found)
            promise(_KEY not in found.model_dump_json(), "the key came back", found)
        elif call == len(KINDS):
            async for each in client.list_resources(Brand):
                promise(isinstance(each, Brand), "another kind", each)
        elif call == len(KINDS) + 1:
            promise(isinstance((await client.get_account()).organization_name, str), "no name")
        else:
            ad = await client.get_image_ad("ia_1")
            promise(ad.price_usd > 0, "an ad that costs nothing", ad)
            promise(ad.is_finished in (True, False), "neither finished nor not", ad)

    try:
        _run(ask, answer)
    except StaticAdsLabError as error:
        promise(_KEY not in f"{error!s}{error!r}{vars(error)}", "the key is told", error)
        raise


def _event_inputs() -> st.SearchStrategy[tuple[list[bytes], dict[str, str]]]:
    names = pick(("started", "progress", "complete", "error", "heartbeat", "x", ""))
    data = st.one_of(
        json_values().map(json.dumps),
        st.fixed_dictionaries(
            {}, optional={n: json_values() for n in ("id", "step", "message", "percentage", "code")}
        ).map(json.dumps),
        pick(("[" * 50_000, '{"percentage": ' + "9" * 400 + "}", '{"percentage": NaN}')),
        any_texts(),
    )
    event = st.builds(
        lambda name, told, end: f"event: {name}{end}data: {told}{end}{end}",
        names, data, pick(("\n", "\r\n", "\r")),
    )  # fmt: skip
    lines = pick(
        ("id: \x00\n", "retry: 1e9\n", "retry: " + "9" * 5000 + "\n", ":\n", "data\n", "\n\n",
        "event\n",
         "\ufeff", "data: a\ndata: b\n\n", "\u2028", "\x85", "\x0b", _KEY, "id: 1\n")
    )  # fmt: skip
    stream = st.lists(st.one_of(event, event, lines), max_size=5).map("".join)
    pieces = st.builds(
        lambda text, changes, size: _cut(edited(text.encode(errors="replace"), changes), size),
        stream,
        edits((b"\n", b"\r", b"\xff", b"\xe2", b"data:", b"event: error\n", b"\x00")),
        st.integers(1, 200),
    )
    types = pick(("text/event-stream", "text/event-stream; charset=utf-16", "x",
                             "text/event-stream; charset=x", "TEXT/EVENT-STREAM"))  # fmt: skip
    return st.tuples(pieces, types.map(lambda kind: {"content-type": kind}))


def _cut(content: bytes, size: int) -> list[bytes]:
    size = max(size, len(content) // 200 + 1)
    return [content[at : at + size] for at in range(0, len(content), size)]


def examine_events(given: tuple[list[bytes], dict[str, str]]) -> None:
    pieces, headers = given

    class Stream(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

    async def follow(client: StaticAdsLabClient) -> None:
        async for event in client.stream_image_ad("ia_1"):
            if isinstance(event, Progress) and event.percentage is not None:
                promise(0 <= event.percentage <= 1, "a share that is none", event)
            promise(_KEY not in repr(event), "the key is told", event)

    _run(follow, lambda _: httpx.Response(200, headers=headers, stream=Stream()))


def _limit_inputs() -> st.SearchStrategy[list[tuple[float, dict[str, str], bool, bool, bool]]]:
    sensible = st.integers(0, 200).map(str)
    value = st.one_of(sensible, sensible, _header_values())
    headers = st.dictionaries(pick(_HEADERS[:4]), value, max_size=4)
    seconds = pick((0.0, 0.001, 0.5, 1.0, 30.0, 59.9, 61.0, 3600.0))
    one = st.tuples(seconds, headers, st.booleans(), st.booleans(), st.booleans())
    return st.lists(one, min_size=1, max_size=12)


def examine_limits(given: list[tuple[float, dict[str, str], bool, bool, bool]]) -> None:
    state = RateLimitState()
    now = 0.0
    waiting = []
    for seconds, told, create, refused, answered in given:
        now += seconds
        headers = RateLimitHeaders.parse(told, datetime(2026, 11, 25, tzinfo=UTC))
        wait = headers.retry_after
        promise(wait is None or 0 < wait <= LONGEST_WAIT, "a wait that is none", told)
        delay = state.delay(now, create=create)
        promise(not math.isnan(delay) and delay >= 0, "a delay that is none", delay)
        if delay == 0:
            waiting.append((state.note_start(now, create=create), create))
        if answered and waiting:
            started, was_create = waiting.pop(0)
            state.note_answer(now, headers, started, create=was_create, refused=refused)
        promise(0 <= state.window < math.inf, "a window that is none", state.window)
        promise(state.in_flight == len(waiting), "requests that are not counted")
        promise(state.seconds_for(10, now) >= 0, "seconds that are none")
        promise(state.seconds_per_read() >= 0, "seconds that are none")
        promise(state.creates_within(60.0) >= 0, "creates that are none")
    for _ in waiting:
        state.note_no_answer(now)
    promise(state.delay(now + 2 * LONGEST_WAIT) == 0, "a limiter that waits for ever", given)


ANSWERS: Final = (
    Target("answers", _answer_inputs, examine_answer, (StaticAdsLabError,)),
    Target("events", _event_inputs, examine_events, (StaticAdsLabError,)),
    Target("rate_limit_headers", _limit_inputs, examine_limits, ()),
)
