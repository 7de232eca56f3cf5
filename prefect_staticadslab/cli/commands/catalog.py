"""The command: the catalogue as tables, and additions to it from a table."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from prefect_staticadslab.cli.console import say
from prefect_staticadslab.cli.flow_options import add_flow_options, flow_parser
from prefect_staticadslab.cli.flow_source import read_flow
from prefect_staticadslab.cli.options import (
    add_key_options,
    given_credentials,
    options_of,
)
from prefect_staticadslab.cli.run_course import run_course
from prefect_staticadslab.cli.runner import COMPLETED, run_command

if TYPE_CHECKING:
    from prefect_staticadslab.campaign.catalogue_tables.rows import ResourceRow
    from prefect_staticadslab.campaign.runs.credentials import Credentials

CATALOG: Final = read_flow("catalog")


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.dry_run and not given.create:
        parser.error("--dry-run goes with --create")
    if not given.output and not given.starter:
        parser.error("name an output, or --starter FILE")
    return run_command(
        lambda stack: _run(given, stack),
        interrupted="Interrupted. The same command finds what was created, and goes on.",
        refused=refusal(given),
    )


def _run(given: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    # The run checks the same; but here a mistake is told before anything is asked of the API.
    from prefect_staticadslab.campaign.runs.catalogue import (
        NOTHING_CREATED,
        CatalogueOptions,
        run_catalogue,
    )

    options = options_of(given, CatalogueOptions)
    wanted = options.check_and_read_rows()
    credentials = given_credentials(given, stack)
    if given.dry_run:
        say(asyncio.run(_described(credentials, wanted)))
        say(NOTHING_CREATED)
        return COMPLETED
    return run_course(
        given,
        stack,
        CATALOG,
        lambda host: run_catalogue(options, credentials, host),
        credentials=credentials,
        refused=refusal(given),
    )


async def _described(credentials: Credentials, wanted: list[ResourceRow]) -> str:
    from prefect_staticadslab.campaign.runs.catalogue import check_and_plan

    async with credentials.get_client(max_tries=3) as client:
        return (await check_and_plan(client, wanted)).describe()


def refusal(given: argparse.Namespace) -> str:
    """What to say above the reasons, if nothing is done."""
    return "Nothing was created." if given.create else "Nothing was written."


def _parser() -> argparse.ArgumentParser:
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
