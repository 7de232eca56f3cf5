"""The API's lock on an idempotency key, and when a request may be sent once more because of it.

While the API works on a request, a lock keeps out others with the same key; but only for 30 s. A
create that takes longer, and is sent again in the meantime, makes a second ad, and both are billed.
So what had no answer is sent again either while the lock certainly holds, or after the API has
certainly finished with all that was sent before; never in between. What two runs may send, of
which neither knows when the other does, goes out in turns that both can reckon.
"""

from __future__ import annotations

import math
import threading
import zlib
from collections.abc import Callable
from typing import Final
from weakref import WeakValueDictionary

from prefect_staticadslab.api.retries.elapsed import elapsed

LOCK_SECONDS: Final = 30.0
"""How long the lock holds, from when the API began with a request. From the vendor's guide."""

REPEAT_SECONDS: Final = 25.0
"""How long after the first time a request may be repeated under the lock: it has to arrive, too."""

WORK_SECONDS: Final = 90.0
"""How long after it was sent the API may still work on a request. Not documented; proxies end what
takes longer."""

TURN_SECONDS: Final = REPEAT_SECONDS + WORK_SECONDS
"""How far apart the turns are in which runs that share a key send with it. A turn is as long as a
lock certainly holds, and before the next one the API has done with all that was sent in it."""

_KEPT_LOCKS: Final = 1_000


class KeyLock:
    """What the API may still be working on, of all that was sent with one idempotency key.

    Times are seconds on a clock that only goes on; see `elapsed`.

    Args:
        turn_offset: By how many seconds the turns of runs that share the key come later than those
            of other keys, so that there is always a key whose turn it is.

    Example:
        ```python
        from prefect_staticadslab.api.retries.key_lock import KeyLock

        lock = KeyLock()
        lost = lock.sent(now=0)
        assert lock.delay(now=10) == 0
        assert lock.delay(now=31) == 59
        assert lock.delay(now=90) == 0
        lock.ended(lost)
        assert lock.delay(now=31) == 0
        ```
    """

    def __init__(self, turn_offset: float = 0.0) -> None:
        self._turn_offset = turn_offset
        self._shared_since: float | None = None
        self._number = 0
        # When the API began with it at the earliest, and ends it at the latest.
        self._open: dict[int, tuple[float, float]] = {}
        self._was_refused = False

    def delay(self, now: float) -> float:
        """Seconds until a request with this key may be sent."""
        free = self._free(now)
        while (turn := self._turn(free)) > free:
            free = self._free(turn)
        return free - now

    def _free(self, now: float) -> float:
        """When the API has done with what was sent, or its lock keeps out what is sent besides."""
        spans = self._spans(now)
        if not spans or now - min(begun for begun, _ in spans) < REPEAT_SECONDS:
            return now
        return max(end for _, end in spans)

    def _turn(self, now: float) -> float:
        """When it is the turn of all that share the key; at any time, if nobody shares it."""
        if self._shared_since is None or now - self._shared_since < REPEAT_SECONDS:
            return now
        first = self._shared_since + TURN_SECONDS + self._turn_offset
        if now < first:
            return first
        into_turn = (now - first) % TURN_SECONDS
        return now if into_turn < REPEAT_SECONDS else now + TURN_SECONDS - into_turn

    def share(self, since: float) -> None:
        """Another run is alive and may send with this key, in the same turns as this one.

        Args:
            since: When the key was first used at the earliest, which all of them know.
        """
        self._shared_since = since

    @property
    def is_shared(self) -> bool:
        """Whether another run may send with this key."""
        return self._shared_since is not None

    def sent(self, now: float, upload_seconds: float = 0.0) -> int:
        """A request with this key goes out.

        Args:
            now: When.
            upload_seconds: How long its body may take to arrive.

        Returns:
            A number for `ended`.
        """
        self._open = {n: span for n, span in self._open.items() if span[1] > now}
        self._number += 1
        self._open[self._number] = (now, now + upload_seconds + WORK_SECONDS)
        return self._number

    def sent_elsewhere(self, first: float, last: float) -> None:
        """Another process may have sent requests with this key, and none is known to have ended.

        Args:
            first: When it sent the first one, at the earliest.
            last: When it sent the last one, at the latest.
        """
        self._number += 1
        self._open[self._number] = (first, last + WORK_SECONDS)

    def ended(self, number: int) -> None:
        """The API has answered this request, or never had it."""
        self._open.pop(number, None)

    def is_explained(self, now: float) -> bool:
        """Whether another request with this key explains that one was refused as in conflict.

        If none of ours can be the reason, somebody else's may; but only once. What is refused
        after that one has ended, too, has a key that was used for another body.
        """
        if self.is_held(now):
            return True
        if self._was_refused:
            return False
        self._was_refused = True
        self._number += 1
        self._open[self._number] = (-math.inf, now + WORK_SECONDS)
        return True

    def is_held(self, now: float) -> bool:
        """Whether the API may be working on something with this key."""
        return bool(self._spans(now))

    def _spans(self, now: float) -> list[tuple[float, float]]:
        return [span for span in self._open.values() if span[1] > now]


class KeyLocks:
    """The locks of one API key; what was sent may be asked for again from elsewhere."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or elapsed
        self._locks: dict[str, KeyLock] = {}
        # Whoever waits with a lock has not sent anything yet, and must not be given a second one.
        self._in_hand: WeakValueDictionary[str, KeyLock] = WeakValueDictionary()
        self._guard = threading.Lock()

    def of(self, idempotency_key: str) -> KeyLock:
        """The lock of an idempotency key, made if there is none."""
        with self._guard:
            if len(self._locks) > _KEPT_LOCKS:
                now = self._clock()
                self._locks = {
                    key: lock
                    for key, lock in self._locks.items()
                    if lock.is_shared or lock.is_held(now)
                }
            lock = self._in_hand.get(idempotency_key)
            if lock is None:
                lock = KeyLock(zlib.crc32(idempotency_key.encode()) % TURN_SECONDS)
            self._locks[idempotency_key] = self._in_hand[idempotency_key] = lock
            return lock


_shared: dict[tuple[str, str], KeyLocks] = {}


def shared_key_locks(base_url: str, api_key_hash: str) -> KeyLocks:
    """The locks that this process knows of, for a key at a base URL."""
    return _shared.setdefault((base_url, api_key_hash), KeyLocks())
