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
    """The waits that tests have ordered for the next requests that begin a job."""

    def __init__(self) -> None:
        self._ordered: deque[float] = deque()
        self._waits: list[Wait] = []

    def order(self, seconds: float, count: int) -> None:
        """Makes the next `count` requests wait for so many seconds."""
        self._ordered.extend([seconds] * count)

    def begin(self, now: float) -> Wait | None:
        """Takes the next wait that was ordered, which begins now; None if there is none."""
        if not self._ordered:
            return None
        wait = Wait(now + self._ordered.popleft())
        self._waits.append(wait)
        return wait

    def end(self, wait: Wait) -> None:
        """Forgets a wait, once its request has waited."""
        self._waits.remove(wait)

    def age(self, seconds: float) -> None:
        """Makes all waits end so many seconds earlier."""
        for wait in self._waits:
            wait.until -= seconds
