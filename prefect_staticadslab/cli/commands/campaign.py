"""The command: a spreadsheet becomes a table of image URLs."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from prefect_staticadslab.cli.console import say
from prefect_staticadslab.cli.flow_options import add_flow_options, arguments_of, flow_parser
from prefect_staticadslab.cli.flow_source import read_flow
from prefect_staticadslab.cli.options import (
    add_key_options,
    credentials_of_environment,
    load_saved_credentials,
    options_of,
    read_options_of,
    runs_in_prefect,
    set_folder_for_simulated_pictures,
    start_simulator,
)
from prefect_staticadslab.cli.runner import COMPLETED, interrupted_message, run_command
from prefect_staticadslab.cli.spending import add_agreement_option, confirm_cost, limit_given

if TYPE_CHECKING:
    from prefect_staticadslab.api.client import StaticAdsLabClient
    from prefect_staticadslab.campaign.campaign import Prepared
    from prefect_staticadslab.campaign.job_types.image_ads import Campaign
    from prefect_staticadslab.campaign.names.brief import Brief
    from prefect_staticadslab.campaign.runs.credentials import Credentials
    from prefect_staticadslab.campaign.runs.host import Host
    from prefect_staticadslab.campaign.runs.outcome import Outcome

API_KEY_VARIABLE: Final = "SAL_API_KEY"

CAMPAIGN: Final = read_flow("campaign")

DATED = ("spreadsheet", "output", "campaign_name", "download_images", "images_zip", "preview")
"""The options that may have a placeholder of a date, such as {date}, which is filled in."""

SHOW_ALL: Final = "--preview FILE.html shows them all"
"""What to print below the first ads of a plan, if there are more."""


def main(arguments: list[str] | None = None) -> int:
    """Runs `staticadslab campaign`, which makes the ads of a spreadsheet. Returns the exit status.

    Args:
        arguments: What was typed after the command's name; by default, what this process was given.

    Raises:
        SystemExit: The arguments are wrong, or ask for help only.
    """
    given = _parser().parse_args(arguments)
    return run_command(
        lambda stack: _run(given, stack), interrupted=lambda: interrupted_message(given.output)
    )


def _run(given: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    """Checks the campaign, has its cost confirmed, and runs it. Returns the exit status.

    Of a dry run only the plan is printed. Closing `stack` stops a simulator, and restores Prefect's
    settings.
    """
    # What it takes to agree is forgotten by then: a long spreadsheet would be in memory twice.
    credentials = _check_and_confirm(given, stack)
    if given.dry_run:
        return COMPLETED
    if runs_in_prefect(given):
        return _run_in_prefect(given, credentials, stack)
    return _run_here(given, credentials)


def _check_and_confirm(given: argparse.Namespace, stack: contextlib.ExitStack) -> list[Credentials]:
    """Checks a campaign, and has its cost confirmed; of a dry run, prints its plan instead.

    Sets `max_spend_usd` in `given` to what is agreed to, where the cost is known before the run.

    Args:
        given: The command's arguments.
        stack: Stops a simulator, restores Prefect's settings, and forgets the catalogue that was
            read and is used again by the run, when it is closed.

    Returns:
        The credentials to create the ads with.

    Raises:
        CampaignError, StaticAdsLabError: Something is wrong, or nobody has agreed.
    """
    brief = _read_and_check_brief(given)
    credentials = _obtain_named_credentials(given, stack, brief)
    if not credentials and not (given.dry_run and _needs_no_key(given, brief)):
        credentials = [credentials_of_environment()]
    if given.dry_run:
        _print_plan_and_keep_preview(given, credentials, brief)
    # Names take some requests to be looked up. With a limit, the run can say by itself what it is.
    elif given.simulate or given.max_spend_usd is None or not brief.needs_catalogue:
        prepared = asyncio.run(_prepare(given, credentials, brief))
        given.max_spend_usd = confirm_cost(prepared.plan, given)
        from prefect_staticadslab.campaign.runs.image_ads import reuse_catalogue

        stack.enter_context(reuse_catalogue(prepared.batch.catalogue))
    return credentials


def _run_here(given: argparse.Namespace, credentials: list[Credentials]) -> int:
    """Runs the campaign in this process, and prints how it ended. Returns the exit status."""
    from prefect_staticadslab.campaign.runs.image_ads import CampaignOptions, run_image_ads
    from prefect_staticadslab.cli.here import run_here

    options = options_of(given, CampaignOptions, source=given.spreadsheet, name=given.campaign_name)

    async def run(host: Host[Credentials]) -> Outcome:
        return (await run_image_ads(options, credentials, host)).outcome

    return run_here(run)


def _run_in_prefect(
    given: argparse.Namespace, credentials: list[Credentials], stack: contextlib.ExitStack
) -> int:
    """Runs the campaign as a flow run, and prints how it ended. Returns the exit status."""
    from prefect_staticadslab.campaign.files.date_patterns import escape_braces
    from prefect_staticadslab.cli.prefect_runs import as_block, run_flow, set_up_prefect
    from prefect_staticadslab.flows.campaign import campaign

    set_up_prefect(stack)
    blocks = [as_block(each) for each in credentials]
    arguments = arguments_of(
        given,
        CAMPAIGN,
        credentials=blocks[0],
        more_credentials=blocks[1:],
        **{name: escape_braces(getattr(given, name)) for name in DATED},
    )
    return run_flow(lambda: campaign(**arguments, return_state=True))


def _read_and_check_brief(given: argparse.Namespace) -> Brief:
    """Reads the spreadsheet, and checks it and the options as far as that takes no key.

    Fills the date into the options in `given` that may have one. The run checks the same; but here
    a mistake is told before anything is imported that only later steps need.

    Raises:
        CampaignError: Something is wrong.
    """
    from prefect_staticadslab.campaign.names.brief import Brief
    from prefect_staticadslab.campaign.rows.row_selection import RowSelection

    _fill_in_date(given)
    selection = RowSelection.parse(given.rows, given.first)
    brief = Brief.open(given.spreadsheet, options=read_options_of(given))
    selection.check(brief.spreadsheet.row_numbers)
    from prefect_staticadslab.campaign.job_types.image_ads import check_output

    check_output(brief, given.output)
    if given.preview:
        from prefect_staticadslab.campaign.pictures.preview.preview_page import check_preview

        check_preview(given.preview, given.output)
    if given.pictures_in_table:
        from prefect_staticadslab.campaign.pictures.pictures import check_table_for_pictures

        check_table_for_pictures(given.output)
    if given.credentials and not brief.lines:
        from prefect_staticadslab.campaign.names.expand import expand
        from prefect_staticadslab.campaign.names.listings import NOTHING_READ
        from prefect_staticadslab.campaign.rows.ad_rows import read_rows

        # A saved block takes Prefect to read, which takes longer than to check all rows twice.
        read_rows(expand(brief, NOTHING_READ))
    return brief


def _fill_in_date(given: argparse.Namespace) -> None:
    """Replaces placeholders of the date in the `DATED` options of `given`.

    This is done once for all: the command and the run may begin on different days.
    """
    from prefect_staticadslab.campaign.files.date_patterns import fill_in, moment_of

    moment = moment_of(datetime.now(UTC), given.time_zone)
    for name in DATED:
        setattr(given, name, fill_in(getattr(given, name), moment))


def _parser() -> argparse.ArgumentParser:
    """The command's options: whose keys, the flow's parameters, and `--yes`."""
    parser = flow_parser(
        CAMPAIGN,
        more="The same command with the same output goes on where the last run stopped.",
        epilog="Exit status: 0 every selected row completed; 1 finished, and some are not; "
        "2 refused before anything was created; 130 interrupted, with everything recorded. "
        f"The key comes from {API_KEY_VARIABLE}, or from --credentials.",
    )
    add_key_options(parser, several=True)
    add_flow_options(
        parser, CAMPAIGN, names={"campaign_name": "--campaign"}, unset=["max_spend_usd"]
    )
    add_agreement_option(parser)
    return parser


def _obtain_named_credentials(
    given: argparse.Namespace, stack: contextlib.ExitStack, brief: Brief
) -> list[Credentials]:
    """The saved credentials that `--credentials` names, or those of a simulator that this starts.

    An empty list if neither is asked for, or if a simulated dry run looks nothing up. For a
    simulation, `download_images` in `given` is set to a folder if it is empty.

    Raises:
        CampaignError: A saved block cannot be loaded or used.
    """
    if given.simulate:
        if given.dry_run and not brief.needs_catalogue:
            return []
        set_folder_for_simulated_pictures(given)
        return [start_simulator(stack)]
    return [load_saved_credentials(name, stack) for name in given.credentials]


def _needs_no_key(given: argparse.Namespace, brief: Brief) -> bool:
    """Whether a dry run goes on without a key: there is none, or the API is not asked."""
    if not os.environ.get(API_KEY_VARIABLE):
        return True
    return not brief.needs_catalogue and (given.simulate or not given.preflight)


def _print_plan_and_keep_preview(
    given: argparse.Namespace, credentials: list[Credentials], brief: Brief
) -> None:
    """Prints a dry run's plan and its first ads, and writes the preview if one is asked for.

    Where names are to be looked up and there is no key, only the number of rows is printed.
    """
    from prefect_staticadslab.api.rate_limit import RateLimiter
    from prefect_staticadslab.campaign.pictures.preview.ad_lines import ad_lines
    from prefect_staticadslab.campaign.pictures.preview.planned_ads import planned_ads
    from prefect_staticadslab.campaign.runs.credentials import by_api_key_hash, limiters_of
    from prefect_staticadslab.campaign.runs.picture_outputs import write_campaign_preview

    if credentials or not brief.needs_catalogue:
        prepared = asyncio.run(_prepare(given, credentials, brief))
        plan, ads = prepared.plan, planned_ads(prepared.batch)
        limit = limiters_of(by_api_key_hash(*credentials)) if credentials else RateLimiter()
        more = "" if given.preview else SHOW_ALL
        say("\n".join([plan.describe(limit.seconds_for), *ad_lines(ads, more=more)]))
        base_url = credentials[0].base_url if credentials else ""
        if given.preview:
            page = write_campaign_preview(
                given.preview,
                prepared.batch,
                plan,
                ads,
                source=given.spreadsheet,
                base_url=base_url,
            )
            asyncio.run(page)
            say(f"Preview:           {given.preview}")
        if not credentials or not given.preflight:
            say("The ids were not looked up: that needs a key.")
    else:
        say(f"Rows:              {len(brief.lines)}")
        say("Names, filters and * were not looked up, so nobody knows how many ads these are.")
        say(f"That needs a key in {API_KEY_VARIABLE}; or see it on the simulator: --simulate.")
    say("Dry run: nothing was created.")


async def _prepare(
    given: argparse.Namespace, credentials: list[Credentials], brief: Brief
) -> Prepared[Campaign]:
    """Plans the campaign without creating anything: what is to be created, and what it costs.

    The API is asked for what the spreadsheet gives by name, and by a dry run, unless it is not to
    be, whether the ids exist. Pending rows of earlier runs are left as they are.

    Raises:
        CampaignError, StaticAdsLabError: Something is wrong, or costs more than `--max-spend-usd`.
    """
    from prefect_staticadslab.campaign.campaign import prepare, read_campaign
    from prefect_staticadslab.campaign.job_types.mixed_tables import check_not_real
    from prefect_staticadslab.campaign.pictures.captions import check_naming_column
    from prefect_staticadslab.campaign.rows.row_selection import RowSelection
    from prefect_staticadslab.campaign.runs.credentials import by_api_key_hash, clients_of

    credentials_by_hash = by_api_key_hash(*credentials)
    asks_api = given.dry_run and bool(credentials) and given.preflight

    async def read(clients: Sequence[StaticAdsLabClient]) -> Campaign:
        """Reads the campaign and its table, and checks what only some options ask for."""
        current = await read_campaign(
            brief,
            given.output,
            clients,
            name=given.campaign_name,
            looks_up_ids=asks_api,
            base_url=credentials[0].base_url if credentials else "",
            again=given.again,
            selection=RowSelection.parse(given.rows, given.first),
        )
        if given.name_pictures_by:
            check_naming_column(current.table, given.name_pictures_by)
        if given.simulate:
            check_not_real(current.table)
        return current

    # What says everything in ids is checked before anything is imported that asks the API.
    in_ids = None if brief.needs_catalogue or asks_api else await read(())
    async with clients_of(credentials_by_hash) as clients:
        current = in_ids or await read(clients)
        return await prepare(
            current,
            clients,
            max_spend_usd=limit_given(given),
            preflight=asks_api,
            dry_run=True,
        )
