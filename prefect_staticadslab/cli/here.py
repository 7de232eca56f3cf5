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
    """A command's own process, as a run knows it.

    Attributes:
        if_interrupted: What to print if the run is interrupted from now on; "" for what the command
            prints by itself.
    """

    def __init__(self) -> None:
        self.if_interrupted = ""

    def set_interruption_message(self, message: str) -> None:
        """Keeps the message, to be printed if the run is interrupted from now on."""
        self.if_interrupted = message


def run_here(
    call: Callable[[CommandHost], Awaitable[Outcome]], *, refused: str = REFUSED_TITLE
) -> int:
    """Runs something in this process, prints how it ended, and returns the exit status.

    Prints first that Prefect records nothing of it. Its progress is shown on the terminal if there
    is one, else its log lines are.

    Args:
        call: What to run; it is given its host.
        refused: What to print above the reasons, if it is refused.

    Raises:
        asyncio.CancelledError: It was interrupted.
    """
    say(NOT_RECORDED, is_error=True)
    on_terminal = sys.stderr.isatty()
    with contextlib.ExitStack() as stack:
        if on_terminal:
            stack.enter_context(terminal_progress())
        handler = stack.enter_context(_showing_log_lines(shows_all=not on_terminal))
        return _run_and_print_outcome(call, refused, handler)


def _run_and_print_outcome(
    call: Callable[[CommandHost], Awaitable[Outcome]], refused: str, handler: _LogLineHandler
) -> int:
    """Runs something, prints how it ended, and returns the exit status; see `run_here`.

    Of an error that it raises, `INCOMPLETE`: what it had begun by then is recorded. From an
    interruption on, `handler` only prints the lines that must be seen.

    Raises:
        Interruption: It was interrupted, or cancelled.
    """
    host = CommandHost()
    outcomes: list[Outcome] = []

    def show_no_more_progress() -> None:
        handler.shows_all = False

    async def run(handle_signals: Callable[[], None]) -> None:
        handle_signals()
        outcomes.append(await call(host))

    try:
        run_interruptible(run, show_no_more_progress)
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


class _LogLineHandler(logging.Handler):
    """Prints log lines to stderr, as Prefect's console does.

    Attributes:
        shows_all: Whether all lines of a run are printed; if not, only those that must be seen, as
            a progress bar stands for the others.
    """

    def __init__(self, *, shows_all: bool) -> None:
        """Sets the lines' format, which is that of Prefect's console."""
        super().__init__()
        self.shows_all = shows_all
        self.setFormatter(
            logging.Formatter("%(asctime)s.%(msecs)03d | %(levelname)-7s | %(message)s", "%H:%M:%S")
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Prints a line, unless it is an ordinary one of a run whose lines are not shown."""
        if self.shows_all or record.name != RUN_LOGGER or is_always_shown(record):
            say(self.format(record), is_error=True)


@contextlib.contextmanager
def _showing_log_lines(*, shows_all: bool) -> Iterator[_LogLineHandler]:
    """Prints the package's warnings and a run's log lines while the body runs.

    Gives the handler, whose `shows_all` may be changed meanwhile.
    """
    handler = _LogLineHandler(shows_all=shows_all)
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
