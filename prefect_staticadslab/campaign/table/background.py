"""Running things side by side, so that none is left behind by an error or a cancellation."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


async def all_of(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Runs them side by side, and returns their results, in order.

    If one raises, the others are cancelled, and that error is raised.

    Unlike `asyncio.gather`, it ends only when all of them have: what they do on a cancellation,
    such as writing down what was paid for, is done by then.

    Example:
        ```python
        import asyncio
        from prefect_staticadslab.campaign.table.background import all_of

        async def double(x):
            return 2 * x

        assert asyncio.run(all_of([double(1), double(2)])) == [2, 4]
        ```
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs `work` while the body runs, and cancels it when the body ends.

    If `work` raises, the body is cancelled, and that error is raised.
    """
    body = asyncio.current_task()
    assert body is not None  # noqa: S101
    task = asyncio.create_task(work)

    def stop_body(ended: asyncio.Task[None]) -> None:
        """Cancels the body if `work` ended with an error."""
        if not ended.cancelled() and ended.exception() is not None:
            body.cancel()

    task.add_done_callback(stop_body)
    try:
        yield
    finally:
        broken = task.done() and not task.cancelled() and task.exception() is not None
        if broken:
            body.uncancel()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def wait_or_cancel(tasks: set[asyncio.Task[None]], seconds: float) -> None:
    """Waits so many seconds for tasks, and cancels those that take longer."""
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
