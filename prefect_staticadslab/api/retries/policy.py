"""Whether an error is worth another try."""

from __future__ import annotations

import logging
import time
from typing import Final

from prefect_staticadslab.api.errors import (
    APIConnectionError,
    APIStatusError,
    ConflictError,
    OversizedAnswerError,
    RateLimitError,
    ServerError,
    StaticAdsLabError,
    UnreadableAnswerError,
)

logger = logging.getLogger(__name__)

DEFAULT_MAX_TRIES: Final = 8
"""With the pauses between them, they ride out about a minute of trouble."""

RATE_LIMIT_PATIENCE_SECONDS: Final = 1800.0
"""429 is no failure; but a request that is refused for half an hour has no limit to wait for."""

_RETRIED = (APIConnectionError, UnreadableAnswerError, ServerError, ConflictError)


class RetryPolicy:
    """Decides, for one request, whether an error is worth another try, and when.

    Args:
        max_tries: How often it is sent at most.
        body_ages: Whether its body is made from what the API has now, so that it must not be sent
            any more after a conflict: what it conflicts with may have changed that.
    """

    def __init__(self, max_tries: int, *, body_ages: bool = False) -> None:
        self._left = max_tries - 1
        self._body_ages = body_ages
        self._refused_since: float | None = None
        self._undecided = False

    def __call__(self, error: Exception) -> bool | float:
        if self._body_ages and type(error) is ConflictError:
            error.outcome_unknown = self._undecided
            return False
        if isinstance(error, StaticAdsLabError):
            error.outcome_unknown = self._undecided = self._undecided or isinstance(error, _RETRIED)
        if isinstance(error, RateLimitError):
            # The limiter makes everyone wait, this request too; here there is nothing to add.
            now = time.monotonic()
            self._refused_since = self._refused_since or now
            return 0.0 if now - self._refused_since < RATE_LIMIT_PATIENCE_SECONDS else False
        if not isinstance(error, _RETRIED) or self._left <= 0:
            return False
        if isinstance(error, OversizedAnswerError):  # it would be no smaller
            return False
        self._left -= 1
        logger.info("Trying again after: %s", error)
        if isinstance(error, APIStatusError) and error.retry_after is not None:
            return error.retry_after
        return True
