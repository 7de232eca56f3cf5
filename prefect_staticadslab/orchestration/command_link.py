"""How a flow and the command that runs it know of each other."""

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
class Watch:
    """What a command wants to know of the flow that it runs, whatever becomes of the server.

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

    def tell_flows(self) -> None:
        """Has the flows that this context runs tell this watch."""
        _watch.set(self)


_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


def flow_started() -> Watch:
    """What a flow calls first: sets up its log, its signals and the lock of its table.

    Tells its command, if there is one, that it has started. The flow then sets `ended`.
    """
    keep_warnings_in_prefect()
    show_control_characters()
    use_lock(table_lock)
    watch = _watch.get() or Watch()
    watch.handle_signals()
    watch.started = True
    return watch
