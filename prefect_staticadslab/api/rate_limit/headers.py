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

    Attributes:
        limit: Requests in a window.
        remaining: Requests that are left in it.
        reset: Seconds until a slot comes back.
        retry_after: Seconds until the next request may be sent.
    """

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    retry_after: float | None = None

    @classmethod
    def parse(cls, headers: Mapping[str, str], now: datetime | None = None) -> RateLimitHeaders:
        """Reads the headers of an answer, in any letter case. It raises nothing.

        Args:
            headers: All of the answer's.
            now: What a `Retry-After` that is a date counts from; by default, this machine's time.

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
            limit=_request_count(limit, at_least=1),
            remaining=_request_count(remaining, at_least=0),
            reset=reset if reset is not None and 0 < reset <= LONGEST_WAIT else None,
            retry_after=_retry_after_seconds(names.get("retry-after"), now),
        )


def _number(text: str | None) -> float | None:
    """A header's value as a finite number; None for one that is missing or no number."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _request_count(number: float | None, at_least: int) -> int | None:
    """A header's number of requests, `LARGEST_LIMIT` at most; None for one under `at_least`."""
    if number is None or number < at_least:
        return None
    return int(min(number, LARGEST_LIMIT))


def _retry_after_seconds(text: str | None, now: datetime | None) -> float | None:
    """The seconds that `Retry-After` names, or that are left until its date; `LONGEST_WAIT` at
    most. None if it is missing, over, or makes no sense."""
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
