"""The simulator's clock: seconds since 1970, and how the API writes them."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> float:
    """The time in seconds since 1970; tests may replace this function."""
    return time.time()


def timestamp(moment: float) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
