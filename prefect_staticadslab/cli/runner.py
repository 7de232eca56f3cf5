"""Running a flow as a command: signals, exit statuses, and an end whatever the server does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import pydantic
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL

from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.conditional_writes import use_lock
from prefect_staticadslab.campaign.reports.progress import terminal_progress
from prefect_staticadslab.cli.console import (
    PREFECT,
    PREFECT_WORKERS,
    hide_logs_of,
    keep_warnings_in_prefect,
    say,
    show_control_characters,
)
from prefect_staticadslab.cli.temporary_server import closed_temporary_server
from prefect_staticadslab.credentials import refusals
from prefect_staticadslab.orchestration.flow_outcome import (
    CREATED_STATE,
    REFUSED_STATE,
    REFUSED_TITLE,
)
from prefect_staticadslab.tasks._table_lock import table_lock

COMPLETED, INCOMPLETE, REFUSED, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses of a command."""

PATIENCE_SECONDS: Final = 15
"""How long an interrupted command gives Prefect to come to an end."""


@dataclass
class Watch:
    """What the command wants to know of the flow that it runs, whatever becomes of the server.

    Attributes:
        handle_signals: Replaces the handler that Prefect sets for SIGTERM when a flow starts. That
            one raises in the middle of whatever is being done: workers need it, a command does not.
        started: Whether the flow began to run.
        interrupted: Whether the command was interrupted.
        ended: How it ended.
        if_interrupted: What to say if it is interrupted from now on, instead of what the command
            says by itself.
    """

    handle_signals: Callable[[], None] = lambda: None
    started: bool = False
    interrupted: bool = False
    ended: State[None] | None = None
    if_interrupted: str = ""


class _Interrupted(asyncio.CancelledError):
    """The flow was interrupted; the message, if there is one, is for the user."""


_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


def flow_started() -> Watch:
    """What a flow calls first: tells its command, if there is one. It then says how it ended."""
    keep_warnings_in_prefect()
    show_control_characters()
    use_lock(table_lock)
    watch = _watch.get() or Watch()
    watch.handle_signals()
    watch.started = True
    return watch


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
    hide_logs_of(PREFECT_WORKERS)
    show_control_characters()
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_sigterm_like_ctrl_c())
            stack.enter_context(closed_temporary_server())
            return body(stack)
    except (CampaignError, StaticAdsLabError, pydantic.ValidationError) as error:
        say(f"{refused}\n{_explained(error)}", is_error=True)
        return REFUSED
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        said = str(error) if isinstance(error, _Interrupted) else ""
        or_else = interrupted if isinstance(interrupted, str) else interrupted()
        say(said or or_else, is_error=True)
        return INTERRUPTED


def goes_on(output: str) -> str:
    """What to say after an interruption of whatever keeps a table."""
    return f"Interrupted. The same command goes on with {output} where this one stopped."


def run_flow(call: Callable[[], Awaitable[State[Any]]], *, refused: str = REFUSED_TITLE) -> int:
    """Runs a flow, with its progress shown on the terminal if there is one.

    Args:
        call: Calls the flow, with `return_state=True`.
        refused: What to say above the reasons, if it is refused.

    Returns:
        The exit status.

    Raises:
        CampaignError: Prefect could not start it.
        asyncio.CancelledError: It was interrupted.
    """
    with contextlib.ExitStack() as stack:
        if sys.stderr.isatty():
            stack.enter_context(terminal_progress())
            hide_logs_of(PREFECT)
            if not PREFECT_API_URL.value():
                say("Starting Prefect, which takes some seconds.", is_error=True)
        return _run_flow(call, refused)


def _run_flow(call: Callable[[], Awaitable[State[Any]]], refused: str) -> int:
    async def run() -> State[Any]:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101

        def interrupt() -> None:
            # Prefect calls it a crash; it is none.
            hide_logs_of(PREFECT)
            watch.interrupted = True
            task.cancel()
            # By then all is recorded. Prefect would go on for minutes to tell a server of it that
            # the same Ctrl-C may have ended.
            for seconds in range(PATIENCE_SECONDS, 10 * PATIENCE_SECONDS, PATIENCE_SECONDS):
                loop.call_later(seconds, task.cancel)

        def handle_signals() -> None:
            for number in (signal.SIGINT, signal.SIGTERM):
                with contextlib.suppress(NotImplementedError):  # Windows has only Ctrl-C
                    loop.add_signal_handler(number, interrupt)

        watch.handle_signals = handle_signals
        _watch.set(watch)
        return await call()

    watch = Watch()
    state: State[Any]
    try:
        state = asyncio.run(run())
    except asyncio.CancelledError:
        raise _Interrupted(watch.if_interrupted) from None
    except Exception as error:
        if watch.interrupted:
            raise _Interrupted(watch.if_interrupted) from error
        if not watch.started:
            raise CampaignError(
                f"Prefect could not start the run, with its server at {PREFECT_API_URL.value()}: "
                f"{error}\nStart it with `prefect server start`, or set PREFECT_API_URL to "
                "another one, or to none at all."
            ) from error
        if watch.ended is None:
            raise
        say(f"Prefect's server could not be told how it ended: {error}", is_error=True)
    state = watch.ended or state
    if watch.interrupted or state.is_cancelled() or state.is_crashed():
        raise _Interrupted(watch.if_interrupted)
    if state.name == REFUSED_STATE:
        say(f"{refused}\n{state.message}", is_error=True)
        return REFUSED
    say(state.message or "")
    return COMPLETED if state.is_completed() and state.name != CREATED_STATE else INCOMPLETE


def leave(status: int) -> NoReturn:
    """Ends the process; in bounded time after an interruption, if Prefect's server is away."""
    if status == INTERRUPTED:
        sys.stderr.flush()
        timer = threading.Timer(PATIENCE_SECONDS, os._exit, [status])
        timer.daemon = True
        timer.start()
    sys.exit(status)


@contextlib.contextmanager
def _sigterm_like_ctrl_c() -> Iterator[None]:
    """Until the flow runs and has handlers of its own: a process that just died would leave the
    temporary server behind that Prefect starts for it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _explained(error: Exception) -> str:
    if isinstance(error, pydantic.ValidationError):
        return "\n".join(refusals(error))
    return str(error)
