"""A server that locks a key while it works on a request, for 30 s, and a clock that jumps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.scripted import answer, data, error, listening, read_request

LOCK_SECONDS = 30.0


@dataclass
class Clock:
    """The time, which passes when somebody says so."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Work:
    """What the server has begun for a key."""

    id: str
    body: bytes
    begun: float
    done: float


@dataclass
class LockingServer:
    """Takes a time to make something, during which its lock keeps others out, but not for long.

    Attributes:
        takes: How long each thing that it makes takes, in seconds; the last one again and again.
        drops: After how many seconds each connection is cut; None for not at all.
        bad_gateway: Whether a proxy answers with a page of its own where a connection is cut.
    """

    clock: Clock
    takes: list[float]
    drops: list[float | None]
    bad_gateway: bool = False
    made: list[Work] = field(default_factory=list)
    requests: int = 0
    url: str = ""
    _by_key: dict[str, Work] = field(default_factory=dict)

    def answer_to(self, key: str, body: bytes) -> bytes | None:
        """What is sent back; None cuts the connection."""
        now = self.clock.now
        drop = self.drops[min(self.requests, len(self.drops) - 1)]
        self.requests += 1
        work = self._by_key.get(key)
        is_running = work is not None and now < work.done
        if work is None or (is_running and now >= work.begun + LOCK_SECONDS):
            takes = self.takes[min(len(self.made), len(self.takes) - 1)]
            work = Work(f"ia_{len(self.made)}", body, now, now + takes)
            self.made.append(work)
            self._by_key[key] = work
        elif is_running or work.body != body:
            return error(409, "IDEMPOTENCY_CONFLICT")
        if drop is not None and now + drop < work.done:
            self.clock.now += drop
            return answer("<html>Bad gateway</html>", 502) if self.bad_gateway else None
        self.clock.now = max(now, work.done)
        return data({"id": work.id, "status": "processing"}, 202)


@asynccontextmanager
async def served(server: LockingServer) -> AsyncIterator[LockingServer]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        reply = server.answer_to(request.headers["idempotency-key"], request.body)
        if reply is not None:
            writer.write(reply.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
            await writer.drain()
        writer.close()

    async with listening(serve) as server.url:
        yield server
