"""The limiter's decisions in a world of its own: a server, some clients, and a clock that jumps.

Nothing here sleeps; a window of 20 s passes in milliseconds.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from prefect_staticadslab.api.rate_limit import RateLimitHeaders, RateLimitState
from tests.api.rate_limit.test_rate_limit import answered

WINDOW = 20.0


@dataclass
class Server:
    """Admits so many requests in any rolling window, and says where it stands, as the API does."""

    limit: int = 100
    refused: int = 0
    admitted: list[tuple[float, str]] = field(default_factory=list)
    _used: deque[float] = field(default_factory=deque)

    def ask(self, now: float, who: str) -> tuple[bool, RateLimitHeaders]:
        while self._used and self._used[0] <= now - WINDOW:
            self._used.popleft()
        admitted = len(self._used) < self.limit
        if admitted:
            self._used.append(now)
            self.admitted.append((now, who))
        self.refused += not admitted
        wait = float(math.ceil(self._used[0] + WINDOW - now))
        remaining = max(0, self.limit - len(self._used))
        return admitted, RateLimitHeaders(
            self.limit, remaining, wait, retry_after=None if admitted else wait
        )


class World:
    """Clients that create so many ads each, eight at a time, and what time it is."""

    def __init__(self, server: Server, latency: tuple[float, float], seed: int) -> None:
        self.server = server
        self._latency = latency
        self._chance = random.Random(seed)
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = itertools.count()

    def at(self, moment: float, event: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), event))

    def add_client(self, name: str, creates: int, start: float = 0.0) -> RateLimitState:
        state, left = RateLimitState(), [creates]

        def take(now: float) -> None:
            if left[0]:
                left[0] -= 1
                turn(now)

        def turn(now: float) -> None:
            self._request(state, name, now, lambda _, back: take(back), create=True)

        for _ in range(8):
            self.at(start, take)
        return state

    def read(self, state: RateLimitState, moment: float) -> list[float]:
        """Reads once, as soon as that may be; gives a list that will hold how long it waited."""
        waited: list[float] = []

        def answered(there: float, _: float) -> None:
            waited.append(there - moment)

        self.at(moment, lambda now: self._request(state, "reader", now, answered))
        return waited

    def _request(
        self,
        state: RateLimitState,
        who: str,
        now: float,
        then: Callable[[float, float], None],
        *,
        create: bool = False,
    ) -> None:
        """Asks as soon as that may be, until it is admitted.

        Args:
            state: What the client knows.
            who: The client.
            now: The time.
            then: Is called with the times of arrival and answer.
            create: Whether it is a create.
        """

        def again(later: float) -> None:
            self._request(state, who, later, then, create=create)

        delay = state.delay(now, create=create)
        if delay > 0:
            # As long as `RateLimiter` sleeps.
            pause = 0.02 if math.isinf(delay) else min(max(delay, 0.005), 0.25)
            self.at(now + pause, again)
            return
        started = state.note_start(now, create=create)

        def arrive(there: float) -> None:
            admitted, headers = self.server.ask(there, who)

            def answer(back: float) -> None:
                state.note_answer(back, headers, started, create=create, refused=not admitted)
                if admitted:
                    then(there, back)
                else:
                    again(back)

            self.at(there + self._chance.uniform(*self._latency), answer)

        self.at(now + self._chance.uniform(*self._latency), arrive)

    def run(self) -> None:
        while self._events:
            now, _, event = heapq.heappop(self._events)
            assert now < 3600, "it never ends"
            event(now)


FAST, SLOW = (0.002, 0.006), (0.1, 0.4)


@pytest.mark.parametrize("latency", [FAST, SLOW], ids=["fast", "slow"])
@pytest.mark.parametrize("creates", [250, 950, 2000])
def test_alone_every_window_is_used_and_nothing_is_refused(
    latency: tuple[float, float], creates: int
) -> None:
    server = Server()
    world = World(server, latency, seed=1)
    state = world.add_client("A", creates)
    world.run()
    assert server.refused == 0
    windows = math.ceil(creates / 96)
    # A slot is held for the way there and back on top of its window.
    assert server.admitted[-1][0] <= (windows - 1) * (WINDOW + 4 * latency[1]) + 3
    assert state.window == WINDOW


@pytest.mark.parametrize("latency", [FAST, (0.005, 0.03), SLOW], ids=["fast", "medium", "slow"])
@pytest.mark.parametrize("seed", range(8))
def test_two_that_are_blind_to_each_other_share_the_window(
    latency: tuple[float, float], seed: int
) -> None:
    server = Server()
    world = World(server, latency, seed)
    world.add_client("A", 140)
    world.add_client("B", 140, start=0.5 * random.Random(seed).random())
    world.run()
    assert server.refused <= 15
    assert server.admitted[-1][0] <= 2 * WINDOW + 8
    # In the time in which both want something.
    last = min(max(t for t, who in server.admitted if who == name) for name in "AB")
    shares = [who for t, who in server.admitted if t <= last]
    assert 0.25 <= shares.count("A") / len(shares) <= 0.75


@pytest.mark.parametrize("seed", range(6))
def test_polls_get_through_while_creates_wait(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.WINDOW", 60.0)
    server = Server()
    world = World(server, FAST, seed)
    state = world.add_client("A", 250, start=0.5)
    for number in range(6):
        world.read(state, 0.05 * number)
    polls = [world.read(state, moment) for moment in (4.2, 41.8, 60.1, 77.8, 101.8)]
    world.run()
    assert server.refused == 0
    assert max(waited for poll in polls for waited in poll) < 1


def test_a_limit_that_changes_is_followed_within_a_window() -> None:
    server = Server()
    world = World(server, FAST, seed=1)
    world.add_client("A", 950)

    def change(limit: int) -> Callable[[float], None]:
        return lambda _: setattr(server, "limit", limit)

    world.at(25, change(40))
    world.at(70, change(400))
    world.run()
    assert server.refused <= 8
    admitted = [t for t, _ in server.admitted]
    assert sum(45 <= t < 65 for t in admitted) <= 40
    assert admitted[-1] <= 70 + 2 * WINDOW + 2


def test_who_starts_into_a_window_that_another_filled_goes_on_when_it_opens() -> None:
    server = Server()
    world = World(server, FAST, seed=1)
    world.add_client("killed", 90)
    world.add_client("resumed", 90, start=7)
    world.run()
    assert server.refused <= 3
    assert server.admitted[-1][0] <= WINDOW + 4


@pytest.mark.parametrize(("ended", "is_answered"), [(70, True), (70, False), (2, False)])
def test_a_slot_that_nobody_saw_counted_says_nothing_of_the_windows_length(
    ended: float, is_answered: bool
) -> None:
    """It was counted long before its answer came, or not at all."""
    state = RateLimitState()
    answered(state, 0, limit=10, remaining=9)
    started = state.note_start(1)
    if is_answered:
        state.note_answer(ended, RateLimitHeaders(limit=10, remaining=8), started)
    else:
        state.note_no_answer(ended)
    answered(state, ended + 1, limit=10, remaining=9 if ended > 60 else 8)
    assert state.window == 60
