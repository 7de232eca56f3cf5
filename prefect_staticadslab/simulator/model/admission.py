"""Who may ask, how often, and what is answered to the same question twice."""

from __future__ import annotations

import hashlib
import json
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

SIMULATOR_API_KEY: Final = "sal_live_simulator"
SECOND_API_KEY: Final = "sal_live_simulator_2"
"""Of the same organization, with a rate limit of its own."""
READ_ONLY_API_KEY: Final = "sal_live_read_only"

RESOURCES: Final = (
    "brands",
    "products",
    "audiences",
    "images",
    "design_templates",
    "image_ads",
)


class APIError(Exception):
    """An error answer."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers = dict(headers or {})


def not_valid(*details: tuple[str, str]) -> APIError:
    """A 400 that says what is wrong with which field."""
    listed = [{"field": field, "message": message} for field, message in details]
    return APIError(400, "VALIDATION_ERROR", "The body is not valid.", details=listed)


@dataclass
class _Remembered:
    fingerprint: str
    at: float
    answer: tuple[Any, int] | None = None


class Admission:
    """The keys, their scopes and windows, and the answers that idempotency keys had.

    Args:
        rate_limit: Requests per window and key.
        rate_window_seconds: The length of the rolling window.
        key_seconds: How long an idempotency key is remembered.

    Attributes:
        scopes: What each key may do.
        admitted: When requests were let in.
    """

    def __init__(self, rate_limit: int, rate_window_seconds: float, key_seconds: float) -> None:
        every = [f"{resource}:{verb}" for resource in RESOURCES for verb in ("read", "write")]
        self.scopes: dict[str, list[str]] = {
            SIMULATOR_API_KEY: every,
            SECOND_API_KEY: every,
            READ_ONLY_API_KEY: [scope for scope in every if scope.endswith(":read")],
        }
        self.admitted: deque[float] = deque()
        self._rate_limit = rate_limit
        self._window_seconds = rate_window_seconds
        self._key_seconds = key_seconds
        self._windows: dict[str, deque[float]] = {}
        self._remembered: dict[tuple[str, str], _Remembered] = {}

    def admit(self, key: str, now: float) -> dict[str, str]:
        """The rate-limit headers of a request, which takes a slot.

        Raises:
            APIError: 401 for an unknown key, 429 if the window is full.
        """
        if key not in self.scopes:
            raise APIError(401, "UNAUTHORIZED", "The API key is missing or unknown.")
        window = self._windows.setdefault(key, deque())
        length, limit = self._window_seconds, self._rate_limit
        while window and window[0] <= now - length:
            window.popleft()
        refused = len(window) >= limit
        if not refused:
            window.append(now)
            self.admitted.append(now)
        wait = window[0] + length - now if window else length
        headers = {
            "RateLimit-Limit": str(limit),
            "RateLimit-Remaining": str(max(0, limit - len(window))),
            "RateLimit-Reset": str(math.ceil(wait)),
        }
        if refused:
            headers["Retry-After"] = str(math.ceil(wait))
            raise APIError(
                429, "RATE_LIMIT_EXCEEDED", "Too many requests in this window.", headers=headers
            )
        return headers

    def need_scope(self, key: str, scope: str) -> None:
        """Raises a 403 if the key lacks the scope."""
        if scope not in self.scopes[key]:
            raise APIError(403, "FORBIDDEN", f"The key lacks the scope {scope}.")

    def recall(
        self, key: str, idempotency_key: str, request: object, now: float
    ) -> tuple[Any, int] | None:
        """The answer that this idempotency key had, or None for the first time, which is noted.

        Args:
            key: The API key.
            idempotency_key: The key of the request.
            request: All that makes it this request.
            now: The time.

        Raises:
            APIError: 409 if the first request still runs, or was another one.
        """
        text = json.dumps(request, sort_keys=True)
        fingerprint = hashlib.sha256(text.encode()).hexdigest()
        name = (key, idempotency_key)
        known = self._remembered.get(name)
        if known is None or known.at <= now - self._key_seconds:
            self._remembered[name] = _Remembered(fingerprint, now)
            return None
        if known.fingerprint != fingerprint:
            raise APIError(409, "IDEMPOTENCY_CONFLICT", "This key was used with another body.")
        if known.answer is None:
            raise APIError(
                409, "IDEMPOTENCY_CONFLICT", "The first request with this key still runs."
            )
        return known.answer

    def remember(self, key: str, idempotency_key: str, answer: tuple[Any, int] | None) -> None:
        """Notes the answer to a key, or that there was none to remember."""
        if answer is None:
            self._remembered.pop((key, idempotency_key), None)
        else:
            self._remembered[key, idempotency_key].answer = answer

    def age(self, seconds: float) -> None:
        """Makes what is remembered so many seconds older."""
        for remembered in self._remembered.values():
            remembered.at -= seconds
