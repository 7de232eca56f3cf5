"""Saves the credentials block from the environment, and brand kits from a file.

    SAL_API_KEY=sal_live_… staticadslab blocks
    SAL_API_KEY=sal_live_… staticadslab blocks examples/brand_kits.toml

Safe to run again: what is the same is left alone, and what differs is told and only replaced with
`--overwrite`. The key is never printed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Sequence

import pydantic
from prefect.settings import PREFECT_API_URL

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.api.connection import API_KEY_VARIABLE, BASE_URL_VARIABLE
from prefect_staticadslab.api.errors import InvalidAPIKeyError
from prefect_staticadslab.brand_kits.blocks import PrefectBlocks, PrefectError, prefect_blocks
from prefect_staticadslab.brand_kits.diff import (
    BlockComparison,
    BlockStatus,
    compare_credentials,
    compare_kit,
    contents,
)
from prefect_staticadslab.brand_kits.keys import KitKeys, client_of, look_up_file
from prefect_staticadslab.brand_kits.kit import block_name_problem
from prefect_staticadslab.brand_kits.kit_file import KitFile, open_kits
from prefect_staticadslab.brand_kits.resolve import ResolvedKits
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.names.preflight import check_key
from prefect_staticadslab.cli.console import program_name, say
from prefect_staticadslab.cli.prefect_runs import use_prefect
from prefect_staticadslab.cli.runner import run_command
from prefect_staticadslab.credentials import refusals
from prefect_staticadslab.orchestration.reporting.log_lines import PREFECT, hide_logs_of

DEFAULT_NAME = "static-ads-lab"

AS_ASKED, DIFFERS = 0, 1
"""Exit statuses of the command, besides those of all commands."""


async def run(given: argparse.Namespace) -> int:
    """Does what the command is asked for. Returns its exit status.

    Raises:
        CampaignError, StaticAdsLabError, pydantic.ValidationError: Nothing was saved.
    """
    file = open_kits(given.kits, given.name) if given.kits else KitFile()
    try:
        from_environment = StaticAdsLabCredentials.from_environment()
    except InvalidAPIKeyError:
        from_environment = None
    if not PREFECT_API_URL.value():
        say(
            "PREFECT_API_URL is not set, so the blocks are those of Prefect's database on this "
            "machine. Opening it takes some seconds.",
            is_error=True,
        )
    async with prefect_blocks() as prefect:
        blocks = {given.name, *(written.kit.credentials for written in file.kits)}
        saved = {b: await prefect.credentials(b) for b in blocks if not block_name_problem(b)}
        finding = compare_credentials(given.name, saved[given.name], from_environment)
        keys = KitKeys(given.name, from_environment, saved, finding, given.overwrite)
        await check(keys)
        kits = await look_up_file(file, keys)
        findings = [compare_kit(await prefect.kit(kit.name), kit, kits.names) for kit in kits.kits]
        if given.check:
            return report([*([finding] if from_environment else []), *findings])
        return await save(prefect, keys, kits, findings)


async def check(keys: KitKeys) -> None:
    """Asks the API about the key, and tells whose it is and what it may do.

    Raises:
        CampaignError: There is no key, or it is not accepted or lacks a scope; or there is no API.
    """
    credentials = keys.command_credentials()
    if keys.environment is None:
        say(f"{API_KEY_VARIABLE} is not set: this is the saved block {keys.name!r}.")
    async with client_of(credentials) as client:
        account = await check_key(client)
    say(f"Organization: {account.organization_name or 'without a name'}")
    say(f"Scopes:       {', '.join(account.scopes or ()) or 'not told'}")
    say(f"API:          {credentials.base_url}")


def report(findings: Sequence[BlockComparison]) -> int:
    """Tells how blocks stand, and does nothing about it."""
    for finding in findings:
        say("\n".join(finding.lines()))
    same = all(finding.status is BlockStatus.SAME for finding in findings)
    return AS_ASKED if same else DIFFERS


async def save(
    prefect: PrefectBlocks, keys: KitKeys, kits: ResolvedKits, findings: Sequence[BlockComparison]
) -> int:
    """Saves what is missing, and what differs if it is to be overwritten; and tells all of it."""
    say(f"Block types:  {', '.join(await prefect.register())}")
    told = 0
    try:
        if keys.environment is not None:
            if keys.comparison.is_due(overwrite=keys.overwrite):
                await prefect.save_credentials(
                    keys.name, keys.environment, overwrite=keys.overwrite
                )
            told += tell(keys.comparison, overwrite=keys.overwrite)
        for kit, finding in zip(kits.kits, findings, strict=True):
            if finding.is_due(overwrite=keys.overwrite):
                await prefect.save_kit(kit, overwrite=keys.overwrite)
            told += tell(finding, contents(kit, kits.names), overwrite=keys.overwrite)
    except PrefectError as error:
        say(f"Stopped. {error}\nRun it again to save the rest.", is_error=True)
        return DIFFERS
    if told:
        say("What differs stays as it is. Replace it with --overwrite.", is_error=True)
    return DIFFERS if told else AS_ASKED


def tell(finding: BlockComparison, contents: str = "", *, overwrite: bool) -> bool:
    """Says what was done about a block. Returns whether it was left although it differs."""
    if finding.is_due(overwrite=overwrite):
        say("\n".join(finding.lines_after(contents)))
        return False
    left = finding.status is BlockStatus.DIFFERS
    say("\n".join(finding.lines()), is_error=left)
    return left


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit status."""
    given = _parser().parse_args(arguments)
    hide_logs_of(PREFECT)

    def body(stack: contextlib.ExitStack) -> int:
        use_prefect(stack)
        try:
            return asyncio.run(run(given))
        except pydantic.ValidationError as error:
            raise CampaignError("\n".join(refusals(error))) from None

    return run_command(
        body,
        interrupted="Interrupted. Run it again to save the rest.",
        refused="Nothing was saved.",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program_name("save"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"""\
Registers the block types with Prefect, and saves a credentials block from
{API_KEY_VARIABLE} and {BASE_URL_VARIABLE}; and brand kits, if there is a file of them.
Without {API_KEY_VARIABLE}, the saved credentials block is checked and used.""",
        epilog="""\
A file of brand kits is TOML or YAML, a table for each kit. Its name is the block's:

    [harbor-roast]
    brand = "Harbor Roast"
    product = "Cold Brew Kit"
    audience = "Commuters"
    design_template = "ad_format=Sale"
    prompt = "Steam over a harbour at dawn"
    editable = true

All fields are optional: brand, product, product_variant, audience and design_template
as in a campaign's spreadsheet (or brand_id and so on), prompt, editable,
generate_ai_images, generate_copy; and credentials, the name of another saved
credentials block. Nothing is saved if anything in the file is wrong.

Blocks that are not there are saved. One that is there and differs is told field by
field and stays as it is, while the others are saved, unless --overwrite is given.
Blocks that the file does not name are never touched.

Exit status: 0 all blocks are as asked for; 1 some are not, and stay so; 2 nothing
was saved, because of the key, the file, or Prefect's server.""",
    )
    option = parser.add_argument
    option("kits", nargs="?", metavar="FILE", help="brand kits: .toml, .yaml or .yml")
    option(
        "--name",
        default=DEFAULT_NAME,
        type=_block_name,
        help="the credentials block's name (%(default)s)",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--overwrite", action="store_true", help="replace blocks that differ")
    how.add_argument("--check", action="store_true", help="save nothing, and tell what differs")
    return parser


def _block_name(text: str) -> str:
    if wrong := block_name_problem(text):
        raise argparse.ArgumentTypeError(wrong)
    return text
