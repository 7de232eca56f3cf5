"""Retries by stamina, without its log line for each: whoever retries here says so himself."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import stamina

FIRST_BACKOFF_SECONDS: Final = 0.5
LONGEST_BACKOFF_SECONDS: Final = 15.0

_NAME: Final = "prefect_staticadslab"


class Tries(Protocol):
    """The tries of `retrying`. With `for`, the pauses between them block the thread; with
    `async for`, only the task."""

    def __iter__(self) -> Iterator[stamina.Attempt]: ...
    def __aiter__(self) -> AsyncIterator[stamina.Attempt]: ...


def retrying(
    on: type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool | float],
    *,
    max_tries: int | None = None,
    seconds: float | None = None,
) -> Tries:
    """Tries at something, with growing pauses between them. See `stamina.retry_context`.

    Args:
        on: What to retry on: exceptions, or a function of one, which says whether to, or in how
            many seconds.
        max_tries: How many there are at most; None leaves that to `on`.
        seconds: After how many no new try is begun; None is no limit.

    Returns:
        A context manager for each try. An error in it that is to be retried leads to the next
        one; any other, and that of the last try, is raised.
    """
    import stamina  # takes tornado along, for which no refusal of a spreadsheet should wait

    return stamina.retry_context(
        on=on,
        attempts=max_tries,
        timeout=seconds,
        wait_initial=FIRST_BACKOFF_SECONDS,
        wait_max=LONGEST_BACKOFF_SECONDS,
    ).with_name(_NAME, (), {})


def _is_of_other_package(record: logging.LogRecord) -> bool:
    """Whether stamina logs the retry of other code than ours; a filter that drops our own lines."""
    return getattr(record, "stamina.callable", None) != _NAME


logging.getLogger("stamina").addFilter(_is_of_other_package)
