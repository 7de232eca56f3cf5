"""A folder of campaign spreadsheets is worked off: the flow for schedules."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.campaign.inbox.notes import Note
from prefect_staticadslab.campaign.inbox.table_names import DEFAULT_PATTERN
from prefect_staticadslab.campaign.runs.image_ads import CampaignOptions
from prefect_staticadslab.campaign.runs.inbox import (
    InboxOptions,
    NotedSpreadsheet,
    run_and_note,
    run_inbox,
)
from prefect_staticadslab.campaign.runs.inbox_run import SpreadsheetOutcome
from prefect_staticadslab.campaign.table.limits import DAY_LIMIT_USD, RUN_LIMIT_USD
from prefect_staticadslab.flows import run_as_command
from prefect_staticadslab.orchestration.begun_tables import (
    note_begun_table,
    noting_begun_tables,
)
from prefect_staticadslab.orchestration.command_link import begin_flow
from prefect_staticadslab.orchestration.flow_calls import dispatched
from prefect_staticadslab.orchestration.flow_outcome import final_state, outcome_of, state_of
from prefect_staticadslab.orchestration.prefect_host import PrefectHost
from prefect_staticadslab.orchestration.run_names import named_by


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
    encoding: str = "",
    visible_rows: bool = False,
    name_pictures_by: str = "",
    one_file: bool = False,
) -> State[None]:
    """Runs what lies in a folder, each spreadsheet once, however often this is run.

    A spreadsheet is finished when every row of it has a picture, or has failed after all attempts.
    One that is changed afterwards is gone on with, and only its new and changed rows cost
    anything. One that is copied, or renamed, is a new campaign, and is paid for.

    Args:
        folder: The folder with the campaign spreadsheets (.csv, .tsv, .xlsx, .xlsm, .xlsb, .xls or
            .ods); a path or a URL.
        credentials: The API key to use.
        results: How result tables are called: {name} and {ending} are the spreadsheet's, but the
            table of an .xlsm, .xlsb, .xls or .ods is an .xlsx; {date}, {time}, {year}, {month},
            {day} and {week} say when it was begun.
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
        encoding: How text files are encoded whose text leaves doubt about it, such as cp1252.
        visible_rows: Leave out the rows that a spreadsheet program hides.
        name_pictures_by: A column that the pictures' files are called after, such as sku; if empty,
            after the row's number, the product and the ad's id.
        one_file: Put small pictures into the contact sheets themselves, so that they can be mailed
            alone. The pictures are downloaded for it.

    Returns:
        Completed if everything that was there is finished, or left for the next run; Failed if a
        spreadsheet has mistakes or rows that failed, with each of them in its message.
    """
    link = begin_flow()
    options = InboxOptions(
        folder,
        results,
        results_folder,
        max_spend_usd,
        max_spend_per_day_usd,
        attempts,
        dry_run,
        max_spreadsheets,
        settle_seconds,
        download_images,
        time_zone,
        encoding,
        visible_rows,
        name_pictures_by,
        one_file,
    )

    async def run_spreadsheet(noted: NotedSpreadsheet) -> SpreadsheetOutcome:
        return await _run_in_flow_run(noted, credentials)

    end = await run_inbox(
        options,
        credentials,
        PrefectHost(),
        scheduled=flow_run.scheduled_start_time,
        run_spreadsheet=run_spreadsheet,
    )
    if end.may_pass is None:
        link.end_state = await state_of(end.outcome)
    else:
        state = await state_of(end.outcome, ends_flow=False)
        link.end_state = await final_state(state, may_pass=end.may_pass)
    return link.end_state


async def _run_in_flow_run(
    noted: NotedSpreadsheet, credentials: StaticAdsLabCredentials
) -> SpreadsheetOutcome:
    """Runs a spreadsheet in a flow run of its own, and returns how that ended.

    Prefect knows the runs within a run by their order. So if the inbox's run is retried, Prefect
    may start none, and answer with the state of one of an earlier try, which was another
    spreadsheet's: as long as it does, and that was completed, it is called again.
    """
    options = noted.options
    with noting_begun_tables() as begun:
        is_of_this_spreadsheet = False
        while not is_of_this_spreadsheet:
            state: State[Any] = await inbox_campaign(
                options.source,
                options.output,
                credentials,
                noted.results_folder,
                noted.note,
                encoding=options.encoding,
                visible_rows=options.visible_rows,
                max_spend_usd=options.max_spend_usd,
                attempts=options.attempts,
                dry_run=options.dry_run,
                download_images=options.download_images,
                name_pictures_by=options.name_pictures_by,
                one_file=options.one_file,
                return_state=True,
            )
            is_of_this_spreadsheet = not state.is_completed() or options.output in begun
    return SpreadsheetOutcome(outcome_of(state), options.output in begun)


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
    encoding: str = "",
    visible_rows: bool = False,
    name_pictures_by: str = "",
    one_file: bool = False,
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
        encoding: How text is encoded that leaves doubt about it.
        visible_rows: Leave out the rows that a spreadsheet program hides.
        name_pictures_by: A column that the pictures' files are called after.
        one_file: Put small pictures into the contact sheet itself.

    Returns:
        See `flows/campaign.py`.
    """
    note_begun_table(output)
    options = CampaignOptions(
        source=spreadsheet,
        output=output,
        name=note.campaign,
        encoding=encoding,
        visible_rows=visible_rows,
        max_spend_usd=max_spend_usd,
        attempts=attempts,
        dry_run=dry_run,
        download_images=download_images,
        name_pictures_by=name_pictures_by,
        one_file=one_file,
    )
    noted = NotedSpreadsheet(options, results_folder, note)
    return await state_of(await run_and_note(noted, credentials, PrefectHost()), ends_flow=False)


if __name__ == "__main__":
    run_as_command("inbox")
