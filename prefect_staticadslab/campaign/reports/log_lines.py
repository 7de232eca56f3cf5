"""Which of a run's log lines a console shows although a progress bar replaces the others."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import Final

_SHOWN: Final = "always_shown"
ALWAYS_SHOWN: Final = {_SHOWN: True}
"""The `extra` of a log line that every console is to show."""

_cost_is_told: ContextVar[bool] = ContextVar("cost_is_told", default=False)


def note_cost_told() -> None:
    """Notes for this context that a command has printed what its run will cost."""
    _cost_is_told.set(True)


def cost_log_extra() -> dict[str, bool]:
    """The `extra` of a run's log line with its cost; empty if that was printed already."""
    return {} if _cost_is_told.get() else ALWAYS_SHOWN


def is_always_shown(record: logging.LogRecord) -> bool:
    """Whether a log line has `ALWAYS_SHOWN` in its `extra`."""
    return getattr(record, _SHOWN, False) is True
