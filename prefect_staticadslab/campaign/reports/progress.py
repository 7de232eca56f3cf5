"""Progress: a live line on a terminal, and a log line now and then where there is none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Protocol

from prefect_staticadslab.campaign.pipeline.poll_schedule import POLL_SECONDS
from prefect_staticadslab.campaign.table.background import in_background
from prefect_staticadslab.campaign.table.job_state import RowStatus
from prefect_staticadslab.campaign.table.result_table import JobTable

TERMINAL_SECONDS: Final = 0.25
TERMINAL_SHARE: Final = 0.05
"""Of the time: counting a long table takes a while, so its line is shown less often."""

LOG_SECONDS: Final = 15.0
LONGEST_SHARE: Final = 0.1
"""Of the time that something took so far: a long campaign tells of itself less often, so that what
it tells can be read, and kept in a database."""

_on_terminal: ContextVar[bool] = ContextVar("on_terminal", default=False)


@contextmanager
def terminal_progress() -> Iterator[None]:
    """Campaigns within this block show their progress live, and not as log lines."""
    token = _on_terminal.set(True)
    try:
        yield
    finally:
        _on_terminal.reset(token)


def is_on_terminal() -> bool:
    """Whether this is within `terminal_progress`."""
    return _on_terminal.get()


@dataclass(frozen=True)
class Tally:
    """A campaign at one moment.

    Attributes:
        rows: All rows.
        already_completed: Rows that earlier runs had completed.
        created, rendering, completed, failed: Rows that have an ad by now, and how these stand.
        cost_usd: What the table's ads have cost.
        seconds_left: How long it will take; None as long as nobody can say.
    """

    rows: int
    already_completed: int
    created: int
    rendering: int
    completed: int
    failed: int
    cost_usd: Decimal
    seconds_left: float | None

    @property
    def share(self) -> float:
        """How much of it is done, between 0 and 1."""
        return (self.completed + self.failed) / self.rows if self.rows else 1.0

    def line(self) -> str:
        """The tally in one line."""
        time_left = "" if self.seconds_left is None else f", {duration(self.seconds_left)} left"
        completed_before = ""
        if self.already_completed:
            completed_before = f"{self.already_completed} of {self.rows} already completed; "
        return (
            f"{completed_before}{self.created} of {self.rows} created, {self.rendering} rendering, "
            f"{self.completed} done, {self.failed} failed, {self.cost_usd:.2f} USD{time_left}"
        )


class Counts(Protocol):
    """Something that is counted up, at one moment: how many there are, done, and failed."""

    @property
    def rows(self) -> int: ...
    @property
    def completed(self) -> int: ...
    @property
    def failed(self) -> int: ...
    def line(self) -> str: ...


class Countable(Protocol):
    """Something that counts up, such as a table that fills."""

    def tally(self) -> Counts: ...


class TableObserver:
    """Tallies a table, and learns from it how long a job takes.

    What is created stays created, and what failed before this run is not failed until its new
    attempt is: an ad that is tried again does not make the tally go backwards.
    """

    def __init__(self, table: JobTable[Any], seconds_for: Callable[[int], float]) -> None:
        self._table = table
        self._seconds_for = seconds_for
        self._already_completed = table.totals().completed
        self._created: set[int] = set()
        self._failed_before = {
            position: state
            for position, _, state in table.current_rows
            if state.status is RowStatus.FAILED
        }

    def tally(self, *, is_end: bool = False) -> Tally:
        """How the table stands.

        Args:
            is_end: Whether the run is at its end, so that nothing is tried again any more.
        """
        totals = self._table.totals()
        waiting = 0
        for position, _, state in self._table.current_rows:
            if not state.is_unsent:
                self._created.add(position)
            waiting += not is_end and self._failed_before.get(position) == state
        return Tally(
            rows=totals.rows,
            already_completed=self._already_completed,
            created=len(self._created),
            rendering=totals.rendering,
            completed=totals.completed,
            failed=totals.failed - waiting,
            cost_usd=totals.cost_usd,
            seconds_left=self._seconds_left(totals.unsent),
        )

    def _seconds_left(self, unsent: int) -> float | None:
        now = datetime.now(UTC)
        states = [s for s in self._table.states if s.submitted_at is not None]
        running = [
            (now - s.submitted_at).total_seconds()
            for s in states
            if s.status is RowStatus.PROCESSING and s.submitted_at is not None
        ]
        if not unsent and not running:
            return 0.0
        job_seconds = [
            (s.completed_at - s.submitted_at).total_seconds()
            for s in states
            if s.is_completed and s.completed_at is not None and s.submitted_at is not None
        ]
        if not job_seconds:
            return None
        # The last job to be sent is the last to end: it starts when the limit lets it.
        age = 0.0 if unsent else min(running)
        until_seen = POLL_SECONDS / 2
        return self._seconds_for(unsent) + max(0.0, max(job_seconds) - age) + until_seen


@asynccontextmanager
async def progress_display(observer: Countable, log: Callable[[str], None]) -> AsyncIterator[None]:
    """Shows how something is counted up while the body runs: live on a terminal, else in `log`."""
    show = _show_on_terminal if _on_terminal.get() else _log_progress
    async with in_background(show(observer, log)):
        yield


async def _log_progress(observer: Countable, log: Callable[[str], None]) -> None:
    """Logs the tally's line now and then, if it has changed; never returns."""
    last = ""
    started = time.monotonic()
    while True:
        await asyncio.sleep(seconds_to_next_update(LOG_SECONDS, time.monotonic() - started))
        line = observer.tally().line()
        if line != last:
            log(line)
        last = line


async def _show_on_terminal(observer: Countable, _log: Callable[[str], None]) -> None:
    """Shows the tally as a bar on the terminal; never returns."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        BarColumn(12),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as display:
        tally = observer.tally()
        bar = display.add_task(tally.line(), total=tally.rows)
        try:
            while True:
                started = time.perf_counter()
                tally = observer.tally()
                display.update(
                    bar, completed=tally.completed + tally.failed, description=tally.line()
                )
                tally_seconds = time.perf_counter() - started
                await asyncio.sleep(max(TERMINAL_SECONDS, tally_seconds / TERMINAL_SHARE))
        finally:
            tally = observer.tally()
            display.update(bar, completed=tally.completed + tally.failed, description=tally.line())


def seconds_to_next_update(shortest: float, elapsed: float) -> float:
    """How long to wait until the next update of something that has run for `elapsed` seconds.

    Example:
        ```python
        from prefect_staticadslab.campaign.reports.progress import seconds_to_next_update

        assert [seconds_to_next_update(5, elapsed) for elapsed in (0, 60, 6000)] == [5, 6, 600]
        ```
    """
    return max(shortest, LONGEST_SHARE * elapsed)


def duration(seconds: float) -> str:
    """Seconds as people say them: `45 s`, `3 min 20 s`, `25 min`, `1 h 10 min`.

    Example:
        ```python
        from prefect_staticadslab.campaign.reports.progress import duration

        said = [duration(s) for s in (44.6, 204, 240, 1500, 4200)]
        assert said == ["45 s", "3 min 20 s", "4 min", "25 min", "1 h 10 min"]
        ```
    """
    if seconds < 90:  # noqa: PLR2004
        return f"{round(seconds)} s"
    if seconds < 10 * 60:
        minutes, rest = divmod(round(seconds, -1), 60)
        return f"{minutes:.0f} min {rest:.0f} s" if rest else f"{minutes:.0f} min"
    minutes = round(seconds / 60)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
