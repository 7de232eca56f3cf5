"""Calls for both kinds of code: awaited in async code, run to their end elsewhere.

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

_COROUTINE_FLAGS: Final = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR

_INTERRUPT_CHECK_SECONDS: Final = 0.2
"""How often a blocking call checks whether it is interrupted. Windows interrupts no wait by
itself."""

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
    """Makes a coroutine function one that may be called in both kinds of code.

    What it returns gives a coroutine in async code; elsewhere it blocks, and gives the result. See
    `dispatch`.

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
    def dispatched(*args: P.args, **kwargs: P.kwargs) -> SyncOrAsync[R]:
        return dispatch(function(*args, **kwargs))

    return dispatched


def dispatch(coroutine: Coroutine[Any, Any, R]) -> SyncOrAsync[R]:
    """Returns a coroutine as it is in async code; elsewhere runs it, and returns its result.

    Elsewhere this blocks, and raises what the coroutine raises. An interruption cancels the
    coroutine, waits for it to clean up, and is raised again.
    """
    if _caller_is_async():
        return cast("SyncOrAsync[R]", coroutine)
    return cast("SyncOrAsync[R]", _run_to_end(coroutine))


def _caller_is_async() -> bool:
    """Whether the code that called this module can await a coroutine.

    It cannot without a running event loop, nor directly in a sync flow or task, even if Prefect
    runs that in a loop.
    """
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

    Looks at the call stack, up to the first frame of Prefect's: the running loop is that
    coroutine's, or one in which Prefect has called the sync flow.
    """
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_flags & _COROUTINE_FLAGS:
            return True
        if frame.f_globals.get("__name__", "").startswith("prefect."):
            return False
        frame = frame.f_back
    return False


def _run_to_end(coroutine: Coroutine[Any, Any, R]) -> R:
    """Runs a coroutine in a thread and a loop of its own, blocks until its end, returns its result.

    What signals raise, as Prefect's do on a cancellation, is raised where this waits, once the
    coroutine is cancelled and has ended. In a loop of this thread it would be raised in any
    callback, and asyncio only logs what a callback raises.
    """
    canceller: Future[Callable[[], object]] = Future()

    async def run_cancellable() -> R:
        """Awaits the coroutine, once `canceller` has what cancels it from another thread."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101
        canceller.set_result(lambda: loop.call_soon_threadsafe(task.cancel))
        return await coroutine

    with ThreadPoolExecutor(1, thread_name_prefix="static-ads-lab") as thread:
        result = thread.submit(copy_context().run, asyncio.run, run_cancellable())
        try:
            _block_until_done(result)
        except BaseException:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                canceller.result()()
            raise
        return result.result()


def _block_until_done(result: Future[Any]) -> None:
    """Blocks this thread until a future is done; its result or error stays in it.

    Raises:
        asyncio.CancelledError: The asyncio task that called this was cancelled. Its loop cannot
            raise that there: the task blocks it.
    """
    caller = asyncio.current_task() if _loop_is_running() else None
    before = caller.cancelling() if caller else 0
    while not result.done():
        wait([result], timeout=_INTERRUPT_CHECK_SECONDS)
        if caller and caller.cancelling() > before:
            raise asyncio.CancelledError
