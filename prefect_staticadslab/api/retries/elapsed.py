"""Seconds that pass while a machine sleeps, too.

On Linux and macOS `time.monotonic` stands still while a laptop is closed or a virtual machine is
suspended. What goes by the time that has passed for the API, such as its lock on an idempotency
key, must not.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_SLEEPLESS_CLOCKS: Final = ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC")
"""What goes on while a machine sleeps: on Linux, and on macOS. Windows has neither, and its
`time.monotonic` goes on."""


def _sleepless_clock() -> Callable[[], float]:
    """This system's clock, in seconds, that goes on while the machine sleeps."""
    kind = next((getattr(time, name) for name in _SLEEPLESS_CLOCKS if hasattr(time, name)), None)
    return time.monotonic if kind is None else partial(time.clock_gettime, kind)


clock: Callable[[], float] = _sleepless_clock()


def elapsed() -> float:
    """Seconds on a clock that only goes on, also while the machine sleeps.

    Example:
        ```python
        from prefect_staticadslab.api.retries.elapsed import elapsed

        assert elapsed() <= elapsed()
        ```
    """
    return clock()
