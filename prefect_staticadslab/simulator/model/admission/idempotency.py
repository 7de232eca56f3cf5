"""What was answered to an idempotency key, so that the same request is answered the same again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from prefect_staticadslab.simulator.model.errors import APIError


@dataclass(eq=False)
class Lock:
    """Held by a request that is being answered. A later one takes it once it has lapsed."""

    key: tuple[str, str]
    since: float


@dataclass(frozen=True)
class Replay:
    """What was answered before."""

    answer: Any


@dataclass
class _Key:
    """A key that was sent.

    Attributes:
        fingerprint: The SHA-256 of the request that it was first sent with.
        since: When that was.
        lock: Of the request that is being answered, or was the last to be.
        replay: What was answered; None while nothing was.
    """

    fingerprint: str
    since: float
    lock: Lock
    replay: Replay | None = None


class IdempotencyKeys:
    """The keys that were sent, by API key, with the answer that each had.

    A request locks its key for a while. One that takes longer than that to be answered protects
    nothing any more: the same request, sent again, is carried out a second time.

    Args:
        key_seconds: How long a key is remembered.
    """

    def __init__(self, key_seconds: float) -> None:
        self._key_seconds = key_seconds
        self._keys: dict[tuple[str, str], _Key] = {}

    def begin(
        self, api_key: str, idempotency_key: str, request: object, now: float, lock_seconds: float
    ) -> Lock | Replay:
        """Lets a request begin, or finds what was answered to it before.

        Args:
            api_key: Whose request it is.
            idempotency_key: The key of the request.
            request: All that makes it this request, as JSON.
            now: The time.
            lock_seconds: How long a request that is being answered keeps others waiting.

        Returns:
            A lock, to be given to `finish`, or to `forget` if there is no answer to keep; or else
            the answer of before.

        Raises:
            APIError: 409 if the first request still holds its lock, or was another one.
        """
        text = json.dumps(request, sort_keys=True)
        fingerprint = hashlib.sha256(text.encode()).hexdigest()
        place = (api_key, idempotency_key)
        lock = Lock(place, now)
        known = self._keys.get(place)
        if known is None or known.since <= now - self._key_seconds:
            self._keys[place] = _Key(fingerprint, now, lock)
            return lock
        if known.fingerprint != fingerprint:
            raise APIError(409, "IDEMPOTENCY_CONFLICT", "This key was used with another body.")
        if known.replay:
            return known.replay
        if known.lock.since > now - lock_seconds:
            message = "The first request with this key still runs."
            raise APIError(409, "IDEMPOTENCY_CONFLICT", message)
        known.lock = lock
        return lock

    def finish(self, lock: Lock, answer: Any) -> None:
        """Keeps the answer to a request; of two with one key, that of the last to be answered."""
        known = self._keys.get(lock.key)
        if known is not None:
            known.replay = Replay(answer)

    def forget(self, lock: Lock) -> None:
        """Forgets a key, as if it had never been sent, unless another request holds it by now."""
        known = self._keys.get(lock.key)
        if known is not None and known.lock is lock and not known.replay:
            del self._keys[lock.key]

    def age(self, seconds: float) -> None:
        """Makes what is remembered so many seconds older."""
        for known in self._keys.values():
            known.since -= seconds
            known.lock.since -= seconds
