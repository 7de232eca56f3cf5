"""The world's clock, which all of Python reads while the world exists."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from unittest.mock import patch

import time_machine

from prefect_staticadslab.api.retries import elapsed
from tests.simulation.world.process import current

BEGINNING: Final = 1_900_000_000.0
"""Seconds since 1970 at which every world begins."""


class Clock:
    """Time that passes when somebody says so, in seconds since the world's beginning."""

    def __init__(self) -> None:
        self.now = 0.0
        self._ahead = 0.0
        self._calendar: time_machine.Traveller | None = None

    def __call__(self) -> float:
        return self.now

    def move_to(self, moment: float) -> None:
        """Lets time pass until then; it never goes back."""
        if moment > self.now:
            if self._calendar is not None:
                self._calendar.shift(moment - self.now)
            self.now = moment

    def steady(self) -> float:
        """What the clock of whoever runs shows that only goes on: it may have stood still while his
        machine slept."""
        process = current.get()
        return self.now - process.slept if process is not None else self.now

    def sleep(self, seconds: float) -> None:
        """Lets so much time pass, as whoever blocks a whole process does."""
        self.move_to(self.now + seconds)

    def be_read_by(self, ahead: float) -> None:
        """Shows the calendar of a machine that is so many seconds ahead of the API's."""
        if ahead != self._ahead:
            if self._calendar is not None:
                self._calendar.shift(ahead - self._ahead)
            self._ahead = ahead

    @contextmanager
    def ruling(self) -> Iterator[None]:
        """Makes this the time of everything in the process while the body runs."""
        with (
            time_machine.travel(BEGINNING + self.now, tick=False) as self._calendar,
            patch.object(time, "monotonic", self.steady),
            patch.object(time, "perf_counter", self.steady),
            patch.object(elapsed, "clock", self),
            patch.object(time, "sleep", self.sleep),
        ):
            yield
        self._calendar = None
