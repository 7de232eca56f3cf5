"""What the window remembers of one request's start, and of slots that others took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class RequestStart:
    """What was known at the moment at which a request went out.

    Attributes:
        number: Which of our requests it is, from 1.
        ended: How many had ended by then, with or without an answer.
        returned: How many of our slots had come back by then.
        our_slots: How many slots were ours then, its own included.
    """

    number: int
    ended: int
    returned: int
    our_slots: int


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
