"""The limiter's decisions: times and headers in, delays out. Nothing here sleeps."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from prefect_staticadslab.api.rate_limit import (
    RateLimiter,
    RateLimitHeaders,
    RateLimitState,
    shared_limiter,
)
from prefect_staticadslab.api.rate_limit.headers import LONGEST_WAIT
from prefect_staticadslab.api.rate_limit.sharing import Holdings


def answered(state: RateLimitState, now: float, *, create: bool = False, **headers: float) -> None:
    """A request that was sent and answered at once."""
    started = state.note_start(now, create=create)
    state.note_answer(now, RateLimitHeaders(**headers), started, create=create)  # type: ignore[arg-type]


def learned(limit: int = 100, window: float = 60.0, now: float = 0.0) -> RateLimitState:
    """A state that knows the limit from one answer."""
    state = RateLimitState()
    answered(state, now, limit=limit, remaining=limit - 1, reset=window)
    return state


@pytest.mark.parametrize(
    ("headers", "parsed"),
    [
        (
            {"RateLimit-Limit": "100", "ratelimit-remaining": "7", "RateLimit-Reset": "12.5"},
            RateLimitHeaders(100, 7, 12.5),
        ),
        ({}, RateLimitHeaders()),
        ({"RateLimit-Limit": "0", "RateLimit-Remaining": "-3"}, RateLimitHeaders()),
        ({"RateLimit-Limit": "many", "RateLimit-Reset": "soon"}, RateLimitHeaders()),
        ({"RateLimit-Reset": "0"}, RateLimitHeaders()),
        ({"RateLimit-Reset": "1763900000"}, RateLimitHeaders()),
        ({"RateLimit-Limit": "nan", "RateLimit-Reset": "inf"}, RateLimitHeaders()),
        ({"Retry-After": "3"}, RateLimitHeaders(retry_after=3)),
        ({"Retry-After": "0"}, RateLimitHeaders()),
        ({"Retry-After": "-5"}, RateLimitHeaders()),
        ({"Retry-After": "999999"}, RateLimitHeaders(retry_after=LONGEST_WAIT)),
        ({"Retry-After": "a while"}, RateLimitHeaders()),
        ({"Retry-After": "Wed, 01 Jan 2025 00:00:30 GMT"}, RateLimitHeaders(retry_after=30)),
        ({"Retry-After": "Wed, 01 Jan 2025 00:00:00 GMT"}, RateLimitHeaders()),
    ],
)
def test_headers_say_what_makes_sense_and_nothing_else(
    headers: dict[str, str], parsed: RateLimitHeaders
) -> None:
    assert RateLimitHeaders.parse(headers, datetime(2025, 1, 1, tzinfo=UTC)) == parsed


def test_at_first_contact_one_request_goes_ahead() -> None:
    state = RateLimitState()
    assert state.delay(0) == 0
    started = state.note_start(0)
    assert state.delay(0) == math.inf
    state.note_answer(0.1, RateLimitHeaders(limit=100, remaining=99, reset=60), started)
    assert state.delay(0.1) == 0


def test_a_full_window_opens_one_window_after_its_first_answer() -> None:
    state = learned(limit=3, window=60, now=10)
    answered(state, 11, limit=3, remaining=1, reset=59)
    answered(state, 12, limit=3, remaining=0, reset=58)
    assert state.delay(13) == pytest.approx(57)
    assert state.delay(70) == 0


def test_a_request_in_flight_takes_a_slot() -> None:
    state = learned(limit=2)
    state.note_start(0)
    assert state.delay(1) == pytest.approx(59)


def test_creates_leave_a_part_of_the_window_to_reads_that_come() -> None:
    state = learned(limit=100)
    for sent in range(2, 97):
        answered(state, 1, create=True, limit=100, remaining=100 - sent, reset=60)
    assert state.delay(2) == 0
    assert state.delay(2, create=True) == 0
    for sent in (97, 98):
        answered(state, 2, create=True, limit=100, remaining=100 - sent, reset=60)
    assert state.delay(3) == 0
    assert state.delay(3, create=True) > 0


def test_creates_are_spread_a_little() -> None:
    state = learned(limit=100, window=60)
    answered(state, 10, create=True, limit=100, remaining=98, reset=60)
    assert state.delay(10, create=True) == pytest.approx(0.03)
    assert state.delay(10) == 0


def shared(ours: int, theirs: int) -> RateLimitState:
    """A state that holds so many slots at 1 s, and sees at 2 s that others took so many."""
    state = learned(limit=100, window=60)
    for sent in range(2, ours):
        answered(state, 1, create=True, limit=100, remaining=100 - sent, reset=60)
    answered(state, 2, create=True, limit=100, remaining=100 - ours - theirs, reset=60)
    return state


def test_with_others_there_whoever_holds_more_goes_more_slowly() -> None:
    even, more, twice = shared(48, 49), shared(50, 47), shared(64, 33)
    assert even.delay(2, create=True) == pytest.approx(0.03)
    assert more.delay(2, create=True) == pytest.approx(0.03 * (50 / 47) ** 6)
    assert twice.delay(2, create=True) == pytest.approx(0.6)
    assert twice.delay(2) == 0


def test_nobody_goes_slowly_while_there_is_plenty() -> None:
    assert shared(40, 20).delay(2, create=True) == pytest.approx(0.03)
    assert shared(80, 4).delay(2, create=True) == pytest.approx(0.6)


def test_what_others_leave_is_ours_soon() -> None:
    state = shared(60, 30)
    answered(state, 3.6, create=True, limit=100, remaining=9, reset=58)
    assert state.delay(3.6, create=True) == pytest.approx(0.03)


def test_whoever_holds_little_takes_the_slots_that_are_left_for_reads() -> None:
    assert shared(60, 38).delay(3, create=True) == 0
    assert shared(60, 39).delay(3, create=True) > 1
    assert shared(20, 79).delay(3, create=True) == 0


def test_reads_of_two_live_on_what_reads_of_one_live_on_alone() -> None:
    assert learned(limit=100, window=60).seconds_per_read() == 15
    assert shared(40, 40).seconds_per_read() == 30


def test_slots_of_others_that_come_back_are_taken_again_until_an_answer_says_otherwise() -> None:
    state = shared(50, 50)
    assert state.delay(61, create=True) == 0
    for second in range(48):
        answered(state, 61 + second / 100, create=True, limit=100, remaining=0, reset=1)
    # Theirs are 60 s old at 62 s. One request asks; the others wait for what it hears.
    assert 0 < state.delay(61.6, create=True) < 1
    started = state.note_start(63, create=True)
    assert state.delay(63, create=True) > 1
    state.note_answer(63.1, RateLimitHeaders(100, 47, 58), started, create=True)
    assert state.delay(63.2, create=True) == 0


@pytest.mark.parametrize("what", ["no answer", "not sent", "refused and nothing said"])
def test_who_asks_in_vain_whether_others_left_something_asks_again(what: str) -> None:
    state = RateLimitState()
    answered(state, 0, limit=100, remaining=0, reset=7)
    assert state.delay(7) == 0
    started = state.note_start(7)
    if what == "no answer":
        state.note_no_answer(8)
    elif what == "not sent":
        state.note_not_sent()
    else:
        state.note_answer(8, RateLimitHeaders(), started, refused=True)
    assert state.delay(9) == 0
    state.note_start(9)
    assert state.delay(9) > 0


def test_what_was_counted_a_window_ago_says_nothing() -> None:
    state = shared(40, 60)
    assert state.is_shared
    assert state.delay(3) > 0
    assert state.delay(62.1) == 0
    assert not state.is_shared


@pytest.mark.parametrize("sharers", [2, 3])
def test_who_share_a_window_evenly_have_no_more_on_their_way_than_is_free(sharers: int) -> None:
    holdings = Holdings(ours=30, others=30 * (sharers - 1))
    for free in range(sharers, 100):
        assert sharers * holdings.most_in_flight(free) <= free + sharers - 1
    assert sharers * holdings.most_in_flight(96) <= 0.75 * 96


def test_whoever_holds_more_lets_others_ask_first_for_what_comes_back() -> None:
    more, less = shared(60, 40), shared(40, 60)
    assert less.delay(61.5, create=True) == 0
    assert more._seconds_until_free(1, 3) > 50
    assert more.delay(3, create=True) > less.delay(3, create=True) - 1


def test_what_others_give_back_early_shows_how_long_the_window_is() -> None:
    state = RateLimitState()
    answered(state, 1, limit=100, remaining=97, reset=20)
    answered(state, 1.5, limit=100, remaining=60, reset=20)
    assert state.window == 60
    answered(state, 21.6, limit=100, remaining=99, reset=20)
    assert state.window == pytest.approx(20.6)


def test_near_the_end_of_a_window_that_others_use_few_are_in_flight() -> None:
    state = learned(limit=100)
    answered(state, 1, limit=100, remaining=5, reset=60)
    state.note_start(2)
    assert state.delay(2) == 0
    state.note_start(2)
    assert state.delay(2) == math.inf


def test_when_the_server_says_that_a_slot_comes_back_it_is_asked() -> None:
    """A process that starts into a full window does not know when it was filled."""
    state = RateLimitState()
    answered(state, 0, limit=100, remaining=0, reset=7)
    assert state.delay(1) == pytest.approx(6)
    answered(state, 7, limit=100, remaining=60, reset=9)
    assert state.delay(7) == 0


def test_a_window_that_is_shorter_than_documented_is_noticed() -> None:
    state = RateLimitState()
    answered(state, 0, limit=3, remaining=1, reset=20)
    answered(state, 1, limit=3, remaining=0, reset=19)
    assert state.window == 60
    answered(state, 21, limit=3, remaining=2, reset=20)
    assert state.window == pytest.approx(21)


def test_answers_that_come_late_and_crosswise_invent_no_others() -> None:
    state = learned(limit=100, window=20)
    for sent in range(2, 52):
        answered(state, sent / 100, create=True, limit=100, remaining=100 - sent, reset=20)
    first, second = state.note_start(19.9), state.note_start(19.95)
    state.note_answer(20.6, RateLimitHeaders(100, 97, 20), second)
    state.note_answer(20.7, RateLimitHeaders(100, 48, 1), first)
    assert state.delay(20.7, create=True) <= 0.01


def test_slots_that_others_took_are_not_ours() -> None:
    state = learned(limit=100)
    answered(state, 1, limit=100, remaining=2, reset=59)
    answered(state, 2, limit=100, remaining=0, reset=58)
    assert state.delay(3) > 50
    assert state.delay(62.1) == 0


def test_slots_that_others_gave_back_are_ours_again() -> None:
    state = learned(limit=100)
    answered(state, 1, limit=100, remaining=0, reset=60)
    assert state.delay(2) > 0
    answered(state, 3, limit=100, remaining=97, reset=60)
    assert state.delay(3) == 0


def test_a_refusal_blocks_everyone_for_as_long_as_it_says() -> None:
    state = learned()
    started = state.note_start(5)
    state.note_answer(5, RateLimitHeaders(100, 0, retry_after=7), started, refused=True)
    assert state.delay(6) == pytest.approx(6)


def test_a_refusal_without_a_time_blocks_for_a_second() -> None:
    state = learned()
    state.note_answer(5, RateLimitHeaders(), state.note_start(5), refused=True)
    assert state.delay(5) == pytest.approx(1)


def test_a_limit_that_changes_is_followed_with_the_next_answer() -> None:
    state = learned(limit=100)
    answered(state, 1, limit=2, remaining=0, reset=60)
    assert state.delay(2) > 0
    answered(state, 3, limit=400, remaining=397, reset=60)
    assert state.delay(3) == 0


def test_a_request_without_an_answer_keeps_its_slot() -> None:
    state = learned(limit=2)
    state.note_start(5)
    state.note_no_answer(5)
    assert state.delay(6) == pytest.approx(54)


def test_a_server_that_says_nothing_gets_what_is_documented() -> None:
    state = RateLimitState()
    for _ in range(100):
        answered(state, 1)
    assert state.delay(2) == pytest.approx(59)


def test_the_time_for_creates_counts_full_windows() -> None:
    state = RateLimitState()
    assert [state.seconds_for(n, 0) for n in (0, 1, 96, 97, 950)] == [0, 0, 0, 60, 540]


def test_the_time_for_creates_knows_what_is_left_of_the_window() -> None:
    state = learned(limit=100, window=60)
    for sent in range(2, 95):
        answered(state, 10, create=True, limit=100, remaining=100 - sent, reset=60)
    assert state.seconds_for(3, 25) == 0
    assert state.seconds_for(4, 25) == pytest.approx(35)
    assert state.seconds_for(50, 25) == pytest.approx(45)
    assert state.seconds_for(146, 25) == pytest.approx(105)


def test_one_limiter_per_key_and_place() -> None:
    one = shared_limiter("https://a", "key_1")
    assert shared_limiter("https://a", "key_1") is one
    assert shared_limiter("https://b", "key_1") is not one
    assert shared_limiter("https://a", "key_2") is not one


def test_what_was_read_before_the_first_create_leaves_room_for_polls() -> None:
    state = learned()
    for second in range(1, 6):
        answered(state, second, limit=100, remaining=99 - second, reset=60 - second)
    creates = 0
    now = 10.0
    while state.delay(now, create=True) <= 1:
        now += state.delay(now, create=True)
        creates += 1
        answered(state, now, create=True, limit=100, remaining=94 - creates, reset=50)
    # Six reads, and two of the four polls of a window are still to come.
    assert creates == 92
    assert state.delay(now) == 0


async def test_what_is_not_sent_after_all_takes_no_slot() -> None:
    limiter = RateLimiter()
    limiter._state = learned(limit=3)
    for _ in range(10):
        async with limiter.turn() as turn:
            turn.not_sent = True
    assert limiter._state.in_flight == 0
    assert limiter._state.delay(1.0) == 0
