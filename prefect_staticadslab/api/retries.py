"""Retries by stamina, without its log line for each: whoever retries here says so himself."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from typing import Final

import stamina

FIRST_BACKOFF_SECONDS: Final = 0.5
LONGEST_BACKOFF_SECONDS: Final = 15.0

_NAME: Final = "prefect_staticadslab"


def retrying(
    on: type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool | float],
    *,
    attempts: int | None = None,
) -> AsyncIterator[stamina.Attempt]:
    """Attempts at something, with growing pauses between them. See `stamina.retry_context`.

    Args:
        on: What to retry on: exceptions, or a function that also may give the seconds to wait.
        attempts: How many there are at most; None leaves that to `on`.
    """
    return stamina.retry_context(
        on=on,
        attempts=attempts,
        timeout=None,
        wait_initial=FIRST_BACKOFF_SECONDS,
        wait_max=LONGEST_BACKOFF_SECONDS,
    ).with_name(_NAME, (), {})


def _is_not_ours(record: logging.LogRecord) -> bool:
    return getattr(record, "stamina.callable", None) != _NAME


logging.getLogger("stamina").addFilter(_is_not_ours)
