"""Running what a command asks for: in its own process, or as a flow run of Prefect's."""

from __future__ import annotations

import argparse
import contextlib
import importlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from prefect_staticadslab.campaign.runs.outcome import REFUSED_TITLE, Outcome
from prefect_staticadslab.cli.flow_options import arguments_of
from prefect_staticadslab.cli.flow_source import PACKAGE, FlowSource
from prefect_staticadslab.cli.options import runs_in_prefect

if TYPE_CHECKING:
    from prefect_staticadslab.campaign.runs.credentials import Credentials
    from prefect_staticadslab.cli.here import CommandHost


def run_here_or_in_prefect(
    given: argparse.Namespace,
    stack: contextlib.ExitStack,
    flow: FlowSource,
    run: Callable[[CommandHost], Awaitable[Outcome]],
    *,
    credentials: Credentials | None = None,
    refused: str = REFUSED_TITLE,
) -> int:
    """Runs something in this process, or the flow that does the same, whichever the command is to.

    Prints how it ended, and returns the exit status.

    Args:
        given: The command's arguments, of which the flow is given all that it has.
        stack: Restores Prefect's settings when it is closed.
        flow: The flow.
        run: What to run in this process; it is given its host.
        credentials: The flow's credentials; None if it takes none.
        refused: What to print above the reasons, if the run is refused.

    Raises:
        CampaignError: Prefect could not start it.
        asyncio.CancelledError: It was interrupted.
    """
    # Each way imports what the other has no need of.
    if not runs_in_prefect(given):
        from prefect_staticadslab.cli.here import run_here

        return run_here(run, refused=refused)
    from prefect_staticadslab.cli.prefect_runs import as_block, run_flow, set_up_prefect

    set_up_prefect(stack)
    instead = {"credentials": as_block(credentials)} if credentials is not None else {}
    arguments = arguments_of(given, flow, **instead)
    call: Any = getattr(importlib.import_module(f"{PACKAGE}.{flow.module}"), flow.function)
    return run_flow(lambda: call(**arguments, return_state=True), refused=refused)
