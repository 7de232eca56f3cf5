"""Calls for both kinds of code: awaited where somebody can await them, run to their end elsewhere.

Prefect's integrations do this with `prefect._internal.compatibility.async_dispatch`, which is not
public, goes by the flow alone (an `async def` that a sync flow runs gets a result which it then
cannot await), and leaves the work behind in another thread when the flow is interrupted.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeVar, cast

from prefect.context import get_run_context
from prefect.exceptions import MissingContextError

P = ParamSpec("P")
R = TypeVar("R")

_COROUTINE: Final = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR

_LOOK_SECONDS: Final = 0.2
"""How often who waits looks whether he is interrupted. Windows interrupts no wait by itself."""

if TYPE_CHECKING:

    class SyncOrAsync(Coroutine[Any, Any, R], Any):  # type: ignore[misc]
        """What a call gives: a coroutine of an `R` in async code, the `R` itself elsewhere.

        Types cannot say where a call is made. This one is awaited to an `R`, and is taken for an
        `R` wherever one is wanted: `ad: ImageAd = create_image_ad(credentials, request)`.
        """
else:

    class SyncOrAsync(Generic[R]):
        """What a call gives: a coroutine of an `R` in async code, the `R` itself elsewhere."""


def sync_or_async(
    function: Callable[P, Coroutine[Any, Any, R]],
) -> Callable[P, SyncOrAsync[R]]:
    """Makes a coroutine function one that may be called in both kinds of code; see `dispatch`.

    Example:
        ```python
        import asyncio
        from prefect_staticadslab.tasks._dispatch import sync_or_async

        @sync_or_async
        async def double(number: int) -> int:
            return 2 * number

        async def main() -> int:
            return await double(2)

        assert double(2) == asyncio.run(main()) == 4
        ```
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> SyncOrAsync[R]:
        return dispatch(function(*args, **kwargs))

    return call


def dispatch(coroutine: Coroutine[Any, Any, R]) -> SyncOrAsync[R]:
    """A coroutine as it is, where somebody can await it; what comes of it, where nobody can.

    An interruption cancels the coroutine, and waits for it to clean up.
    """
    if _can_be_awaited():
        return cast("SyncOrAsync[R]", coroutine)
    return cast("SyncOrAsync[R]", _run_to_end(coroutine))


def _can_be_awaited() -> bool:
    """Whether who calls is async code."""
    if not _loop_is_running():
        return False
    try:
        run = get_run_context()
    except MissingContextError:
        return True
    if getattr(getattr(run, "task", None) or getattr(run, "flow", None), "isasync", True):
        return True
    return _is_called_by_coroutine()


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _is_called_by_coroutine() -> bool:
    """Whether there is a coroutine between the call and the sync flow or task that it is made in.

    The loop that runs is that coroutine's, or one in which Prefect has called the sync flow.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_flags & _COROUTINE:
            return True
        if frame.f_globals.get("__name__", "").startswith("prefect."):
            return False
        frame = frame.f_back
    return False


def _run_to_end(coroutine: Coroutine[Any, Any, R]) -> R:
    """Runs a coroutine in a thread and a loop of its own.

    What signals raise, as Prefect's do on a cancellation, is raised where this waits. In a loop of
    this thread it would be raised in any callback, and asyncio only logs what a callback raises.
    """
    started: Future[Callable[[], object]] = Future()

    async def run() -> R:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101
        started.set_result(lambda: loop.call_soon_threadsafe(task.cancel))
        return await coroutine

    with ThreadPoolExecutor(1, thread_name_prefix="static-ads-lab") as thread:
        outcome = thread.submit(copy_context().run, asyncio.run, run())
        try:
            _wait_for(outcome)
        except BaseException:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                started.result()()
            raise
        return outcome.result()


def _wait_for(outcome: Future[Any]) -> None:
    """Blocks until there is an outcome.

    Raises:
        asyncio.CancelledError: Who called is cancelled. The loop cannot tell him: he blocks it.
    """
    caller = asyncio.current_task() if _loop_is_running() else None
    before = caller.cancelling() if caller else 0
    while not outcome.done():
        wait([outcome], timeout=_LOOK_SECONDS)
        if caller and caller.cancelling() > before:
            raise asyncio.CancelledError
