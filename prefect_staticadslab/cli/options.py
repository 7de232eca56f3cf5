"""Options that several commands share and no flow has: whose key, and a simulator instead."""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import Final

import pydantic

from prefect_staticadslab.api.connection import API_KEY_VARIABLE, KEY_PREFIX
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.spreadsheet import ReadOptions
from prefect_staticadslab.credentials import StaticAdsLabCredentials

SIMULATOR_SPEED: Final = 20.0
RATE_WINDOW_SECONDS: Final = 60.0
"""`--simulate` shows in seconds what takes minutes: jobs and the rate limit's window alike."""


def add_key_options(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Adds `--simulate` and `--credentials`, which is a list if there may be several."""
    option = parser.add_argument
    option("--simulate", action="store_true", help="no account needed: nothing is real")
    block = "a saved credentials block"
    if several:
        shared = f"{block}; several share the rows"
        option("--credentials", metavar="BLOCK", action="append", default=[], help=shared)
    else:
        option("--credentials", metavar="BLOCK", default="", help=block)


def given_credentials(
    given: argparse.Namespace, stack: contextlib.ExitStack
) -> StaticAdsLabCredentials:
    """The credentials that these options name, by default those of the environment.

    Args:
        given: What was given, with `simulate` and `credentials`.
        stack: Where a simulator is stopped in the end.

    Raises:
        CampaignError, StaticAdsLabError, pydantic.ValidationError: There are none, or they cannot
            be right.
    """
    if given.simulate:
        return simulated(stack)
    if given.credentials:
        return saved_credentials(given.credentials)
    return StaticAdsLabCredentials.from_environment()


def keep_simulated_pictures(given: argparse.Namespace) -> None:
    """Has a simulation's pictures downloaded beside its table: they are gone with the simulator."""
    if given.simulate and not given.download_images:
        given.download_images = storage.sibling(given.output, "-pictures")


def read_options(given: argparse.Namespace) -> ReadOptions:
    """How a spreadsheet is to be read, as `--sheet`, `--encoding` and `--visible-rows` say it."""
    return ReadOptions(given.sheet, given.encoding, given.visible_rows)


def simulated(stack: contextlib.ExitStack) -> StaticAdsLabCredentials:
    """Starts a simulator, says so, and gives credentials for it."""
    from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer

    window = RATE_WINDOW_SECONDS / SIMULATOR_SPEED
    server = stack.enter_context(
        SimulatorServer(speed=SIMULATOR_SPEED, rate_window_seconds=window, earlier_ads=True)
    )
    print(  # noqa: T201
        f"SIMULATION, {SIMULATOR_SPEED:g} times faster than the API: "
        "no ad is real, and nothing is billed.",
        file=sys.stderr,
    )
    return StaticAdsLabCredentials(
        api_key=pydantic.SecretStr(SIMULATOR_API_KEY), base_url=server.url
    )


def saved_credentials(name: str) -> StaticAdsLabCredentials:
    """The saved credentials block of this name.

    Raises:
        CampaignError: There is none.
    """
    if name.strip().startswith(KEY_PREFIX):
        raise CampaignError(
            "--credentials takes the name of a saved block, and this is an API key. Put the key "
            f"into {API_KEY_VARIABLE} instead."
        )
    try:
        return StaticAdsLabCredentials.load_saved(name)
    except ValueError as error:
        raise CampaignError(f"The credentials block {name} cannot be loaded: {error}") from error
