"""The limiter: the thin part that waits, and is shared by all requests of a key."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from prefect_staticadslab.api.rate_limit.headers import RateLimitHeaders
from prefect_staticadslab.api.rate_limit.window import RateLimitState


class RateLimiter:
    """Makes requests wait their turn; shared by all that uses one key, in any thread or loop."""

    # Seconds. A turn can also come because another request's answer gave slots back, so nobody
    # sleeps for longer; and who waits for an answer only looks for it that often.
    _LONGEST_SLEEP: Final = 0.25
    _SHORTEST_SLEEP: Final = 0.005
    _ANSWER_CHECK: Final = 0.02

    def __init__(self) -> None:
        self._state = RateLimitState()
        self._lock = threading.Lock()

    @asynccontextmanager
    async def turn(self, *, create: bool = False) -> AsyncIterator[Turn]:
        """Waits until a request may start, and holds its slot while the body sends it.

        The body calls `Turn.note_answer`, or sets `Turn.not_sent`, for the limiter to take at its
        end. After neither, the slot is held as if the request had been counted.

        Args:
            create: Whether it is a create, and leaves a part of the window to reads.
        """
        while True:
            with self._lock:
                now = time.monotonic()
                delay = self._state.delay(now, create=create)
                if delay <= 0:
                    started = self._state.note_start(now, create=create)
                    break
            if math.isinf(delay):
                delay = self._ANSWER_CHECK
            await asyncio.sleep(min(max(delay, self._SHORTEST_SLEEP), self._LONGEST_SLEEP))
        turn = Turn()
        try:
            yield turn
        finally:
            now = time.monotonic()
            with self._lock:
                if turn.not_sent:
                    self._state.note_not_sent()
                elif turn.headers is None:
                    self._state.note_no_answer(now, create=create)
                else:
                    self._state.note_answer(
                        now, turn.headers, started, create=create, refused=turn.refused
                    )

    def seconds_for(self, creates: int) -> float:
        """How many seconds it takes at least until so many more creates have started."""
        with self._lock:
            return self._state.seconds_for(creates, time.monotonic())

    def creates_within(self, seconds: float) -> int:
        """How many creates may start in so many seconds, in the long run."""
        with self._lock:
            return self._state.creates_within(seconds)

    def seconds_per_read(self) -> float:
        """How many seconds apart reads are that leave the rest of the window to creates."""
        with self._lock:
            return self._state.seconds_per_read()


class Turn:
    """One request's slot, and what became of the request.

    Attributes:
        headers: What its answer said of the limit; None if it has none.
        refused: Whether that was a 429, which takes no slot.
        not_sent: Whether nothing went out, and no slot is taken.
    """

    headers: RateLimitHeaders | None = None
    refused = False
    not_sent = False

    def note_answer(self, headers: RateLimitHeaders, *, refused: bool = False) -> None:
        """Records what the answer said, for the limiter to take when the turn ends."""
        self.headers = headers
        self.refused = refused


_limiters: dict[tuple[str, str], RateLimiter] = {}
_limiters_lock = threading.Lock()


def shared_limiter(base_url: str, api_key_hash: str) -> RateLimiter:
    """This process's limiter for a key at a base URL; made when it is first asked for.

    The key is named by its hash; see `connection.hash_api_key`.
    """
    with _limiters_lock:
        return _limiters.setdefault((base_url, api_key_hash), RateLimiter())
