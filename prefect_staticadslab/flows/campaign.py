"""A spreadsheet becomes a table of image URLs: the flow, and the command that runs it.

python flows/campaign.py examples/campaign.csv results.csv --simulate
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
from datetime import UTC, datetime
from typing import Final

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.api.connection import API_KEY_VARIABLE
from prefect_staticadslab.api.rate_limit import RateLimiter
from prefect_staticadslab.api.waiting import BATCH_TIMEOUT_SECONDS
from prefect_staticadslab.campaign.campaign import Prepared, prepare, read_campaign
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.date_patterns import escape_braces, fill_in, moment_of
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, check_output
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.pictures.captions import check_naming_column
from prefect_staticadslab.campaign.pictures.pictures import check_table_for_pictures
from prefect_staticadslab.campaign.pictures.preview.ad_lines import ad_lines
from prefect_staticadslab.campaign.pictures.preview.planned_ads import planned_ads
from prefect_staticadslab.campaign.pictures.preview.preview_page import check_preview
from prefect_staticadslab.campaign.rows.row_selection import RowSelection
from prefect_staticadslab.campaign.table.limits import RUN_LIMIT_USD, check_limit
from prefect_staticadslab.cli.console import say
from prefect_staticadslab.cli.flow_options import add_flow_options, arguments_of, flow_parser
from prefect_staticadslab.cli.options import (
    add_key_options,
    keep_simulated_pictures,
    read_options,
    saved_credentials,
    simulated,
)
from prefect_staticadslab.cli.runner import (
    COMPLETED,
    flow_started,
    goes_on,
    leave,
    run_command,
    run_flow,
)
from prefect_staticadslab.cli.spending import add_agreement_option, agreed_limit, limit_given
from prefect_staticadslab.orchestration.chunk_tasks import by_api_key_hash, clients_of, keys_of
from prefect_staticadslab.orchestration.flow_calls import dispatched
from prefect_staticadslab.orchestration.flow_outcome import final_state, refused_state
from prefect_staticadslab.orchestration.preview import keep_preview
from prefect_staticadslab.orchestration.run_campaign import reuse_catalogue, run_campaign
from prefect_staticadslab.orchestration.run_names import run_name as named

DATED = ("spreadsheet", "output", "campaign_name", "download_images", "images_zip", "preview")
"""The options that may have a date to fill in."""

SHOW_ALL: Final = "--preview FILE.html shows them all"


def run_name() -> str:
    """What a run is called: by its output, with the date filled in."""
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
        spreadsheet: The campaign: a .csv, .tsv or .xlsx; a URL, or a path on the machine that runs
            this. The address of a Google
            Sheet that everyone with the link may see does as well.
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
        Failed, with the count and the table in its message, if not.
    """
    watch = flow_started()
    try:
        check_limit(max_spend_usd)
    except CampaignError as error:
        watch.ended = await refused_state(error)
        return watch.ended
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
    watch.ended = await final_state(end.state)
    return watch.ended


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit status."""
    given = _parser().parse_args(arguments)
    return run_command(
        lambda stack: _run(given, stack),
        interrupted=lambda: goes_on(given.output),
    )


def _run(given: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    _fill_in_date(given)
    # The flow checks the same; but here a mistake is told before Prefect starts a server.
    selection = RowSelection.of(given.rows, given.first)
    brief = Brief.open(given.spreadsheet, options=read_options(given))
    selection.check(brief.spreadsheet.row_numbers)
    check_output(brief, given.output)
    check_preview(given.preview, given.output)
    if given.pictures_in_table:
        check_table_for_pictures(given.output)
    credentials = _credentials(given, stack, brief)
    if not credentials and not (given.dry_run and _no_key_wanted(given, brief)):
        credentials = [StaticAdsLabCredentials.from_environment()]
    if given.dry_run:
        _print_plan(given, credentials, brief)
        return COMPLETED
    limit_usd = given.max_spend_usd
    # Names take some requests to be looked up. With a limit, the flow can say by itself what it is.
    if given.simulate or limit_usd is None or not brief.needs_catalogue:
        prepared = asyncio.run(_prepare(given, credentials, brief))
        limit_usd = agreed_limit(prepared.plan, given)
        stack.enter_context(reuse_catalogue(prepared.batch.catalogue))
    arguments = arguments_of(
        given,
        campaign,
        credentials=credentials[0],
        more_credentials=credentials[1:],
        max_spend_usd=limit_usd,
        **{name: escape_braces(getattr(given, name)) for name in DATED},
    )
    return run_flow(lambda: campaign(**arguments, return_state=True))


def _fill_in_date(given: argparse.Namespace) -> None:
    """Fills the date into names once: the command and the flow may run on different days."""
    moment = moment_of(datetime.now(UTC), given.time_zone)
    for name in DATED:
        setattr(given, name, fill_in(getattr(given, name), moment))


def _parser() -> argparse.ArgumentParser:
    parser = flow_parser(
        campaign,
        more="The same command with the same output goes on where the last run stopped.",
        epilog="Exit status: 0 every selected row completed; 1 finished, and some are not; "
        "2 refused before anything was created; 130 interrupted, with everything recorded. "
        f"The key comes from {API_KEY_VARIABLE}, or from --credentials.",
    )
    add_key_options(parser, several=True)
    add_flow_options(
        parser, campaign, names={"campaign_name": "--campaign"}, unset=["max_spend_usd"]
    )
    add_agreement_option(parser)
    return parser


def _credentials(
    given: argparse.Namespace, stack: contextlib.ExitStack, brief: Brief
) -> list[StaticAdsLabCredentials]:
    """The credentials that the command names; none if they are to come from the environment."""
    if given.simulate:
        if given.dry_run and not brief.needs_catalogue:
            return []
        keep_simulated_pictures(given)
        return [simulated(stack)]
    return [saved_credentials(name) for name in given.credentials]


def _no_key_wanted(given: argparse.Namespace, brief: Brief) -> bool:
    if not os.environ.get(API_KEY_VARIABLE):
        return True
    return not brief.needs_catalogue and (given.simulate or not given.preflight)


def _print_plan(
    given: argparse.Namespace, credentials: list[StaticAdsLabCredentials], brief: Brief
) -> None:
    if credentials or not brief.needs_catalogue:
        prepared = asyncio.run(_prepare(given, credentials, brief))
        plan, ads = prepared.plan, planned_ads(prepared.batch)
        limit = keys_of(by_api_key_hash(*credentials)) if credentials else RateLimiter()
        more = "" if given.preview else SHOW_ALL
        say("\n".join([plan.describe(limit.seconds_for), *ad_lines(ads, more=more)]))
        base_url = credentials[0].base_url if credentials else ""
        asyncio.run(
            keep_preview(
                given.preview,
                prepared.batch,
                plan,
                ads,
                source=given.spreadsheet,
                base_url=base_url,
            )
        )
        if given.preview:
            say(f"Preview:           {given.preview}")
        if not credentials or not given.preflight:
            say("The ids were not looked up: that needs a key.")
    else:
        say(f"Rows:              {len(brief.lines)}")
        say("Names, filters and * were not looked up, so nobody knows how many ads these are.")
        say(f"That needs a key in {API_KEY_VARIABLE}; or see it on the simulator: --simulate.")
    say("Dry run: nothing was created.")


async def _prepare(
    given: argparse.Namespace, credentials: list[StaticAdsLabCredentials], brief: Brief
) -> Prepared[Campaign]:
    """Checks what can be checked without the API, and for a dry run also what it takes to ask."""
    credentials_by_hash = by_api_key_hash(*credentials)
    async with clients_of(credentials_by_hash) as clients:
        ask = given.dry_run and bool(clients) and given.preflight
        current = await read_campaign(
            brief,
            given.output,
            clients,
            name=given.campaign_name,
            looks_up_ids=ask,
            base_url=credentials[0].base_url if credentials else "",
            again=given.again,
            selection=RowSelection.of(given.rows, given.first),
        )
        check_naming_column(current.table, given.name_pictures_by)
        if given.simulate:
            current.check_simulation()
        limit_usd = limit_given(given)
        return await prepare(current, clients, max_spend_usd=limit_usd, preflight=ask, dry_run=True)


if __name__ == "__main__":
    leave(main())
