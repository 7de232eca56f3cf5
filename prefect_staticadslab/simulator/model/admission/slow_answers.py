"""Answers that come late, as tests order them: the request waits, and is carried out at the end."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(eq=False)
class Wait:
    """A request that waits.

    Attributes:
        until: When it is carried out and answered.
    """

    until: float


class SlowAnswers:
    """What begins the next jobs is answered so much later, each for the seconds ordered for it."""

    def __init__(self) -> None:
        self._ordered: deque[float] = deque()
        self._waits: list[Wait] = []

    def order(self, seconds: float, count: int) -> None:
        """Makes the next `count` requests wait for so many seconds."""
        self._ordered.extend([seconds] * count)

    def begin(self, now: float) -> Wait | None:
        """What this request has to wait for; None if nothing is ordered."""
        if not self._ordered:
            return None
        wait = Wait(now + self._ordered.popleft())
        self._waits.append(wait)
        return wait

    def end(self, wait: Wait) -> None:
        """Takes note that a request waits no longer."""
        self._waits.remove(wait)

    def age(self, seconds: float) -> None:
        """Puts the clock forward for all that wait."""
        for wait in self._waits:
            wait.until -= seconds
