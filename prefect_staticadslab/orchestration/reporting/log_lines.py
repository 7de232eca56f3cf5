"""Where log lines go: to a terminal, if they are to be seen there, and to Prefect's server."""

from __future__ import annotations

import logging
from typing import Final

from prefect.context import FlowRunContext
from prefect.logging.handlers import APILogHandler, PrefectConsoleHandler

from prefect_staticadslab.campaign.files.cells import visible
from prefect_staticadslab.campaign.reports.log_lines import is_always_shown

PREFECT_WORKERS: Final = frozenset(("EventsWorker", "APILogWorkerThread"))
"""What tells at the end of a process that the last events and log lines take a moment to send."""

PREFECT: Final = PREFECT_WORKERS | {"prefect"}


def hide_logs_of(loggers: frozenset[str]) -> None:
    """Keeps these loggers' lines off this process's console; Prefect's server still gets them.

    Lines with `extra=ALWAYS_SHOWN` are shown all the same.
    """

    def is_shown(record: logging.LogRecord) -> bool:
        return is_always_shown(record) or record.name.partition(".")[0] not in loggers

    for handler in logging.getLogger().handlers:
        if isinstance(handler, PrefectConsoleHandler):
            handler.addFilter(is_shown)


def show_control_characters() -> None:
    """Has log lines on this process's console show control characters, instead of doing what they
    say. Lines come from cells and from the API as well."""
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
        return visible(self._formatter.format(record))


def keep_warnings_in_prefect() -> None:
    """Has what the package warns of, such as an API that does not answer, in flow runs' logs."""
    package = logging.getLogger("prefect_staticadslab")
    # There is one already if PREFECT_LOGGING_EXTRA_LOGGERS names the package.
    if not any(isinstance(handler, APILogHandler) for handler in package.handlers):
        handler = APILogHandler()
        handler.setLevel(logging.WARNING)
        handler.addFilter(lambda _: FlowRunContext.get() is not None)
        package.addHandler(handler)
