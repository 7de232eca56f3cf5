"""The command: editable ads are changed and rendered anew."""

from __future__ import annotations

import argparse
import contextlib
from typing import Final

from prefect_staticadslab.campaign.runs.outcome import NOTHING_CHANGED
from prefect_staticadslab.cli.flow_options import add_flow_options, flow_parser
from prefect_staticadslab.cli.flow_source import read_flow
from prefect_staticadslab.cli.here_or_in_prefect import run_here_or_in_prefect
from prefect_staticadslab.cli.options import (
    add_key_options,
    obtain_credentials,
    options_of,
    read_options_of,
    set_folder_for_simulated_pictures,
)
from prefect_staticadslab.cli.runner import interrupted_message, run_command
from prefect_staticadslab.cli.spending import (
    add_agreement_option,
    confirm_cost,
    limit_given,
)

REVISE: Final = read_flow("revise")


def main(arguments: list[str] | None = None) -> int:
    """Runs `staticadslab revise`, which changes editable ads. Returns the exit status.

    Args:
        arguments: What was typed after the command's name; by default, what this process was given.

    Raises:
        SystemExit: The arguments are wrong, or ask for help only.
    """
    given = _parser().parse_args(arguments)
    return run_command(
        lambda stack: _run(given, stack),
        interrupted=interrupted_message(given.output),
        refused=NOTHING_CHANGED,
    )


def _run(given: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    """Checks the changes, has the cost confirmed unless it is a dry run, and runs. Returns the exit
    status.

    Closing `stack` stops a simulator, and restores Prefect's settings.
    """
    # The run checks the same; but here a mistake is told before anything is imported that only
    # later steps need.
    from prefect_staticadslab.campaign.job_types.mixed_tables import (
        check_not_real,
        check_not_simulated,
    )
    from prefect_staticadslab.campaign.job_types.revisions import Revisions
    from prefect_staticadslab.campaign.reports.job_words import REVISIONS
    from prefect_staticadslab.campaign.reports.plan import Plan
    from prefect_staticadslab.campaign.table.limits import limit_for

    revisions = Revisions.open(
        given.spreadsheet, given.output, options=read_options_of(given), again=given.again
    )
    plan = Plan.of(revisions.table)
    plan.check_budget(limit_given(given))
    credentials = obtain_credentials(given, stack)
    check_not_simulated(revisions.table, credentials.base_url)
    if given.simulate:
        check_not_real(revisions.table)
    is_dry = given.dry_run
    given.max_spend_usd = (
        limit_for(plan.total_usd) if is_dry else confirm_cost(plan, given, REVISIONS)
    )
    set_folder_for_simulated_pictures(given)
    from prefect_staticadslab.campaign.runs.revisions import RevisionOptions, run_revisions

    options = options_of(given, RevisionOptions)
    return run_here_or_in_prefect(
        given,
        stack,
        REVISE,
        lambda host: run_revisions(options, credentials, host),
        credentials=credentials,
        refused=NOTHING_CHANGED,
    )


def _parser() -> argparse.ArgumentParser:
    """The command's options: whose key, the flow's parameters, and `--yes`."""
    parser = flow_parser(
        REVISE,
        more="The same command with the same output goes on where the last run stopped.",
        epilog="Exit status: 0 every revision completed; 1 finished, and some are not completed; "
        "2 refused before anything was sent; 130 interrupted, with everything recorded.",
    )
    add_key_options(parser)
    add_flow_options(parser, REVISE, unset=["max_spend_usd"])
    add_agreement_option(parser)
    return parser
