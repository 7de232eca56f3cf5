"""Makes the credentials block from the environment, checks it, and saves it.

    SAL_API_KEY=sal_live_… python blocks/credentials.py

Safe to run again: an equal block is left alone, and one that differs is only replaced with
`--overwrite`. The key is never printed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

import pydantic

from prefect_staticadslab import StaticAdsLabCredentials, StaticAdsLabError
from prefect_staticadslab.api.connection import API_KEY_VARIABLE, BASE_URL_VARIABLE
from prefect_staticadslab.campaign.preflight import check_key
from prefect_staticadslab.campaign.problems import CampaignError
from prefect_staticadslab.console import PREFECT, hide_logs_of
from prefect_staticadslab.credentials import refusals

DEFAULT_NAME = "static-ads-lab"

SAVED, DIFFERS, REFUSED = 0, 1, 2
"""Exit statuses of the command."""


async def check(credentials: StaticAdsLabCredentials) -> str:
    """Asks the API about the key, and tells whose it is and what it may do.

    Raises:
        KeyRefusedError: The key is not accepted, lacks a scope, or the API is out of reach.
    """
    async with credentials.get_client(attempts=3) as client:
        account = await check_key(client)
    return (
        f"Organization: {account.organization_name or 'without a name'}\n"
        f"Scopes:       {', '.join(account.scopes or ()) or 'not told'}\n"
        f"API:          {credentials.base_url}"
    )


def save(credentials: StaticAdsLabCredentials, name: str, *, overwrite: bool) -> str | None:
    """Saves the block, and says what was done; None if another one is there and stays."""
    try:
        saved = StaticAdsLabCredentials.load_saved(name)
    except ValueError as error:
        # Prefect's own way to say that there is none.
        if "Unable to find block document" not in str(error):
            raise
        credentials.save(name)
        return f"Saved as block {name!r}."
    if (saved.api_key, saved.base_url) == (credentials.api_key, credentials.base_url):
        return f"Block {name!r} is there already, and the same."
    if not overwrite:
        return None
    credentials.save(name, overwrite=True)
    return f"Replaced block {name!r}."


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="credentials",
        description=f"Saves a credentials block from {API_KEY_VARIABLE} and {BASE_URL_VARIABLE}.",
        epilog="Exit status: 0 the block is there; 1 another block of this name is; "
        "2 the key was refused.",
    )
    parser.add_argument("--name", default=DEFAULT_NAME, help="the block's name (%(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace a block that differs")
    given = parser.parse_args(arguments)
    hide_logs_of(PREFECT)
    try:
        credentials = StaticAdsLabCredentials.from_environment()
        print(asyncio.run(check(credentials)))
    except (CampaignError, StaticAdsLabError) as error:
        print(f"Nothing was saved. {error}", file=sys.stderr)
        return REFUSED
    except pydantic.ValidationError as error:
        print(f"Nothing was saved. {'; '.join(refusals(error))}", file=sys.stderr)
        return REFUSED
    done = save(credentials, given.name, overwrite=given.overwrite)
    if done is None:
        print(
            f"Nothing was saved. There is a block {given.name!r} with another key or base URL. "
            "Replace it with --overwrite, or choose another --name.",
            file=sys.stderr,
        )
        return DIFFERS
    print(done)
    return SAVED


if __name__ == "__main__":
    sys.exit(main())
