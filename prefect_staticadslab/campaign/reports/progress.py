"""Progress of what is counted up: a live line on a terminal, elsewhere a log line now and then.

A tally is how far it has come at one moment: a `Tally` to show, of a campaign a `TableTally`.
"""

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
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus
from prefect_staticadslab.campaign.table.result_table import JobTable

TERMINAL_SECONDS: Final = 0.25
"""Between two updates on a terminal."""

TERMINAL_SHARE: Final = 0.05
"""The part of the time that tallies may take: the line of a long table is updated less often."""

LOG_SECONDS: Final = 15.0
"""Between two log lines."""

LONGEST_SHARE: Final = 0.1
"""The next update comes after this part of the time that has passed: a long campaign logs less
often, so that its lines can be read, and kept in a database."""

_on_terminal: ContextVar[bool] = ContextVar("on_terminal", default=False)


@contextmanager
def terminal_progress() -> Iterator[None]:
    """While the body runs, progress is shown live on the terminal, and not as log lines."""
    token = _on_terminal.set(True)
    try:
        yield
    finally:
        _on_terminal.reset(token)


def is_on_terminal() -> bool:
    """Whether this is within `terminal_progress`."""
    return _on_terminal.get()


@dataclass(frozen=True)
class TableTally:
    """How far a campaign has come at one moment; a `Tally`.

    Attributes:
        rows: How many rows the run is for.
        already_completed: How many of them earlier runs had completed.
        created: How many are no longer to be sent, or once were not in a tally, failed ones too.
        rendering: How many have a job that is on its way.
        completed: How many are completed.
        failed: How many have failed, without those that failed earlier and are to be tried again.
        cost_usd: What the table's ads have cost, earlier runs included.
        seconds_left: How long it will take yet; None until the first job has ended.
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
        """The part of the rows that are completed or failed, between 0 and 1; 1 without rows."""
        return (self.completed + self.failed) / self.rows if self.rows else 1.0

    def line(self) -> str:
        """The tally as a line of text, with the time that is left if that is known."""
        time_left = "" if self.seconds_left is None else f", {duration(self.seconds_left)} left"
        completed_before = ""
        if self.already_completed:
            completed_before = f"{self.already_completed} of {self.rows} already completed; "
        return (
            f"{completed_before}{self.created} of {self.rows} created, {self.rendering} rendering, "
            f"{self.completed} done, {self.failed} failed, {self.cost_usd:.2f} USD{time_left}"
        )


class Tally(Protocol):
    """What is shown of something that is counted up: its counts at one moment, and a line."""

    @property
    def rows(self) -> int:
        """How many there are in all."""
        ...

    @property
    def completed(self) -> int:
        """How many of them are done."""
        ...

    @property
    def failed(self) -> int:
        """How many of them have failed."""
        ...

    def line(self) -> str:
        """The counts as a line of text."""
        ...


class TallySource(Protocol):
    """Something that is counted up, such as a table or downloads, and says how far it has come."""

    def tally(self) -> Tally:
        """How far it has come by now."""
        ...


class TableObserver:
    """Takes tallies of a table while a run fills it; one for each run.

    A row that counted as created in one tally does so in all later ones, and one that failed before
    this run counts as failed only once it fails again: a row that is tried again does not make the
    counts go backwards.
    """

    def __init__(self, table: JobTable[Any], seconds_for: Callable[[int], float]) -> None:
        """Remembers which rows are completed and which have failed at the run's beginning.

        Args:
            table: The table.
            seconds_for: How long the rate limit takes for so many creates, in seconds.
        """
        self._table = table
        self._seconds_for = seconds_for
        self._already_completed = table.totals().completed
        self._created: set[int] = set()
        self._failed_before = {
            position: state
            for position, state in self._selected_states()
            if state.status is RowStatus.FAILED
        }

    def tally(self, *, is_end: bool = False) -> TableTally:
        """Counts how the table stands, and remembers which rows were created by now.

        Args:
            is_end: Whether the run is at its end, so that nothing is tried again any more.
        """
        totals = self._table.totals()
        waiting = 0
        for position, state in self._selected_states():
            if not state.is_unsent:
                self._created.add(position)
            waiting += not is_end and self._failed_before.get(position) == state
        return TableTally(
            rows=totals.rows,
            already_completed=self._already_completed,
            created=len(self._created),
            rendering=totals.rendering,
            completed=totals.completed,
            failed=totals.failed - waiting,
            cost_usd=totals.cost_usd,
            seconds_left=self._seconds_left(totals.unsent),
        )

    def _selected_states(self) -> Iterator[tuple[int, JobState]]:
        """The position and the state of each row that the run is for; see `Totals.counts`."""
        for position, row, state in self._table.current_rows:
            if row.may_create:
                yield position, state

    def _seconds_left(self, unsent: int) -> float | None:
        """How long the run will take yet, by the longest job so far; None before any has ended.

        Args:
            unsent: How many rows are still to be sent.
        """
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
async def progress_display(source: TallySource, log: Callable[[str], None]) -> AsyncIterator[None]:
    """Shows tallies while the body runs: live in `terminal_progress`, else as lines to `log`."""
    show = _show_on_terminal if _on_terminal.get() else _log_progress
    async with in_background(show(source, log)):
        yield


async def _log_progress(source: TallySource, log: Callable[[str], None]) -> None:
    """Logs the tally's line now and then, if it has changed; runs until it is cancelled."""
    last = ""
    started = time.monotonic()
    while True:
        await asyncio.sleep(seconds_to_next_update(LOG_SECONDS, time.monotonic() - started))
        line = source.tally().line()
        if line != last:
            log(line)
        last = line


async def _show_on_terminal(source: TallySource, _log: Callable[[str], None]) -> None:
    """Shows the tally as a bar on the terminal; when it is cancelled, it shows the last one."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        BarColumn(12),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as display:
        tally = source.tally()
        bar = display.add_task(tally.line(), total=tally.rows)
        try:
            while True:
                started = time.perf_counter()
                tally = source.tally()
                display.update(
                    bar, completed=tally.completed + tally.failed, description=tally.line()
                )
                tally_seconds = time.perf_counter() - started
                await asyncio.sleep(max(TERMINAL_SECONDS, tally_seconds / TERMINAL_SHARE))
        finally:
            tally = source.tally()
            display.update(bar, completed=tally.completed + tally.failed, description=tally.line())


def seconds_to_next_update(shortest: float, elapsed: float) -> float:
    """How many seconds to wait until the next update of something that runs for `elapsed` seconds.

    Args:
        shortest: How many seconds at least.
        elapsed: How many seconds it runs already.

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
