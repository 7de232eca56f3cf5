"""What an answer's headers say about the limit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

LARGEST_LIMIT: Final = 1_000_000
"""Requests in a window; a server that names more sets no limit at all."""

LONGEST_WAIT: Final = 300.0
"""A server that asks for more seconds than this is asked again after this many."""


@dataclass(frozen=True)
class RateLimitHeaders:
    """What one answer said about the limit; None where it said nothing, or nonsense.

    `reset` and `retry_after` are in seconds.
    """

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    retry_after: float | None = None

    @classmethod
    def parse(cls, headers: Mapping[str, str], now: datetime | None = None) -> RateLimitHeaders:
        """Reads the headers of an answer. `now` is for a `Retry-After` that is a date.

        Example:
            ```python
            from prefect_staticadslab.api.rate_limit import RateLimitHeaders

            headers = RateLimitHeaders.parse({"RateLimit-Limit": "100", "Retry-After": "soon"})
            assert headers == RateLimitHeaders(limit=100)
            ```
        """
        names = {name.lower(): value for name, value in headers.items()}
        limit = _number(names.get("ratelimit-limit"))
        remaining = _number(names.get("ratelimit-remaining"))
        reset = _number(names.get("ratelimit-reset"))
        return cls(
            limit=_count(limit, at_least=1),
            remaining=_count(remaining, at_least=0),
            reset=reset if reset is not None and 0 < reset <= LONGEST_WAIT else None,
            retry_after=_retry_after(names.get("retry-after"), now),
        )


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _count(number: float | None, at_least: int) -> int | None:
    """A number of requests as a header may have it; None for one that makes no sense."""
    if number is None or number < at_least:
        return None
    return int(min(number, LARGEST_LIMIT))


def _retry_after(text: str | None, now: datetime | None) -> float | None:
    seconds = _number(text)
    if seconds is None and text:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):  # a year or a zone with too many digits
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - (now or datetime.now(UTC))).total_seconds()
    if seconds is None or seconds <= 0:
        return None
    return min(seconds, LONGEST_WAIT)
