"""The command: one image ad, live."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from typing import Final

from prefect_staticadslab import ImageAdRequest, StaticAdsLabCredentials
from prefect_staticadslab.campaign.campaign import price_line, resolve_one_ad
from prefect_staticadslab.campaign.table.limits import limit_for
from prefect_staticadslab.cli.console import say
from prefect_staticadslab.cli.flow_options import add_flow_options, arguments_of, flow_parser
from prefect_staticadslab.cli.flow_source import read_flow
from prefect_staticadslab.cli.options import add_key_options, given_credentials
from prefect_staticadslab.cli.runner import run_command, run_flow
from prefect_staticadslab.cli.spending import limit_given
from prefect_staticadslab.flows.watch import CANNOT_WATCH, check_id, create_and_watch, watch
from prefect_staticadslab.orchestration.flow_outcome import REFUSED_TITLE
from prefect_staticadslab.orchestration.reporting.log_lines import mark_cost_told

WATCH: Final = read_flow("watch")
CREATE_AND_WATCH: Final = read_flow("watch", "create_and_watch")

NEEDED_OPTIONS = {
    "design_template": "--design-template",
    "brand": "--brand",
    "product": "--product",
    "audience": "--audience",
}
AD_OPTIONS = (*NEEDED_OPTIONS, "product_variant", "prompt")


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    _check_options(parser, given)
    return run_command(
        lambda stack: _create(given, stack) if given.create else _watch(given, stack),
        interrupted="Interrupted.",
        refused=REFUSED_TITLE if given.create else CANNOT_WATCH,
    )


def _watch(given: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    check_id(given.image_ad_id)
    credentials = given_credentials(given, stack)
    arguments = arguments_of(given, WATCH, credentials=credentials)
    return run_flow(lambda: watch(**arguments, return_state=True), refused=CANNOT_WATCH)


def _create(given: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    credentials = given_credentials(given, stack)
    # The flow does the same; but here a mistake is told before Prefect starts a server.
    request = asyncio.run(_resolve(given, credentials))
    if not given.simulate:
        say(price_line(request), is_error=True)
        mark_cost_told()
    limit_usd = given.max_spend_usd
    arguments = arguments_of(
        given,
        CREATE_AND_WATCH,
        credentials=credentials,
        max_spend_usd=limit_for(request.price_usd) if limit_usd is None else limit_usd,
    )
    return run_flow(lambda: create_and_watch(**arguments, return_state=True))


async def _resolve(
    given: argparse.Namespace, credentials: StaticAdsLabCredentials
) -> ImageAdRequest:
    cells = {name: getattr(given, name) for name in AD_OPTIONS}
    cells["editable"] = "true" if given.editable else ""
    limit_usd = limit_given(given)
    async with credentials.get_client(max_tries=3) as client:
        return await resolve_one_ad(client, cells, max_spend_usd=limit_usd)


def _check_options(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
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
