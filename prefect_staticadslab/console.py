"""What our commands show on a terminal, besides what they print."""

from __future__ import annotations

import logging
from typing import Final

from prefect.logging import get_run_logger
from prefect.logging.handlers import PrefectConsoleHandler

PREFECT_WORKERS: Final = frozenset(("EventsWorker", "APILogWorkerThread"))
"""What tells at the end of a process that the last events and log lines take a moment to send."""

PREFECT: Final = PREFECT_WORKERS | {"prefect"}

_SHOWN: Final = "always_shown"
ALWAYS_SHOWN: Final = {_SHOWN: True}
"""What a log line that must be seen on any console says in its `extra`."""


def hide_logs_of(loggers: frozenset[str]) -> None:
    """Keeps these loggers' lines off this process's console; Prefect's server still gets them.

    Lines with `extra=ALWAYS_SHOWN` are shown all the same.
    """

    def is_shown(record: logging.LogRecord) -> bool:
        return getattr(record, _SHOWN, False) or record.name.partition(".")[0] not in loggers

    for handler in logging.getLogger().handlers:
        if isinstance(handler, PrefectConsoleHandler):
            handler.addFilter(is_shown)


def say_unsaved(message: str) -> None:
    """Logs what a table could not hold. For a run that is interrupted, it is the last chance."""
    get_run_logger().error(message, extra=ALWAYS_SHOWN)
