"""Running a flow as a command, with an end whatever Prefect's server does."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pydantic
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL

from prefect_staticadslab.brand_kits.blocks import prefect_errors
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.reports.progress import terminal_progress
from prefect_staticadslab.campaign.runs.credentials import Credentials
from prefect_staticadslab.campaign.runs.outcome import REFUSED_TITLE
from prefect_staticadslab.cli.console import say
from prefect_staticadslab.cli.runner import (
    COMPLETED,
    INCOMPLETE,
    REFUSED,
    Interruption,
    run_interruptible,
)
from prefect_staticadslab.cli.temporary_server import closed_temporary_server
from prefect_staticadslab.credentials import StaticAdsLabCredentials, validation_messages
from prefect_staticadslab.orchestration.command_link import CommandLink
from prefect_staticadslab.orchestration.flow_outcome import CREATED_STATE, REFUSED_STATE
from prefect_staticadslab.orchestration.reporting.log_lines import (
    PREFECT,
    PREFECT_WORKERS,
    hide_logs_of,
    show_control_characters,
)


def set_up_prefect(stack: contextlib.ExitStack) -> None:
    """Sets Prefect up for a command: hides its workers' log lines, shows control characters in the
    others, and closes its temporary server to other processes.

    Args:
        stack: Restores Prefect's settings when it is closed; the logs stay as they are then.
    """
    hide_logs_of(PREFECT_WORKERS)
    show_control_characters()
    stack.enter_context(closed_temporary_server())


def as_block(credentials: Credentials) -> StaticAdsLabCredentials:
    """The same credentials as a block, which flows take; it is not saved."""
    if isinstance(credentials, StaticAdsLabCredentials):
        return credentials
    return StaticAdsLabCredentials(api_key=credentials.api_key, base_url=credentials.base_url)


def load_block(name: str) -> StaticAdsLabCredentials:
    """Loads the saved credentials block of this name from Prefect's server.

    Raises:
        CampaignError: There is none, what it holds cannot be used, or the server does not answer.
    """
    with prefect_errors():
        try:
            return StaticAdsLabCredentials.load_saved(name)
        except pydantic.ValidationError as error:
            raise CampaignError("\n".join(validation_messages(error))) from None
        except ValueError as error:
            message = f"The credentials block {name} cannot be loaded: {error}"
            raise CampaignError(message) from error


def run_flow(call: Callable[[], Awaitable[State[Any]]], *, refused: str = REFUSED_TITLE) -> int:
    """Runs a flow, prints how it ended, and returns the exit status.

    Its progress is shown on the terminal if there is one, and Prefect's log lines are hidden then.

    Args:
        call: Calls the flow, with `return_state=True`.
        refused: What to print above the reasons, if it is refused.

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
        return _run_flow_and_print_outcome(call, refused)


def _run_flow_and_print_outcome(call: Callable[[], Awaitable[State[Any]]], refused: str) -> int:
    """Does what `run_flow` says.

    What the flow itself has said of its end counts, also if Prefect's server could not be told.

    Raises:
        CampaignError: Prefect could not start it.
        Interruption: It was interrupted or cancelled, or crashed.
        Exception: It raised this after its start, and has said nothing of its end.
    """
    link = CommandLink()
    states: list[State[Any]] = []

    def note_interruption() -> None:
        # Prefect calls it a crash; it is none. By then all is recorded. Prefect would go on for
        # minutes to tell a server of it that the same Ctrl-C may have ended.
        hide_logs_of(PREFECT)
        link.interrupted = True

    async def run(handle_signals: Callable[[], None]) -> None:
        link.handle_signals = handle_signals
        link.link_flows()
        states.append(await call())

    try:
        run_interruptible(run, note_interruption)
    except asyncio.CancelledError:
        raise Interruption(link.if_interrupted) from None
    except Exception as error:
        if link.interrupted:
            raise Interruption(link.if_interrupted) from error
        if not link.started:
            raise CampaignError(
                f"Prefect could not start the run, with its server at {PREFECT_API_URL.value()}: "
                f"{error}\nStart it with `prefect server start`, or set PREFECT_API_URL to "
                "another one, or to none at all."
            ) from error
        if link.end_state is None:
            raise
        say(f"Prefect's server could not be told how it ended: {error}", is_error=True)
    state = link.end_state or states[0]
    if link.interrupted or state.is_cancelled() or state.is_crashed():
        raise Interruption(link.if_interrupted)
    if state.name == REFUSED_STATE:
        say(f"{refused}\n{state.message}", is_error=True)
        return REFUSED
    say(state.message or "")
    return COMPLETED if state.is_completed() and state.name != CREATED_STATE else INCOMPLETE
