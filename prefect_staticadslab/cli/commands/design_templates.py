"""The command: reference ads become design templates."""

from __future__ import annotations

import argparse
import contextlib
from typing import Final

from prefect_staticadslab.cli.console import say
from prefect_staticadslab.cli.flow_options import add_flow_options, flow_parser
from prefect_staticadslab.cli.flow_source import read_flow
from prefect_staticadslab.cli.options import (
    add_key_options,
    given_credentials,
    options_of,
    read_options,
    set_folder_for_simulated_pictures,
)
from prefect_staticadslab.cli.run_course import run_course
from prefect_staticadslab.cli.runner import COMPLETED, goes_on, run_command
from prefect_staticadslab.cli.spending import (
    add_agreement_option,
    agreed_limit,
    limit_given,
)

DESIGN_TEMPLATES: Final = read_flow("design_templates")


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit status."""
    given = _parser().parse_args(arguments)
    return run_command(lambda stack: _run(given, stack), interrupted=goes_on(given.output))


def _run(given: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    # The run checks the same; but here a mistake is told before anything is imported that only
    # later steps need.
    from prefect_staticadslab.campaign.job_types.design_templates import TemplateBatch
    from prefect_staticadslab.campaign.reports.job_words import TEMPLATES
    from prefect_staticadslab.campaign.reports.plan import Plan

    batch = TemplateBatch.open(
        given.source, given.output, options=read_options(given), again=given.again
    )
    plan = Plan.of(batch.table)
    plan.check_budget(limit_given(given))
    if ignored := batch.references.ignored:
        say(f"Not pictures, and left out: {', '.join(ignored)}")
    if given.dry_run:
        say(plan.describe())
        say("Dry run: nothing was created.")
        return COMPLETED
    credentials = given_credentials(given, stack)
    # The run, here or in Prefect, is given what `given` holds from here on.
    given.max_spend_usd = agreed_limit(plan, given, TEMPLATES)
    set_folder_for_simulated_pictures(given)
    from prefect_staticadslab.campaign.runs.design_templates import (
        TemplateOptions,
        run_design_templates,
    )

    options = options_of(given, TemplateOptions)
    return run_course(
        given,
        stack,
        DESIGN_TEMPLATES,
        lambda host: run_design_templates(options, credentials, host),
        credentials=credentials,
    )


def _parser() -> argparse.ArgumentParser:
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
