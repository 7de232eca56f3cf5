"""Runs a prepared batch: keeps its table on disk, shows its progress, tells the host of it, has its
pictures and contact sheet written, and says how the run ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from prefect_staticadslab.campaign.campaign import Prepared
from prefect_staticadslab.campaign.errors import SPREADSHEET_WORDS, Words
from prefect_staticadslab.campaign.files.google_sheets import shown_name
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
from prefect_staticadslab.campaign.runs.picture_outputs import (
    put_pictures_in_table_or_log,
    write_contact_sheet_or_log,
)
from prefect_staticadslab.campaign.table.background import in_background
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus, second_ads
from prefect_staticadslab.campaign.table.limits import RUN_LIMIT_USD

PROGRESS_SECONDS: Final = 5.0
"""How often the host is told how far a batch is."""

INTERRUPTED_SECONDS: Final = 5.0
"""How long a host may take to keep the summary of an interrupted run."""

INTERRUPTED: Final = "interrupted"
"""What `Host.on_end` is told of a run that was interrupted; else it is told an `End`'s value."""

FAILURES: Final = 20
"""How many failed rows of a run are told one by one; the table has them all."""


@dataclass(frozen=True, kw_only=True)
class BatchOptions:
    """The options of every batch whose rows are in a spreadsheet; a flow says what each means.

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
        """The options that say how the spreadsheet is to be read."""
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
    """One run of a batch, from its first create to its outcome: `await reporter.run(...)`.

    Attributes:
        host: Where it runs, and who is told of it.
        prepared: The batch and its plan. Its table must be on disk already.
        seconds_for: How long the rate limit takes for so many more creates, in seconds.
        source: Where the spreadsheet is that the table is made of; "" if there is none.
        one_file: Whether the contact sheet holds the pictures in itself.
        words: What people call the rows.
        batch, plan: Those of `prepared`.
    """

    host: Host[Any]
    prepared: Prepared[Batch[Any]]
    seconds_for: Callable[[int], float]
    source: str = ""
    one_file: bool = False
    words: Words = SPREADSHEET_WORDS
    _started: float = field(default_factory=time.monotonic)
    # Failed rows that were told, also by an earlier run, by position; and how many by this one.
    _told_failures: dict[int, JobState] = field(default_factory=dict)
    _told_count: int = 0

    def __post_init__(self) -> None:
        self.batch, self.plan = self.prepared.batch, self.prepared.plan

    async def run(
        self,
        credentials: Mapping[str, C],
        *,
        attempts: int,
        timeout_seconds: float,
        wait: bool = True,
        download_pictures: Callable[[], Awaitable[Pictures]] | None = None,
    ) -> Outcome:
        """Brings every row to its end, and keeps the table, the pictures and the contact sheet.

        Args:
            credentials: The keys that share the rows, by the API key's hash.
            attempts, timeout_seconds, wait: See `generate_image_ads`. A run that does not wait is
                at its end once everything is created.
            download_pictures: Downloads the pictures; None if nobody wants them.

        Returns:
            How the run ended.
        """
        async with self._keeping_table():
            async with self._showing_progress():
                results = await self.host.run_chunks(
                    self.prepared, credentials, attempts, timeout_seconds, wait
                )
            pictures = await download_pictures() if download_pictures else NO_PICTURES
        return await self._conclude(results, pictures, is_created_enough=not wait)

    @asynccontextmanager
    async def _keeping_table(self) -> AsyncIterator[None]:
        """Saves the table while the body runs and at its end. Tells the host that the batch begins,
        and, with a summary, if it is interrupted."""
        self.host.on_start(self.batch, self.plan, self.prepared.organization)
        try:
            async with self.batch.table.checkpoints(self._log_unsaved):
                yield
        except Exception:
            raise
        except BaseException:
            await self._tell_interruption()
            raise

    @asynccontextmanager
    async def _showing_progress(self) -> AsyncIterator[None]:
        """Shows how the table fills while the body runs, and tells of rows that fail meanwhile.

        It shows a bar on a terminal, and log lines without one; and the host is told, if there
        is anything to wait for.
        """
        observer = TableObserver(self.batch.table, self.seconds_for)
        # What failed in an earlier run was told by that.
        self._told_failures = self._failed_rows()
        self._told_count = 0
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(progress_display(observer, self.host.logger.info))
            update: ProgressUpdate = _ignore_update
            if self.plan.creates + self.plan.to_collect:
                shown = self.host.showing_progress(self.batch, observer.tally().line())
                update = await stack.enter_async_context(shown)
            await stack.enter_async_context(in_background(self._tell_progress(observer, update)))
            yield
            self._tell_failures(self._failed_rows())
            self._tell_second_ads()
            tally = observer.tally(is_end=True)
            update(tally.share, tally.line())

    async def _conclude(
        self,
        results: Sequence[ImageAdResult],
        pictures: Pictures,
        *,
        is_created_enough: bool,
    ) -> Outcome:
        """Puts pictures into the table, writes the contact sheet, and has the host keep a summary.

        Args:
            results: What became of each row that there was something to do for.
            pictures: What became of the pictures.
            is_created_enough: Whether the run was not to wait for its jobs.

        Returns:
            How the run ended.
        """
        await put_pictures_in_table_or_log(self.batch.table, pictures.folder, self.host.logger)
        summary = self._write_contact_sheet_and_summarize(results, pictures)
        kept = await self.host.keep_summary(self.batch, summary)
        await self.host.on_table_written(self.batch, summary, self.source)
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
        """Tells the host that the run has ended, and returns its outcome."""
        self.host.on_end(self.batch, end.value, summary)
        return Outcome(end, "\n".join(lines))

    def _write_contact_sheet_and_summarize(
        self, results: Sequence[ImageAdResult], pictures: Pictures
    ) -> Summary:
        """Writes the contact sheet, or logs why not, and sums up what became of the rows."""
        title = shown_name(self.source) if self.source else self.batch.title
        return summarize(
            self.batch,
            results,
            already_completed=self.plan.completed,
            spent_before_usd=self.plan.spent_usd,
            seconds=time.monotonic() - self._started,
            # An interrupted run has a moment, and no folder of pictures.
            contact_sheet=write_contact_sheet_or_log(
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
        """Tells the host how far the run came, and has it keep a summary; what is kept nowhere is
        logged. The table is saved by then. On a terminal, none of it is done."""
        # On a terminal, the same Ctrl-C may have ended the server that is told.
        if is_on_terminal():
            return
        so_far = self._write_contact_sheet_and_summarize([], NO_PICTURES)
        summary = replace(so_far, is_interrupted=True)
        self.host.on_end(self.batch, INTERRUPTED, summary)
        kept = await self.host.keep_summary(self.batch, summary, within_seconds=INTERRUPTED_SECONDS)
        if not kept and not summary.output:
            self._log_unsaved(f"What is known of the ads:\n{self.batch.table.unsaved()}")

    def _log_unsaved(self, message: str) -> None:
        """Logs, for certain to be seen, what could not be saved in a table."""
        self.host.logger.error(message, extra=ALWAYS_SHOWN)

    async def _tell_progress(self, observer: TableObserver, update: ProgressUpdate) -> None:
        """Tells every PROGRESS_SECONDS how far the batch is, and which rows have failed for good,
        until it is cancelled."""
        before: dict[int, JobState] = self._told_failures
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            tally = observer.tally()
            update(tally.share, tally.line())
            # One that has failed just now may be about to be tried again.
            failed = self._failed_rows()
            self._tell_failures({p: s for p, s in failed.items() if before.get(p) == s})
            before = failed

    def _tell_second_ads(self) -> None:
        """Logs each row for which two runs made an ad, as its error in the table names the other
        one: it may have been paid for."""
        for _, row, state in self.batch.table.current_rows:
            if second_ads(state):
                label = self.words.row.capitalize()
                self.host.logger.warning("%s %d: %s", label, row.number, state.error)

    def _failed_rows(self) -> dict[int, JobState]:
        """The states of the rows that stand at failed now, by position."""
        return {
            position: state
            for position, _, state in self.batch.table.current_rows
            if state.status is RowStatus.FAILED
        }

    def _tell_failures(self, failed: dict[int, JobState]) -> None:
        """Logs failed rows that were not told before, and tells the host of each; not of more than
        FAILURES in this run."""
        logger = self.host.logger
        for position, state in failed.items():
            if self._told_failures.get(position) == state:
                continue
            self._told_failures[position] = state
            self._told_count += 1
            if self._told_count > FAILURES:
                continue
            row = self.batch.table.rows[position]
            logger.warning("%s %d failed: %s", self.words.row.capitalize(), row.number, state.error)
            self.host.on_row_failed(self.batch, row, state, self.words)
            if self._told_count == FAILURES:
                logger.warning(
                    "Further failed %s are not told one by one; see the table.", self.words.rows
                )


def _ignore_update(_share: float, _text: str) -> None:
    return
