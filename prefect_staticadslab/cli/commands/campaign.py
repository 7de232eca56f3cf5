"""The command: a spreadsheet becomes a table of image URLs."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
from datetime import UTC, datetime
from typing import Final

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.api.connection import API_KEY_VARIABLE
from prefect_staticadslab.api.rate_limit import RateLimiter
from prefect_staticadslab.campaign.campaign import Prepared, prepare, read_campaign
from prefect_staticadslab.campaign.files.date_patterns import escape_braces, fill_in, moment_of
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, check_output
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.pictures.captions import check_naming_column
from prefect_staticadslab.campaign.pictures.pictures import check_table_for_pictures
from prefect_staticadslab.campaign.pictures.preview.ad_lines import ad_lines
from prefect_staticadslab.campaign.pictures.preview.planned_ads import planned_ads
from prefect_staticadslab.campaign.pictures.preview.preview_page import check_preview
from prefect_staticadslab.campaign.rows.row_selection import RowSelection
from prefect_staticadslab.cli.console import say
from prefect_staticadslab.cli.flow_options import add_flow_options, arguments_of, flow_parser
from prefect_staticadslab.cli.flow_source import read_flow
from prefect_staticadslab.cli.options import (
    add_key_options,
    keep_simulated_pictures,
    read_options,
    saved_credentials,
    simulated,
)
from prefect_staticadslab.cli.runner import COMPLETED, goes_on, run_command, run_flow
from prefect_staticadslab.cli.spending import add_agreement_option, agreed_limit, limit_given
from prefect_staticadslab.flows.campaign import campaign
from prefect_staticadslab.orchestration.chunk_tasks import by_api_key_hash, clients_of, keys_of
from prefect_staticadslab.orchestration.preview import keep_preview
from prefect_staticadslab.orchestration.run_campaign import reuse_catalogue

CAMPAIGN: Final = read_flow("campaign")

DATED = ("spreadsheet", "output", "campaign_name", "download_images", "images_zip", "preview")
"""The options that may have a date to fill in."""

SHOW_ALL: Final = "--preview FILE.html shows them all"


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit status."""
    given = _parser().parse_args(arguments)
    return run_command(lambda stack: _run(given, stack), interrupted=lambda: goes_on(given.output))


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
        CAMPAIGN,
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
