"""Options that several commands share and no flow has, and the credentials that they ask for."""

from __future__ import annotations

import argparse
import contextlib
import sys
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.cli.prefect_settings import has_prefect_api

if TYPE_CHECKING:
    from prefect_staticadslab.campaign.files.spreadsheet import ReadOptions
    from prefect_staticadslab.campaign.runs.credentials import Credentials, KeyCredentials

T = TypeVar("T")

SIMULATOR_SPEED: Final = 20.0
RATE_WINDOW_SECONDS: Final = 60.0
"""`--simulate` shows in seconds what takes minutes: jobs and the rate limit's window alike."""


def add_key_options(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Adds `--simulate`, `--credentials`, which is a list if there may be several, and
    `--prefect`."""
    option = parser.add_argument
    option("--simulate", action="store_true", help="no account needed: nothing is real")
    block = "a saved credentials block"
    if several:
        shared = f"{block}; several share the rows"
        option("--credentials", metavar="BLOCK", action="append", default=[], help=shared)
    else:
        option("--credentials", metavar="BLOCK", default="", help=block)
    add_prefect_option(parser)


def add_prefect_option(parser: argparse.ArgumentParser) -> None:
    """Adds `--prefect`."""
    parser.add_argument(
        "--prefect",
        action="store_true",
        help="run as a flow run of Prefect's also where no server of it is configured: a temporary "
        "one is started",
    )


def options_of(given: argparse.Namespace, kind: type[T], **instead: Any) -> T:
    """A run's options: a dataclass filled with the command's arguments of the same names.

    Args:
        given: The command's arguments.
        kind: The dataclass.
        instead: Values of fields that are not taken from `given`.
    """
    names = [each.name for each in fields(cast(Any, kind)) if each.name not in instead]
    return kind(**{name: getattr(given, name) for name in names}, **instead)


def runs_in_prefect(given: argparse.Namespace) -> bool:
    """Whether the command is to run in Prefect: with `--prefect`, or if an API is configured."""
    return given.prefect or has_prefect_api()


def obtain_credentials(given: argparse.Namespace, stack: contextlib.ExitStack) -> Credentials:
    """The credentials that a command asks for, by default those of the environment.

    For `--simulate` this starts a simulator, for `--credentials` it sets Prefect up and asks it.

    Args:
        given: The command's arguments, with `simulate` and `credentials`.
        stack: Stops the simulator and restores Prefect's settings when it is closed.

    Raises:
        CampaignError, StaticAdsLabError: There are none, or they cannot be right.
    """
    if given.simulate:
        return start_simulator(stack)
    if given.credentials:
        return load_saved_credentials(given.credentials, stack)
    return credentials_of_environment()


def credentials_of_environment() -> KeyCredentials:
    """The credentials in the environment's SAL_API_KEY and SAL_BASE_URL.

    Raises:
        InvalidAPIKeyError: There are none, or they cannot be right.
    """
    from prefect_staticadslab.campaign.runs.credentials import KeyCredentials

    return KeyCredentials.from_environment()


def set_folder_for_simulated_pictures(given: argparse.Namespace) -> None:
    """Sets `download_images` of a simulated run, if it is empty, to a folder beside its table.

    The pictures at the simulator's addresses are gone when it stops.
    """
    from prefect_staticadslab.campaign.files import storage

    if given.simulate and not given.download_images:
        given.download_images = storage.with_ending(given.output, "-pictures")


def read_options_of(given: argparse.Namespace) -> ReadOptions:
    """How to read a spreadsheet: what `--sheet`, `--encoding` and `--visible-rows` were given."""
    from prefect_staticadslab.campaign.files.spreadsheet import ReadOptions

    return ReadOptions(given.sheet, given.encoding, given.visible_rows)


def start_simulator(stack: contextlib.ExitStack) -> KeyCredentials:
    """Starts a simulator, prints that, and returns credentials for it; closing `stack` stops it."""
    from prefect_staticadslab.campaign.runs.credentials import KeyCredentials
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
    return KeyCredentials.of(SIMULATOR_API_KEY, server.url)


def load_saved_credentials(name: str, stack: contextlib.ExitStack) -> Credentials:
    """Loads a saved credentials block. Imports Prefect and sets it up; see `set_up_prefect`.

    Args:
        name: The block's name.
        stack: Restores Prefect's settings when it is closed.

    Raises:
        CampaignError: There is none, or what it holds cannot be used.
    """
    from prefect_staticadslab.api.connection import API_KEY_VARIABLE, KEY_PREFIX

    if name.strip().startswith(KEY_PREFIX):
        raise CampaignError(
            "--credentials takes the name of a saved block, and this is an API key. Put the key "
            f"into {API_KEY_VARIABLE} instead."
        )
    from prefect_staticadslab.cli.prefect_runs import load_block, set_up_prefect

    set_up_prefect(stack)
    return load_block(name)
