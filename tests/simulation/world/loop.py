"""An event loop on virtual time, which runs nothing of processes that are dead."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import selectors
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, Final
from unittest.mock import patch

from tests.simulation.world.baton import Baton
from tests.simulation.world.clock import Clock
from tests.simulation.world.process import Killed, Process, current
from tests.simulation.world.threads import Threads

MOMENT: Final = 1e-6
"""Seconds that each turn of the loop takes."""


class StuckError(Exception):
    """Nothing will ever happen again, and something is waited for."""


class _NoSelector(selectors.SelectSelector):
    """Finds nothing to read, and lets virtual time pass instead of waiting."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise StuckError
        # What waits again and again for less than a number can tell would wait forever.
        self._clock.move_to(self._clock.now + max(timeout, MOMENT))
        return []


class _Ready(deque[asyncio.Handle]):
    """What is to be run next. Handles of dead processes are kept, and not run: what is collected
    as garbage would run its `finally` blocks. Those of a process that sleeps are run later."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        super().__init__()
        self.remains: list[asyncio.Handle] = []
        self.baton = Baton()
        self._clock = clock
        self._nothing = asyncio.Handle(lambda: None, (), loop)
        self._nothing.cancel()

    def popleft(self) -> asyncio.Handle:
        handle = super().popleft()
        process = handle._context.get(current)  # type: ignore[attr-defined]
        if process is None:
            self._clock.be_read_by(0.0)
            return handle
        if process.is_dead:
            self.remains.append(handle)
        elif process.asleep_until > self._clock.now or not self.baton.lets(process):
            process.parked.append(handle)
        else:
            self._clock.be_read_by(process.visit.clock_ahead)
            return handle
        return self._nothing


class _Task(asyncio.Task[Any]):
    """A task that has its place in sets from its number and not from where it lies in memory, so
    that those of a set are always told to end in the same order."""

    def __init__(self, coroutine: Any, *, number: int, **options: Any) -> None:
        self._number = number
        super().__init__(coroutine, **options)

    def __hash__(self) -> int:
        return self._number


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs on a clock that jumps to whatever is due next.

    Args:
        clock: The clock.
        thread_seconds: Draws how long a function takes that is run in a thread.
    """

    def __init__(self, clock: Clock, thread_seconds: Callable[[], float]) -> None:
        super().__init__(_NoSelector(clock))
        self._clock = clock
        self._thread_seconds = thread_seconds
        self._ready = self._kept = _Ready(self, clock)
        self.threads = Threads(self.call_later)
        self._tasks = 0
        self._begun: list[tuple[Process, asyncio.Task[Any], Any]] = []
        self.set_task_factory(self._new_task)
        self.set_exception_handler(lambda loop, context: None)

    def _new_task(
        self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any
    ) -> asyncio.Task[Any]:
        self._tasks += 1
        task = _Task(coroutine, number=self._tasks, loop=loop, **options)
        context = options.get("context")
        process = current.get() if context is None else context.get(current)
        if process is not None:
            self._begun.append((process, task, coroutine))
        return task

    def put_to_sleep(self, process: Process) -> None:
        """Runs nothing of a process for a while."""
        process.asleep_until = self._clock.now + process.visit.asleep_seconds
        self.call_at(process.asleep_until, self.wake, process, context=contextvars.Context())

    def run_in_turns(self, baton: Baton) -> None:
        """From now on, only who holds the baton runs."""
        self._kept.baton = baton

    def wake(self, process: Process) -> None:
        """Runs what is parked of a process."""
        process.log(f"{process.name} goes on")
        if process.asleep_until and process.visit.clock_sleeps:
            process.slept = process.visit.asleep_seconds
        self._ready.extend(process.parked)
        process.parked.clear()

    def bury(self) -> None:
        """Takes apart what is left of dead processes, while nothing that it does has an effect."""
        # What `finally` blocks await will never come, and Python complains of that.
        with patch.object(sys, "unraisablehook", lambda error: None):
            for process, task, coroutine in reversed(self._begun):
                if process.is_dead and not task.done():
                    task._log_destroy_pending = False
                    with contextlib.suppress(BaseException):
                        coroutine.close()
            self._begun.clear()
            self.threads.bury()
            self._ready.remains.clear()

    def time(self) -> float:
        """The virtual time."""
        return self._clock.now

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, function: Callable[..., Any], *arguments: Any
    ) -> asyncio.Future[Any]:
        """Runs a function a moment later, in a thread of ours."""
        result: asyncio.Future[Any] = self.create_future()

        def run() -> None:
            try:
                value = function(*arguments)
            except Killed:
                return
            except BaseException as error:
                if not result.done():
                    result.set_exception(error)
            else:
                if not result.done():
                    result.set_result(value)

        self.call_later(self._thread_seconds(), self.threads.begin, run)
        return result
