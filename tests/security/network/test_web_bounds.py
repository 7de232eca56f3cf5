"""How much of an answer from the web is read, how long it is waited for, and what is no answer."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from prefect_staticadslab import bounds
from prefect_staticadslab.api.web import ForbiddenAddressError, WebError, WebGate, read_web
from tests.security.network.hostile import bomb, endless, head, hostile, trickling, whole
from tests.security.network.web_reads import LIMIT, read

pytestmark = pytest.mark.usefixtures("no_settings")


@pytest.mark.parametrize(
    "answer",
    [
        endless(b"x" * 65536),
        endless(b"10000\r\n" + b"x" * 65536 + b"\r\n", Transfer_Encoding="chunked"),
        whole(b"x" * (LIMIT + 1)),
        whole(bomb(100_000_000), Content_Encoding="gzip"),
        endless(b"x" * 65536, "206 Partial Content"),
    ],
    ids=["endless", "endless chunks", "one too many", "gzip bomb", "partial"],
)
async def test_a_body_that_is_too_large_is_refused(answer: Any) -> None:
    async with hostile(answer) as server:
        with pytest.raises(WebError, match="more than 1,000,000 bytes") as told:
            await read(f"{server.url}/a?key=s3cr3t", WebGate.allowing(server.url))
    assert "s3cr3t" not in str(told.value)


@pytest.mark.parametrize(
    "encoding",
    ["gzip, gzip", "gzip,deflate", "br", "zstd", "BR", "compress", "x-gzip", "a, b, gzip"],
)
async def test_a_compression_without_a_bound_is_refused(encoding: str) -> None:
    content = bomb(10_000_000, layers=2)
    async with hostile(whole(content, Content_Encoding=encoding)) as server:
        with pytest.raises(WebError, match="compressed as"):
            await read(server.url, WebGate.allowing(server.url))


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "identity", "gzip, identity"])
async def test_plain_and_gzip_are_read_and_nothing_else_is_asked_for(encoding: str) -> None:
    content = bomb(1000)() if "gzip" in encoding.lower() else bytes(1000)
    async with hostile(whole(content, Content_Encoding=encoding)) as server:
        assert (await read(server.url, WebGate.allowing(server.url))).content == bytes(1000)
    assert b"accept-encoding: gzip, deflate\r\n" in server.received[0].lower()


@pytest.mark.parametrize(
    "answer",
    [
        trickling([head()]),
        trickling([head(Content_Length="1000000")]),
        trickling([b"HTTP/1.1 200 OK\r\nX-Slow: "]),
        trickling([], b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["body", "sized body", "headers", "informational answers"],
)
async def test_what_trickles_in_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setattr(bounds, "WEB_GRACE_SECONDS", 0.2)
    async with hostile(answer) as server:
        with pytest.raises(WebError, match="was not there after"):
            await read(server.url, WebGate.allowing(server.url))


async def test_nothing_is_waited_for_longer_than_the_bound_however_fast_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "WEB_SECONDS", 0.2)
    monkeypatch.setattr(bounds, "SLOWEST_BYTES_PER_SECOND", 1)
    async with hostile(trickling([head()], b"x" * 1000)) as server:
        with pytest.raises(WebError, match="was not there after"):
            await read(server.url, WebGate.allowing(server.url), at_most=10**9)


async def test_what_is_fast_enough_may_take_longer_than_the_grace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "SLOWEST_BYTES_PER_SECOND", 1)

    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        # Not before, because connecting may take a busy machine longer than that.
        monkeypatch.setattr(bounds, "WEB_GRACE_SECONDS", 0.2)
        writer.write(head() + b"x" * 1000)
        await writer.drain()
        await asyncio.sleep(0.4)
        writer.write(b"y")

    async with hostile(answer) as server:
        content = (await read(server.url, WebGate.allowing(server.url))).content
    assert content == b"x" * 1000 + b"y"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Length: 20\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nno gzip",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 99999999999999999999 OK\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_an_answer_that_is_none_is_an_error_in_words(answer: bytes) -> None:
    async def say(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    async with hostile(say) as server:
        with pytest.raises((WebError, ForbiddenAddressError)) as told:
            await read(server.url, WebGate.allowing(server.url))
    assert len(str(told.value)) < 500


def test_nobody_there_is_an_error_in_words() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/a?key=s3cr3t"
        with pytest.raises(WebError, match="cannot be had") as told:
            read_web(url, WebGate.allowing(url), at_most=LIMIT)
    assert "s3cr3t" not in str(told.value)


@pytest.mark.parametrize("proxy", ["nonsense://x", "http://["])
def test_a_proxy_that_is_none_is_an_error_in_words(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(WebError):
        read_web("http://203.0.113.9/", WebGate.allowing(), at_most=LIMIT)
