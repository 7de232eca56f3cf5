"""How long the rate limit's window is, as far as the server's answers have shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

FIRST_GUESS_WINDOW: Final = 60.0
"""Seconds. What the vendor documents; used until answers show what holds for this key."""

SHORTEST_WINDOW: Final = 0.01
"""Seconds. A server whose count makes no sense must not make the window none: it is divided by."""

ALMOST: Final = 0.9
"""Of a window: whatever comes back later than this does so because its time is up."""

LATE: Final = 0.1
"""Of a window: an answer that takes longer leaves it open when the request was counted."""

EARLY: Final = 0.7
"""Of a window: what others took and gave back sooner than this shows that it is shorter."""


@dataclass
class WindowLength:
    """The bounds that answers have set to the window's length, in seconds.

    Attributes:
        at_least: The longest countdown that the server has named.
        at_most: How soon slots have been seen to come back.
    """

    at_least: float = 0.0
    at_most: float = math.inf

    @property
    def seconds(self) -> float:
        """The length to reckon with: the longest that `at_most` allows, up to the first guess, but
        no less than `at_least`."""
        return max(SHORTEST_WINDOW, self.at_least, min(FIRST_GUESS_WINDOW, self.at_most))

    @property
    def longest_countdown(self) -> float:
        """The longest countdown so far, which other runs on the key see alike: it may be less than
        the window. Before the first one, `seconds`."""
        return self.at_least or self.seconds

    def shorten(self, seconds: float) -> None:
        """Lowers `at_most` to so many seconds, if it is more."""
        self.at_most = min(self.at_most, seconds)
