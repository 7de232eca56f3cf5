"""The command: the pictures of an earlier result table."""

from __future__ import annotations

import argparse
import contextlib
import os
from typing import TYPE_CHECKING, Final

from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.runs.outcome import NOTHING_DOWNLOADED
from prefect_staticadslab.cli.flow_options import add_flow_options, flow_parser
from prefect_staticadslab.cli.flow_source import read_flow
from prefect_staticadslab.cli.here_or_in_prefect import run_here_or_in_prefect
from prefect_staticadslab.cli.options import (
    add_prefect_option,
    credentials_of_environment,
    load_saved_credentials,
    options_of,
    runs_in_prefect,
)
from prefect_staticadslab.cli.runner import run_command

if TYPE_CHECKING:
    from prefect_staticadslab.campaign.runs.credentials import Credentials

API_KEY_VARIABLE: Final = "SAL_API_KEY"

DOWNLOAD: Final = read_flow("download", "download_images")


def main(arguments: list[str] | None = None) -> int:
    """Runs `staticadslab download`, which downloads a table's pictures. Returns the exit status.

    Args:
        arguments: What was typed after the command's name; by default, what this process was given.

    Raises:
        SystemExit: The arguments are wrong, or ask for help only.
    """
    given = _parser().parse_args(arguments)
    return run_command(
        lambda stack: _run(given, stack),
        interrupted="Interrupted. The same command goes on with the pictures that are not there.",
        refused=NOTHING_DOWNLOADED,
    )


def _run(given: argparse.Namespace, stack: contextlib.ExitStack) -> int:
    """Checks the table and the folder, which is made, and downloads. Returns the exit status.

    Closing `stack` restores Prefect's settings.
    """
    # The run checks the same; but here a mistake is told before anything is imported that only
    # later steps need.
    from prefect_staticadslab.campaign.runs.download import DownloadOptions, run_download

    options = options_of(given, DownloadOptions)
    options.open_table()
    credentials = None
    # A flow run loads the block by itself.
    if not (runs_in_prefect(given) and given.credentials_block):
        credentials = _optional_credentials(given, stack)
    return run_here_or_in_prefect(
        given,
        stack,
        DOWNLOAD,
        lambda host: run_download(options, credentials, host),
        refused=NOTHING_DOWNLOADED,
    )


def _optional_credentials(
    given: argparse.Namespace, stack: contextlib.ExitStack
) -> Credentials | None:
    """The credentials to ask the API with: a saved block's, else the environment's, else None.

    Raises:
        CampaignError: The block cannot be loaded, or the environment's key cannot be right.
    """
    from prefect_staticadslab.api.errors import InvalidAPIKeyError

    if given.credentials_block:
        return load_saved_credentials(given.credentials_block, stack)
    if not os.environ.get(API_KEY_VARIABLE, "").strip():
        return None
    try:
        return credentials_of_environment()
    except InvalidAPIKeyError as error:
        raise CampaignError(f"The credentials cannot be loaded: {error}") from None


def _parser() -> argparse.ArgumentParser:
    """The command's options: the flow's parameters, of which one is `--credentials`."""
    parser = flow_parser(
        DOWNLOAD,
        more="Each gets a thumbnail, and nothing is created. "
        "The same command goes on where the last run stopped.",
        epilog="Exit status: 0 all pictures are there; 1 some are missing; 2 refused, for example "
        "because that is no result table; 130 interrupted. No key is needed; with "
        f"{API_KEY_VARIABLE} or --credentials, the API is asked for pictures that are no longer "
        "at their URL.",
    )
    add_prefect_option(parser)
    add_flow_options(parser, DOWNLOAD, names={"credentials_block": "--credentials"})
    return parser
