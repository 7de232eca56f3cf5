"""The window's arithmetic: times and headers in, delays out. It knows neither clocks nor sleep.

The API allows so many requests in any rolling window, counts every request of the key, whoever
sends it, and says where it stands in the headers of every answer (`RateLimit-Limit`,
`RateLimit-Remaining`, `RateLimit-Reset`, `Retry-After`).
"""

from __future__ import annotations

import math
from bisect import insort
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from prefect_staticadslab.api.rate_limit.headers import RateLimitHeaders
from prefect_staticadslab.api.rate_limit.sharing import QUIET_SHARE, Holdings

FIRST_GUESS_LIMIT: Final = 100
FIRST_GUESS_WINDOW: Final = 60.0
"""What the vendor documents; used until the first answer says what holds for this key."""

RESERVED_SHARE: Final = 0.04
"""The part of a window that creates leave to reads: polls get through while creates wait."""

ALMOST: Final = 0.9
"""Of a window: whatever comes back later than this does so because its time is up."""

EARLY: Final = 0.7
"""Of a window: what others took and gave back sooner than this shows that it is shorter."""

SHORTEST_WINDOW: Final = 0.01
"""Seconds. A server whose count makes no sense must not make the window none: it is divided by."""

SHORTEST_REFUSAL_WAIT: Final = 1.0
"""After a 429 whose `Retry-After` is missing or makes no sense."""


@dataclass(frozen=True)
class RequestStart:
    """The moment at which a request went out: which one it is, how many had been answered and slots
    come back, and how many slots were ours then, its own included."""

    number: int
    answers: int
    returned: int
    ours: int


@dataclass
class RateLimitState:
    """The window as far as we can know it. Times are seconds on any one clock that only goes on.

    A request occupies a slot from its start until one window after its answer: the server may have
    counted it at any moment in between. Slots that others took are known only from `Remaining`
    being lower than our own requests explain; they are held for a window from when they were seen,
    and then until an answer says that they have come back: who took them before does so again.
    """

    limit: int | None = None
    in_flight: int = 0
    blocked_until: float = -math.inf
    _shortest_window: float = 0.0
    _longest_window: float = math.inf
    _answered: deque[float] = field(default_factory=deque)
    _reads: deque[float] = field(default_factory=deque)
    _foreign: deque[tuple[float, int, float]] = field(default_factory=deque)
    _last_answer: float = -math.inf
    _last_create: float = -math.inf
    _answers: int = 0
    _returned: int = 0
    _next_return: float = math.inf
    _others_took: float = -math.inf
    _sent: int = 0
    _newest: int = 0
    _holdings: Holdings = field(default_factory=Holdings)

    @property
    def window(self) -> float:
        """The window's length in seconds, as far as the server has shown it."""
        longest = min(FIRST_GUESS_WINDOW, self._longest_window)
        return max(SHORTEST_WINDOW, self._shortest_window, longest)

    @property
    def is_shared(self) -> bool:
        """Whether others use the key at this time."""
        return bool(self._foreign) or self._holdings.theirs > 0

    def delay(self, now: float, *, create: bool = False) -> float:
        """Seconds until a request may start; 0 for now, infinite for "when an answer comes".

        Args:
            now: The time on the caller's clock, in seconds.
            create: Whether it is a create, and leaves a part of the window to reads.
        """
        if now < self.blocked_until:
            return self.blocked_until - now
        if self.limit is None:
            # One request goes ahead and brings the limit back; the others wait for its answer.
            return math.inf if self.in_flight else 0.0
        self._forget(now)
        free = self._free()
        needed = 1 + (self._reserve_left() if create else 0)
        if free < needed:
            freed = self._until_freed(needed - free, now)
            if self.in_flight or (create and not self.is_shared):
                return freed
            # Others' slots come back at times that only the server knows, and may be taken again.
            # Who holds more than they do lets them ask first.
            patience = self._holdings.patience * self._shown_window() if create else 0.0
            return min(freed, max(0.0, self._next_return + patience - now))
        if self.is_shared and self.in_flight >= self._holdings.most_in_flight(free):
            # What others have in flight at this moment is not in what the server has said.
            return math.inf
        return max(0.0, self._last_create + self._pace(now) - now) if create else 0.0

    def start(self, now: float, *, create: bool = False) -> RequestStart:
        """A request goes out. Returns what `finish` wants to know of this moment."""
        self.in_flight += 1
        self._next_return = math.inf
        self._forget(now)
        if create:
            if self._last_create == -math.inf:
                # What was read before the first create is no poll. It must not use up what is
                # reserved for polls, or none gets through until the first window is over.
                while len(self._reads) > self._reserved() // 2:
                    self._reads.popleft()
            self._last_create = now
        self._sent += 1
        return RequestStart(self._sent, self._answers, self._returned, self._ours())

    def finish(
        self,
        now: float,
        headers: RateLimitHeaders,
        started: RequestStart,
        *,
        create: bool = False,
        refused: bool = False,
    ) -> None:
        """An answer came.

        Args:
            now: The time on the caller's clock, in seconds.
            headers: What it said.
            started: What `start` returned for this request.
            create: Whether it was a create.
            refused: Whether it was a 429, which takes no slot.
        """
        self.in_flight -= 1
        self._learn(now, headers)
        if refused:
            wait = headers.retry_after or SHORTEST_REFUSAL_WAIT
            self.blocked_until = max(self.blocked_until, now + wait)
            self._next_return = min(self._next_return, self.blocked_until)
        else:
            self._occupy(now, create)
        overtaken = self._answers - started.answers
        self._answers += 1
        self._forget(now)
        if (
            headers.remaining is not None
            and self.limit is not None
            and headers.remaining <= self.limit
        ):
            returned = self._returned - started.returned
            used = self.limit - headers.remaining
            self._reconcile(now, used, overtaken, returned, headers.reset)
            self._note_holdings(used, started)
        self._last_answer = now

    def no_answer(self, now: float, *, create: bool = False) -> None:
        """A request failed without an answer: it may have been counted, so its slot is held."""
        self.in_flight -= 1
        self._answers += 1
        self._occupy(now, create)
        self._next_return = self._asked_anew()

    def not_sent(self) -> None:
        """A request that had its turn was not sent after all: it takes no slot."""
        self.in_flight -= 1
        self._next_return = self._asked_anew()

    def seconds_for(self, creates: int, now: float) -> float:
        """Seconds until so many more creates have started, at least."""
        self._forget(now)
        limit, reserved = self.limit or FIRST_GUESS_LIMIT, self._reserved()
        waiting = creates - max(0, self._free() - max(0, reserved - len(self._reads)))
        if waiting <= 0:
            return 0.0
        windows, rest = divmod(waiting - 1, max(1, limit - reserved))
        first = self._until_freed(rest + 1, now, with_theirs=True)
        return (self.window if math.isinf(first) else first) + windows * self.window

    def creates_within(self, seconds: float) -> int:
        """How many creates may start in so many seconds, in the long run."""
        creates = (self.limit or FIRST_GUESS_LIMIT) - self._reserved()
        return int(seconds / self.window * creates)

    def seconds_per_read(self) -> float:
        """How far apart reads are that live on the part of the window which creates leave them."""
        return self.window / max(1, self._reserved())

    def _occupy(self, now: float, create: bool) -> None:
        self._answered.append(now)
        if not create:
            self._reads.append(now)

    def _learn(self, now: float, headers: RateLimitHeaders) -> None:
        if headers.limit is not None:
            self.limit = headers.limit
        elif self.limit is None:
            self.limit = FIRST_GUESS_LIMIT
        if headers.reset is not None:
            # It counts down to some slot's return, so the window is at least as long.
            self._shortest_window = max(self._shortest_window, headers.reset)
            self._next_return = now + headers.reset

    def _pace(self, now: float) -> float:
        """Seconds between two creates."""
        limit, window = self.limit or FIRST_GUESS_LIMIT, self._shown_window()
        is_contended = self.is_shared and now - self._others_took <= QUIET_SHARE * window
        counted = self._holdings if is_contended else Holdings()
        return window / limit * counted.spread(self._free(), limit)

    def _shown_window(self) -> float:
        """The window's length as others on the key see it, who may know it better than to guess."""
        return self._shortest_window or self.window

    def _asked_anew(self) -> float:
        """When to ask for what a request was to tell that told nothing: at once, with others."""
        return -math.inf if self.is_shared else self._next_return

    def _note_holdings(self, used_at_server: int, started: RequestStart) -> None:
        """Splits the slots that the server counted at the newest request into ours and others'.

        Requests mostly arrive in the order in which they were sent: then the count is our slots
        at this one's start, and the rest is others'. Requests that overtake each other raise it,
        too, so a surplus is others' only if the key is known to be shared. An answer to a request
        that is older than the newest one changes nothing.
        """
        if started.number > self._newest:
            self._newest = started.number
            theirs = max(0, used_at_server - started.ours) if self.is_shared else 0
            self._holdings = Holdings(started.ours, theirs)

    def _reconcile(
        self,
        now: float,
        used_at_server: int,
        overtaken: int,
        returned: int,
        reset: float | None,
    ) -> None:
        """Makes the slots that others hold explain what the server counts.

        It counted when the request came in, so that there is a least and a most that others can
        have: requests in flight, or answered meanwhile (`overtaken`), may or may not be in its
        count, and slots that came back meanwhile (`returned`) may be in it.
        """
        ours = len(self._answered)
        if used_at_server == 1 == ours and not self.in_flight and reset is not None:
            # The only request in the window: what is left of the window is all of it.
            self._longest_window = reset
        while (
            ours - overtaken - self.in_flight > used_at_server
            and now - self._answered[0] < ALMOST * self.window
        ):
            # Slots of ours came back long before they should: the window is as short as that.
            self._longest_window = min(self._longest_window, now - self._answered.popleft())
            ours -= 1
        least = used_at_server - ours - self.in_flight - returned
        most = max(0, used_at_server - ours + self.in_flight + overtaken)
        foreign = self._foreign_slots()
        if least > foreign:
            self._others_took = now
            self._add_foreign(now, least - foreign, reset)
        while foreign > most and self._foreign:
            since, count, earliest = self._foreign.popleft()
            if now - earliest < EARLY * self.window:
                # Taken after an answer of ours, and back already: the window is no longer.
                self._longest_window = min(self._longest_window, now - earliest)
            foreign -= count
            if foreign < most:
                self._foreign.appendleft((since, most - foreign, earliest))
                foreign = most

    def _add_foreign(self, now: float, count: int, reset: float | None) -> None:
        oldest = self._answered[0] if self._answered else now
        returns = now + reset if reset is not None else math.inf
        if returns < oldest + self.window - 1:
            # The next slot to come back is one of theirs, and the server has said when.
            insort(self._foreign, (returns - self.window, 1, -math.inf))
            count -= 1
        if count:
            self._foreign.append((now, count, self._last_answer))

    def _forget(self, now: float) -> None:
        horizon = now - self.window
        while self._answered and self._answered[0] <= horizon:
            self._answered.popleft()
            self._returned += 1
            # If the server told when a slot comes back, this was it.
            self._next_return = math.inf
        if self._last_answer <= horizon:
            self._holdings = Holdings()  # none of it is in the window any more
        while self._reads and self._reads[0] <= horizon:
            self._reads.popleft()
        while self._foreign and self._foreign[0][0] <= horizon:
            returned, _, _ = self._foreign.popleft()
            # Whether it was taken again is to be asked.
            self._next_return = min(self._next_return, returned + self.window)

    def _foreign_slots(self) -> int:
        return sum(count for _, count, _ in self._foreign)

    def _ours(self) -> int:
        return len(self._answered) + self.in_flight

    def _free(self) -> int:
        """How many slots are free, as far as the server has said."""
        theirs = max(self._foreign_slots(), self._holdings.theirs)
        return (self.limit or FIRST_GUESS_LIMIT) - self._ours() - theirs

    def _reserved(self) -> int:
        limit = self.limit or FIRST_GUESS_LIMIT
        share = RESERVED_SHARE * (self._holdings.share_of_reads if self.is_shared else 1.0)
        return max(1, round(limit * share)) if limit > 1 else 0

    def _reserve_left(self) -> int:
        """How many slots creates leave to reads now; none while others hold most of the window."""
        if self.is_shared and self._holdings.is_little:
            return 0
        return max(0, self._reserved() - len(self._reads))

    def _until_freed(self, slots: int, now: float, *, with_theirs: bool = False) -> float:
        """Seconds until so many slots of ours are free; infinite if that hangs on answers.

        Those that others hold count only `with_theirs`, because others take them again.
        """
        if slots <= 0:
            return 0.0
        returns = [(answered, 1) for answered in self._answered]
        if with_theirs:
            returns = sorted(returns + [(since, count) for since, count, _ in self._foreign])
        for since, count in returns:
            slots -= count
            if slots <= 0:
                return max(0.0, since + self.window - now)
        return math.inf
