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

_MOST_LOCKS: Final = 1_000
"""Locks that are kept before those that keep nothing back are dropped."""


class KeyLock:
    """What the API may still be working on, of all that was sent with one idempotency key.

    It only reckons: its user says what is sent and what ended, and asks `delay` before sending.
    Times are seconds on a clock that only goes on; see `elapsed`.

    Args:
        turn_offset: By how many seconds the turns of runs that share the key come later than those
            of other keys, so that there is always a key whose turn it is.

    Example:
        ```python
        from prefect_staticadslab.api.retries.key_lock import KeyLock

        lock = KeyLock()
        lost = lock.note_sent(now=0)
        assert lock.delay(now=10) == 0
        assert lock.delay(now=31) == 59
        assert lock.delay(now=90) == 0
        lock.note_ended(lost)
        assert lock.delay(now=31) == 0
        ```
    """

    def __init__(self, turn_offset: float = 0.0) -> None:
        self._turn_offset = turn_offset
        # When the key was first used, if another run may send with it.
        self._shared_since: float | None = None
        # The number that was given out last.
        self._number = 0
        # By number, when the API began with a request at the earliest, and ends it at the latest.
        self._open_requests: dict[int, tuple[float, float]] = {}
        self._had_unexplained_conflict = False

    def delay(self, now: float) -> float:
        """Seconds from `now` until a request with this key may be sent; 0 if it may be now."""
        safe = self._next_safe_time(now)
        while (turn := self._next_turn_time(safe)) > safe:
            safe = self._next_safe_time(turn)
        return safe - now

    def _next_safe_time(self, now: float) -> float:
        """The first time from `now` on when no second job can come of sending: the API's lock
        certainly holds, or the API has certainly finished with all that was sent."""
        spans = self._open_spans(now)
        if not spans or now - min(begun for begun, _ in spans) < REPEAT_SECONDS:
            return now
        return max(end for _, end in spans)

    def _next_turn_time(self, now: float) -> float:
        """The first time from `now` on in a turn of the runs that share the key; `now` itself if
        none shares it."""
        if self._shared_since is None or now - self._shared_since < REPEAT_SECONDS:
            return now
        first = self._shared_since + TURN_SECONDS + self._turn_offset
        if now < first:
            return first
        into_turn = (now - first) % TURN_SECONDS
        return now if into_turn < REPEAT_SECONDS else now + TURN_SECONDS - into_turn

    def note_shared(self, since: float) -> None:
        """Records that another run is alive and may send with this key, so that from now on `delay`
        leads to the turns that all these runs keep.

        Args:
            since: When the key was first used at the earliest, which all of them know.
        """
        self._shared_since = since

    @property
    def is_shared(self) -> bool:
        """Whether another run may send with this key."""
        return self._shared_since is not None

    def note_sent(self, now: float, upload_seconds: float = 0.0) -> int:
        """Records that a request with this key goes out, and drops those that must have ended.

        Args:
            now: When.
            upload_seconds: How long its body may take to arrive.

        Returns:
            Its number, for `note_ended`.
        """
        self._open_requests = {n: s for n, s in self._open_requests.items() if s[1] > now}
        self._number += 1
        self._open_requests[self._number] = (now, now + upload_seconds + WORK_SECONDS)
        return self._number

    def note_sent_elsewhere(self, first: float, last: float) -> None:
        """Records that another process may have sent requests with this key, of which none is known
        to have ended.

        Args:
            first: When it sent the first one, at the earliest.
            last: When it sent the last one, at the latest.
        """
        self._number += 1
        self._open_requests[self._number] = (first, last + WORK_SECONDS)

    def note_ended(self, number: int) -> None:
        """Records that the API has answered the request of this number, or never had it."""
        self._open_requests.pop(number, None)

    def note_conflict(self, now: float) -> bool:
        """Records that a request was refused as in conflict with another one of this key.

        If none that is recorded can be that one, another process's may; but only once. What is
        refused after that has ended, too, has a key that was used for another body.

        Returns:
            Whether the request may be sent again, once `delay` allows it; False if it would be
            refused for ever.
        """
        if self.may_be_at_work(now):
            return True
        if self._had_unexplained_conflict:
            return False
        self._had_unexplained_conflict = True
        self._number += 1
        self._open_requests[self._number] = (-math.inf, now + WORK_SECONDS)
        return True

    def may_be_at_work(self, now: float) -> bool:
        """Whether the API may be working on something with this key, its lock lapsed or not."""
        return bool(self._open_spans(now))

    def _open_spans(self, now: float) -> list[tuple[float, float]]:
        """From when to when, at most, the API may work on each request that may not have ended."""
        return [span for span in self._open_requests.values() if span[1] > now]


class KeyLocks:
    """The locks of all idempotency keys that are sent with one API key, in all threads.

    Args:
        clock: The seconds by which locks that keep nothing back any more are dropped.
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or elapsed
        self._locks: dict[str, KeyLock] = {}
        # Whoever waits with a lock has not sent anything yet, and must not be given a second one.
        self._in_hand: WeakValueDictionary[str, KeyLock] = WeakValueDictionary()
        self._guard = threading.Lock()

    def lock_for(self, idempotency_key: str) -> KeyLock:
        """The one lock of an idempotency key; makes and keeps it if there is none.

        Where there are many, it drops those that are not shared and hold nothing back.
        """
        with self._guard:
            if len(self._locks) > _MOST_LOCKS:
                now = self._clock()
                self._locks = {
                    key: lock
                    for key, lock in self._locks.items()
                    if lock.is_shared or lock.may_be_at_work(now)
                }
            lock = self._in_hand.get(idempotency_key)
            if lock is None:
                lock = KeyLock(zlib.crc32(idempotency_key.encode()) % TURN_SECONDS)
            self._locks[idempotency_key] = self._in_hand[idempotency_key] = lock
            return lock


_shared: dict[tuple[str, str], KeyLocks] = {}


def shared_key_locks(base_url: str, api_key_hash: str) -> KeyLocks:
    """This process's locks for an API key at a base URL; made when they are first asked for."""
    return _shared.setdefault((base_url, api_key_hash), KeyLocks())
