"""A run of a campaign as the operating system sees it: it reaches the world at points of I/O, and
may die at any of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum


class Killed(BaseException):
    """Raised where a process dies in the middle of a function that does not await."""


class End(StrEnum):
    """How a process is ended from outside."""

    KILL = "killed"
    """At once: no line of it is run any more."""
    TERMINATE = "terminated"
    """It is told, as by Ctrl-C, and ends by itself."""


@dataclass(eq=False)
class Process:
    """One process.

    Attributes:
        name: For traces.
        log: Where to say what happens.
        ends: How it is ended, by the number of the point of I/O.
        points: How many it has reached.
        is_dead: Whether nothing of it is run any more.
        main: Its main task.
        refusal: Why it began nothing, if it said so.
    """

    name: str
    log: Callable[[str], None]
    ends: dict[int, End] = field(default_factory=dict)
    points: int = 0
    is_dead: bool = False
    main: asyncio.Task[object] | None = None
    refusal: str = ""

    def reach(self, what: str) -> None:
        """Reaches a point of I/O.

        Raises:
            Killed: It is dead by now.
        """
        if self.is_dead:
            raise Killed
        self.points += 1
        end = self.ends.get(self.points)
        self.log(f"{self.name} {self.points}: {what}" + (f", and is {end}" if end else ""))
        if end is End.TERMINATE and self.main is not None:
            self.main.cancel()
        if end is End.KILL:
            self.is_dead = True
            raise Killed


current: ContextVar[Process | None] = ContextVar("current", default=None)
"""Whose code runs; None for the world's own."""
