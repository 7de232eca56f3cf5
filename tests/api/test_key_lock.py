"""A create whose answer takes long must not make two ads: the API's lock on a key holds for 30 s.

The requests go over a socket to a server with such a lock; time is a number that jumps.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_staticadslab import ImageAdRequest, StaticAdsLabClient
from prefect_staticadslab.api import errors, transport
from prefect_staticadslab.api.models import FigmaRender
from prefect_staticadslab.api.rate_limit import RateLimiter
from prefect_staticadslab.api.resources import Brand
from prefect_staticadslab.api.retries import key_lock
from prefect_staticadslab.api.retries.key_lock import KeyLock, KeyLocks
from prefect_staticadslab.api.retries.policy import RetryPolicy
from tests.api.locking_server import Clock, LockingServer, served
from tests.support.scripted import error, scripted

REQUEST = ImageAdRequest(
    design_template_id="dt_1", brand_id="brand_1", product_id="prod_1", audience_id="aud_1"
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of the client's policy and pauses."""
    made = Clock()

    async def retrying(policy: RetryPolicy) -> AsyncIterator[object]:
        tries = 0
        ended = False

        @contextmanager
        def one_try() -> Iterator[None]:
            nonlocal ended
            try:
                yield
                ended = True
            except Exception as failure:
                verdict = policy(failure)
                if verdict is False:
                    raise
                made.now += min(0.5 * 2**tries, 15.0) if verdict is True else verdict

        while not ended:
            yield one_try()
            tries += 1

    async def sleep(seconds: float) -> None:
        made.now += seconds

    monkeypatch.setattr(transport, "_sleep", sleep)
    monkeypatch.setattr(transport, "retrying", retrying)
    monkeypatch.setattr(transport, "RetryPolicy", partial(RetryPolicy, clock=made))
    return made


def client_of(server: LockingServer) -> StaticAdsLabClient:
    client = StaticAdsLabClient("sal_live_x", server.url, limiter=RateLimiter())
    client._key_locks = KeyLocks(server.clock)
    return client


@pytest.mark.parametrize("takes", [0.1, 29.0, 34.0, 60.0, 79.0])
async def test_a_create_that_is_answered_late_is_waited_for(clock: Clock, takes: float) -> None:
    server = LockingServer(clock, [takes], [None])
    async with served(server), client_of(server) as client:
        created = await client.create_image_ad(REQUEST)
    assert (created.image_ad.id, server.requests) == ("ia_0", 1)
    assert client._create_timeout.read is not None
    assert client._create_timeout.read >= 75


@pytest.mark.parametrize("bad_gateway", [False, True])
@pytest.mark.parametrize("takes", [0.1, 10.0, 26.0, 34.0, 60.0, 89.0])
@pytest.mark.parametrize(
    "drops",
    [
        [0.05, None],
        [5.0, None],
        [29.0, None],
        [31.0, None],
        [0.05, 0.05, 0.05, 0.05, None],
        [80.0, None],
        [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, None],
    ],
)
async def test_a_create_whose_connection_is_cut_makes_one_ad(
    clock: Clock, takes: float, drops: list[float | None], bad_gateway: bool
) -> None:
    server = LockingServer(clock, [takes], drops, bad_gateway)
    async with served(server), client_of(server) as client:
        created = await client.create_image_ad(REQUEST)
    assert created.image_ad.id == "ia_0"
    assert len(server.made) == 1


async def test_without_the_lock_in_mind_there_would_be_two(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_lock, "REPEAT_SECONDS", float("inf"))
    server = LockingServer(clock, [60.0], [31.0, None])
    async with served(server), client_of(server) as client:
        await client.create_image_ad(REQUEST)
    assert len(server.made) == 2


@pytest.mark.parametrize("name", ["update_image_ad", "create_design_template", "sync", "brand"])
async def test_so_it_is_with_all_that_has_a_key(clock: Clock, name: str) -> None:
    server = LockingServer(clock, [50.0], [31.0, None])
    async with served(server), client_of(server) as client:
        match name:
            case "update_image_ad":
                await client.update_image_ad("ia_1", {"type": "FRAME"})
            case "create_design_template":
                await client.create_design_template("https://example.com/a.png")
            case "sync":
                render = FigmaRender(id="ia_1", current_json_tree={}, figma_render_base64="eA==")
                with pytest.raises(errors.UnreadableAnswerError):
                    await client.sync_image_ads([render])
            case _:
                await client.create_resource(Brand, name="B")
    assert len(server.made) == 1


async def test_asking_again_with_the_key_in_the_same_process_waits_too(clock: Clock) -> None:
    server = LockingServer(clock, [60.0], [31.0, None])
    async with served(server), client_of(server) as client:
        client._max_tries = 1
        with pytest.raises(errors.APIConnectionError):
            await client.create_image_ad(REQUEST, idempotency_key="k")
        again = await client.create_image_ad(REQUEST, idempotency_key="k")
    assert (again.image_ad.id, len(server.made)) == ("ia_0", 1)


async def test_a_key_that_somebody_else_has_just_used_is_left_alone_until_they_are_done(
    clock: Clock,
) -> None:
    server = LockingServer(clock, [60.0], [0.0, None])
    assert server.answer_to("k", json.dumps(REQUEST.body(), separators=(",", ":")).encode()) is None
    clock.now += 29
    async with served(server), client_of(server) as client:
        again = await client.create_image_ad(REQUEST, idempotency_key="k")
    assert (again.image_ad.id, len(server.made)) == ("ia_0", 1)


async def test_a_key_that_was_used_for_another_body_is_an_error_after_one_wait(
    clock: Clock,
) -> None:
    server = LockingServer(clock, [1.0], [None])
    server.answer_to("k", b"{}")
    async with served(server), client_of(server) as client:
        with pytest.raises(errors.IdempotencyConflictError):
            await client.create_image_ad(REQUEST, idempotency_key="k")
    assert len(server.made) == 1
    assert server.requests == 3


async def test_a_conflict_is_a_mistake_and_not_repeated() -> None:
    async with (
        scripted([error(409, "CONFLICT", "There is one.")]) as server,
        StaticAdsLabClient("sal_live_x", server.url, limiter=RateLimiter()) as client,
    ):
        with pytest.raises(errors.ConflictError, match="There is one"):
            await client.create_image_ad(REQUEST)
    assert len(server.received) == 1


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    takes=st.floats(0.01, 89),
    tries=st.lists(st.tuples(st.floats(0, 90), st.floats(0, 120)), max_size=8),
)
def test_whatever_is_cut_and_whenever_it_is_repeated_one_thing_is_made(
    takes: float, tries: list[tuple[float, float]]
) -> None:
    clock = Clock()
    server = LockingServer(clock, [takes], [drop for drop, _ in tries] + [None])
    lock = KeyLock()
    for _, pause in [*tries, (0, 0)]:
        clock.now += pause
        while delay := lock.delay(clock.now):
            clock.now += delay
        number = lock.note_sent(clock.now)
        reply = server.answer_to("k", b"{}")
        if reply is not None:
            lock.note_ended(number)
    assert len(server.made) == 1


def test_locks_that_hold_nothing_are_forgotten() -> None:
    clock = Clock()
    locks = KeyLocks(clock)
    held = locks.lock_for("held")
    held.note_sent(0)
    for number in range(5_000):
        locks.lock_for(str(number))
    assert len(locks._locks) <= 1_002
    assert locks.lock_for("held") is held
    clock.now = 91
    for number in range(5_000):
        locks.lock_for(str(number))
    assert "held" not in locks._locks


def test_a_lock_that_somebody_waits_with_stays_the_only_one_of_its_key() -> None:
    locks = KeyLocks(Clock())
    in_hand = locks.lock_for("waits")
    for number in range(5_000):
        locks.lock_for(str(number))
    assert locks.lock_for("waits") is in_hand


def test_what_another_process_may_have_sent_counts_like_what_this_one_sent() -> None:
    lock = KeyLock()
    lock.note_sent_elsewhere(first=-20.0, last=-3.0)
    assert lock.delay(4.0) == 0.0
    number = lock.note_sent(4.0)
    assert lock.delay(5.0) == 89.0, "the lock lapses 30 s after the first one was sent"
    lock.note_ended(number)
    assert lock.note_conflict(5.0)
    assert lock.delay(5.0) == 82.0
    assert lock.delay(87.0) == 0.0


def made_by_runs(takes: float, tries: list[tuple[int, float]], *, shares: bool) -> int:
    """How many things runs make that send with one key, none of which knows when another does.

    Args:
        takes: How long each thing takes, in seconds. No request is answered before all are sent.
        tries: Which run would send next, and after how many seconds.
        shares: Whether they know that they are several.
    """
    clock = Clock()
    server = LockingServer(clock, [takes], [0.0])
    locks = [KeyLock(turn_offset=40.0) for _ in range(3)]
    for lock in locks if shares else ():
        lock.note_shared(0.0)
    for run, pause in tries:
        clock.now += pause
        if locks[run].delay(clock.now):
            continue
        number = locks[run].note_sent(clock.now)
        if server.answer_to("k", b"{}") is not None:
            locks[run].note_ended(number)
    return len(server.made)


@given(
    takes=st.floats(0.01, 89),
    tries=st.lists(st.tuples(st.integers(0, 2), st.floats(0, 60)), max_size=12),
)
def test_whenever_runs_send_that_share_a_key_one_thing_is_made(
    takes: float, tries: list[tuple[int, float]]
) -> None:
    assert made_by_runs(takes, tries, shares=True) <= 1


def test_runs_that_do_not_know_of_each_other_make_two() -> None:
    assert made_by_runs(70, [(0, 2), (1, 58)], shares=False) == 2
    assert made_by_runs(70, [(0, 2), (1, 58)], shares=True) == 1


@pytest.mark.parametrize(
    ("now", "delay"),
    [(0, 0), (24, 0), (25, 130), (100, 55), (155, 0), (179, 0), (180, 90), (270, 0), (-60, 0)],
)
def test_the_turns_of_runs_that_share_a_key(now: float, delay: float) -> None:
    lock = KeyLock(turn_offset=40.0)
    lock.note_shared(0.0)
    assert lock.delay(now) == delay
    lock.note_shared(now)
    assert lock.delay(now) == 0.0


def test_there_is_always_a_key_whose_turn_it_is() -> None:
    locks = [KeyLocks().lock_for(f"key {number}") for number in range(200)]
    for lock in locks:
        lock.note_shared(0.0)
    for now in range(230, 400):
        assert sum(not lock.delay(now) for lock in locks) > 20


def test_in_its_turn_a_run_minds_what_it_sent_itself() -> None:
    lock = KeyLock(turn_offset=0.0)
    lock.note_shared(0.0)
    lock.note_sent(20.0)
    assert lock.delay(24.0) == 0.0
    assert lock.delay(26.0) == 89.0, "its turn, and the 90 s of what was sent, come to 115 s"
    lock.note_sent(139.0)
    assert lock.delay(141.0) == 89.0, "the next turn, which begins within the 90 s"
