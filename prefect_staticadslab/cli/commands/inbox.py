"""The command: a folder of campaign spreadsheets is worked off."""

from __future__ import annotations

import argparse
import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from prefect_staticadslab.cli.flow_options import add_flow_options, flow_parser
from prefect_staticadslab.cli.flow_source import read_flow
from prefect_staticadslab.cli.here_or_in_prefect import run_here_or_in_prefect
from prefect_staticadslab.cli.options import (
    add_key_options,
    obtain_credentials,
    options_of,
)
from prefect_staticadslab.cli.runner import interrupted_message, run_command
from prefect_staticadslab.cli.spending import say_limits

if TYPE_CHECKING:
    from prefect_staticadslab.campaign.runs.outcome import Outcome
    from prefect_staticadslab.cli.here import CommandHost

API_KEY_VARIABLE: Final = "SAL_API_KEY"

INBOX: Final = read_flow("inbox")


def main(arguments: list[str] | None = None) -> int:
    """Runs `staticadslab inbox`, which runs the spreadsheets of a folder. Returns the exit status.

    Args:
        arguments: What was typed after the command's name; by default, what this process was given.

    Raises:
        SystemExit: The arguments are wrong, or ask for help only.
    """
    given = _parser().parse_args(arguments)
    return run_command(
        lambda stack: _run(given, stack), interrupted=interrupted_message(given.folder)
    )


def _run(given: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    """Checks the folder, prints what may be spent, and runs. Returns the exit status.

    Sets `download_images` in `given` for a simulation. Closing `stack` stops a simulator, and
    restores Prefect's settings.
    """
    # The run checks the same; but here a mistake is told before anything is imported that only
    # later steps need.
    from prefect_staticadslab.campaign.files import storage
    from prefect_staticadslab.campaign.files.date_patterns import moment_of
    from prefect_staticadslab.campaign.inbox.scan import Inbox
    from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
    from prefect_staticadslab.campaign.job_types.mixed_tables import check_not_real

    began = datetime.now(UTC)
    moment = moment_of(began, given.time_zone)
    box = Inbox.open(given.folder, given.results_folder, given.results, moment, "")
    box.list_files()
    credentials = obtain_credentials(given, stack)
    if given.simulate:
        given.download_images = True  # at their addresses, they are gone with the simulator
        box = Inbox.open(
            given.folder, given.results_folder, given.results, moment, credentials.base_url
        )
        for waiting in box.scan().waiting:
            if storage.exists(waiting.output):
                check_not_real(ImageAdTable.reopen(waiting.output))
    if not given.dry_run:
        say_limits(given.max_spend_usd, given.max_spend_per_day_usd)
    from prefect_staticadslab.campaign.runs.inbox import (
        InboxOptions,
        run_inbox,
        runner_in_this_process,
    )

    options = options_of(given, InboxOptions)

    async def run(host: CommandHost) -> Outcome:
        one_by_one = runner_in_this_process(credentials, host)
        end = await run_inbox(
            options, credentials, host, scheduled=began, run_spreadsheet=one_by_one
        )
        return end.outcome

    return run_here_or_in_prefect(given, stack, INBOX, run, credentials=credentials)


def _parser() -> argparse.ArgumentParser:
    """The command's options: whose key, and the flow's parameters."""
    parser = flow_parser(
        INBOX,
        more="The same command again runs what is new or was changed.",
        epilog="Exit status: 0 everything that was there is finished or left for the next run; "
        "1 a spreadsheet has mistakes, or rows that are not completed; "
        "2 refused before anything was created; 130 interrupted, with everything recorded. "
        f"The key comes from {API_KEY_VARIABLE}, or from --credentials.",
    )
    add_key_options(parser)
    add_flow_options(parser, INBOX)
    return parser
