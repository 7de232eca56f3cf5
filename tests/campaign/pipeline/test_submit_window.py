"""How many rows are marked ahead: in order, in few batches, and never too many."""

from __future__ import annotations

import asyncio
import contextlib

from prefect_staticadslab.campaign.pipeline.submit_window import LEAST_ROWS, SubmitWindow


async def batches(chunks: int, creates_within: int = 1_000_000) -> tuple[list[int], int]:
    """The chunks in the order in which they were let in, and how often some were."""
    window = SubmitWindow(lambda _: creates_within)
    order: list[int] = []
    rounds = marked = most = 0

    async def one(number: int) -> None:
        nonlocal marked, most
        async with window.turn(100) as sent:
            order.append(number)
            marked += 100
            most = max(most, marked)
            for _ in range(100):
                # Each sends a row whenever all who are in are at it.
                await asyncio.sleep(0)
                sent()
                marked -= 1

    async def count() -> None:
        nonlocal rounds
        before = 0
        while True:
            rounds += len(order) > before
            before = len(order)
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await asyncio.gather(*(one(number) for number in range(chunks)))
    counting.cancel()
    assert most <= max(LEAST_ROWS, chunks * 100 // 4, min(creates_within, chunks * 25)) + 100
    return order, rounds


async def test_chunks_are_let_in_in_order_and_in_as_many_batches_however_many_there_are() -> None:
    order, rounds = await batches(40)
    assert order == list(range(40))
    _, of_more = await batches(160)
    assert of_more <= rounds + 4 <= 16


async def test_no_more_is_marked_than_the_limit_lets_through_soon() -> None:
    window = SubmitWindow(lambda _: 500)
    entered = 0

    async def one() -> None:
        nonlocal entered
        async with window.turn(100):
            entered += 1
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(one()) for _ in range(100)]
    for _ in range(100):
        await asyncio.sleep(0)
    assert 2 <= entered <= 5
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_cancelled_chunk_gives_its_place_to_the_next_one() -> None:
    window = SubmitWindow(lambda _: 0)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(window.turn(100))
        waiting = [asyncio.create_task(window.turn(100).__aenter__()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        assert not waiting[1].done()
    await waiting[1]
