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

    Its user says when the request is sent and answered, and calls the policy with each error.

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
        self._tries_left = max_tries - 1
        self._key_lock = key_lock
        self._upload_seconds = upload_seconds
        self._clock = clock or elapsed
        # The lock's number of the request as it was sent last.
        self._sent_number: int | None = None
        # When a try first ended in a time-out, and in a 429.
        self._silent_since: float | None = None
        self._rate_limited_since: float | None = None
        self._outcome_unknown = False

    def delay(self) -> float:
        """Seconds until it may be sent; 0 without a key. See `KeyLock.delay`."""
        return self._key_lock.delay(self._clock()) if self._key_lock else 0.0

    def note_sent(self) -> None:
        """Records in the lock on its key that the request goes out now."""
        if self._key_lock:
            self._sent_number = self._key_lock.note_sent(self._clock(), self._upload_seconds)

    def note_ended(self) -> None:
        """Records in the lock on its key that the API has answered the request, or never had it."""
        if self._key_lock and self._sent_number is not None:
            self._key_lock.note_ended(self._sent_number)

    def __call__(self, error: Exception) -> bool | float:
        """Takes the error that a try ended with, and decides whether there is another one.

        It counts the try, sets the error's `outcome_unknown`, and records in the lock on the key
        what the error says of the request.

        Returns:
            False to give up; True to send again after a pause; a number to send again after at
            least so many seconds.
        """
        if _shows_request_ended(error):
            self.note_ended()
        if isinstance(error, StaticAdsLabError):
            self._outcome_unknown = self._outcome_unknown or isinstance(error, _RETRIED)
            error.outcome_unknown = self._outcome_unknown
        now = self._clock()
        if isinstance(error, RateLimitError):
            # The limiter makes everyone wait, this request too; here there is nothing to add.
            self._rate_limited_since = self._rate_limited_since or now
            return 0.0 if now - self._rate_limited_since < RATE_LIMIT_PATIENCE_SECONDS else False
        if not self._note_failed_try(error, now):
            return False
        self._tries_left -= 1
        logger.info("Trying again after: %s", error)
        if isinstance(error, APIStatusError) and error.retry_after is not None:
            return error.retry_after
        return True

    def _note_failed_try(self, error: Exception, now: float) -> bool:
        """Whether a try is left that may go otherwise than this one. Records a conflict in the lock
        on the key, and when a try first ended in a time-out."""
        if not isinstance(error, _RETRIED) or self._tries_left <= 0:
            return False
        if isinstance(error, OversizedAnswerError):  # it would be no smaller
            return False
        if isinstance(error, IdempotencyConflictError) and self._key_lock:
            return self._key_lock.note_conflict(now)
        if not isinstance(error, APITimeoutError):
            return True
        self._silent_since = self._silent_since or now
        return now - self._silent_since < UNANSWERED_SECONDS


def _shows_request_ended(error: Exception) -> bool:
    """Whether an error shows that the API has done with the request, or never had it."""
    if isinstance(error, APIStatusError):
        return error.status not in _FROM_A_PROXY
    return isinstance(error, NotReachedError | OversizedAnswerError)
