"""Options that several commands share and no flow has: whose key, and a simulator instead."""

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
    """A run's options, of what a command was given.

    Args:
        given: What was given.
        kind: A dataclass, whose fields are called like what was given.
        instead: Options that are something else than there.
    """
    names = [each.name for each in fields(cast(Any, kind)) if each.name not in instead]
    return kind(**{name: getattr(given, name) for name in names}, **instead)


def runs_in_prefect(given: argparse.Namespace) -> bool:
    """Whether what was asked for is to be a flow run."""
    return given.prefect or has_prefect_api()


def given_credentials(given: argparse.Namespace, stack: contextlib.ExitStack) -> Credentials:
    """The credentials that these options name, by default those of the environment.

    Args:
        given: What was given, with `simulate` and `credentials`.
        stack: Where a simulator is stopped in the end, and Prefect's temporary server.

    Raises:
        CampaignError, StaticAdsLabError: There are none, or they cannot be right.
    """
    if given.simulate:
        return simulated(stack)
    if given.credentials:
        return saved_credentials(given.credentials, stack)
    return credentials_of_environment()


def credentials_of_environment() -> KeyCredentials:
    """The credentials of the environment.

    Raises:
        InvalidAPIKeyError: There are none, or they cannot be right.
    """
    from prefect_staticadslab.campaign.runs.credentials import KeyCredentials

    return KeyCredentials.from_environment()


def set_folder_for_simulated_pictures(given: argparse.Namespace) -> None:
    """Has a simulation's pictures downloaded beside its table: they are gone with the simulator."""
    from prefect_staticadslab.campaign.files import storage

    if given.simulate and not given.download_images:
        given.download_images = storage.with_ending(given.output, "-pictures")


def read_options(given: argparse.Namespace) -> ReadOptions:
    """How a spreadsheet is to be read, as `--sheet`, `--encoding` and `--visible-rows` say it."""
    from prefect_staticadslab.campaign.files.spreadsheet import ReadOptions

    return ReadOptions(given.sheet, given.encoding, given.visible_rows)


def simulated(stack: contextlib.ExitStack) -> KeyCredentials:
    """Starts a simulator, says so, and gives credentials for it."""
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


def saved_credentials(name: str, stack: contextlib.ExitStack) -> Credentials:
    """The saved credentials block of this name, which takes Prefect to read.

    Args:
        name: Its name.
        stack: Where Prefect's own settings are restored in the end.

    Raises:
        CampaignError: There is none, or what it holds cannot be used.
    """
    from prefect_staticadslab.api.connection import API_KEY_VARIABLE, KEY_PREFIX

    if name.strip().startswith(KEY_PREFIX):
        raise CampaignError(
            "--credentials takes the name of a saved block, and this is an API key. Put the key "
            f"into {API_KEY_VARIABLE} instead."
        )
    from prefect_staticadslab.cli.prefect_runs import load_block, use_prefect

    use_prefect(stack)
    return load_block(name)
