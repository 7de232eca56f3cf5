"""How a flow run ends: in a state with a name and a message of ours, or with another try."""

from __future__ import annotations

import re
from typing import Any, Final

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Completed, Failed

from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.campaign.errors import CampaignError, StorageError
from prefect_staticadslab.campaign.runs.outcome import REFUSED_TITLE, End, Outcome
from prefect_staticadslab.tasks._runs import TRANSIENT_ERRORS

REFUSED_STATE: Final = "Refused"
"""The name of a flow run's state if nothing was created, because something was wrong."""

CREATED_STATE: Final = "Created"
"""The name of a flow run's state if it was not to wait, and all ads are created."""

TIMED_OUT_STATE: Final = "TimedOut"
"""The name of a flow run's state if what it waited for goes on without it."""

LONGEST_MESSAGE: Final = 20_000
"""Characters of a refusal's message; Prefect keeps no log line of more than a million."""


class UnfinishedError(Exception):
    """A run's work is not complete, and Prefect is to run it again. The message says why."""


async def state_of(outcome: Outcome, *, ends_flow: bool = True) -> State[Any]:
    """The state for an outcome, to be returned by the flow whose work ended so.

    The error of a refusal is logged; see `refused_state`. If the flow ends with it, its retries
    are used or switched off; see `final_state`.

    Args:
        outcome: How the work ended.
        ends_flow: Whether the flow ends with it. One that goes on keeps its retries.

    Raises:
        UnfinishedError: Prefect is to run the flow again.
    """
    message = outcome.message
    state: State[Any]
    match outcome.end:
        case End.REFUSED if outcome.error is not None:
            return await refused_state(
                outcome.error, title=outcome.title, message=message, ends_flow=ends_flow
            )
        case End.COMPLETED:
            state = Completed(message=message)
        case End.CREATED:
            state = Completed(name=CREATED_STATE, message=message)
        case End.CANCELLED:
            state = Cancelled(message=message)
        case End.REFUSED:
            state = Failed(name=REFUSED_STATE, message=message)
        case End.TIMED_OUT:
            state = Failed(name=TIMED_OUT_STATE, message=message)
        case End.INCOMPLETE:
            state = Failed(message=message)
    return await final_state(state) if ends_flow else state


def outcome_of(state: State[Any]) -> Outcome:
    """The outcome that a flow run's state stands for; without the error of one that was refused."""
    ends = {REFUSED_STATE: End.REFUSED, CREATED_STATE: End.CREATED, TIMED_OUT_STATE: End.TIMED_OUT}
    end = ends.get(state.name or "", End.INCOMPLETE)
    if state.is_cancelled():
        end = End.CANCELLED
    elif state.is_completed() and end is End.INCOMPLETE:
        end = End.COMPLETED
    return Outcome(end, state.message or str(state.name))


async def refused_state(
    error: CampaignError | StaticAdsLabError,
    *,
    title: str = REFUSED_TITLE,
    message: str = "",
    ends_flow: bool = True,
) -> State[Any]:
    """Logs an error, and returns the state of a run that has created nothing because of it.

    Where the flow has retries, what may pass by itself (an API or a bucket that cannot be reached)
    is left to them, whether the flow ends or not; for what only people can mend, they are switched
    off on the server.

    Args:
        error: What is wrong.
        title: The log line above it.
        message: What to log and keep in the state, if not the error's message.
        ends_flow: Whether the flow ends with it. If not, its retries are not switched off.

    Raises:
        UnfinishedError: It may pass, and Prefect is to run the flow again.
    """
    message = _shorten_message(message or str(error))
    get_run_logger().error("%s\n%s", title, message)
    state: State[Any] = Failed(name=REFUSED_STATE, message=message)
    may_pass = isinstance(error, StorageError) or _is_transient(error)
    return await final_state(state, may_pass=may_pass) if may_pass or ends_flow else state


async def final_state(state: State[Any], *, may_pass: bool | None = None) -> State[Any]:
    """Returns the state for the flow to return, or raises if Prefect is to run the flow again.

    A failed run that has retries left is run again if that can help; if it cannot, its retries are
    switched off on the server. Prefect runs a flow again that raises; one that returns a failed
    state it would schedule again, and then leave alone.

    Args:
        state: How the run ended.
        may_pass: Whether running it again can help; None if it can unless the state's name is
            `REFUSED_STATE`.

    Raises:
        UnfinishedError: Prefect is to run the flow again.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if not state.is_failed() or run is None or not run.empirical_policy.retries:
        return state
    async with get_client() as client:
        run = await client.read_flow_run(run.id)
        policy = run.empirical_policy
        if not policy.retries or run.run_count > policy.retries:
            return state
        if state.name != REFUSED_STATE if may_pass is None else may_pass:
            raise UnfinishedError(state.message)
        final = policy.model_copy(update={"retries": None})
        await client.update_flow_run(run.id, empirical_policy=final)
    return state


def _shorten_message(message: str) -> str:
    """A message cut to whole lines of at most `LONGEST_MESSAGE` characters, and how many lines or
    problems are left out."""
    if len(message) <= LONGEST_MESSAGE:
        return message
    kept_lines = message[:LONGEST_MESSAGE].rpartition("\n")[0] or message[:LONGEST_MESSAGE]
    hidden = message.count("\n") - kept_lines.count("\n")
    if more := _MORE_PROBLEMS.search(message, len(kept_lines)):
        hidden += int(more[1].replace(",", "")) - 1
    return f"{kept_lines}\nand {hidden} more" if hidden else f"{kept_lines}…"


_MORE_PROBLEMS = re.compile(r"^And ([\d,]+) more problems\.", re.MULTILINE)
"""What `SpreadsheetError.message_in` says of those that it leaves out."""


def _is_transient(error: Exception) -> bool:
    """Whether an error, or what caused it, is one of `TRANSIENT_ERRORS`."""
    return isinstance(error, TRANSIENT_ERRORS) or isinstance(error.__cause__, TRANSIENT_ERRORS)
