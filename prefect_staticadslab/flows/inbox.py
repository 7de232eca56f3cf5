"""A folder of campaign spreadsheets is worked off: the flow for schedules."""

from __future__ import annotations

import asyncio
import functools
from datetime import UTC, datetime
from decimal import Decimal

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.date_patterns import moment_of
from prefect_staticadslab.campaign.inbox.day_limit import DayLimit, settle
from prefect_staticadslab.campaign.inbox.decisions import Budget, settling_seconds
from prefect_staticadslab.campaign.inbox.notes import Note
from prefect_staticadslab.campaign.inbox.scan import Inbox, note_end
from prefect_staticadslab.campaign.inbox.table_names import DEFAULT_PATTERN
from prefect_staticadslab.campaign.preflight import check_key
from prefect_staticadslab.campaign.table.limits import DAY_LIMIT_USD, RUN_LIMIT_USD, check_limit
from prefect_staticadslab.flows import run_as_command
from prefect_staticadslab.orchestration.flow_calls import dispatched
from prefect_staticadslab.orchestration.flow_outcome import final_state, refused_state
from prefect_staticadslab.orchestration.inbox_run import InboxRun, mark_begun
from prefect_staticadslab.orchestration.run_campaign import run_campaign
from prefect_staticadslab.orchestration.run_names import named_by
from prefect_staticadslab.orchestration.watch import flow_started


@dispatched
@flow(
    name="inbox",
    description="Runs every campaign spreadsheet of a folder that has no finished table yet.",
    flow_run_name=named_by("inbox", "folder"),
)
async def inbox(
    folder: str,
    credentials: StaticAdsLabCredentials,
    results: str = DEFAULT_PATTERN,
    results_folder: str = "",
    max_spend_usd: float = RUN_LIMIT_USD,
    max_spend_per_day_usd: float = DAY_LIMIT_USD,
    attempts: int = 2,
    dry_run: bool = False,
    max_spreadsheets: int = 0,
    settle_seconds: float = 10,
    download_images: bool = False,
    time_zone: str = "UTC",
) -> State[None]:
    """Runs what lies in a folder, each spreadsheet once, however often this is run.

    A spreadsheet is finished when every row of it has a picture, or has failed after all attempts.
    One that is changed afterwards is gone on with, and only its new and changed rows cost
    anything. One that is copied, or renamed, is a new campaign, and is paid for.

    Args:
        folder: The folder with the campaign spreadsheets (.csv, .tsv or .xlsx); a path or a URL.
        credentials: The API key to use.
        results: How result tables are called: {name} and {ending} are the spreadsheet's, and
            {date}, {time}, {year}, {month}, {day} and {week} say when it was begun.
        results_folder: Where result tables go; beside the spreadsheets if empty.
        max_spend_usd: How much one run may start, in USD: the sum of what the spreadsheets
            cost that it starts. One that would go over it is left for the next run. 0 is nothing.
        max_spend_per_day_usd: How much all runs of a day may start, in USD. What would go over it
            is left for the next day. 0 is nothing.
        attempts: How often to try an ad whose rendering fails. A failed one is free.
        dry_run: Only check the spreadsheets, and say what would be created and what it would cost.
        max_spreadsheets: How many spreadsheets to run at most. 0 is no limit.
        settle_seconds: How old a file must be. A younger one is looked at again after that time,
            and left for the next run if it is still being copied.
        download_images: Download the pictures, too, into a folder beside each table.
        time_zone: Whose clocks say what the date is, and when a day is over, such as Europe/Berlin.

    Returns:
        Completed if everything that was there is finished, or left for the next run; Failed if a
        spreadsheet has mistakes or rows that failed, with each of them in its message.
    """
    watch = flow_started()
    logger = get_run_logger()
    try:
        check_limit(max_spend_usd)
        check_limit(max_spend_per_day_usd, "max_spend_per_day_usd")
        moment = moment_of(flow_run.scheduled_start_time, time_zone)
        box = Inbox.open(folder, results_folder, results, moment, credentials.base_url)
        files = box.list_files()
        if wait := settling_seconds(files, datetime.now(UTC), settle_seconds):
            logger.info("Waiting %.0f s for files that may still be copied", wait)
            await asyncio.sleep(wait)
        found = box.scan(files)
        if found.waiting:
            async with credentials.get_client(max_tries=3) as client:
                await check_key(client)
    except CampaignError as error:
        watch.ended = await refused_state(error)
        return watch.ended
    day = DayLimit.of(max_spend_per_day_usd, time_zone)
    work = InboxRun(box, found, Budget.of(max_spend_usd), day, dry_run)
    for waiting in found.waiting:
        if max_spreadsheets and len(work.states) >= max_spreadsheets:
            work.leave(waiting)
            continue
        limit_usd = await work.allow(waiting, credentials)
        if limit_usd is None or (note := work.begin(waiting)) is None:
            continue
        pictures = storage.sibling(waiting.output, "-pictures") if download_images else ""
        run = functools.partial(
            inbox_campaign,
            waiting.location,
            waiting.output,
            credentials,
            box.results,
            note,
            max_spend_usd=limit_usd,
            attempts=attempts,
            dry_run=dry_run,
            download_images=pictures,
            return_state=True,
        )
        state = await work.run(waiting, run)
        work.record(waiting, state)
        if state.is_cancelled():
            break
    watch.ended = await final_state(await work.end(), may_pass=work.may_pass)
    return watch.ended


@dispatched
@flow(
    name="inbox-campaign",
    description="Runs one spreadsheet of an inbox.",
    flow_run_name=named_by("campaign", "output"),
    # The inbox has retries; what flows have by default would multiply them.
    retries=0,
)
async def inbox_campaign(
    spreadsheet: str,
    output: str,
    credentials: StaticAdsLabCredentials,
    results_folder: str,
    note: Note,
    max_spend_usd: float = RUN_LIMIT_USD,
    attempts: int = 2,
    dry_run: bool = False,
    download_images: str = "",
) -> State[None]:
    """Runs one spreadsheet of an inbox, and notes what it has started and if it is finished.

    Args:
        spreadsheet: The spreadsheet.
        output: Its result table.
        credentials: The API key to use.
        results_folder: Where it is noted that it is finished.
        note: What is noted then, with what was reserved for this run.
        max_spend_usd: Create nothing if it could cost more than this, earlier runs included; 0 is
            that nothing may be spent.
        attempts: How often to try an ad whose rendering fails.
        dry_run: Only check it.
        download_images: A folder to download the pictures to; none if empty.

    Returns:
        See `flows/campaign.py`.
    """
    mark_begun(output)
    end = await run_campaign(
        spreadsheet,
        output,
        credentials,
        name=note.campaign,
        max_spend_usd=max_spend_usd,
        attempts=attempts,
        dry_run=dry_run,
        download_images=download_images,
    )
    if dry_run:
        return end.state
    name = storage.name(spreadsheet)
    try:
        if end.table is None:
            settle(results_folder, name, note, Decimal(0))
        else:
            note_end(
                results_folder,
                name,
                note,
                end.table,
                with_pictures=bool(download_images),
                started_usd=end.started_usd,
            )
    except CampaignError as error:
        get_run_logger().warning("It runs once more, because it could not be noted: %s", error)
    return end.state


if __name__ == "__main__":
    run_as_command("inbox")
