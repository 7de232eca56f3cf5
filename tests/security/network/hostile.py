"""Servers on sockets that mean no good: each answers with whatever bytes an attack wants."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Final

GZIP: Final = 16 + zlib.MAX_WBITS
DEFLATE: Final = zlib.MAX_WBITS
"""How zlib writes what HTTP calls so."""

PIECE: Final = 1_000_000
"""Bytes that are compressed at a time, so that a bomb takes no memory where it is made."""

Body = bytes | Callable[[], bytes]

Answer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]
"""Given a request's path, writes what comes back."""


@dataclass
class Hostile:
    """A server: where it is, and what it was sent."""

    url: str = ""
    received: list[bytes] = field(default_factory=list)
    """The head of each request; empty for a connection on which nothing was sent."""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@asynccontextmanager
async def hostile(answer: Answer) -> AsyncIterator[Hostile]:
    """Serves one answer per connection."""
    server, tasks = Hostile(), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        head = b""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            server.received.append(head)
            await answer(head.split(b" ")[1].decode(), writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            if not head:
                server.received.append(b"")
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def whole(body: Body = b"", status: str = "200 OK", **headers: str) -> Answer:
    """An answer in one piece, which is made when it is asked for."""

    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        content = body if isinstance(body, bytes) else body()
        writer.write(head(status, content_length=str(len(content)), **headers) + content)

    return answer


def endless(piece: bytes, status: str = "200 OK", **headers: str) -> Answer:
    """An answer whose body never ends, until nobody reads it any more."""

    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(head(status, **headers))
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()

    return answer


def trickling(pieces: Iterable[bytes] = (), then: bytes = b".", pause: float = 0.01) -> Answer:
    """Says these pieces, and then a byte now and then for ever."""

    async def answer(_: str, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
        while not writer.is_closing():
            writer.write(then)
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


def head(status: str = "200 OK", **headers: str) -> bytes:
    """The beginning of an answer, after which the connection is closed."""
    lines = [f"HTTP/1.1 {status}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@cache
def _bomb(size: int, layers: int, wbits: int) -> bytes:
    packer = zlib.compressobj(wbits=wbits)
    pieces = [packer.compress(bytes(min(PIECE, size - at))) for at in range(0, size, PIECE)]
    content = b"".join([*pieces, packer.flush()])
    for _ in range(layers - 1):
        content = gzip.compress(content)
    return content


def bomb(size: int, layers: int = 1, *, wbits: int = GZIP) -> Callable[[], bytes]:
    """So many zeros, compressed, and what that gives compressed again, and so on."""
    return partial(_bomb, size, layers, wbits)


@contextmanager
def memory_traced() -> Iterator[Callable[[], int]]:
    """Traces what Python allocates, and gives a function that tells the most of it, in bytes."""
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
