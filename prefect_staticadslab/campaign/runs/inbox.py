"""Runs the campaign spreadsheets of a folder, the inbox: from options to an outcome."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeAlias

from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.date_patterns import moment_of
from prefect_staticadslab.campaign.files.spreadsheet import ReadOptions
from prefect_staticadslab.campaign.inbox.day_limit import DayLimit, write_started_note
from prefect_staticadslab.campaign.inbox.decisions import Budget, settling_seconds
from prefect_staticadslab.campaign.inbox.notes import Note
from prefect_staticadslab.campaign.inbox.scan import Inbox, write_end_note
from prefect_staticadslab.campaign.inbox.table_names import DEFAULT_PATTERN
from prefect_staticadslab.campaign.names.preflight import check_key
from prefect_staticadslab.campaign.runs.credentials import C
from prefect_staticadslab.campaign.runs.host import Host
from prefect_staticadslab.campaign.runs.image_ads import CampaignOptions, run_image_ads
from prefect_staticadslab.campaign.runs.inbox_run import InboxRun, SpreadsheetOutcome
from prefect_staticadslab.campaign.runs.outcome import End, Outcome
from prefect_staticadslab.campaign.table.limits import DAY_LIMIT_USD, RUN_LIMIT_USD, check_limit


@dataclass(frozen=True)
class InboxOptions:
    """What an inbox is run with; see `flows/inbox.py` for what each says."""

    folder: str
    results: str = DEFAULT_PATTERN
    results_folder: str = ""
    max_spend_usd: float = RUN_LIMIT_USD
    max_spend_per_day_usd: float = DAY_LIMIT_USD
    attempts: int = 2
    dry_run: bool = False
    max_spreadsheets: int = 0
    settle_seconds: float = 10
    download_images: bool = False
    time_zone: str = "UTC"
    encoding: str = ""
    visible_rows: bool = False
    name_pictures_by: str = ""
    one_file: bool = False


@dataclass(frozen=True)
class NotedSpreadsheet:
    """One spreadsheet of an inbox that is to be run, of which that is noted already.

    Attributes:
        options: What its campaign is run with.
        results_folder: Where the inbox's results and its notes are.
        note: What is noted of it, with what was reserved for this run; to be noted at its end.
    """

    options: CampaignOptions
    results_folder: str
    note: Note


RunSpreadsheet: TypeAlias = Callable[[NotedSpreadsheet], Awaitable[SpreadsheetOutcome]]
"""Runs one spreadsheet, wherever that is done, notes its end, and says how it ended."""


@dataclass(frozen=True)
class InboxOutcome:
    """How the run of a whole inbox ended, and whether to try it again.

    Attributes:
        outcome: How it ended.
        may_pass: Whether the same run can do better if it is run again; None if it was refused.
    """

    outcome: Outcome
    may_pass: bool | None = None


async def run_inbox(
    options: InboxOptions,
    credentials: C,
    host: Host[C],
    *,
    scheduled: datetime,
    run_spreadsheet: RunSpreadsheet,
) -> InboxOutcome:
    """Runs what lies in a folder, each spreadsheet once, however often this is run.

    Args:
        options: What to do.
        credentials: The API key.
        host: Where the run runs.
        scheduled: When it was to begin, which says what the date is.
        run_spreadsheet: Runs one of them, and notes its end.

    Returns:
        How it ended. An inbox that cannot be run at all is not an error, but refused.
    """
    try:
        check_limit(options.max_spend_usd)
        check_limit(options.max_spend_per_day_usd, "max_spend_per_day_usd")
        moment = moment_of(scheduled, options.time_zone)
        box = Inbox.open(
            options.folder, options.results_folder, options.results, moment, credentials.base_url
        )
        files = box.list_files()
        if wait := settling_seconds(files, datetime.now(UTC), options.settle_seconds):
            host.logger.info("Waiting %.0f s for files that may still be copied", wait)
            await asyncio.sleep(wait)
        found = box.scan(files)
        if found.waiting:
            async with credentials.get_client(max_tries=3) as client:
                await check_key(client)
    except CampaignError as error:
        return InboxOutcome(Outcome.refused(error))
    day = DayLimit.of(options.max_spend_per_day_usd, options.time_zone)
    read_options = ReadOptions(encoding=options.encoding, visible_rows=options.visible_rows)
    work = InboxRun(
        box, found, Budget.of(options.max_spend_usd), day, options.dry_run, read_options
    )
    for waiting in found.waiting:
        if options.max_spreadsheets and len(work.outcomes) >= options.max_spreadsheets:
            work.leave_for_next_run(waiting)
            continue
        limit_usd = await work.decide_limit(waiting, credentials)
        if limit_usd is None or (note := work.note_and_reserve(waiting)) is None:
            continue
        with_pictures = options.download_images
        spreadsheet = CampaignOptions(
            source=waiting.location,
            output=waiting.output,
            name=note.campaign,
            encoding=options.encoding,
            visible_rows=read_options.in_folder(waiting.location).visible_rows,
            max_spend_usd=limit_usd,
            attempts=work.attempts_for(waiting, options.attempts),
            dry_run=options.dry_run,
            download_images=storage.with_ending(waiting.output, "-pictures")
            if with_pictures
            else "",
            name_pictures_by=options.name_pictures_by,
            one_file=options.one_file,
        )
        run = functools.partial(run_spreadsheet, NotedSpreadsheet(spreadsheet, box.results, note))
        outcome = await work.run(waiting, run)
        work.record_outcome(waiting, outcome)
        if outcome.end is End.CANCELLED:
            break
    return InboxOutcome(await work.report(host), work.may_pass)


async def run_and_note(noted: NotedSpreadsheet, credentials: C, host: Host[C]) -> Outcome:
    """Runs one spreadsheet of an inbox, and notes what it has started and if it is finished.

    A dry run notes nothing. If the note cannot be written, that is logged, and the spreadsheet will
    run once more.

    Args:
        noted: The spreadsheet.
        credentials: The API key.
        host: Where the run runs.
    """
    end = await run_image_ads(noted.options, [credentials], host)
    if noted.options.dry_run:
        return end.outcome
    name = storage.name(str(noted.options.source))
    try:
        if end.table is None:
            write_started_note(noted.results_folder, name, noted.note, Decimal(0))
        else:
            write_end_note(
                noted.results_folder,
                name,
                noted.note,
                end.table,
                with_pictures=bool(noted.options.pictures_folder),
                with_failures=noted.options.attempts > 0 or noted.note.started_usd > 0,
                started_usd=end.started_usd,
            )
    except CampaignError as error:
        host.logger.warning("It runs once more, because it could not be noted: %s", error)
    return end.outcome


def runner_in_this_process(credentials: C, host: Host[C]) -> RunSpreadsheet:
    """What runs a spreadsheet in the process of the inbox itself.

    An error that breaks one spreadsheet's run is logged, and makes that one incomplete, not others.
    """

    async def run_spreadsheet(noted: NotedSpreadsheet) -> SpreadsheetOutcome:
        host.logger.info("%s begins", noted.options.source)
        try:
            return SpreadsheetOutcome(await run_and_note(noted, credentials, host))
        except Exception as error:
            host.logger.exception("%s came to no end", noted.options.source)
            return SpreadsheetOutcome(Outcome(End.INCOMPLETE, f"It came to no end: {error}"))

    return run_spreadsheet
