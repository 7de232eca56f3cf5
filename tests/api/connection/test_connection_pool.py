"""The connections to the API: how few there are, and what becomes of those that end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from prefect_staticadslab.api.connection import pool
from prefect_staticadslab.api.connection.pool import ConnectionPool
from tests.support.scripted import Received, Serve, answer, listening, read_request

ANSWER = answer({})


@dataclass
class Server:
    """A server that keeps its connections, and what it saw of them.

    Attributes:
        url: Where it is.
        requests: By connection, in the order in which they came.
        answers: Set as long as it answers.
        closes_after: How many answers a connection gets before it is closed.
        closed: Set once a connection has ended.
        left: How many connections the other side has closed.
    """

    url: str = ""
    requests: list[list[Received]] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    closes_after: int | None = None
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    left: int = 0


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[str]:
    """Serves connections, and ends when all of them have."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    async with listening(serve_one) as url:
        yield url
        await asyncio.gather(*tasks)


@asynccontextmanager
async def keeping() -> AsyncIterator[Server]:
    server = Server()
    server.answers.set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        of_this = list[Received]()
        server.requests.append(of_this)
        try:
            while len(of_this) != server.closes_after:
                of_this.append(await read_request(reader))
                await server.answers.wait()
                writer.write(ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            server.left += 1
        finally:
            writer.close()
            server.closed.set()

    async with serving(serve) as server.url:
        yield server


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, transport=ConnectionPool(url), timeout=20) as http:
        yield http


async def test_one_request_after_another_takes_one_connection() -> None:
    async with keeping() as server, client_of(server.url) as http:
        for number in range(5):
            assert (await http.post("/v1/image-ads", json={"n": number})).status_code == 200
    assert [len(of_one) for of_one in server.requests] == [5]
    assert [each.body for each in server.requests[0]] == [b'{"n":%d}' % n for n in range(5)]


async def test_requests_at_once_take_as_many_and_later_ones_the_last_of_them() -> None:
    async with keeping() as server, client_of(server.url) as http:
        await asyncio.gather(*(http.get("/") for _ in range(6)))
        before = [len(of_one) for of_one in server.requests]
        for _ in range(4):
            await http.get("/")
    assert sum(before) == 6
    gained = [len(of_one) - was for of_one, was in zip(server.requests, before, strict=True)]
    assert sorted(gained) == [0] * (len(before) - 1) + [4]


async def test_a_connection_that_the_other_end_closed_is_not_taken_again() -> None:
    async with keeping() as server, client_of(server.url) as http:
        server.closes_after = 1
        for _ in range(3):
            server.closed.clear()
            await http.get("/")
            await server.closed.wait()
    assert [len(of_one) for of_one in server.requests] == [1, 1, 1]


async def test_what_is_idle_for_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "IDLE_SECONDS", -1.0)
    async with keeping() as server, client_of(server.url) as http:
        for _ in range(3):
            await http.get("/")
        assert len(server.requests) == 3
        await server.closed.wait()
        assert server.left >= 1


async def test_no_more_than_so_many_are_open_and_others_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "MOST_CONNECTIONS", 2)
    async with keeping() as server, client_of(server.url) as http:
        answers = await asyncio.gather(*(http.get("/") for _ in range(9)))
    assert [each.status_code for each in answers] == [200] * 9
    assert len(server.requests) == 2
    assert sum(map(len, server.requests)) == 9


async def test_who_waits_too_long_for_room_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MOST_CONNECTIONS", 1)
    async with keeping() as server, client_of(server.url) as http:
        server.answers.clear()
        first = asyncio.create_task(http.get("/"))
        while not any(server.requests):
            await asyncio.sleep(0)
        with pytest.raises(httpx.PoolTimeout, match="1 connections"):
            await http.get("/", timeout=httpx.Timeout(20, pool=0.01))
        server.answers.set()
        assert (await first).status_code == 200


async def test_a_request_that_was_cancelled_leaves_room_and_its_answer_to_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "MOST_CONNECTIONS", 1)
    async with keeping() as server, client_of(server.url) as http:
        server.answers.clear()
        lost = asyncio.create_task(http.get("/lost"))
        while not any(server.requests):
            await asyncio.sleep(0)
        lost.cancel()
        with pytest.raises(asyncio.CancelledError):
            await lost
        server.answers.set()
        await http.get("/next")
    assert [[each.path for each in of_one] for of_one in server.requests] == [["/lost"], ["/next"]]


@pytest.mark.parametrize("requests_before", [0, 1])
@pytest.mark.parametrize("ends", ["the request is cancelled", "the client is closed"])
async def test_whatever_ends_at_any_step_leaves_no_connection_open(
    ends: str, requests_before: int
) -> None:
    finished = 0
    for steps in range(40):
        async with asyncio.timeout(20), keeping() as server:
            http = httpx.AsyncClient(base_url=server.url, transport=ConnectionPool(server.url))
            for _ in range(requests_before):
                await http.get("/")
            last = asyncio.create_task(http.get("/"))
            for _ in range(steps):
                await asyncio.sleep(0)
            finished += last.done()
            if ends == "the client is closed":
                await http.aclose()
            else:
                last.cancel()
            await asyncio.gather(last, return_exceptions=True)
            await http.aclose()
            while server.left < len(server.requests):
                await asyncio.sleep(0)
    assert 0 < finished < 40


async def test_a_handshake_that_is_cancelled_leaves_no_connection_open() -> None:
    greeted, left = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(1)
        greeted.set()
        await reader.read()
        left.set()

    async with serving(serve) as url:
        secure = url.replace("http:", "https:")
        async with client_of(secure) as http:
            lost = asyncio.create_task(http.get("/"))
            await greeted.wait()
            lost.cancel()
            with pytest.raises(asyncio.CancelledError):
                await lost
            async with asyncio.timeout(20):
                await left.wait()


async def test_a_head_and_its_body_are_sent_in_one_piece() -> None:
    pieces: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pieces.append(await reader.read(pool.WRITTEN_AT_ONCE))
        writer.write(ANSWER)
        await writer.drain()

    async with serving(serve) as url, client_of(url) as http:
        await http.post("/", content=b"body")
    assert pieces[0].startswith(b"POST / HTTP/1.1\r\n")
    assert pieces[0].endswith(b"\r\n\r\nbody")


async def test_a_large_body_arrives_whole() -> None:
    body = bytes(range(256)) * 20_000
    async with keeping() as server, client_of(server.url) as http:
        await http.post("/", content=body)
    assert server.requests[0][0].body == body


@pytest.mark.parametrize("size", [10, 10_000_000])
async def test_an_answer_before_the_body_was_taken_is_read(size: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer({}, 413))
        await writer.drain()
        writer.write_eof()
        while await reader.read(1_000_000):
            pass

    async with serving(serve) as url, client_of(url) as http:
        assert (await http.post("/", content=b"x" * size)).status_code == 413


async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def speak_no_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n\r\n")
    await reader.read()


async def end_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(ANSWER[:-1])


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


@pytest.mark.parametrize(
    ("serve", "error"),
    [
        (drop, httpx.RemoteProtocolError),
        (speak_no_http, httpx.RemoteProtocolError),
        (end_early, httpx.RemoteProtocolError),
        (say_nothing, httpx.ReadTimeout),
    ],
)
async def test_what_goes_wrong_is_said_as_httpx_says_it(
    serve: Serve, error: type[Exception]
) -> None:
    async with serving(serve) as url, client_of(url) as http:
        with pytest.raises(error):
            await http.get("/", timeout=httpx.Timeout(20, read=0.2))


async def test_nobody_there_is_said_as_httpx_says_it() -> None:
    async with client_of("http://127.0.0.1:9") as http:
        with pytest.raises(httpx.ConnectError):
            await http.get("/")
