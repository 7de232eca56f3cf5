"""A spreadsheet becomes a table of image URLs."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.api.waiting import BATCH_TIMEOUT_SECONDS
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.date_patterns import fill_in, moment_of
from prefect_staticadslab.campaign.table.limits import RUN_LIMIT_USD, check_limit
from prefect_staticadslab.flows import run_as_command
from prefect_staticadslab.orchestration.command_link import begin_flow
from prefect_staticadslab.orchestration.flow_calls import dispatched
from prefect_staticadslab.orchestration.flow_outcome import final_state, refused_state
from prefect_staticadslab.orchestration.run_campaign import run_campaign
from prefect_staticadslab.orchestration.run_names import run_name as named


def run_name() -> str:
    """The flow run's name: its output, with the date filled in if it can be."""
    given = flow_run.parameters
    output = str(given["output"])
    try:
        zone = str(given.get("time_zone", ""))
        output = fill_in(output, moment_of(flow_run.scheduled_start_time, zone))
    except CampaignError:  # which the run tells
        pass
    return named("campaign", output)


@dispatched
@flow(
    name="campaign",
    description="Turns a campaign spreadsheet into a table of image URLs.",
    flow_run_name=run_name,
)
async def campaign(
    spreadsheet: str,
    output: str,
    credentials: StaticAdsLabCredentials,
    campaign_name: str = "",
    sheet: str = "",
    encoding: str = "",
    visible_rows: bool = False,
    dry_run: bool = False,
    max_spend_usd: float = RUN_LIMIT_USD,
    attempts: int = 2,
    wait: bool = True,
    timeout_seconds: float = BATCH_TIMEOUT_SECONDS,
    download_images: str = "",
    images_zip: str = "",
    pictures_in_table: bool = False,
    name_pictures_by: str = "",
    one_file: bool = False,
    preflight: bool = True,
    again: bool = False,
    time_zone: str = "UTC",
    rows: str = "",
    first: int = 0,
    preview: str = "",
    more_credentials: list[StaticAdsLabCredentials] = [],  # noqa: B006 - a form needs the type
) -> State[None]:
    """Runs a campaign, or goes on with it where an earlier run of the same output stopped.

    Args:
        spreadsheet: The campaign: a .csv, .tsv or workbook (.xlsx, .xlsm, .xlsb, .xls or .ods); a
            URL, or a path on the machine that runs this. The address of a Google Sheet that
            everyone with the link may see does as well.
        output: The result table: a .csv, .tsv, .xlsx or .parquet; a path or a URL. The same output
            goes on with the same campaign; a new one is a new campaign. {date} in it stands for
            the day, so that a schedule makes new ads every day; {week}, {month}, {year} and {time}
            stand for theirs.
        credentials: The API key to use.
        campaign_name: A name for the campaign, if its output's name should not be it.
        sheet: Which sheet of a workbook; the visible one that has the columns if empty.
        encoding: How a text file is encoded, such as cp1252, if its text leaves doubt about it.
        visible_rows: Leave out the rows that a spreadsheet program hides.
        dry_run: Only check the rows, and say what would be created and what it would cost.
        max_spend_usd: Create nothing if the whole campaign, earlier runs included, could cost more
            than this, in USD; 0 is that nothing may be spent.
        attempts: How often to try an ad whose rendering fails. A failed one is free.
        wait: Wait for the pictures. Otherwise end once all ads are created; a later run of the
            same output collects them.
        timeout_seconds: How long to wait for one ad before it is left for a later run.
        download_images: A folder to download the pictures to, a path or a URL; none if empty.
        images_zip: A .zip to put all pictures into, a path or a URL; none if empty.
        pictures_in_table: Put a small picture into each row of an .xlsx, and download the pictures
            for that: beside the table, if nothing else is said. Pictures that are downloaded
            anyway are in an .xlsx without this.
        name_pictures_by: A column that the pictures' files are called after, such as sku; if empty,
            after the row's number, the product and the ad's id.
        one_file: Put small pictures into the contact sheet itself, so that it can be mailed alone.
            The pictures are downloaded for it, beside the table if no folder is named.
        preflight: Ask the API first whether the key is good, and whether every id of the
            spreadsheet exists and belongs together. Otherwise do not look up the ids first.
        again: If the spreadsheet is a result table, make its ads once more. Otherwise those that
            it has are taken over, and only what is missing is made.
        time_zone: Whose clocks say what the {date} is, such as Europe/Berlin.
        rows: Create only the ads of these rows of the spreadsheet, such as 2-10,15; all if empty.
            The next run without it goes on with the others.
        first: Create only the first so many ads of the spreadsheet; all if 0. The same number
            again creates nothing more, and the next run without it goes on with the others.
        preview: An .html to show all ads in that would be created, a path or a URL; none if empty.
        more_credentials: Further API keys of the same organization. They share the rows, each
            with a rate limit of its own, so that two keys are twice as fast.

    Returns:
        Completed if every selected row is, or, without waiting, if every ad of these is created;
        Failed if not, with the count and the table, or with what was wrong, in its message.
    """
    link = begin_flow()
    try:
        # The command may pass infinity, for no limit; a form may not.
        check_limit(max_spend_usd)
    except CampaignError as error:
        link.end_state = await refused_state(error)
        return link.end_state
    end = await run_campaign(
        spreadsheet,
        output,
        credentials,
        more_credentials=more_credentials,
        name=campaign_name,
        sheet=sheet,
        encoding=encoding,
        visible_rows=visible_rows,
        dry_run=dry_run,
        max_spend_usd=max_spend_usd,
        attempts=attempts,
        wait=wait,
        timeout_seconds=timeout_seconds,
        download_images=download_images,
        images_zip=images_zip,
        pictures_in_table=pictures_in_table,
        name_pictures_by=name_pictures_by,
        one_file=one_file,
        preflight=preflight,
        again=again,
        time_zone=time_zone,
        rows=rows,
        first=first,
        preview=preview,
    )
    link.end_state = await final_state(end.state)
    return link.end_state


if __name__ == "__main__":
    run_as_command("campaign")
