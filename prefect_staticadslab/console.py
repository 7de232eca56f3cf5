"""What our commands show on a terminal, besides what they print."""

from __future__ import annotations

import logging

from prefect.logging.handlers import PrefectConsoleHandler


def hide_prefect_logs() -> None:
    """Keeps Prefect's own log lines off this process's console; its server still gets them."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, PrefectConsoleHandler):
            handler.addFilter(lambda record: record.name.partition(".")[0] not in _PREFECT)


_PREFECT = frozenset(("prefect", "EventsWorker", "APILogWorkerThread"))
