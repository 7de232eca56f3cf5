"""A server on a socket that answers from a script, for answers that no honest API gives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

DROP = b""
"""Closes the connection without an answer."""

HANG = b"HANG"
"""Keeps the connection open and says nothing more; also at the end of an answer."""


def answer(body: Any, status: int = 200, **headers: str) -> bytes:
    """A JSON answer in the API's envelope, unless `body` is a text."""
    text = body if isinstance(body, str) else json.dumps(body)
    kind = "text/html" if isinstance(body, str) else "application/json"
    head = {"content-type": kind, "content-length": str(len(text.encode()))}
    head |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"HTTP/1.1 {status} Scripted\r\n{lines}\r\n{text}".encode()


def data(value: Any, status: int = 200, **headers: str) -> bytes:
    """An answer that carries `value`."""
    return answer({"data": value, "meta": {"request_id": "req_1"}}, status, **headers)


def error(status: int, code: str, message: str = "No.", **fields: Any) -> bytes:
    """An answer that says no."""
    return answer(
        {"error": {"code": code, "message": message, **fields}, "meta": {"request_id": "req_9"}},
        status,
    )


def stream(text: str | bytes) -> bytes:
    """An event stream that ends when the connection does."""
    body = text.encode() if isinstance(text, str) else text
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + body


@dataclass(frozen=True)
class Received:
    """A request that the server got."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Scripted:
    """The server: its address, and what it received."""

    url: str = ""
    received: list[Received] = field(default_factory=list)


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def read_request(reader: asyncio.StreamReader) -> Received:
    """The next request of a connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.split(": ", 1) for line in lines)
    headers = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(method, path, headers, body)


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[str]:
    """Serves connections on a free port. Gives its address."""
    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()


@asynccontextmanager
async def scripted(script: Sequence[bytes]) -> AsyncIterator[Scripted]:
    """Serves one answer per request, in order; the last one again and again."""
    server = Scripted()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await read_request(reader)
            reply = script[min(len(server.received), len(script) - 1)]
            server.received.append(request)
            writer.write(reply.removesuffix(HANG))
            await writer.drain()
            if reply.endswith(HANG):
                await reader.read()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with listening(serve) as server.url:
        yield server
