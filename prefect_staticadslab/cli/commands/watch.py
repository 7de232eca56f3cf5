"""The command: one image ad, live."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import uuid
from typing import TYPE_CHECKING, Final

from prefect_staticadslab.campaign.runs.outcome import NOTHING_TO_WATCH, REFUSED_TITLE
from prefect_staticadslab.cli.console import say
from prefect_staticadslab.cli.flow_options import add_flow_options, flow_parser
from prefect_staticadslab.cli.flow_source import read_flow
from prefect_staticadslab.cli.here_or_in_prefect import run_here_or_in_prefect
from prefect_staticadslab.cli.options import (
    add_key_options,
    obtain_credentials,
    options_of,
)
from prefect_staticadslab.cli.runner import run_command
from prefect_staticadslab.cli.spending import limit_given

if TYPE_CHECKING:
    from prefect_staticadslab.api.models import ImageAdRequest
    from prefect_staticadslab.campaign.runs.credentials import Credentials
    from prefect_staticadslab.campaign.runs.one_ad import OneAdOptions

WATCH: Final = read_flow("watch")
CREATE_AND_WATCH: Final = read_flow("watch", "create_and_watch")

NEEDED_OPTIONS = {
    "design_template": "--design-template",
    "brand": "--brand",
    "product": "--product",
    "audience": "--audience",
}
"""What an ad cannot be created without: the options by their names in Python."""

AD_OPTIONS = (*NEEDED_OPTIONS, "product_variant", "prompt")
"""What an ad is made of, by the options' names in Python."""


def main(arguments: list[str] | None = None) -> int:
    """Runs `staticadslab watch`, which shows one ad live. Returns the exit status.

    Args:
        arguments: What was typed after the command's name; by default, what this process was given.

    Raises:
        SystemExit: The arguments are wrong, or ask for help only.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    _check_options(parser, given)
    return run_command(
        lambda stack: _create_and_watch(given, stack) if given.create else _watch(given, stack),
        interrupted="Interrupted.",
        refused=REFUSED_TITLE if given.create else NOTHING_TO_WATCH,
    )


def _watch(given: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    """Watches the ad that is named until it is completed or failed. Returns the exit status.

    Closing `stack` restores Prefect's settings.
    """
    from prefect_staticadslab.campaign.runs.one_ad import check_id, run_watch

    check_id(given.image_ad_id)
    credentials = obtain_credentials(given, stack)
    return run_here_or_in_prefect(
        given,
        stack,
        WATCH,
        lambda host: run_watch(given.image_ad_id, given.timeout_seconds, credentials, host),
        credentials=credentials,
        refused=NOTHING_TO_WATCH,
    )


def _create_and_watch(given: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    """Prints what the ad costs, creates it, and watches it. Returns the exit status.

    Nobody is asked: an ad costs less than a command asks for. Closing `stack` stops a simulator,
    and restores Prefect's settings.
    """
    from prefect_staticadslab.campaign.campaign import price_line
    from prefect_staticadslab.campaign.reports.log_lines import note_cost_told
    from prefect_staticadslab.campaign.runs.one_ad import OneAdOptions, run_create_and_watch
    from prefect_staticadslab.campaign.table.limits import limit_for

    credentials = obtain_credentials(given, stack)
    # The run does the same; but here a mistake is told before anything is begun.
    options = options_of(given, OneAdOptions, max_spend_usd=limit_given(given))
    request = asyncio.run(_resolve_ad(options, credentials))
    if not given.simulate:
        say(price_line(request), is_error=True)
        note_cost_told()
    if given.max_spend_usd is None:
        given.max_spend_usd = limit_for(request.price_usd)
    agreed = options_of(given, OneAdOptions)
    # Another ad each time the command is given.
    name = f"command-{uuid.uuid4()}"
    return run_here_or_in_prefect(
        given,
        stack,
        CREATE_AND_WATCH,
        lambda host: run_create_and_watch(agreed, credentials, host, name=name),
        credentials=credentials,
    )


async def _resolve_ad(options: OneAdOptions, credentials: Credentials) -> ImageAdRequest:
    """The request for the ad, whose names are looked up through the API.

    Raises:
        CampaignError, StaticAdsLabError: Something is wrong, or it costs more than it may.
    """
    from prefect_staticadslab.campaign.campaign import resolve_one_ad

    async with credentials.get_client(max_tries=3) as client:
        return await resolve_one_ad(client, options.cells(), max_spend_usd=options.max_spend_usd)


def _check_options(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Ends the process, as argparse does, if the options contradict one another."""
    if given.create == bool(given.image_ad_id):
        parser.error("give the id of an image ad, or --create and what it is made of")
    asked = [name for name in AD_OPTIONS if getattr(given, name)]
    if given.create:
        missing = [option for name, option in NEEDED_OPTIONS.items() if name not in asked]
        if missing:
            parser.error(f"--create needs {', '.join(missing)}")
    elif asked or given.editable or given.max_spend_usd is not None or given.simulate:
        parser.error("options that say which ad to make, and --simulate, go with --create")


def _parser() -> argparse.ArgumentParser:
    """The command's options: which ad, whose key, and the parameters of both flows."""
    parser = flow_parser(
        WATCH,
        more="With --create, it is created first.",
        epilog="Exit status: 0 completed; 1 the job failed, or time was up; "
        "2 refused before anything was created; 130 interrupted, and the ad goes on.",
    )
    option = parser.add_argument
    option("image_ad_id", metavar="IMAGE_AD_ID", nargs="?", default="", help="which ad, ia_…")
    add_key_options(parser)
    add_flow_options(parser, WATCH, without=["image_ad_id"])
    option("--create", action="store_true", help="create the ad first, from what follows:")
    add_flow_options(
        parser,
        CREATE_AND_WATCH,
        names=NEEDED_OPTIONS,
        unset=["max_spend_usd"],
        without=["timeout_seconds"],
    )
    return parser
