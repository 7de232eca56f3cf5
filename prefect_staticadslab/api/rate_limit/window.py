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
from prefect_staticadslab.api.rate_limit.sharing import QUIET_SHARE, RESERVED_SHARE, Holdings
from prefect_staticadslab.api.rate_limit.slots import OthersSlots, OurSlots, RequestStart
from prefect_staticadslab.api.rate_limit.window_length import ALMOST, EARLY, LATE, WindowLength

FIRST_GUESS_LIMIT: Final = 100
"""What the vendor documents; used until the first answer says what holds for this key."""

SHORTEST_REFUSAL_WAIT: Final = 1.0
"""Seconds, after a 429 whose `Retry-After` is missing or makes no sense."""


@dataclass
class RateLimitState:
    """The window as far as we can know it. Times are seconds on any one clock that only goes on.

    A request occupies a slot from its start until one window after its answer: the server may have
    counted it at any moment in between. Slots that others took are known only from `Remaining`
    being lower than our own requests explain; they are held for a window from when they were seen,
    and then until an answer says that they have come back: who took them before does so again.

    Attributes:
        limit: Requests in a window; None before the first answer.
        in_flight: Requests that have started and not ended.
        blocked_until: Nothing may start before this time: the API has answered 429.
    """

    limit: int | None = None
    in_flight: int = 0
    blocked_until: float = -math.inf
    _length: WindowLength = field(default_factory=WindowLength)
    _ours: OurSlots = field(default_factory=OurSlots)
    # When those reads of ours ended that hold a slot.
    _reads_ended_at: deque[float] = field(default_factory=deque)
    _others: deque[OthersSlots] = field(default_factory=deque)
    _last_answer_at: float = -math.inf
    _last_create_at: float = -math.inf
    # How many requests have started and ended so far, and how many of our slots have come back.
    _started: int = 0
    _ended: int = 0
    _returned: int = 0
    # When a slot comes back next, for who has nothing in flight; infinite if nobody can say.
    _next_return_at: float = math.inf
    # When an answer last showed that others had taken slots.
    _others_took_at: float = -math.inf
    # What the newest request that was answered saw of the slots, and its number.
    _holdings: Holdings = field(default_factory=Holdings)
    _holdings_seen_by: int = 0

    @property
    def window(self) -> float:
        """The window's length in seconds, as far as the server has shown it."""
        return self._length.seconds

    @property
    def is_shared(self) -> bool:
        """Whether others use the key at this time."""
        return bool(self._others) or self._holdings.others > 0

    def delay(self, now: float, *, create: bool = False) -> float:
        """Seconds until a request may start; 0 for now, infinite for "when an answer comes".

        It drops what has left the window.

        Args:
            now: The time on the caller's clock, in seconds.
            create: Whether it is a create, and leaves a part of the window to reads.
        """
        if now < self.blocked_until:
            return self.blocked_until - now
        if self.limit is None:
            # One request goes ahead and brings the limit back; the others wait for its answer.
            return math.inf if self.in_flight else 0.0
        self._drop_expired(now)
        free = self._free_slots()
        needed = 1 + (self._reserve_left() if create else 0)
        if free < needed:
            freed = self._seconds_until_free(needed - free, now)
            if self.in_flight or (create and not self.is_shared):
                return freed
            # Others' slots come back at times that only the server knows, and may be taken again.
            # Who holds more than they do lets them ask first.
            patience = self._holdings.patience * self._length.longest_countdown if create else 0.0
            return min(freed, max(0.0, self._next_return_at + patience - now))
        if self.is_shared and self.in_flight >= self._holdings.most_in_flight(free):
            # What others have in flight at this moment is not in what the server has said.
            return math.inf
        return max(0.0, self._next_create_at(now) - now) if create else 0.0

    def note_start(self, now: float, *, create: bool = False) -> RequestStart:
        """Records that a request goes out. Returns what `note_answer` wants to know of this."""
        self.in_flight += 1
        self._next_return_at = math.inf
        self._drop_expired(now)
        if create:
            if self._last_create_at == -math.inf:
                # What was read before the first create is no poll. It must not use up what is
                # reserved for polls, or none gets through until the first window is over.
                while len(self._reads_ended_at) > self._reserve() // 2:
                    self._reads_ended_at.popleft()
            self._last_create_at = now
        self._started += 1
        return RequestStart(now, self._started, self._ended, self._returned, self._our_slots())

    def note_answer(
        self,
        now: float,
        headers: RateLimitHeaders,
        started: RequestStart,
        *,
        create: bool = False,
        refused: bool = False,
    ) -> None:
        """Records that a request was answered, and what its headers say.

        Args:
            now: The time on the caller's clock, in seconds.
            headers: What it said.
            started: What `note_start` returned for this request.
            create: Whether it was a create.
            refused: Whether it was a 429, which takes no slot.
        """
        self.in_flight -= 1
        self._note_limit_and_reset(now, headers)
        if refused:
            wait = headers.retry_after or SHORTEST_REFUSAL_WAIT
            self.blocked_until = max(self.blocked_until, now + wait)
            self._next_return_at = min(self._next_return_at, self.blocked_until)
        else:
            self._hold_slot(now, create, is_doubtful=now - started.at > LATE * self.window)
        overtaken = self._ended - started.ended
        self._ended += 1
        self._drop_expired(now)
        limit, remaining = self.limit, headers.remaining
        if limit is not None and remaining is not None and remaining <= limit:
            returned = self._returned - started.returned
            used = limit - remaining
            self._reconcile(now, used, overtaken, returned, headers.reset)
            self._note_holdings(used, started)
        self._last_answer_at = now

    def note_no_answer(self, now: float, *, create: bool = False) -> None:
        """Records that a request ended without an answer: it may have been counted, so its slot is
        held."""
        self.in_flight -= 1
        self._ended += 1
        self._hold_slot(now, create, is_doubtful=True)
        self._next_return_at = self._next_return_untold()

    def note_not_sent(self) -> None:
        """Records that a request was not sent after all, so that it takes no slot."""
        self.in_flight -= 1
        self._next_return_at = self._next_return_untold()

    def seconds_for(self, creates: int, now: float) -> float:
        """Seconds until so many more creates have started, at least. Drops what has expired."""
        self._drop_expired(now)
        limit, reserve = self.limit or FIRST_GUESS_LIMIT, self._reserve()
        free = self._free_slots() - max(0, reserve - len(self._reads_ended_at))
        waiting = creates - max(0, free)
        if waiting <= 0:
            return 0.0
        windows, rest = divmod(waiting - 1, max(1, limit - reserve))
        first = self._seconds_until_free(rest + 1, now, with_others=True)
        return (self.window if math.isinf(first) else first) + windows * self.window

    def creates_within(self, seconds: float) -> int:
        """How many creates may start in so many seconds, in the long run."""
        creates = (self.limit or FIRST_GUESS_LIMIT) - self._reserve()
        return int(seconds / self.window * creates)

    def seconds_per_read(self) -> float:
        """Seconds between reads that use up just the part of the window that creates leave them."""
        return self.window / max(1, self._reserve())

    def _hold_slot(self, now: float, create: bool, *, is_doubtful: bool) -> None:
        """Holds a slot for a window from `now` for a request that has just ended."""
        self._ours.hold(now, is_doubtful=is_doubtful)
        if not create:
            self._reads_ended_at.append(now)

    def _note_limit_and_reset(self, now: float, headers: RateLimitHeaders) -> None:
        """Records the limit of an answer's headers, and when the next slot comes back."""
        self.limit = headers.limit or self.limit or FIRST_GUESS_LIMIT
        if headers.reset is not None:
            # It counts down to some slot's return, so the window is at least as long.
            self._length.at_least = max(self._length.at_least, headers.reset)
            self._next_return_at = now + headers.reset

    def _next_create_at(self, now: float) -> float:
        """When the next create has the distance from the last one that creates are to keep."""
        limit, window = self.limit or FIRST_GUESS_LIMIT, self._length.longest_countdown
        is_contended = self.is_shared and now - self._others_took_at <= QUIET_SHARE * window
        holdings = self._holdings if is_contended else Holdings()
        return self._last_create_at + window / limit * holdings.spread(self._free_slots(), limit)

    def _next_return_untold(self) -> float:
        """What `_next_return_at` is after a request that brought no answer: with others on the key,
        a time that is over, so that the next request asks at once."""
        return -math.inf if self.is_shared else self._next_return_at

    def _note_holdings(self, used_at_server: int, started: RequestStart) -> None:
        """Splits the slots that the server counted at the newest request into ours and others', and
        keeps that as `_holdings`.

        Requests mostly arrive in the order in which they were sent: then the count is our slots
        at this one's start, and the rest is others'. Requests that overtake each other raise it,
        too, so a surplus is others' only if the key is known to be shared. An answer to a request
        that is older than the newest one changes nothing.
        """
        if started.number > self._holdings_seen_by:
            self._holdings_seen_by = started.number
            others = max(0, used_at_server - started.our_slots) if self.is_shared else 0
            self._holdings = Holdings(started.our_slots, others)

    def _reconcile(
        self,
        now: float,
        used_at_server: int,
        overtaken: int,
        returned: int,
        reset: float | None,
    ) -> None:
        """Adds or drops slots of others, and drops ours, until they explain what the server counts.

        It counted when the request came in, so that there is a least and a most that others can
        have: requests in flight, or answered meanwhile (`overtaken`), may or may not be in its
        count, and slots that came back meanwhile (`returned`) may be in it.
        """
        self._learn_length_from_our_slots(now, used_at_server, overtaken, reset)
        ours, others = len(self._ours), self._others_slots()
        least = used_at_server - ours - self.in_flight - returned
        most = max(0, used_at_server - ours + self.in_flight + overtaken)
        if least > others:
            self._others_took_at = now
            self._add_others(now, least - others, reset)
        elif others > most:
            self._drop_others(now, others - most)

    def _learn_length_from_our_slots(
        self, now: float, used_at_server: int, overtaken: int, reset: float | None
    ) -> None:
        """Drops slots of ours that came back early, and bounds the window's length by their age; or
        by `reset`, if our only slot is alone in the window: what is left of it is all of it."""
        if used_at_server == 1 == len(self._ours) and not self.in_flight and reset is not None:
            self._length.at_most = reset
        surplus = len(self._ours) - overtaken - self.in_flight - used_at_server
        for _ in range(surplus - self._ours.drop_doubtful(surplus)):
            age = now - self._ours.oldest(now)
            if age >= ALMOST * self.window:
                return
            # It came back long before it should: the window is as short as that.
            self._ours.drop_oldest()
            self._length.shorten(age)

    def _add_others(self, now: float, count: int, reset: float | None) -> None:
        """Records that others took so many slots, which an answer shows for the first time."""
        oldest = self._ours.oldest(now)
        returns = now + reset if reset is not None else math.inf
        if returns < oldest + self.window - 1:
            # The next slot to come back is one of others, and the server has said when.
            insort(self._others, OthersSlots(returns - self.window, 1, -math.inf))
            count -= 1
        if count:
            self._others.append(OthersSlots(now, count, self._last_answer_at))

    def _drop_others(self, now: float, surplus: int) -> None:
        """Drops so many slots of others, the oldest first, and shortens the window to those that
        came back early."""
        while surplus > 0 and self._others:
            oldest = self._others.popleft()
            if now - oldest.taken_after < EARLY * self.window:
                # Taken after an answer of ours, and back already: the window is no longer.
                self._length.shorten(now - oldest.taken_after)
            if oldest.size > surplus:
                self._others.appendleft(oldest._replace(size=oldest.size - surplus))
            surplus -= oldest.size

    def _drop_expired(self, now: float) -> None:
        """Drops the slots, reads and holdings that have left the window by now, counts which slots
        of ours came back, and notes when others' did."""
        horizon = now - self.window
        while self._ours.oldest(now) <= horizon:
            self._ours.drop_oldest()
            self._returned += 1
            # If the server told when a slot comes back, this was it.
            self._next_return_at = math.inf
        if self._last_answer_at <= horizon:
            self._holdings = Holdings()
        while self._reads_ended_at and self._reads_ended_at[0] <= horizon:
            self._reads_ended_at.popleft()
        while self._others and self._others[0].seen_at <= horizon:
            # Whether it was taken again is to be asked.
            returned_at = self._others.popleft().seen_at + self.window
            self._next_return_at = min(self._next_return_at, returned_at)

    def _others_slots(self) -> int:
        return sum(slots.size for slots in self._others)

    def _our_slots(self) -> int:
        return len(self._ours) + self.in_flight

    def _free_slots(self) -> int:
        """How many slots are free, as far as the server has said; below 0 if it counts too many."""
        others = max(self._others_slots(), self._holdings.others)
        return (self.limit or FIRST_GUESS_LIMIT) - self._our_slots() - others

    def _reserve(self) -> int:
        """How many slots of a window this process leaves to reads."""
        limit = self.limit or FIRST_GUESS_LIMIT
        share = RESERVED_SHARE * (self._holdings.share_of_reads if self.is_shared else 1.0)
        return max(1, round(limit * share)) if limit > 1 else 0

    def _reserve_left(self) -> int:
        """How many slots creates leave to reads now; none on a key that others mostly use."""
        if self.is_shared and self._holdings.is_little:
            return 0
        return max(0, self._reserve() - len(self._reads_ended_at))

    def _seconds_until_free(self, slots: int, now: float, *, with_others: bool = False) -> float:
        """Seconds until so many slots of ours are free; infinite if that hangs on answers.

        Those that others hold count only `with_others`, because others take them again.
        """
        if slots <= 0:
            return 0.0
        returns = [(ended, 1) for ended in self._ours]
        if with_others:
            returns = sorted(returns + [(each.seen_at, each.size) for each in self._others])
        for since, count in returns:
            slots -= count
            if slots <= 0:
                return max(0.0, since + self.window - now)
        return math.inf
