"""How many rows are marked as about to be sent before it is their turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

LEAST_ROWS: Final = 200
"""So many rows may be marked at any time: those that are being sent, and the next ones."""

SHARE_DIVISOR: Final = 4
"""At most all rows divided by this are marked. Each mark is a write of the whole table, so their
number must not grow with the table, or a campaign's cost would grow with its square."""

AHEAD_SECONDS: Final = 600.0
"""Only what the rate limit lets through within ten minutes: marks grow old."""


class SubmitWindow:
    """Lets chunks mark their rows in order and in good time, and many chunks in one go.

    Args:
        creates_within: How many creates the rate limit allows within so many seconds.
    """

    def __init__(self, creates_within: Callable[[float], int]) -> None:
        self._creates_within = creates_within
        # Rows that are marked and not sent yet; and the most that ever were, or waited for it.
        self._marked = 0
        self._most_rows = 0
        # Chunks that wait: how many rows each has, and what is set once it may mark them.
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def turn(self, rows: int) -> AsyncIterator[Callable[[], None]]:
        """Waits until so many rows may be marked, and takes room for them while the body runs.

        It gives a function to be called as each row has been sent, which gives its room back.
        """
        unsent = rows

        def row_sent() -> None:
            nonlocal unsent
            unsent -= 1
            self._give_back(1)

        await self._take_room(rows)
        try:
            yield row_sent
        finally:
            self._give_back(unsent)

    async def _take_room(self, rows: int) -> None:
        """Queues up behind other chunks, and returns once room for these rows is taken."""
        admitted = asyncio.get_running_loop().create_future()
        self._queue.append((rows, admitted))
        queued = sum(count for count, _ in self._queue)
        self._most_rows = max(self._most_rows, self._marked + queued)
        self._admit()
        try:
            await admitted
        except asyncio.CancelledError:
            if not admitted.cancelled():
                self._give_back(rows)
            raise

    def _give_back(self, rows: int) -> None:
        """Gives the room of so many rows back, and admits those that fit in by then."""
        self._marked -= rows
        self._admit()

    def _admit(self) -> None:
        """Once half of the room is free, admits chunks from the queue's front until it is taken."""
        allowed = self._creates_within(AHEAD_SECONDS)
        room = max(LEAST_ROWS, min(self._most_rows // SHARE_DIVISOR, allowed))
        if self._marked > room // 2:
            return
        while self._queue and self._marked < room:
            rows, admitted = self._queue.popleft()
            if not admitted.done():
                self._marked += rows
                admitted.set_result(None)
