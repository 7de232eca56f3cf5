"""A run of a campaign as the operating system sees it: it reaches the world at points of I/O, and
may die at any of them.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from prefect_staticadslab.simulator import SIMULATOR_API_KEY


class Killed(BaseException):
    """Raised where a process dies in the middle of a function that does not await."""


class End(StrEnum):
    """How a process is ended from outside."""

    KILL = "killed"
    """At once: no line of it is run any more."""
    TERMINATE = "terminated"
    """It is told, as by Ctrl-C, and ends by itself."""
    SLEEP = "put to sleep"
    """Its machine is closed: nothing of it runs until it is opened again."""


ASLEEP_SECONDS = 3 * 3600.0
"""How long a machine sleeps if nothing else is drawn."""


@dataclass(frozen=True)
class Visit:
    """What is drawn for one process.

    Attributes:
        end: How it is ended, and at which point of I/O; None if it is not.
        end_where: Counts only points of whose description this is a part; "" for all.
        starts_after: Seconds that it starts after the one before it.
        api_key: Which one it uses.
        limit_usd: What the campaign may cost, as it is told.
        clock_ahead: Seconds that its machine's clock is ahead of the API's.
        attempts: How many jobs it tries for a row.
        preflight: Whether it asks about the key and all ids first.
        campaign_name: What it calls the campaign; "" for the table's place.
        edit: What somebody does to the spreadsheet just before it starts; "" for nothing.
        asleep_seconds: For how long its machine sleeps, if it does.
        clock_sleeps: Whether the clock that only goes on stands still meanwhile, as on Linux.
    """

    end: tuple[int, End] | None = None
    end_where: str = ""
    starts_after: float = 0.0
    api_key: str = SIMULATOR_API_KEY
    limit_usd: float = math.inf
    clock_ahead: float = 0.0
    attempts: int = 2
    preflight: bool = True
    campaign_name: str = ""
    edit: str = ""
    asleep_seconds: float = ASLEEP_SECONDS
    clock_sleeps: bool = False


@dataclass(eq=False)
class Process:
    """One process.

    Attributes:
        name: For traces.
        log: Where to say what happens.
        visit: What was drawn for it.
        points: How many points of I/O it has reached.
        counted: How many of them count for its end.
        is_dead: Whether nothing of it is run any more.
        asleep_until: Until when nothing of it is run.
        slept: For how many seconds its clock that only goes on has stood still.
        parked: What is to be run once it is awake.
        main: Its main task.
        told_at: When it was told to end; None if it was not.
        refused_at: When it was answered that its wallet is empty, or its key no good.
        refusal: Why it began nothing, if it said so.
        said: What it told people besides.
        error: What it broke down with.
        put_to_sleep: Called with it when it is.
        has_died: Called when it has.
        wake_up: Runs what is parked.
        has_ended: Called with it once it has.
        has_reached: Called with it after each point of I/O.
    """

    name: str
    log: Callable[[str], None]
    visit: Visit = Visit()
    points: int = 0
    counted: int = 0
    is_dead: bool = False
    asleep_until: float = 0.0
    slept: float = 0.0
    parked: list[asyncio.Handle] = field(default_factory=list)
    main: asyncio.Task[object] | None = None
    told_at: float | None = None
    refused_at: float | None = None
    refusal: str = ""
    said: list[str] = field(default_factory=list)
    error: BaseException | None = None
    put_to_sleep: Callable[[Any], None] = lambda process: None
    has_died: Callable[[], None] = lambda: None
    wake_up: Callable[[], None] = lambda: None
    has_ended: Callable[[Any], None] = lambda process: None
    has_reached: Callable[[Any], None] = lambda process: None

    def reach(self, what: str, now: float) -> None:
        """Reaches a point of I/O.

        Args:
            what: What it is about to do, or has done.
            now: When.

        Raises:
            Killed: It is dead by now.
        """
        if self.is_dead:
            raise Killed
        self.points += 1
        end, counts = self.visit.end, self.visit.end_where in what
        self.counted += counts
        is_over = end is not None and counts and end[0] == self.counted
        way = end[1] if end is not None and is_over else None
        self.log(f"{self.name} {self.points}: {what}" + (f", and is {way}" if way else ""))
        self.has_reached(self)
        if way is End.TERMINATE and self.main is not None:
            self.told_at = now
            self.main.cancel()
        if way is End.SLEEP:
            self.put_to_sleep(self)
        if way is End.KILL:
            self.is_dead = True
            self.has_died()
            raise Killed


current: ContextVar[Process | None] = ContextVar("current", default=None)
"""Whose code runs; None for the world's own."""
