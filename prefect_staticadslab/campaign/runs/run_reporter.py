"""A batch of jobs while it runs: what is kept and told of it, and at its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from prefect_staticadslab.campaign.campaign import Prepared
from prefect_staticadslab.campaign.errors import SPREADSHEET_WORDS, Words
from prefect_staticadslab.campaign.files.google_sheets import table_name
from prefect_staticadslab.campaign.files.spreadsheet import ReadOptions
from prefect_staticadslab.campaign.pictures.picture_report import NO_PICTURES, Pictures
from prefect_staticadslab.campaign.pictures.pictures import pictures_folder_of
from prefect_staticadslab.campaign.pipeline.batch import Batch
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult
from prefect_staticadslab.campaign.reports.log_lines import ALWAYS_SHOWN
from prefect_staticadslab.campaign.reports.progress import (
    TableObserver,
    is_on_terminal,
    progress_display,
)
from prefect_staticadslab.campaign.reports.summary import Summary, summarize
from prefect_staticadslab.campaign.runs.credentials import C
from prefect_staticadslab.campaign.runs.host import Host, ProgressUpdate
from prefect_staticadslab.campaign.runs.outcome import End, Outcome
from prefect_staticadslab.campaign.runs.pictures import keep_contact_sheet, keep_pictures_in_table
from prefect_staticadslab.campaign.table.background import in_background
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus
from prefect_staticadslab.campaign.table.limits import RUN_LIMIT_USD

PROGRESS_SECONDS: Final = 5.0
"""How often the host hears how far a batch is."""

INTERRUPTED_SECONDS: Final = 5.0
"""How long a host may take to hear what an interrupted run has done."""

INTERRUPTED: Final = "interrupted"
"""How a run ends that does not come to its end, as events say it; `End` has the other words."""

FAILURES: Final = 20
"""Rows of a run whose failures are told one by one; the table has them all."""


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """What every batch is run with that is read from a spreadsheet; a flow says what each means.

    Attributes:
        output: Where the result table is or will be; "" if the host has a place for it.
        timeout_seconds: How long one job is waited for before it is left for a later run.
    """

    output: str
    sheet: str = ""
    encoding: str = ""
    visible_rows: bool = False
    dry_run: bool = False
    max_spend_usd: float = RUN_LIMIT_USD
    timeout_seconds: float
    download_images: str = ""
    again: bool = False
    one_file: bool = False

    @property
    def reading(self) -> ReadOptions:
        """How the spreadsheet is to be read."""
        return ReadOptions(self.sheet, self.encoding, self.visible_rows)

    @property
    def wants_pictures(self) -> bool:
        """Whether something is made of downloaded pictures, so that they need a folder."""
        return self.one_file

    @property
    def pictures_folder(self) -> str:
        """Where pictures are downloaded to: what was named, or beside the table if something asks
        for them; "" if nothing does."""
        return self.download_images or (
            pictures_folder_of(self.output) if self.wants_pictures else ""
        )


@dataclass
class RunReporter:
    """A run of a batch that was prepared, and of which the table is on disk: `await run.run(...)`.

    Attributes:
        host: Where it runs.
        prepared: What is done.
        seconds_for: How long the rate limit takes for so many more creates, in seconds.
        source: Where the spreadsheet is that the table is made of; "" if there is none.
        one_file: Whether the contact sheet holds the pictures in itself.
        words: What people call the rows.
    """

    host: Host[Any]
    prepared: Prepared[Batch[Any]]
    seconds_for: Callable[[int], float]
    source: str = ""
    one_file: bool = False
    words: Words = SPREADSHEET_WORDS
    _started: float = field(default_factory=time.monotonic)
    _known_failures: dict[int, JobState] = field(default_factory=dict)
    _failures_told: int = 0

    def __post_init__(self) -> None:
        self.batch, self.plan = self.prepared.batch, self.prepared.plan

    async def run(
        self,
        credentials: Mapping[str, C],
        *,
        attempts: int,
        timeout_seconds: float,
        wait: bool = True,
        keep_pictures: Callable[[], Awaitable[Pictures]] | None = None,
    ) -> Outcome:
        """Brings every row to its end, keeps what people look at, and says how the run ends.

        Args:
            credentials: The keys that share the rows, by the API key's hash.
            attempts, timeout_seconds, wait: See `generate_image_ads`. A run that does not wait is
                at its end once everything is created.
            keep_pictures: Downloads the pictures; None if nobody wants them.
        """
        async with self._kept():
            async with self._progress():
                results = await self.host.run_chunks(
                    self.prepared, credentials, attempts, timeout_seconds, wait
                )
            pictures = await keep_pictures() if keep_pictures else NO_PICTURES
        return await self._report(results, pictures, is_created_enough=not wait)

    @asynccontextmanager
    async def _kept(self) -> AsyncIterator[None]:
        """Keeps the table while the body runs, and tells the host if that is interrupted."""
        self.host.started(self.batch, self.plan, self.prepared.organization)
        try:
            async with self.batch.table.checkpoints(self._log_unsaved):
                yield
        except Exception:
            raise
        except BaseException:
            await self._tell_interruption()
            raise

    @asynccontextmanager
    async def _progress(self) -> AsyncIterator[None]:
        """Shows how the table fills while the body runs, and tells of rows that failed.

        It shows a bar on a terminal, and log lines without one; and the host is told, if there
        is anything to wait for.
        """
        observer = TableObserver(self.batch.table, self.seconds_for)
        # What failed in an earlier run was told by that.
        self._known_failures = self._failed_now()
        self._failures_told = 0
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(progress_display(observer, self.host.logger.info))
            update: ProgressUpdate = _ignore_update
            if self.plan.creates + self.plan.following:
                kept = self.host.progress(self.batch, observer.tally().line())
                update = await stack.enter_async_context(kept)
            await stack.enter_async_context(in_background(self._report_progress(observer, update)))
            yield
            self._tell_failures(self._failed_now())
            tally = observer.tally(is_end=True)
            update(tally.share, tally.line())

    async def _report(
        self,
        results: Sequence[ImageAdResult],
        pictures: Pictures,
        *,
        is_created_enough: bool,
    ) -> Outcome:
        """Keeps what people look at, and says how the run ends.

        Args:
            results: What the batch's tasks gave back.
            pictures: What became of the pictures.
            is_created_enough: Whether the run was not to wait for its jobs.
        """
        await keep_pictures_in_table(self.batch.table, pictures.folder, self.host.logger)
        summary = self._summary(results, pictures)
        kept = await self.host.keep_summary(self.batch, summary)
        await self.host.keep_table(self.batch, summary, self.source)
        lines = [summary.headline(), *summary.notes(), *self.batch.troubles, *pictures.troubles()]
        is_elsewhere = kept and not summary.output
        if not is_elsewhere and (unsaved := self.batch.table.unsaved()):
            where = f"to {summary.output or 'Prefect'}. What is not in it:\n{unsaved}"
            lines.append(f"THE TABLE COULD NOT BE SAVED {where}")
            return self._end(End.INCOMPLETE, summary, lines)
        if not summary.output and not summary.is_complete:
            lines.append("To go on with these ads, retry this run: a new one makes new ads.")
        places = (
            ("Table:", summary.output or self.host.table_place),
            ("Contact sheet:", summary.contact_sheet),
            ("Pictures:", summary.pictures),
            ("In one file:", pictures.archive),
        )
        lines += [f"{name:14} {place}" for name, place in places if place]
        if summary.is_complete:
            return self._end(End.COMPLETED, summary, lines)
        if is_created_enough and summary.is_created:
            return self._end(End.CREATED, summary, lines)
        return self._end(End.INCOMPLETE, summary, lines)

    def _end(self, end: End, summary: Summary, lines: Sequence[str]) -> Outcome:
        self.host.ended(self.batch, end.value, summary)
        return Outcome(end, "\n".join(lines))

    def _summary(self, results: Sequence[ImageAdResult], pictures: Pictures) -> Summary:
        title = table_name(self.source) if self.source else self.batch.title
        return summarize(
            self.batch,
            results,
            already_completed=self.plan.completed,
            spent_before_usd=self.plan.spent_usd,
            seconds=time.monotonic() - self._started,
            # An interrupted run has a moment, and no folder of pictures.
            contact_sheet=keep_contact_sheet(
                self.batch.table,
                title,
                self.host.logger,
                pictures.folder,
                one_file=self.one_file and bool(pictures.folder),
            ),
            pictures=pictures.folder,
            pictures_missing=pictures.failed,
            words=self.words,
        )

    async def _tell_interruption(self) -> None:
        """Tells the host how far the run came. The table is saved by then."""
        # On a terminal, the same Ctrl-C may have ended the server that is told.
        if is_on_terminal():
            return
        summary = replace(self._summary([], NO_PICTURES), is_interrupted=True)
        self.host.ended(self.batch, INTERRUPTED, summary)
        kept = await self.host.keep_summary(self.batch, summary, within_seconds=INTERRUPTED_SECONDS)
        if not kept and not summary.output:
            self._log_unsaved(f"What is known of the ads:\n{self.batch.table.unsaved()}")

    def _log_unsaved(self, message: str) -> None:
        """Logs what a table could not hold: the last chance, in a run that is interrupted."""
        self.host.logger.error(message, extra=ALWAYS_SHOWN)

    async def _report_progress(self, observer: TableObserver, update: ProgressUpdate) -> None:
        """Tells every PROGRESS_SECONDS how far it is, and which rows have failed for good."""
        before: dict[int, JobState] = self._known_failures
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            tally = observer.tally()
            update(tally.share, tally.line())
            # One that has failed just now may be about to be tried again.
            failed = self._failed_now()
            self._tell_failures({p: s for p, s in failed.items() if before.get(p) == s})
            before = failed

    def _failed_now(self) -> dict[int, JobState]:
        return {
            position: state
            for position, _, state in self.batch.table.current_rows
            if state.status is RowStatus.FAILED
        }

    def _tell_failures(self, failed: dict[int, JobState]) -> None:
        """Logs rows that failed, with an event for each; after a few of them, a word is enough."""
        logger = self.host.logger
        for position, state in failed.items():
            if self._known_failures.get(position) == state:
                continue
            self._known_failures[position] = state
            self._failures_told += 1
            if self._failures_told > FAILURES:
                continue
            row = self.batch.table.rows[position]
            logger.warning("%s %d failed: %s", self.words.row.capitalize(), row.number, state.error)
            self.host.row_failed(self.batch, row, state, self.words)
            if self._failures_told == FAILURES:
                logger.warning(
                    "Further failed %s are not told one by one; see the table.", self.words.rows
                )


def _ignore_update(_share: float, _text: str) -> None:
    return
