"""The command: ads for a saved brand kit, by their prompts or from a file that a program writes."""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING, Final

from prefect_staticadslab.cli.console import program_name
from prefect_staticadslab.cli.flow_options import add_flow_options, arguments_of
from prefect_staticadslab.cli.flow_source import read_flow
from prefect_staticadslab.cli.options import add_prefect_option, runs_in_prefect

if TYPE_CHECKING:
    from prefect_staticadslab.brand_kits.image_ad_job import ImageAdJob
    from prefect_staticadslab.campaign.reports.plan import Plan
    from prefect_staticadslab.campaign.rows.form_ads import TypedAd

CREATE_ADS: Final = read_flow("create_ads")


def main(arguments: list[str] | None = None) -> int:
    """Runs `staticadslab create-ads`, which makes ads of a brand kit. Returns the exit status.

    Args:
        arguments: What was typed after the command's name; by default, what this process was given.

    Raises:
        SystemExit: The arguments are wrong, or ask for help only.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    if not given.ads and not given.prompt:
        parser.error("say what to create: --prompt TEXT, or --ads FILE.json")
    from prefect_staticadslab.cli.runner import interrupted_message, run_command

    return run_command(
        lambda stack: _run(given, stack), interrupted=interrupted_message(given.output)
    )


def _run(given: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    """Checks the ads, has their cost confirmed, and creates them. Returns the exit status.

    Of a dry run the plan is printed instead. Closing `stack` restores Prefect's settings.
    """
    import asyncio

    from prefect_staticadslab.campaign.rows.form_ads import TypedAd, read_typed_ads
    from prefect_staticadslab.cli.console import say
    from prefect_staticadslab.cli.runner import COMPLETED
    from prefect_staticadslab.cli.spending import confirm_cost

    # The run checks the same; but here a mistake is told before anything is imported that only
    # later steps need.
    ads = read_typed_ads(given.ads) if given.ads else []
    ads += [TypedAd(prompt=prompt) for prompt in given.prompt]
    from prefect_staticadslab.cli.prefect_runs import run_flow, set_up_prefect

    in_prefect = runs_in_prefect(given)
    set_up_prefect(stack)
    kit = _load_kit(given.brand_kit)
    plan = asyncio.run(_plan(ads, kit, given))
    if given.dry_run:
        say(plan.describe())
        say("Dry run: nothing was created.")
        return COMPLETED
    given.max_spend_usd = confirm_cost(plan, given)
    if not in_prefect:
        return _run_here(given, ads, kit)
    from prefect_staticadslab.flows.create_ads import create_ads

    arguments = arguments_of(given, CREATE_ADS, brand_kit=kit, ads=ads)
    return run_flow(lambda: create_ads(**arguments, return_state=True))


def _run_here(given: argparse.Namespace, ads: list[TypedAd], kit: ImageAdJob) -> int:
    """Creates the ads in this process, and prints how that ended. Returns the exit status."""
    from prefect_staticadslab.campaign.rows.form_ads import FORM_WORDS, spreadsheet_from_ads
    from prefect_staticadslab.campaign.runs.image_ads import CampaignOptions, run_image_ads
    from prefect_staticadslab.campaign.runs.outcome import Outcome
    from prefect_staticadslab.cli.here import CommandHost, run_here

    options = CampaignOptions(
        source=spreadsheet_from_ads(ads, kit),
        output=given.output,
        max_spend_usd=given.max_spend_usd,
        attempts=given.attempts,
        download_images=given.download_images,
    )

    async def run(host: CommandHost) -> Outcome:
        return (await run_image_ads(options, [kit.credentials], host, words=FORM_WORDS)).outcome

    return run_here(run)


async def _plan(ads: list[TypedAd], kit: ImageAdJob, given: argparse.Namespace) -> Plan:
    """Plans the ads without creating any: what there is to create, looked up through the API.

    Raises:
        CampaignError: Something is wrong; the message lists all of it.
    """
    from prefect_staticadslab.campaign.campaign import prepare, read_campaign
    from prefect_staticadslab.campaign.errors import CampaignError, SpreadsheetError
    from prefect_staticadslab.campaign.names.brief import Brief
    from prefect_staticadslab.campaign.rows.form_ads import FORM_WORDS, spreadsheet_from_ads
    from prefect_staticadslab.cli.spending import limit_given

    brief = Brief.read(spreadsheet_from_ads(ads, kit), keep_problems=True)
    async with kit.credentials.get_client(max_tries=3) as client:
        try:
            campaign = await read_campaign(
                brief, given.output, [client], base_url=kit.credentials.base_url
            )
            prepared = await prepare(
                campaign, [client], max_spend_usd=limit_given(given), dry_run=True
            )
        except SpreadsheetError as error:
            raise CampaignError(error.message_in(FORM_WORDS)) from None
    return prepared.plan


def _load_kit(name: str) -> ImageAdJob:
    """Loads a saved brand kit from Prefect's server.

    Raises:
        CampaignError: There is none of this name, it cannot be used, or the server does not answer.
    """
    from prefect_staticadslab.brand_kits.blocks import prefect_errors
    from prefect_staticadslab.brand_kits.image_ad_job import ImageAdJob
    from prefect_staticadslab.campaign.errors import CampaignError

    with prefect_errors():
        try:
            kit = ImageAdJob.load(name)
        except ValueError as error:
            raise CampaignError(f"The brand kit {name} cannot be loaded: {error}") from error
    assert isinstance(kit, ImageAdJob)  # noqa: S101 - load() is typed for async code, too
    return kit


def _parser() -> argparse.ArgumentParser:
    """The command's options: the kit, the output, the ads, and the flow's other parameters."""
    parser = argparse.ArgumentParser(
        prog=program_name(CREATE_ADS.module),
        description="Creates image ads for a saved brand kit. Each is what the kit says, but for "
        "what is said of it here. "
        "The same command with the same output goes on where the last run stopped.",
        epilog="Exit status: 0 every ad completed; 1 finished, and some are not; "
        "2 refused before anything was created; 130 interrupted, with everything recorded. "
        "The key is the brand kit's; `staticadslab blocks` saves kits.",
    )
    option = parser.add_argument
    option("brand_kit", metavar="BRAND_KIT", help="a saved brand kit: what the ads have in common")
    option(
        "output",
        metavar="OUTPUT",
        help="the result table: a .csv, .tsv, .xlsx or .parquet; a path or a URL",
    )
    option(
        "--prompt",
        metavar="TEXT",
        action="append",
        default=[],
        help="an ad with this prompt; for several ads, say it several times",
    )
    option(
        "--ads",
        metavar="FILE",
        default="",
        help="a .json with a list of ads: objects with prompt, brand, product, product_variant, "
        "audience and design_template, as in a spreadsheet, all optional",
    )
    add_flow_options(parser, CREATE_ADS, without=["output"], unset=["max_spend_usd"])
    from prefect_staticadslab.cli.spending import add_agreement_option

    add_prefect_option(parser)
    add_agreement_option(parser)
    parser.set_defaults(simulate=False)
    return parser
