"""What the window remembers of one request's start, of slots that are ours, and of others'."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class RequestStart:
    """What was known at the moment at which a request went out.

    Attributes:
        at: When that was, in seconds on the window's clock.
        number: Which of our requests it is, from 1.
        ended: How many had ended by then, with or without an answer.
        returned: How many of our slots had come back by then.
        our_slots: How many slots were ours then, its own included.
    """

    at: float
    number: int
    ended: int
    returned: int
    our_slots: int


class OurSlots:
    """Our slots that have not come back, each as the time at which its request ended, the oldest
    first.

    Of some nobody knows when the server counted them: of a request without an answer perhaps never,
    and of one whose answer took long perhaps long ago. If it counts fewer than are held, those are
    the ones that it does not count, and that says nothing of how soon slots come back.
    """

    def __init__(self) -> None:
        self._ended_at: deque[float] = deque()
        self._doubtful: deque[float] = deque()

    def __len__(self) -> int:
        return len(self._ended_at)

    def __iter__(self) -> Iterator[float]:
        return iter(self._ended_at)

    def oldest(self, default: float) -> float:
        """When the request of the oldest slot ended; `default` if none is held."""
        return self._ended_at[0] if self._ended_at else default

    def hold(self, now: float, *, is_doubtful: bool) -> None:
        """Adds the slot of a request that ended at `now`, the newest."""
        self._ended_at.append(now)
        if is_doubtful:
            self._doubtful.append(now)

    def drop_oldest(self) -> None:
        """Drops the oldest slot. Raises `IndexError` if none is held."""
        ended_at = self._ended_at.popleft()
        if self._doubtful and self._doubtful[0] == ended_at:
            self._doubtful.popleft()

    def drop_doubtful(self, most: int) -> int:
        """Drops `most` slots of which nobody knows when the server counted them, the oldest first,
        or as many as there are; returns how many."""
        count = max(0, min(most, len(self._doubtful)))
        for _ in range(count):
            self._ended_at.remove(self._doubtful.popleft())
        return count


class OthersSlots(NamedTuple):
    """Slots that others took, as one answer showed them. Times are seconds on the window's clock.

    Attributes:
        seen_at: When they count as taken: a window later they are back.
        size: How many they are.
        taken_after: When an answer had not shown them yet; minus infinity if none is known.
    """

    seen_at: float
    size: int
    taken_after: float
