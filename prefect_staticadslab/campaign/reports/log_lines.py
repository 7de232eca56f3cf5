"""Which of a run's log lines must be seen, also where a bar stands in for the others."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import Final

_SHOWN: Final = "always_shown"
ALWAYS_SHOWN: Final = {_SHOWN: True}
"""What a log line that must be seen on any console says in its `extra`."""

_cost_is_told: ContextVar[bool] = ContextVar("cost_is_told", default=False)


def mark_cost_told() -> None:
    """Marks the cost as told: a command calls this once it has printed what its run will cost."""
    _cost_is_told.set(True)


def cost_log_extra() -> dict[str, bool]:
    """The `extra` of a run's line with its cost: always shown, unless a command has said it."""
    return {} if _cost_is_told.get() else ALWAYS_SHOWN


def is_always_shown(record: logging.LogRecord) -> bool:
    """Whether a line must be seen."""
    return getattr(record, _SHOWN, False) is True
