"""How often each API key may ask: so many requests within a rolling window."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Mapping

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
        self._windows: defaultdict[str, deque[float]] = defaultdict(deque)

    def admit(self, api_key: str, now: float) -> dict[str, str]:
        """Counts a request, and returns its rate-limit headers.

        Raises:
            APIError: 429 if the window is full.
        """
        window = self._window(api_key, now)
        if len(window) >= self._limit:
            headers = self.headers(api_key, now)
            raise exceeded(headers, int(headers["RateLimit-Reset"]))
        window.append(now)
        self.admitted.append(now)
        return self.headers(api_key, now)

    def headers(self, api_key: str, now: float) -> dict[str, str]:
        """The rate-limit headers of a key's window, without counting a request."""
        window = self._window(api_key, now)
        reset = window[0] + self._seconds - now if window else self._seconds
        return {
            "RateLimit-Limit": str(self._limit),
            "RateLimit-Remaining": str(max(0, self._limit - len(window))),
            "RateLimit-Reset": str(max(1, math.ceil(reset))),
        }

    def _window(self, api_key: str, now: float) -> deque[float]:
        """When this key's requests of the last window were let in, once older ones are dropped."""
        window = self._windows[api_key]
        while window and window[0] <= now - self._seconds:
            window.popleft()
        return window


def exceeded(headers: Mapping[str, str], retry_after: int) -> APIError:
    """A 429 that asks to wait for so many seconds, at least 1."""
    return APIError(
        429,
        "RATE_LIMIT_EXCEEDED",
        f"Too many requests in this window. Retry after {retry_after} seconds.",
        headers={**headers, "RateLimit-Remaining": "0", "Retry-After": str(retry_after)},
    )
