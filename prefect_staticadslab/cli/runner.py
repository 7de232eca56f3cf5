"""Running something as a command: signals, exit statuses, and what is told of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, NoReturn

from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.runs.outcome import REFUSED_TITLE
from prefect_staticadslab.cli.console import ignoring_closed_pipes, say

COMPLETED, INCOMPLETE, REFUSED, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses of a command."""

PATIENCE_SECONDS: Final = 15
"""How long an interrupted command gives whatever it does to come to an end."""


class Interruption(asyncio.CancelledError):
    """What was run was interrupted; the message, if there is one, is for the user."""


@ignoring_closed_pipes()
def run_command(
    body: Callable[[contextlib.ExitStack], int],
    *,
    interrupted: str | Callable[[], str],
    refused: str = REFUSED_TITLE,
) -> int:
    """Runs a command's body, and says what went wrong in the way of commands.

    Args:
        body: What to do; what it enters into the stack is left at the end. Returns the exit status.
        interrupted: What to say after an interruption.
        refused: What to say above the reasons, if it is refused.

    Returns:
        The exit status.
    """
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_sigterm_like_ctrl_c())
            return body(stack)
    except (CampaignError, StaticAdsLabError) as error:
        say(f"{refused}\n{error}", is_error=True)
        return REFUSED
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        said = str(error) if isinstance(error, Interruption) else ""
        or_else = interrupted if isinstance(interrupted, str) else interrupted()
        say(said or or_else, is_error=True)
        return INTERRUPTED


def goes_on(output: str) -> str:
    """What to say after an interruption of whatever keeps a table."""
    return f"Interrupted. The same command goes on with {output} where this one stopped."


def handle_signals(interrupt: Callable[[], None]) -> None:
    """Has Ctrl-C and SIGTERM call something in this event loop, instead of raising anywhere."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has only Ctrl-C
            loop.add_signal_handler(number, interrupt)


def cancel(task: asyncio.Task[object]) -> None:
    """Cancels a task, and once more now and then: a place that does not answer may hold it up.

    All that is known is recorded by then.
    """
    task.cancel()
    loop = task.get_loop()
    for seconds in range(PATIENCE_SECONDS, 10 * PATIENCE_SECONDS, PATIENCE_SECONDS):
        loop.call_later(seconds, task.cancel)


def run_interruptible(
    call: Callable[[Callable[[], None]], Awaitable[object]], interrupt: Callable[[], None]
) -> None:
    """Runs something in an event loop of its own, and cancels it when it is interrupted.

    Args:
        call: What to run. It is given a function that sets the handlers of the signals once more,
            for whatever sets some of its own.
        interrupt: Called before it is cancelled.

    Raises:
        asyncio.CancelledError: It was.
    """

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101

        def on_signal() -> None:
            interrupt()
            cancel(task)

        await call(lambda: handle_signals(on_signal))

    asyncio.run(run())


def leave(status: int) -> NoReturn:
    """Ends the process; in bounded time after an interruption, if a server is away."""
    if status == INTERRUPTED:
        sys.stderr.flush()
        timer = threading.Timer(PATIENCE_SECONDS, os._exit, [status])
        timer.daemon = True
        timer.start()
    sys.exit(status)


@contextlib.contextmanager
def _sigterm_like_ctrl_c() -> Iterator[None]:
    """Until there are handlers of its own: a process that just died would leave behind what it has
    started, such as Prefect's temporary server."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
