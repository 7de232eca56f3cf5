"""The command: reference ads become design templates."""

from __future__ import annotations

import argparse
import contextlib
from typing import Final

from prefect_staticadslab.cli.console import say
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
from prefect_staticadslab.cli.runner import COMPLETED, interrupted_message, run_command
from prefect_staticadslab.cli.spending import (
    add_agreement_option,
    confirm_cost,
    limit_given,
)

DESIGN_TEMPLATES: Final = read_flow("design_templates")


def main(arguments: list[str] | None = None) -> int:
    """Runs `staticadslab design-templates`, which makes design templates. Returns the exit status.

    Args:
        arguments: What was typed after the command's name; by default, what this process was given.

    Raises:
        SystemExit: The arguments are wrong, or ask for help only.
    """
    given = _parser().parse_args(arguments)
    return run_command(
        lambda stack: _run(given, stack), interrupted=interrupted_message(given.output)
    )


def _run(given: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    """Checks the reference ads, has the cost confirmed, and runs. Returns the exit status.

    Of a dry run the plan is printed instead. Closing `stack` stops a simulator, and restores
    Prefect's settings.
    """
    # The run checks the same; but here a mistake is told before anything is imported that only
    # later steps need.
    from prefect_staticadslab.campaign.job_types.design_templates import TemplateBatch
    from prefect_staticadslab.campaign.job_types.mixed_tables import (
        check_not_real,
        check_not_simulated,
    )
    from prefect_staticadslab.campaign.reports.job_words import TEMPLATES
    from prefect_staticadslab.campaign.reports.plan import Plan

    batch = TemplateBatch.open(
        given.source, given.output, options=read_options_of(given), again=given.again
    )
    plan = Plan.of(batch.table)
    plan.check_budget(limit_given(given))
    if ignored := batch.references.ignored:
        say(f"Not pictures, and left out: {', '.join(ignored)}")
    if given.dry_run:
        say(plan.describe())
        say("Dry run: nothing was created.")
        return COMPLETED
    credentials = obtain_credentials(given, stack)
    check_not_simulated(batch.table, credentials.base_url)
    if given.simulate:
        check_not_real(batch.table)
    # The run, here or in Prefect, is given what `given` holds from here on.
    given.max_spend_usd = confirm_cost(plan, given, TEMPLATES)
    set_folder_for_simulated_pictures(given)
    from prefect_staticadslab.campaign.runs.design_templates import (
        TemplateOptions,
        run_design_templates,
    )

    options = options_of(given, TemplateOptions)
    return run_here_or_in_prefect(
        given,
        stack,
        DESIGN_TEMPLATES,
        lambda host: run_design_templates(options, credentials, host),
        credentials=credentials,
    )


def _parser() -> argparse.ArgumentParser:
    """The command's options: whose key, the flow's parameters, and `--yes`."""
    parser = flow_parser(
        DESIGN_TEMPLATES,
        more="Each costs 0.25 USD. "
        "The same command with the same output goes on where the last run stopped.",
        epilog="Exit status: 0 every template completed; 1 finished, and some are not completed; "
        "2 refused before anything was created; 130 interrupted, with everything recorded.",
    )
    add_key_options(parser)
    add_flow_options(parser, DESIGN_TEMPLATES, unset=["max_spend_usd"])
    add_agreement_option(parser)
    return parser
