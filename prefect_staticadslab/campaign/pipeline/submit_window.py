"""How many rows are marked as about to be sent before it is their turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

LEAST_ROWS: Final = 200
"""Rows that are marked ahead at least: those that are being sent, and the next ones."""

SHARE: Final = 4
"""A quarter of all rows at most. Each mark is a write of the whole table, so their number must not
grow with the table, or a campaign's cost would grow with its square."""

SECONDS: Final = 600.0
"""Only what the rate limit lets through within ten minutes: marks grow old."""


class SubmitWindow:
    """Lets chunks mark their rows in order and in good time, and many chunks in one go.

    Args:
        creates_within: How many creates the rate limit allows within so many seconds.
    """

    def __init__(self, creates_within: Callable[[float], int]) -> None:
        self._creates_within = creates_within
        self._marked = 0
        self._most = 0
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def turn(self, rows: int) -> AsyncIterator[Callable[[], None]]:
        """Waits until so many rows may be marked. What it gives is called as each has been sent."""
        held = rows

        def sent() -> None:
            nonlocal held
            held -= 1
            self._leave(1)

        await self._enter(rows)
        try:
            yield sent
        finally:
            self._leave(held)

    async def _enter(self, rows: int) -> None:
        admitted = asyncio.get_running_loop().create_future()
        self._queue.append((rows, admitted))
        self._most = max(self._most, self._marked + sum(count for count, _ in self._queue))
        self._admit()
        try:
            await admitted
        except asyncio.CancelledError:
            if not admitted.cancelled():
                self._leave(rows)
            raise

    def _leave(self, rows: int) -> None:
        self._marked -= rows
        self._admit()

    def _admit(self) -> None:
        room = max(LEAST_ROWS, min(self._most // SHARE, self._creates_within(SECONDS)))
        if self._marked > room // 2:
            return
        while self._queue and self._marked < room:
            rows, admitted = self._queue.popleft()
            if not admitted.done():
                self._marked += rows
                admitted.set_result(None)
