"""Threads on virtual time: one runs at a time, until it waits, and others may run meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from greenlet import GreenletExit, getcurrent, greenlet  # type: ignore[import-untyped]

LOCKED_SECONDS: Final = 0.01
"""How often who waits for a lock looks whether it is free."""


class _Worker(greenlet):  # type: ignore[misc]
    """A thread. One that is waited for by a whole process does not wait itself."""

    is_hurried = False


class Threads:
    """The threads of all processes.

    Args:
        call_later: Has something called after so many seconds, on behalf of the same process.
    """

    def __init__(self, call_later: Callable[[float, Callable[[], Any]], object]) -> None:
        self._call_later = call_later
        self._workers: set[_Worker] = set()

    def begin(self, function: Callable[[], object]) -> None:
        """Runs a function until it waits or ends."""
        worker: _Worker = _Worker(lambda: self._run(worker, function))
        self._workers.add(worker)
        worker.switch()

    def _run(self, worker: _Worker, function: Callable[[], object]) -> None:
        try:
            function()
        finally:
            self._workers.discard(worker)

    def rest(self, seconds: float) -> bool:
        """Lets others run for so long, if this is a thread. Returns whether it is."""
        me = getcurrent()
        if not isinstance(me, _Worker):
            return False
        if not me.is_hurried:
            assert me.parent is not None
            self._call_later(seconds, me.switch)
            me.parent.switch()
        return True

    def bury(self) -> None:
        """Ends those that wait for what will never come."""
        for worker in list(self._workers):
            with contextlib.suppress(BaseException):
                worker.throw(GreenletExit)
        self._workers.clear()


class Lock:
    """A lock between threads and the process that they are of."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._holder: Any = None

    def __enter__(self) -> None:
        while (holder := self._holder) is not None:
            if not self._threads.rest(LOCKED_SECONDS):
                # Nothing else of the process runs until the thread has ended.
                assert isinstance(holder, _Worker)
                holder.is_hurried = True
                holder.switch()
        self._holder = getcurrent()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._holder = None
