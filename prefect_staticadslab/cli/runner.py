"""Running something as a command: signals, exit statuses, and what is printed of errors."""

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
    """What was run was interrupted. The message is for the user; "" for what the command prints."""


@ignoring_closed_pipes()
def run_command(
    body: Callable[[contextlib.ExitStack], int],
    *,
    interrupted: str | Callable[[], str],
    refused: str = REFUSED_TITLE,
) -> int:
    """Runs a command's body, prints an error of the user's or the API's, or an interruption, to
    stderr, and returns the exit status.

    Until the body sets handlers of its own, SIGTERM interrupts it as Ctrl-C does.

    Args:
        body: What to do. It is given a stack, which is closed at the end, and returns the exit
            status.
        interrupted: What to print after an interruption that has no message of its own.
        refused: What to print above the reasons, if it is refused.
    """
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_sigterm_raising_keyboard_interrupt())
            return body(stack)
    except (CampaignError, StaticAdsLabError) as error:
        say(f"{refused}\n{error}", is_error=True)
        return REFUSED
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        message = str(error) if isinstance(error, Interruption) else ""
        default = interrupted if isinstance(interrupted, str) else interrupted()
        say(message or default, is_error=True)
        return INTERRUPTED


def interrupted_message(output: str) -> str:
    """What to print after an interruption of a run that keeps a table, or tables, at `output`."""
    return f"Interrupted. The same command goes on with {output} where this one stopped."


def handle_signals(interrupt: Callable[[], None]) -> None:
    """Sets handlers: Ctrl-C and SIGTERM call `interrupt` in the running event loop, and raise
    nothing. On Windows there are no such handlers, and nothing is changed."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has only Ctrl-C
            loop.add_signal_handler(number, interrupt)


def cancel_repeatedly(task: asyncio.Task[object]) -> None:
    """Cancels a task now, and nine times more, `PATIENCE_SECONDS` apart.

    What it does to record its results may wait for a place that does not answer; each cancellation
    ends one such wait.
    """
    task.cancel()
    loop = task.get_loop()
    for seconds in range(PATIENCE_SECONDS, 10 * PATIENCE_SECONDS, PATIENCE_SECONDS):
        loop.call_later(seconds, task.cancel)


def run_interruptible(
    call: Callable[[Callable[[], None]], Awaitable[object]], interrupt: Callable[[], None]
) -> None:
    """Runs something in an event loop of its own, which Ctrl-C and SIGTERM cancel.

    Args:
        call: What to run. It is given a function that sets the handlers of these signals, to be
            called at the beginning, and again after anything that sets others.
        interrupt: Called at each of these signals, before the cancellation.

    Raises:
        asyncio.CancelledError: It was cancelled.
    """

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101

        def on_signal() -> None:
            interrupt()
            cancel_repeatedly(task)

        await call(lambda: handle_signals(on_signal))

    asyncio.run(run())


def leave(status: int) -> NoReturn:
    """Ends the process with this exit status.

    After an interruption it is killed if it has not ended within `PATIENCE_SECONDS`: its threads
    may wait for a server that does not answer.
    """
    if status == INTERRUPTED:
        sys.stderr.flush()
        timer = threading.Timer(PATIENCE_SECONDS, os._exit, [status])
        timer.daemon = True
        timer.start()
    sys.exit(status)


@contextlib.contextmanager
def _sigterm_raising_keyboard_interrupt() -> Iterator[None]:
    """While the body runs, SIGTERM raises KeyboardInterrupt, as Ctrl-C does.

    A process that just died would leave running what it has started, such as Prefect's temporary
    server. Outside of the main thread, where no handler can be set, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
