"""How often each API key may ask: so many requests within a rolling window."""

from __future__ import annotations

import math
from collections import deque

from prefect_staticadslab.simulator.model.errors import APIError


class RateWindows:
    """A rolling window for each API key.

    Args:
        limit: Requests per window and key.
        seconds: The length of a window.

    Attributes:
        admitted: When requests were let in, of all keys.
    """

    def __init__(self, limit: int, seconds: float) -> None:
        self.admitted: deque[float] = deque()
        self._limit = limit
        self._seconds = seconds
        self._windows: dict[str, deque[float]] = {}

    def admit(self, api_key: str, now: float) -> dict[str, str]:
        """Counts a request, and returns its rate-limit headers.

        Raises:
            APIError: 429 if the window is full.
        """
        window = self._windows.setdefault(api_key, deque())
        while window and window[0] <= now - self._seconds:
            window.popleft()
        is_full = len(window) >= self._limit
        if not is_full:
            window.append(now)
            self.admitted.append(now)
        reset = str(math.ceil(window[0] + self._seconds - now if window else self._seconds))
        headers = {
            "RateLimit-Limit": str(self._limit),
            "RateLimit-Remaining": str(max(0, self._limit - len(window))),
            "RateLimit-Reset": reset,
        }
        if is_full:
            raise APIError(
                429,
                "RATE_LIMIT_EXCEEDED",
                "Too many requests in this window.",
                headers={**headers, "Retry-After": reset},
            )
        return headers
