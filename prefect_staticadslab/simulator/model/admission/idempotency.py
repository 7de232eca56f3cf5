"""What was answered to an idempotency key, so that the same request is answered the same again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from prefect_staticadslab.simulator.model.errors import APIError


@dataclass
class _FirstRequest:
    fingerprint: str
    at: float
    answer: tuple[Any, int] | None = None


class IdempotencyKeys:
    """The keys that were sent, by API key, with the answer that the first request had.

    Args:
        key_seconds: How long a key is remembered.
    """

    def __init__(self, key_seconds: float) -> None:
        self._key_seconds = key_seconds
        self._first: dict[tuple[str, str], _FirstRequest] = {}

    def begin(
        self, api_key: str, idempotency_key: str, request: object, now: float
    ) -> tuple[Any, int] | None:
        """The answer that the first request with this key had; None if this is the first one.

        The first one is to be ended by `finish`, or by `forget` if there is no answer to keep.

        Args:
            api_key: Whose request it is.
            idempotency_key: The key of the request.
            request: All that makes it this request, as JSON.
            now: The time.

        Raises:
            APIError: 409 if the first request still runs, or was another one.
        """
        text = json.dumps(request, sort_keys=True)
        fingerprint = hashlib.sha256(text.encode()).hexdigest()
        first = self._first.get((api_key, idempotency_key))
        if first is None or first.at <= now - self._key_seconds:
            self._first[api_key, idempotency_key] = _FirstRequest(fingerprint, now)
            return None
        if first.fingerprint != fingerprint:
            raise APIError(409, "IDEMPOTENCY_CONFLICT", "This key was used with another body.")
        if first.answer is None:
            raise APIError(
                409, "IDEMPOTENCY_CONFLICT", "The first request with this key still runs."
            )
        return first.answer

    def finish(self, api_key: str, idempotency_key: str, answer: tuple[Any, int]) -> None:
        """Keeps the answer to the first request: its data and its status."""
        self._first[api_key, idempotency_key].answer = answer

    def forget(self, api_key: str, idempotency_key: str) -> None:
        """Forgets a key, as if it had never been sent."""
        self._first.pop((api_key, idempotency_key), None)

    def age(self, seconds: float) -> None:
        """Makes what is remembered so many seconds older."""
        for first in self._first.values():
            first.at -= seconds
