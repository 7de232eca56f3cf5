"""Whether an error is worth another try, and when."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from prefect_staticadslab.api.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    IdempotencyConflictError,
    NotReachedError,
    OversizedAnswerError,
    RateLimitError,
    ServerError,
    StaticAdsLabError,
    UnreadableAnswerError,
)
from prefect_staticadslab.api.retries.elapsed import elapsed
from prefect_staticadslab.api.retries.key_lock import KeyLock

logger = logging.getLogger(__name__)

DEFAULT_MAX_TRIES: Final = 8
"""With the pauses between them, they ride out about a minute of trouble."""

UNANSWERED_SECONDS: Final = 240.0
"""How long after its first try a request is sent once more, if all that comes is silence. Each try
at a create may wait for a minute and a half."""

RATE_LIMIT_PATIENCE_SECONDS: Final = 1800.0
"""429 is no failure; but a request that is refused for half an hour has no limit to wait for."""

_RETRIED = (APIConnectionError, UnreadableAnswerError, ServerError, IdempotencyConflictError)

_FROM_A_PROXY: Final = (502, 504)
"""Statuses that say nothing of what the API behind the proxy is doing."""


class RetryPolicy:
    """Decides, for one request, whether and when it is sent once more.

    Args:
        max_tries: How often it is sent at most; refusals with 429 do not count.
        key_lock: The lock on its idempotency key, if it has one.
        upload_seconds: How long its body may take to arrive.
        clock: Seconds on a clock that only goes on.
    """

    def __init__(
        self,
        max_tries: int,
        *,
        key_lock: KeyLock | None = None,
        upload_seconds: float = 0.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._left = max_tries - 1
        self._key_lock = key_lock
        self._upload_seconds = upload_seconds
        self._clock = clock or elapsed
        self._number: int | None = None
        self._silent_since: float | None = None
        self._refused_since: float | None = None
        self._undecided = False

    def delay(self) -> float:
        """Seconds until it may go out: the API may be working on it, and its lock have lapsed."""
        return self._key_lock.delay(self._clock()) if self._key_lock else 0.0

    def sent(self) -> None:
        """Notes that the request goes out now, for others that use the same idempotency key."""
        if self._key_lock:
            self._number = self._key_lock.sent(self._clock(), self._upload_seconds)

    def answered(self) -> None:
        """Notes that the API has answered the request, or never had it, so that its idempotency key
        is free again."""
        if self._key_lock and self._number is not None:
            self._key_lock.ended(self._number)

    def __call__(self, error: Exception) -> bool | float:
        """Whether to send it again after an error; or in how many seconds at least."""
        if _is_from_the_api(error):
            self.answered()
        if isinstance(error, StaticAdsLabError):
            error.outcome_unknown = self._undecided = self._undecided or isinstance(error, _RETRIED)
        now = self._clock()
        if isinstance(error, RateLimitError):
            # The limiter makes everyone wait, this request too; here there is nothing to add.
            self._refused_since = self._refused_since or now
            return 0.0 if now - self._refused_since < RATE_LIMIT_PATIENCE_SECONDS else False
        if not self._is_worth_another_try(error, now):
            return False
        self._left -= 1
        logger.info("Trying again after: %s", error)
        if isinstance(error, APIStatusError) and error.retry_after is not None:
            return error.retry_after
        return True

    def _is_worth_another_try(self, error: Exception, now: float) -> bool:
        if not isinstance(error, _RETRIED) or self._left <= 0:
            return False
        if isinstance(error, OversizedAnswerError):  # it would be no smaller
            return False
        if isinstance(error, IdempotencyConflictError) and self._key_lock:
            return self._key_lock.is_explained(now)
        if not isinstance(error, APITimeoutError):
            return True
        self._silent_since = self._silent_since or now
        return now - self._silent_since < UNANSWERED_SECONDS


def _is_from_the_api(error: Exception) -> bool:
    """Whether the API has done with the request, or never had it."""
    if isinstance(error, APIStatusError):
        return error.status not in _FROM_A_PROXY
    return isinstance(error, NotReachedError | OversizedAnswerError)
