"""The API key goes to the API, and nowhere else, and never comes back out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Iterator

import pytest
import stamina

from prefect_staticadslab import StaticAdsLabClient, StaticAdsLabError
from prefect_staticadslab.api.events import Failed
from prefect_staticadslab.api.rate_limit import RateLimiter
from prefect_staticadslab.api.responses.redactor import Redactor
from tests.security.network.hostile import hostile, whole

KEY = "sal_live_SECRET"
JSON = "application/json"


@pytest.fixture(autouse=True)
def no_pauses_and_no_proxies(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [*os.environ]:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    with stamina.set_testing(True, attempts=50):
        yield


def client_of(url: str, key: str = KEY) -> StaticAdsLabClient:
    return StaticAdsLabClient(key, url, limiter=RateLimiter(), max_tries=1)


def everything(error: BaseException) -> str:
    """What anybody may come to see of an error."""
    return f"{error} {error!r} {vars(error)!r} {error.args!r}"


def escaped(text: str, style: str) -> str:
    """A text as JSON may spell it."""
    match style:
        case "lower":
            return "".join(f"\\u{ord(c):04x}" for c in text)
        case "upper":
            return "".join(f"\\u{ord(c):04X}" for c in text)
        case "mixed":
            return "".join(f"\\u{ord(c):04x}" if i % 2 else c for i, c in enumerate(text))
        case "one":
            return f"\\u{ord(text[0]):04x}{text[1:]}"
        case "last":
            return f"{text[:-1]}\\u{ord(text[-1]):04x}"
        case _:
            return text


STYLES = ["plain", "lower", "upper", "mixed", "one", "last"]


@pytest.mark.parametrize("style", STYLES)
async def test_a_body_that_quotes_the_key_in_any_spelling_does_not_give_it_back(
    style: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "prefect_staticadslab")
    said = escaped(KEY, style)
    body = (
        f'{{"error": {{"code": "{said}", "message": "no {said}", '
        f'"details": [{{"field": "{said}", "message": "{said}"}}]}}, '
        f'"meta": {{"request_id": "{said}"}}}}'
    )
    async with (
        hostile(whole(body.encode(), "403 No", Content_Type=JSON)) as server,
        client_of(server.url) as client,
    ):
        with pytest.raises(StaticAdsLabError, match="no sal_…") as told:
            await client.get_account()
    assert "SECRET" not in everything(told.value) + caplog.text


@pytest.mark.parametrize("style", STYLES)
async def test_an_ad_that_quotes_the_key_does_not_give_it_back(style: str) -> None:
    said = escaped(KEY, style)
    ad = f'{{"id": "ia_1", "prompt": "{said}", "current_json_tree": {{"{said}": ["{said}"]}}}}'
    body = f'{{"data": {ad}, "meta": {{"request_id": "{said}"}}}}'
    async with (
        hostile(whole(body.encode(), Content_Type=JSON)) as server,
        client_of(server.url) as client,
    ):
        assert "SECRET" not in repr(await client.get_image_ad("ia_1"))


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-32-be", "utf-8-sig"])
async def test_a_body_in_another_encoding_does_not_give_the_key_back(codec: str) -> None:
    body = json.dumps({"error": {"code": "X", "message": f"no {KEY}"}}).encode(codec)
    async with (
        hostile(whole(body, "403 No", Content_Type=JSON)) as server,
        client_of(server.url) as client,
    ):
        with pytest.raises(StaticAdsLabError) as told:
            await client.get_account()
    assert "SECRET" not in everything(told.value)


@pytest.mark.parametrize("key", ['sal_a"b', r"sal_a\b", "sal_a/b", "sal_[.*+?]{2}", "sal_a\\u0041"])
@pytest.mark.parametrize("style", STYLES)
def test_keys_of_any_characters_are_blotted_out(key: str, style: str) -> None:
    redactor = Redactor(key)
    for spelled in (json.dumps(key)[1:-1], json.dumps(key)[1:-1].replace("/", "\\/")):
        assert json.loads(redactor.redact_json(f'"<{spelled}>"')) == "<sal_…>"
    if style != "plain" and not {'"', "\\"} & {key[0], key[-1]}:
        spelled = escaped(key, "lower" if style in ("one", "last", "mixed") else style)
        assert json.loads(redactor.redact_json(f'"<{spelled}>"')) == "<sal_…>"


@pytest.mark.parametrize("header", ["X-Request-Id", "Content-Type", "Content-Encoding"])
@pytest.mark.parametrize("status", ["403 No", "200 OK", "502 Bad Gateway"])
async def test_headers_that_quote_the_key_do_not_give_it_back(
    header: str, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "prefect_staticadslab")
    for body in (b"<html>", b'{"error": {"code": "X"}}', b'{"data": {}}', b'{"data": []}'):
        headers = {"Content-Type": "text/html", header: f"{KEY}; a={KEY}"}
        async with (
            hostile(whole(body, status, **headers)) as server,
            client_of(server.url) as client,
        ):
            seen = ""
            for call in (client.get_account(), client.get_image_ad("ia_1")):
                try:
                    seen += repr(await call)
                except StaticAdsLabError as error:
                    seen += everything(error)
    assert "SECRET" not in seen + caplog.text


async def test_a_reason_phrase_that_quotes_the_key_does_not_give_it_back() -> None:
    reply = whole(b'{"error": {}}', f"403 {KEY}", Content_Type=JSON)
    async with hostile(reply) as server, client_of(server.url) as client:
        with pytest.raises(StaticAdsLabError, match="sal_…") as told:
            await client.get_account()
    assert "SECRET" not in everything(told.value)


@pytest.mark.parametrize(
    "reply",
    [
        f"HTTP/1.1 {KEY}\r\n\r\n",
        f"{KEY} 200 OK\r\n\r\n",
        f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nContent-Length: {KEY}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: {KEY}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{KEY}\r\n",
        f"HTTP/1.1 302 Found\r\nLocation: http://{KEY}:x/\r\nContent-Length: 0\r\n\r\n",
        f"HTTP/1.1 302 Found\r\nLocation: {KEY}://[\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_http_errors_that_quote_the_key_do_not_give_it_back(reply: str) -> None:
    async def say(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(reply.encode())

    async with hostile(say) as server, client_of(server.url) as client:
        for ask in (client.get_account, lambda: anext(client.stream_image_ad("ia_1"))):
            with pytest.raises(StaticAdsLabError) as told:
                await ask()
            assert "SECRET" not in everything(told.value)
    assert server.received


async def test_a_key_that_was_taken_for_an_id_is_not_told() -> None:
    async with hostile(whole(b"HTTP/1.1")) as server:
        url = server.url
    async with client_of(url) as client:
        with pytest.raises(StaticAdsLabError, match=r"GET /v1/image-ads/sal_…") as told:
            await client.get_image_ad(KEY)
    assert "SECRET" not in everything(told.value)


@pytest.mark.parametrize("style", STYLES)
async def test_events_of_a_stream_that_quote_the_key_do_not_give_it_back(style: str) -> None:
    said = escaped(KEY, style)
    events = "".join(
        f'event: {name}\ndata: {{"id": "{said}", "code": "{said}",\n'
        f'data: "step": "{said}", "message": "no {said}"}}\n\n'
        for name in ("started", KEY, "progress", "error")
    )
    reply = whole(events.encode(), Content_Type="text/event-stream", X_Request_Id=KEY)
    async with hostile(reply) as server, client_of(server.url) as client:
        seen = [event async for event in client.stream_image_ad("ia_1")]
    assert seen[-1] == Failed("sal_…", "no sal_…")
    assert "SECRET" not in repr(seen)


# Proxies


PROXIES = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY"]


@pytest.mark.parametrize("variable", PROXIES)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST"])
async def test_no_proxy_gets_what_is_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, variable: str, host: str
) -> None:
    body = b'{"data": {"organization": "O"}}'
    async with (
        hostile(whole(body, Content_Type=JSON)) as proxy,
        hostile(whole(body, Content_Type=JSON)) as server,
    ):
        monkeypatch.setenv(variable, proxy.url)
        async with client_of(f"http://{host}:{server.port}") as client:
            await client.get_account()
            with contextlib.suppress(StaticAdsLabError):
                _ = [event async for event in client.stream_image_ad("ia_1")]
        assert proxy.received == []
        assert len(server.received) == 2
        assert KEY.encode() in server.received[0]


async def test_no_proxy_gets_what_is_for_this_machines_ipv6_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with hostile(whole(b"")) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        async with client_of("http://[::1]:9") as client:
            with pytest.raises(StaticAdsLabError):
                await client.get_account()
        assert proxy.received == []


async def test_a_proxy_serves_other_hosts_and_gets_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    # To a host elsewhere everything is encrypted: the proxy is asked for a tunnel, and no more.
    async with hostile(whole(b"", "403 Forbidden")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with client_of("https://api.example") as client:
            with pytest.raises(StaticAdsLabError):
                await client.get_account()
    assert proxy.received[0].startswith(b"CONNECT api.example:443")
    assert b"SECRET" not in b"".join(proxy.received)


async def test_the_key_does_not_follow_a_redirect() -> None:
    async with hostile(whole(b"{}", Content_Type=JSON)) as thief:
        there = whole(b"", "307 Temporary Redirect", Location=f"{thief.url}/v1/account")
        async with hostile(there) as server, client_of(server.url) as client:
            with pytest.raises(StaticAdsLabError):
                await client.get_account()
        assert thief.received == []
