"""How a flow and the command that runs it in the same process know of each other."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from prefect.client.schemas.objects import State

from prefect_staticadslab.campaign.files.conditional_writes import use_lock
from prefect_staticadslab.orchestration.reporting.log_lines import (
    keep_warnings_in_prefect,
    show_control_characters,
)
from prefect_staticadslab.tasks._table_lock import table_lock


@dataclass
class CommandLink:
    """What a command and the flow that it runs tell each other, whatever becomes of the server.

    Attributes:
        handle_signals: From the command: replaces the handler that Prefect sets for SIGTERM when a
            flow starts. That one raises in the middle of whatever is being done: workers need it, a
            command does not.
        started: From the flow: whether its body has begun to run.
        interrupted: Whether the command was interrupted; set and read by the command alone.
        end_state: From the flow: the state that it ends in; None before its end.
        if_interrupted: From the flow: what the command is to print if it is interrupted from now
            on; "" for what it prints by itself.
    """

    handle_signals: Callable[[], None] = lambda: None
    started: bool = False
    interrupted: bool = False
    end_state: State[None] | None = None
    if_interrupted: str = ""

    def link_flows(self) -> None:
        """Makes this the link of all flows that begin in the present context from now on."""
        _current_link.set(self)


_current_link: ContextVar[CommandLink | None] = ContextVar("command_link", default=None)


def begin_flow() -> CommandLink:
    """Sets up the log, the signals and the table lock of a flow; each calls it first.

    Log lines then show control characters, the package's warnings go to Prefect's server, and
    result tables in stores without conditional writes are locked by Prefect.

    Returns:
        The link to the flow's command, marked as started; one that nobody reads if there is no
        command. The flow sets its `end_state`.
    """
    keep_warnings_in_prefect()
    show_control_characters()
    use_lock(table_lock)
    link = _current_link.get() or CommandLink()
    link.handle_signals()
    link.started = True
    return link
