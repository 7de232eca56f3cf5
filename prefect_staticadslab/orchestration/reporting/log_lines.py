"""Where log lines go: to a terminal, if they are to be seen there, and to Prefect's server."""

from __future__ import annotations

import logging
from typing import Final

from prefect.context import FlowRunContext
from prefect.logging.handlers import APILogHandler, PrefectConsoleHandler

from prefect_staticadslab.campaign.files.cells import visible
from prefect_staticadslab.campaign.reports.log_lines import is_always_shown

PREFECT_WORKERS: Final = frozenset(("EventsWorker", "APILogWorkerThread"))
"""The loggers that say at the end of a process that the last events and log lines take a moment to
send."""

PREFECT: Final = PREFECT_WORKERS | {"prefect"}
"""All of Prefect's loggers, by the first parts of their names."""


def hide_logs_of(loggers: frozenset[str]) -> None:
    """Keeps these loggers' lines off this process's console; Prefect's server still gets them.

    Lines with `extra=ALWAYS_SHOWN` are shown all the same. It lasts until the process ends.

    Args:
        loggers: The first parts of the loggers' names.
    """

    def is_shown(record: logging.LogRecord) -> bool:
        """Whether a line is of another logger, or always shown: a filter of a handler."""
        return is_always_shown(record) or record.name.partition(".")[0] not in loggers

    for handler in logging.getLogger().handlers:
        if isinstance(handler, PrefectConsoleHandler):
            handler.addFilter(is_shown)


def show_control_characters() -> None:
    """Has log lines on this process's console show control characters as escapes from now on, so
    that a terminal does not do what they say. Lines hold texts of cells and of the API."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, PrefectConsoleHandler) and not isinstance(
            handler.formatter, _VisibleFormatter
        ):
            handler.setFormatter(_VisibleFormatter(handler.formatter or logging.Formatter()))


class _VisibleFormatter(logging.Formatter):
    """Another formatter's lines, with control characters that can be seen."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self._formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        """The other formatter's line, with control characters as Python's escapes."""
        return visible(self._formatter.format(record))


def keep_warnings_in_prefect() -> None:
    """Has the package's warnings in flow runs, such as of an API that does not answer, sent to
    Prefect's server from now on, into the flow runs' logs."""
    package = logging.getLogger("prefect_staticadslab")
    # There is one already if PREFECT_LOGGING_EXTRA_LOGGERS names the package.
    if not any(isinstance(handler, APILogHandler) for handler in package.handlers):
        handler = APILogHandler()
        handler.setLevel(logging.WARNING)
        handler.addFilter(lambda _: FlowRunContext.get() is not None)
        package.addHandler(handler)
