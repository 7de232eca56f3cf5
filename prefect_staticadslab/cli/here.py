"""Runs in the command's own process, which Prefect has nothing to do with."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.reports.log_lines import is_always_shown
from prefect_staticadslab.campaign.reports.progress import terminal_progress
from prefect_staticadslab.campaign.runs.host import RUN_LOGGER, Host
from prefect_staticadslab.campaign.runs.outcome import REFUSED_TITLE, End, Outcome
from prefect_staticadslab.cli.console import say
from prefect_staticadslab.cli.runner import (
    COMPLETED,
    INCOMPLETE,
    REFUSED,
    Interruption,
    run_interruptible,
)

NOT_RECORDED: Final = (
    "Not recorded in Prefect: no server is configured. Set PREFECT_API_URL to record runs in one, "
    "or add --prefect to start one for this run alone."
)

PACKAGE: Final = "prefect_staticadslab"


class CommandHost(Host[Any]):
    """A command's own process.

    Attributes:
        if_interrupted: What to say if it is interrupted, instead of what the command says.
    """

    def __init__(self) -> None:
        self.if_interrupted = ""

    def set_interruption_message(self, message: str) -> None:
        self.if_interrupted = message


def run_here(
    call: Callable[[CommandHost], Awaitable[Outcome]], *, refused: str = REFUSED_TITLE
) -> int:
    """Runs something in this process, with its progress shown on the terminal if there is one.

    Args:
        call: What to run; it is given its host.
        refused: What to say above the reasons, if it is refused.

    Returns:
        The exit status.

    Raises:
        asyncio.CancelledError: It was interrupted.
    """
    say(NOT_RECORDED, is_error=True)
    on_terminal = sys.stderr.isatty()
    with contextlib.ExitStack() as stack:
        if on_terminal:
            stack.enter_context(terminal_progress())
        lines = stack.enter_context(_log_lines(shows_all=not on_terminal))
        return _run_here(call, refused, lines)


def _run_here(
    call: Callable[[CommandHost], Awaitable[Outcome]], refused: str, lines: _LogLines
) -> int:
    """Runs a course, and says how it ended; see `run_here`."""
    host = CommandHost()
    outcomes: list[Outcome] = []

    def interrupt() -> None:
        lines.shows_all = False

    async def run(handle_signals: Callable[[], None]) -> None:
        handle_signals()
        outcomes.append(await call(host))

    try:
        run_interruptible(run, interrupt)
    except asyncio.CancelledError:
        raise Interruption(host.if_interrupted) from None
    except (CampaignError, StaticAdsLabError) as error:
        # What was begun by then is recorded; so it is not said that nothing was.
        say(f"The run came to no end: {error}", is_error=True)
        return INCOMPLETE
    outcome = outcomes[0]
    if outcome.end is End.CANCELLED:
        raise Interruption(host.if_interrupted)
    if outcome.end is End.REFUSED:
        say(f"{refused}\n{outcome.message}", is_error=True)
        return REFUSED
    say(outcome.message)
    return COMPLETED if outcome.end is End.COMPLETED else INCOMPLETE


class _LogLines(logging.Handler):
    """Shows log lines on stderr, as Prefect's console does; a run's, unless a bar stands for them.

    Attributes:
        shows_all: Whether a run's lines are shown that need not be seen.
    """

    def __init__(self, *, shows_all: bool) -> None:
        super().__init__()
        self.shows_all = shows_all
        self.setFormatter(
            logging.Formatter("%(asctime)s.%(msecs)03d | %(levelname)-7s | %(message)s", "%H:%M:%S")
        )

    def emit(self, record: logging.LogRecord) -> None:
        if self.shows_all or record.name != RUN_LOGGER or is_always_shown(record):
            say(self.format(record), is_error=True)


@contextlib.contextmanager
def _log_lines(*, shows_all: bool) -> Iterator[_LogLines]:
    """Shows the package's warnings, and what a run tells of itself, while the body runs."""
    handler = _LogLines(shows_all=shows_all)
    package, runs = logging.getLogger(PACKAGE), logging.getLogger(RUN_LOGGER)
    before = package.propagate, runs.level
    # Prefect, if it is imported, has a handler for all loggers.
    package.propagate = False
    package.addHandler(handler)
    runs.setLevel(logging.INFO)
    try:
        yield handler
    finally:
        package.propagate, level = before
        package.removeHandler(handler)
        runs.setLevel(level)
