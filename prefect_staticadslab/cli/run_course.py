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


def run_course(
    given: argparse.Namespace,
    stack: contextlib.ExitStack,
    flow: FlowSource,
    course: Callable[[CommandHost], Awaitable[Outcome]],
    *,
    credentials: Credentials | None = None,
    refused: str = REFUSED_TITLE,
) -> int:
    """Runs a course, or the flow that does the same in Prefect, as the command was asked to.

    Args:
        given: What the command was given: the flow's arguments, as they are in Prefect.
        stack: Where Prefect's own settings are restored in the end.
        flow: The flow.
        course: What to run in this process; it is given its host.
        credentials: The flow's credentials; None if it takes none.
        refused: What to say above the reasons, if the run is refused.

    Returns:
        The exit status.

    Raises:
        CampaignError: Prefect could not start it.
        asyncio.CancelledError: It was interrupted.
    """
    # Each way imports what the other has no need of.
    if not runs_in_prefect(given):
        from prefect_staticadslab.cli.here import run_here

        return run_here(course, refused=refused)
    from prefect_staticadslab.cli.prefect_runs import as_block, run_flow, use_prefect

    use_prefect(stack)
    instead = {"credentials": as_block(credentials)} if credentials is not None else {}
    arguments = arguments_of(given, flow, **instead)
    call: Any = getattr(importlib.import_module(f"{PACKAGE}.{flow.module}"), flow.function)
    return run_flow(lambda: call(**arguments, return_state=True), refused=refused)
