"""The command: the catalogue as tables, and additions to it from a table."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from prefect_staticadslab.cli.console import say
from prefect_staticadslab.cli.flow_options import add_flow_options, flow_parser
from prefect_staticadslab.cli.flow_source import read_flow
from prefect_staticadslab.cli.here_or_in_prefect import run_here_or_in_prefect
from prefect_staticadslab.cli.options import (
    add_key_options,
    obtain_credentials,
    options_of,
)
from prefect_staticadslab.cli.runner import COMPLETED, run_command

if TYPE_CHECKING:
    from prefect_staticadslab.campaign.catalogue_tables.rows import ResourceRow
    from prefect_staticadslab.campaign.runs.credentials import Credentials

CATALOG: Final = read_flow("catalog")


def main(arguments: list[str] | None = None) -> int:
    """Runs `staticadslab catalog`, which writes the catalogue into tables. Returns the exit status.

    Args:
        arguments: What was typed after the command's name; by default, what this process was given.

    Raises:
        SystemExit: The arguments are wrong, or ask for help only.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.dry_run and not given.create:
        parser.error("--dry-run goes with --create")
    if not given.output and not given.starter:
        parser.error("name an output, or --starter FILE")
    return run_command(
        lambda stack: _run(given, stack),
        interrupted="Interrupted. The same command finds what was created, and goes on.",
        refused=refused_title(given),
    )


def _run(given: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    """Checks the table of what to add, and runs, or prints a dry run's plan.

    Returns the exit status. Closing `stack` stops a simulator, and restores Prefect's settings.
    """
    # The run checks the same; but here a mistake is told before anything is asked of the API.
    from prefect_staticadslab.campaign.runs.catalogue import (
        NOTHING_CREATED,
        CatalogueOptions,
        run_catalogue,
    )

    options = options_of(given, CatalogueOptions)
    wanted = options.check_and_read_rows()
    credentials = obtain_credentials(given, stack)
    if given.dry_run:
        say(asyncio.run(_describe_plan(credentials, wanted)))
        say(NOTHING_CREATED)
        return COMPLETED
    return run_here_or_in_prefect(
        given,
        stack,
        CATALOG,
        lambda host: run_catalogue(options, credentials, host),
        credentials=credentials,
        refused=refused_title(given),
    )


async def _describe_plan(credentials: Credentials, wanted: list[ResourceRow]) -> str:
    """What would be added to the catalogue, for people. Asks the API for what is there."""
    from prefect_staticadslab.campaign.runs.catalogue import check_and_plan

    async with credentials.get_client(max_tries=3) as client:
        return (await check_and_plan(client, wanted)).describe()


def refused_title(given: argparse.Namespace) -> str:
    """What to print above the reasons, if the run is refused."""
    return "Nothing was created." if given.create else "Nothing was written."


def _parser() -> argparse.ArgumentParser:
    """The command's options: whose key, the output, and the flow's other parameters."""
    parser = flow_parser(
        CATALOG,
        more="The catalogue is brands, products, variants, audiences, design templates and images.",
        epilog="Exit status: 0 done; 1 some of it could not be created; "
        "2 refused before anything was created; 130 interrupted.",
    )
    add_key_options(parser)
    parser.add_argument(
        "output",
        nargs="?",
        default="",
        metavar="OUTPUT",
        help="an .xlsx with a sheet for each, or a folder with a .csv each; a path or a URL. "
        "It may be left out with --starter",
    )
    add_flow_options(parser, CATALOG, without=["output"])
    return parser
