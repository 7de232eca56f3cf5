"""How to go about a window that others use, too, of whom only the server's count tells.

Nobody knows how many they are, whether they are done, or what they have just sent. Everybody sees
how many slots are others', and if all go by that in the same way, nobody needs to know more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

RESERVED_SHARE: Final = 0.04
"""The part of a window that creates leave to reads: polls get through while creates wait."""

BURST_SHARE: Final = 0.05
"""The part of a window over which its creates are spread. A campaign that starts a moment after
another one finds slots then, and not a window that was emptied in a tenth of a second."""

SLOWEST_SHARE: Final = 1.0
"""The same for whoever lets others go first."""

QUIET_SHARE: Final = 0.025
"""The part of a window for which others must have taken nothing until all of it is ours again."""

YIELD_POWER: Final = 6
"""Whoever holds more than others do goes more slowly, by the sixth power of how many times as
much: by little what is nearly even, by a lot who has twice as much."""

PLENTY: Final = 0.03
"""The part of a window that, times `Holdings.ratio`, is free if others leave it lying. There is no
need to go slowly then: nobody is in want of it."""

LITTLE: Final = 0.5
"""Of what others hold. Whoever holds less than this leaves it to them to leave slots to reads."""

LEAST_SHARE: Final = 0.5
"""What is left to reads, and what may be on its way, is shared as if there was one other. Whoever
has only come holds nothing, and is to get something nevertheless."""

UNSEEN: Final = 0.75
"""Of our share of what is free, this may be on its way. An answer tells of the moment in which its
request came in, and in the half of a way since then others have sent more. When all send a share
of what was free d seconds ago, so that c of it is on its way for 2d seconds, then what is free
goes to its end without passing it for c up to 2/e = 0.736, and a whole request is more than a
part of one."""


@dataclass(frozen=True)
class Holdings:
    """Whose the slots are that the server had counted when one request came in.

    Attributes:
        ours: How many are this process's.
        others: How many are those of all others who use the key.

    Example:
        ```python
        from prefect_staticadslab.api.rate_limit.sharing import Holdings

        even = Holdings(ours=40, others=40)
        assert even.most_in_flight(free=16) == 6
        assert even.spread(free=0, limit=100) == 0.05
        assert Holdings(ours=60, others=20).spread(free=0, limit=100) == 1
        ```
    """

    ours: int = 0
    others: int = 0

    @property
    def ratio(self) -> float:
        """Our slots divided by those of others, or by 1 if they have none."""
        return self.ours / max(1, self.others)

    @property
    def is_little(self) -> bool:
        """Whether we hold less than half as much as others do."""
        return self.ratio < LITTLE

    @property
    def share(self) -> float:
        """The part of what all hold that is ours, from 0 to 1."""
        return self.ours / max(1, self.ours + self.others)

    @property
    def share_of_reads(self) -> float:
        """Which part of the slots that all together leave to reads we have to leave, from 0 to 1;
        1 without others."""
        return max(LEAST_SHARE, self.share) if self.others else 1.0

    @property
    def patience(self) -> float:
        """How long we wait so that those who hold less can ask first whether a slot has come back,
        as a part of a window; 0 if we hold no more than others."""
        return QUIET_SHARE * min(1.0, max(0.0, self.ratio - 1))

    def most_in_flight(self, free: int) -> int:
        """How many requests of ours may be on their way at once if so many slots were free."""
        share = LEAST_SHARE if self.is_little else self.share
        return max(1, math.ceil(UNSEEN * share * free))

    def spread(self, free: int, limit: int) -> float:
        """The part of a window over which the creates that fill one are spread while so many slots
        of its `limit` are free."""
        if self.ratio <= 1 or free >= PLENTY * limit * self.ratio:
            return BURST_SHARE
        return float(min(SLOWEST_SHARE, BURST_SHARE * self.ratio**YIELD_POWER))
